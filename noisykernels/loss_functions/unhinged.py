"""The unhinged loss, symmetric and convex, and what lies between it and mean absolute error."""

from __future__ import annotations

from torch import Tensor

from noisykernels.evaluate import LossAndStats, evaluate
from noisykernels.loss_functions._registered import registered
from noisykernels.loss_functions.mean_absolute_error import one_minus_p
from noisykernels.modules import RegisteredLoss
from noisykernels.plan import single
from noisykernels.reference._loss import loss
from noisykernels.reference._rows import Rows, is_zero, log_softmax, one_minus_exp, times, unhinged
from noisykernels.registry import Choice, Number, Range, RangeBy, Terms, weighted_sum
from noisykernels.terms import WeightedTerm

__all__ = [
    "AlphaMAELoss",
    "CenteredSquareLoss",
    "MUHLoss",
    "SGCELoss",
    "alpha_mae_loss",
    "centered_square_loss",
    "muh_loss",
    "sgce_loss",
]

_LEMIRE = "Lemire Paquin et al. 2026, arXiv:2605.20347"


def muh(rows: Rows, quadratic: float) -> Tensor:
    # Shoham et al. 2021, arXiv:2104.12477, have z^T A z for a regularizer, and A = I / 2 in a
    # corollary: here quadratic = 0.5.
    linear = unhinged(rows)
    # Left out, not multiplied by 0: the logits may hold inf.
    if is_zero(quadratic):
        return linear
    return linear + quadratic * rows.z.square().sum(1, keepdim=True)


@registered(
    formula="mean_k z_k − z_y + quadratic · Σ_k z_k²",
    symmetric="at quadratic = 0",
    bounded="below, if quadratic > 0",
    source=f"{_LEMIRE}; two classes: van Rooyen et al. 2015, arXiv:1505.07634",
    terms=lambda quadratic: (WeightedTerm("muh", 1.0), WeightedTerm("square", quadratic)),
    reference=loss(muh),
    quadratic=Range(at_least=0),
)
def muh_loss(
    input: Tensor,
    target: Tensor,
    quadratic: Number = 0.0,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Multiclass unhinged, ``mean_k z_k - z_y + quadratic * sum_k z_k^2``: symmetric and convex.

    It is cross entropy less its mean over all labels, and unbounded below: to be trained it needs
    the quadratic term or bounded logits.

    Args:
        <tensors>
        quadratic: Weight of the sum of the squared logits, quadratic >= 0.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> muh_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), quadratic=0.1)
        tensor(-0.9333)
    """
    plan = single("muh", quadratic=quadratic)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class MUHLoss(RegisteredLoss, function=muh_loss):
    """Multiclass unhinged, see `noisykernels.functional.muh_loss`."""


def centered_square(rows: Rows) -> Tensor:
    centered = rows.one_hot - 1 / rows.classes
    return (rows.z - centered).square().sum(1, keepdim=True) / 2


@registered(
    formula="½ Σ_k (z_k − [k = y] + 1/C)²",
    symmetric="no",
    bounded="below",
    source="Shoham et al. 2021, arXiv:2104.12477",
    terms=lambda: (WeightedTerm("centered_square", 1.0),),
    reference=loss(centered_square),
)
def centered_square_loss(
    input: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Square loss against centered labels, ``sum_k (z_k - onehot_k + 1/C)^2 / 2``: convex.

    It is `muh_loss` with ``quadratic=0.5``, plus ``(1 - 1/C) / 2``.

    Args:
        <tensors>
        <options>

    <contract>

    Example:
        >>> import torch
        >>> centered_square_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]))
        tensor(1.)
    """
    plan = single("centered_square")
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class CenteredSquareLoss(RegisteredLoss, function=centered_square_loss):
    """Square loss against centered labels, see `noisykernels.functional.centered_square_loss`."""


def sgce(rows: Rows, q: float) -> Tensor:
    # Only the abstract of the paper and texts about it were at hand: subtracting the mean over the
    # labels is theirs, an additive constant or a positive factor may differ.
    # The label's own share of the mean is taken out of it: left in, it cancels in the gradient.
    others = rows.sum_of_others(times(q, rows.log_p).exp())
    share = 1 / rows.classes
    return (share * others - (1 - share) * times(q, rows.log_p_y).exp()) / q


@registered(
    formula="(mean_k p_k^q − p_y^q) / q",
    symmetric="yes",
    bounded="yes",
    source=_LEMIRE,
    terms=lambda q: (WeightedTerm("sgce", 1.0, q),),
    reference=loss(sgce),
    q=Range(above=0, at_most=1),
)
def sgce_loss(
    input: Tensor,
    target: Tensor,
    q: Number = 0.7,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Symmetrized generalized cross entropy, ``(mean_k p_k^q - p_y^q) / q``: symmetric for every q.

    It is `gce_loss` less its mean over all labels: `muh_loss` as q -> 0, ``1/C - p_y`` at q = 1.

    Args:
        <tensors>
        q: Exponent, 0 < q <= 1.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> sgce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), q=0.7)
        tensor(-0.6068)
    """
    plan = single("sgce", q=q)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class SGCELoss(RegisteredLoss, function=sgce_loss):
    """Symmetrized generalized cross entropy, see `noisykernels.functional.sgce_loss`."""


def alpha_mae(rows: Rows, alpha: float, *, form: str) -> Tensor:
    if form == "temperature":
        return one_minus_exp(rows.at_label(log_softmax(times(alpha, rows.z)))) / alpha
    if form == "convex":
        return alpha * rows.miss + (1 - alpha) * unhinged(rows)
    raise ValueError(f"form must be 'temperature' or 'convex', got {form!r}")


def alpha_mae_terms(alpha: float, form: str) -> Terms:
    if form == "temperature":
        return (WeightedTerm("alpha_mae", 1.0, alpha),)
    return weighted_sum((alpha, one_minus_p()), (1 - alpha, (WeightedTerm("muh", 1.0),)))


@registered(
    formula="(1 − softmax(α z)_y) / α; convex: α (1 − p_y) + (1 − α) (mean_k z_k − z_y)",
    symmetric="yes",
    bounded="yes; convex only at α = 1",
    source=f"{_LEMIRE} (form unconfirmed)",
    terms=alpha_mae_terms,
    reference=loss(alpha_mae),
    alpha=RangeBy("form", {"temperature": Range(above=0), "convex": Range(at_least=0, at_most=1)}),
    form=Choice(("temperature", "convex")),
)
def alpha_mae_loss(
    input: Tensor,
    target: Tensor,
    alpha: Number = 0.5,
    *,
    form: str = "temperature",
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """alpha-MAE, from `muh_loss`, alpha -> 0, to ``1 - p_y``, alpha = 1: symmetric.

    The paper is known here only from its abstract, and two forms fit it. ``form="temperature"`` is
    ``(1 - softmax(alpha z)_y) / alpha``, bounded, with 1/C the slope of `muh_loss` as alpha -> 0.
    ``form="convex"`` is ``alpha (1 - p_y) + (1 - alpha) (mean_k z_k - z_y)``, unbounded below: like
    `muh_loss` alone it needs bounded logits.

    Args:
        <tensors>
        alpha: Inverse temperature, alpha > 0; in the convex form the share of ``1 - p_y``,
            0 <= alpha <= 1.
        form: "temperature" or "convex".
        <options>

    <contract>

    Example:
        >>> import torch
        >>> alpha_mae_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), alpha=0.5)
        tensor(0.8478)
    """
    plan = single("alpha_mae", alpha=alpha, form=form)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class AlphaMAELoss(RegisteredLoss, function=alpha_mae_loss):
    """alpha-MAE, see `noisykernels.functional.alpha_mae_loss`."""
