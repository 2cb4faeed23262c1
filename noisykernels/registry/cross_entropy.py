"""Cross entropy against labels, smoothed labels, and no labels."""

from __future__ import annotations

from noisykernels.registry.domains import Range
from noisykernels.registry.loss import Terms, register, weighted_sum
from noisykernels.terms import WeightedTerm


@register(
    formula="−log p_y",
    symmetric="no",
    bounded="no",
    source="label smoothing: Szegedy et al. 2016, arXiv:1512.00567",
    label_smoothing=Range(at_least=0, at_most=1),
)
def ce(label_smoothing: float = 0.0) -> Terms:
    """Cross entropy."""
    return lsr(label_smoothing)


@register(
    formula="−(1 − ε) log p_y − ε/C · Σ_k log p_k",
    symmetric="no",
    bounded="no",
    source="Szegedy et al. 2016, arXiv:1512.00567",
    epsilon=Range(at_least=0, at_most=1),
)
def lsr(epsilon: float) -> Terms:
    """Label smoothing regularization."""
    labelled = (WeightedTerm("ce", 1.0),)
    return weighted_sum((1 - epsilon, labelled), (epsilon, uniform_ce()))


@register(
    formula="−1/C · Σ_k log p_k",
    symmetric="no: the same for all labels",
    bounded="no",
    source="Szegedy et al. 2016, arXiv:1512.00567",
)
def uniform_ce() -> Terms:
    """Cross entropy against uniform labels."""
    return (WeightedTerm("smoothing", 1.0),)
