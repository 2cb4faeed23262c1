"""Losses of the label's probability p_y alone."""

from __future__ import annotations

from math import log

from noisykernels.registry.domains import Flag, Integer, Range
from noisykernels.registry.loss import Terms, register, weighted_sum
from noisykernels.terms import WeightedTerm
from noisykernels.terms.probability import MAX_ORDER


def one_minus_p() -> Terms:
    """What much of the literature calls MAE: half of `mae`."""
    return (WeightedTerm("mae", 1.0),)


@register(
    formula="−A (1 − p_y)",
    symmetric="yes",
    bounded="yes",
    source="Wang et al. 2019, arXiv:1908.06112",
    A=Range(below=0),
)
def rce(A: float) -> Terms:
    """Reverse cross entropy."""
    return weighted_sum((-A, one_minus_p()))


@register(
    formula="2 (1 − p_y)",
    symmetric="yes",
    bounded="yes",
    source="Ghosh et al. 2017, arXiv:1712.09482",
)
def mae() -> Terms:
    """Mean absolute error."""
    return weighted_sum((2.0, one_minus_p()))


@register(
    formula="(1 − p_y^q) / q",
    symmetric="at q = 1",
    bounded="yes",
    source="Zhang & Sabuncu 2018, arXiv:1805.07836",
    q=Range(above=0, at_most=1),
)
def gce(q: float) -> Terms:
    """Generalized cross entropy."""
    return (WeightedTerm("gce", 1.0, q),)


@register(
    formula="(1 − max(p_y, k)^q) / q",
    symmetric="no",
    bounded="yes",
    source="Zhang & Sabuncu 2018, arXiv:1805.07836",
    q=Range(above=0, at_most=1),
    k=Range(above=0, below=1),
)
def truncated_gce(q: float, k: float) -> Terms:
    """Truncated generalized cross entropy."""
    return (WeightedTerm("truncated_gce", 1.0, q, log(k)),)


@register(
    formula="Σ_{i ≤ order} (1 − p_y)^i / i",
    symmetric="at order = 1",
    bounded="yes",
    source="Feng et al. 2020, Can cross entropy loss be robust to label noise?, IJCAI",
    order=Integer(1, MAX_ORDER),
)
def taylor_ce(order: int) -> Terms:
    """Taylor cross entropy."""
    return (WeightedTerm("taylor_ce", 1.0, float(order)),)


@register(
    formula="−(1 − p_y)^γ log p_y",
    symmetric="no",
    bounded="no",
    source="Lin et al. 2017, arXiv:1708.02002",
    gamma=Range(at_least=0),
    detach=Flag(),
)
def focal(gamma: float, detach: bool) -> Terms:
    """Focal loss."""
    return (WeightedTerm("focal", 1.0, gamma, float(detach)),)


@register(
    formula="((a + 1)^q − (a + p_y)^q) / q",
    symmetric="no; asymmetric, completely for q ≥ 1",
    bounded="yes",
    source="Zhou et al. 2021, arXiv:2106.03110",
    a=Range(above=0),
    q=Range(above=0),
)
def agce(a: float, q: float) -> Terms:
    """Asymmetric generalized cross entropy."""
    return (WeightedTerm("agce", 1.0, a, q),)


@register(
    formula="((a − p_y)^q − (a − 1)^q) / q",
    symmetric="at q = 1; asymmetric, completely for q ≤ 1",
    bounded="yes",
    source="Zhou et al. 2021, arXiv:2106.03110",
    a=Range(above=1),
    q=Range(above=0),
)
def aul(a: float, q: float) -> Terms:
    """Asymmetric unhinged loss."""
    return (WeightedTerm("aul", 1.0, a, q),)


@register(
    formula="exp(−p_y / a)",
    symmetric="no; asymmetric",
    bounded="yes",
    source="Zhou et al. 2021, arXiv:2106.03110",
    a=Range(above=0),
)
def ael(a: float) -> Terms:
    """Asymmetric exponential loss."""
    return (WeightedTerm("ael", 1.0, a),)


@register(
    formula="−log((p_y + m [z_y = max z]) / (m + 1))",
    symmetric="no",
    bounded="no",
    source="Wang et al. 2024, ε-softmax: approximating one-hot vectors for mitigating label noise, "
    "NeurIPS",
    m=Range(at_least=0),
)
def eps_softmax_ce(m: float) -> Terms:
    """Cross entropy of the ε-softmax."""
    return (WeightedTerm("eps_softmax_ce", 1.0, m),)
