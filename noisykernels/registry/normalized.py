"""Losses divided by their sum over all labels, and the negative ones."""

from __future__ import annotations

from math import inf, log

from noisykernels.registry.domains import Range
from noisykernels.registry.loss import Terms, register
from noisykernels.terms import WeightedTerm

_MA = "Ma et al. 2020, arXiv:2006.13554"
_YE = "Ye et al. 2023, Active negative loss functions for learning with noisy labels, NeurIPS"


@register(
    formula="log p_y / Σ_k log p_k",
    symmetric="yes",
    bounded="yes",
    source=_MA,
)
def nce() -> Terms:
    """Normalized cross entropy."""
    return (WeightedTerm("nce", 1.0),)


@register(
    formula="f_y / Σ_k f_k, f_k = −(1 − p_k)^γ log p_k",
    symmetric="yes",
    bounded="yes",
    source=_MA,
    gamma=Range(at_least=0),
)
def nfl(gamma: float) -> Terms:
    """Normalized focal loss."""
    return (WeightedTerm("nfl", 1.0, gamma, -inf),)


@register(
    formula="(1 − p_y^q) / Σ_k (1 − p_k^q)",
    symmetric="yes",
    bounded="yes",
    source=_MA,
    q=Range(above=0, at_most=1),
)
def ngce(q: float) -> Terms:
    """Normalized generalized cross entropy."""
    return (WeightedTerm("ngce", 1.0, q),)


@register(
    formula="1 − u_y / Σ_k u_k, u_k = max(0, log(p_k / p_min))",
    symmetric="yes",
    bounded="yes",
    source=_YE,
    p_min=Range(above=0, below=1),
)
def nnce(p_min: float) -> Terms:
    """Normalized negative cross entropy."""
    return nnfl(0.0, p_min)


@register(
    formula="1 − u_y / Σ_k u_k, u_k = max(0, f(p_min) − f(p_k)), f(p) = −(1 − p)^γ log p",
    symmetric="yes",
    bounded="yes",
    source=_YE,
    gamma=Range(at_least=0),
    p_min=Range(above=0, below=1),
)
def nnfl(gamma: float, p_min: float) -> Terms:
    """Normalized negative focal loss."""
    return (WeightedTerm("nnfl", 1.0, gamma, log(p_min)),)
