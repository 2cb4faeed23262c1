"""Weighted sums of losses that have a name of their own.

"MAE" in the names of normalized losses is 1 - p_y, as in all their published code: half of `mae`.
"""

from __future__ import annotations

from noisykernels.registry.cross_entropy import ce, lsr
from noisykernels.registry.domains import Range
from noisykernels.registry.label_probability import ael, agce, aul, one_minus_p, rce
from noisykernels.registry.loss import Terms, register, weighted_sum
from noisykernels.registry.normalized import nce, nfl, nnce, nnfl
from noisykernels.registry.whole_row import amse

_WANG_2019 = "Wang et al. 2019, arXiv:1908.06112"
_MA = "Ma et al. 2020, arXiv:2006.13554"
_ZHOU = "Zhou et al. 2021, arXiv:2106.03110"
_YE = "Ye et al. 2023, Active negative loss functions for learning with noisy labels, NeurIPS"
_WANG_2025 = "Wang et al. 2025, arXiv:2507.17692"

_WEIGHT = Range(at_least=0)


@register(
    formula="α · CE + β · RCE",
    symmetric="at α = 0",
    bounded="at α = 0",
    source=_WANG_2019,
    alpha=_WEIGHT,
    beta=_WEIGHT,
    A=Range(below=0),
)
def sce(alpha: float, beta: float, A: float) -> Terms:
    """Symmetric cross entropy."""
    return weighted_sum((alpha, ce()), (beta, rce(A)))


@register(
    formula="α · LSR + β · RCE",
    symmetric="at α = 0",
    bounded="at α = 0",
    source=_WANG_2019,
    epsilon=Range(at_least=0, at_most=1),
    alpha=_WEIGHT,
    beta=_WEIGHT,
    A=Range(below=0),
)
def lsr_sce(epsilon: float, alpha: float, beta: float, A: float) -> Terms:
    """Symmetric cross entropy with smoothed labels."""
    return weighted_sum((alpha, lsr(epsilon)), (beta, rce(A)))


@register(
    formula="α · NCE + β (1 − p_y)",
    symmetric="yes",
    bounded="yes",
    source=_MA,
    alpha=_WEIGHT,
    beta=_WEIGHT,
)
def nce_mae(alpha: float, beta: float) -> Terms:
    """Normalized cross entropy and MAE."""
    return weighted_sum((alpha, nce()), (beta, one_minus_p()))


@register(
    formula="α · NCE + β · RCE",
    symmetric="yes",
    bounded="yes",
    source=_MA,
    alpha=_WEIGHT,
    beta=_WEIGHT,
    A=Range(below=0),
)
def nce_rce(alpha: float, beta: float, A: float) -> Terms:
    """Normalized cross entropy and RCE."""
    return weighted_sum((alpha, nce()), (beta, rce(A)))


@register(
    formula="α · NFL + β (1 − p_y)",
    symmetric="yes",
    bounded="yes",
    source=_MA,
    alpha=_WEIGHT,
    beta=_WEIGHT,
    gamma=Range(at_least=0),
)
def nfl_mae(alpha: float, beta: float, gamma: float) -> Terms:
    """Normalized focal loss and MAE."""
    return weighted_sum((alpha, nfl(gamma)), (beta, one_minus_p()))


@register(
    formula="α · NFL + β · RCE",
    symmetric="yes",
    bounded="yes",
    source=_MA,
    alpha=_WEIGHT,
    beta=_WEIGHT,
    gamma=Range(at_least=0),
    A=Range(below=0),
)
def nfl_rce(alpha: float, beta: float, gamma: float, A: float) -> Terms:
    """Normalized focal loss and RCE."""
    return weighted_sum((alpha, nfl(gamma)), (beta, rce(A)))


@register(
    formula="α · NCE + β · AGCE",
    symmetric="at β = 0; asymmetric",
    bounded="yes",
    source=_ZHOU,
    alpha=_WEIGHT,
    beta=_WEIGHT,
    a=Range(above=0),
    q=Range(above=0),
)
def nce_agce(alpha: float, beta: float, a: float, q: float) -> Terms:
    """Normalized cross entropy and AGCE."""
    return weighted_sum((alpha, nce()), (beta, agce(a, q)))


@register(
    formula="α · NCE + β · AUL",
    symmetric="at β = 0 or q = 1; asymmetric",
    bounded="yes",
    source=_ZHOU,
    alpha=_WEIGHT,
    beta=_WEIGHT,
    a=Range(above=1),
    q=Range(above=0),
)
def nce_aul(alpha: float, beta: float, a: float, q: float) -> Terms:
    """Normalized cross entropy and AUL."""
    return weighted_sum((alpha, nce()), (beta, aul(a, q)))


@register(
    formula="α · NCE + β · AEL",
    symmetric="at β = 0; asymmetric",
    bounded="yes",
    source=_ZHOU,
    alpha=_WEIGHT,
    beta=_WEIGHT,
    a=Range(above=0),
)
def nce_ael(alpha: float, beta: float, a: float) -> Terms:
    """Normalized cross entropy and AEL."""
    return weighted_sum((alpha, nce()), (beta, ael(a)))


@register(
    formula="α · NCE + β · NNCE",
    symmetric="yes",
    bounded="yes",
    source=_YE,
    alpha=_WEIGHT,
    beta=_WEIGHT,
    p_min=Range(above=0, below=1),
)
def anl_ce(alpha: float, beta: float, p_min: float) -> Terms:
    """Active negative loss of cross entropy."""
    return weighted_sum((alpha, nce()), (beta, nnce(p_min)))


@register(
    formula="α · NFL + β · NNFL",
    symmetric="yes",
    bounded="yes",
    source=_YE,
    alpha=_WEIGHT,
    beta=_WEIGHT,
    gamma=Range(at_least=0),
    p_min=Range(above=0, below=1),
)
def anl_fl(alpha: float, beta: float, gamma: float, p_min: float) -> Terms:
    """Active negative loss of focal loss."""
    return weighted_sum((alpha, nfl(gamma)), (beta, nnfl(gamma, p_min)))


@register(
    formula="α · NCE + β · AMSE",
    symmetric="at β = 0; asymmetric",
    bounded="yes",
    source=_WANG_2025,
    alpha=_WEIGHT,
    beta=_WEIGHT,
    a=Range(at_least=1),
)
def jal_ce(alpha: float, beta: float, a: float) -> Terms:
    """Joint asymmetric loss of cross entropy."""
    return weighted_sum((alpha, nce()), (beta, amse(a)))


@register(
    formula="α · NFL + β · AMSE",
    symmetric="at β = 0; asymmetric",
    bounded="yes",
    source=_WANG_2025,
    alpha=_WEIGHT,
    beta=_WEIGHT,
    a=Range(at_least=1),
    gamma=Range(at_least=0),
)
def jal_fl(alpha: float, beta: float, a: float, gamma: float) -> Terms:
    """Joint asymmetric loss of focal loss."""
    return weighted_sum((alpha, nfl(gamma)), (beta, amse(a)))
