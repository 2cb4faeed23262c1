"""Losses and regularizers that need every class of the row."""

from __future__ import annotations

from noisykernels.registry.cross_entropy import ce
from noisykernels.registry.domains import Choice, Range, RangeBy
from noisykernels.registry.label_probability import one_minus_p
from noisykernels.registry.loss import Terms, register, weighted_sum
from noisykernels.terms import WeightedTerm

_ANY_LABEL = "no: the same for all labels"
_REED = "Reed et al. 2015, arXiv:1412.6596"


def _unhinged() -> Terms:
    return (WeightedTerm("muh", 1.0),)


@register(
    formula="mean_k z_k − z_y + quadratic · Σ_k z_k²",
    symmetric="at quadratic = 0",
    bounded="below, if quadratic > 0",
    source="Lemire Paquin et al. 2026, arXiv:2605.20347; "
    "two classes: van Rooyen et al. 2015, arXiv:1505.07634",
    quadratic=Range(at_least=0),
)
def muh(quadratic: float) -> Terms:
    """Multiclass unhinged."""
    return (*_unhinged(), WeightedTerm("square", quadratic))


@register(
    formula="½ Σ_k (z_k − [k = y] + 1/C)²",
    symmetric="no",
    bounded="below",
    source="Shoham et al. 2021, arXiv:2104.12477",
)
def centered_square() -> Terms:
    """Square loss against centered labels."""
    return (WeightedTerm("centered_square", 1.0),)


@register(
    formula="(mean_k p_k^q − p_y^q) / q",
    symmetric="yes",
    bounded="yes",
    source="Lemire Paquin et al. 2026, arXiv:2605.20347",
    q=Range(above=0, at_most=1),
)
def sgce(q: float) -> Terms:
    """Symmetrized generalized cross entropy."""
    return (WeightedTerm("sgce", 1.0, q),)


@register(
    formula="(1 − softmax(α z)_y) / α; convex: α (1 − p_y) + (1 − α) (mean_k z_k − z_y)",
    symmetric="yes",
    bounded="yes; convex only at α = 1",
    source="Lemire Paquin et al. 2026, arXiv:2605.20347 (form unconfirmed)",
    alpha=RangeBy("form", {"temperature": Range(above=0), "convex": Range(at_least=0, at_most=1)}),
    form=Choice(("temperature", "convex")),
)
def alpha_mae(alpha: float, form: str) -> Terms:
    """alpha-MAE."""
    if form == "temperature":
        return (WeightedTerm("alpha_mae", 1.0, alpha),)
    return weighted_sum((alpha, one_minus_p()), (1 - alpha, _unhinged()))


@register(
    formula="1/C · Σ_k (a [k = y] − p_k)²",
    symmetric="no; asymmetric",
    bounded="yes",
    source="Wang et al. 2025, arXiv:2507.17692",
    a=Range(at_least=1),
)
def amse(a: float) -> Terms:
    """Asymmetric mean square error."""
    return (WeightedTerm("amse", 1.0, 2.0, a),)


@register(
    formula="−Σ_k p_k log p_k",
    symmetric=_ANY_LABEL,
    bounded="yes",
    source="Pereyra et al. 2017, arXiv:1701.06548",
)
def entropy() -> Terms:
    """Entropy of the predictions."""
    return (WeightedTerm("entropy", 1.0),)


@register(
    formula="−log p_y + β Σ_k p_k log p_k",
    symmetric="no",
    bounded="no",
    source="Pereyra et al. 2017, arXiv:1701.06548",
    beta=Range(at_least=0),
)
def confidence_penalty(beta: float) -> Terms:
    """Confidence penalty."""
    return weighted_sum((1.0, ce()), (-beta, entropy()))


@register(
    formula="−β log p_y − (1 − β) Σ_k p_k log p_k",
    symmetric="no",
    bounded="no",
    source=_REED,
    beta=Range(at_least=0, at_most=1),
)
def bootstrap_soft(beta: float) -> Terms:
    """Soft bootstrapping."""
    return weighted_sum((beta, ce()), (1 - beta, entropy()))


@register(
    formula="−β log p_y − (1 − β) log max_k p_k",
    symmetric="no",
    bounded="no",
    source=_REED,
    beta=Range(at_least=0, at_most=1),
)
def bootstrap_hard(beta: float) -> Terms:
    """Hard bootstrapping."""
    return weighted_sum((beta, ce()), (1 - beta, (WeightedTerm("top_ce", 1.0),)))


@register(
    formula="Σ_k p_k^s",
    symmetric=_ANY_LABEL,
    bounded="yes",
    source="Zhou et al. 2021, arXiv:2108.00192",
    s=Range(above=0),
)
def pnorm(s: float) -> Terms:
    """Sparsity of the predictions."""
    return (WeightedTerm("power_sum", 1.0, s),)
