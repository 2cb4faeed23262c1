"""Losses divided by their sum over all labels: symmetric all of them, 0 / 0 for a single class."""

from __future__ import annotations

from math import inf

from torch import Tensor

from noisykernels.evaluate import LossAndStats, evaluate
from noisykernels.loss_functions._registered import registered
from noisykernels.modules import RegisteredLoss
from noisykernels.plan import single
from noisykernels.reference._loss import loss
from noisykernels.reference._rows import Rows, one_minus_exp, times
from noisykernels.registry import Number, Range, Terms
from noisykernels.terms import WeightedTerm

__all__ = ["NCELoss", "NFLLoss", "NGCELoss", "nce_loss", "nfl_loss", "ngce_loss"]

_MA = "Ma et al. 2020, arXiv:2006.13554"


def nce(rows: Rows) -> Tensor:
    return rows.log_p_y / rows.log_p.sum(1, keepdim=True)


def nce_terms() -> Terms:
    return (WeightedTerm("nce", 1.0),)


@registered(
    formula="log p_y / Σ_k log p_k",
    symmetric="yes",
    bounded="yes",
    source=_MA,
    terms=nce_terms,
    reference=loss(nce),
)
def nce_loss(
    input: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Normalized cross entropy, ``log p_y / sum_k log p_k``: symmetric, slow to train alone.

    It is 0 / 0 for a single class.

    Args:
        <tensors>
        <options>

    <contract>

    Example:
        >>> import torch
        >>> nce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]))
        tensor(0.0508)
    """
    plan = single("nce")
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class NCELoss(RegisteredLoss, function=nce_loss):
    """Normalized cross entropy, see `noisykernels.functional.nce_loss`."""


def focal_weights(log_p: Tensor, gamma: float) -> Tensor:
    """``(1 - p)^gamma``, through which the published code lets no gradient."""
    return one_minus_exp(log_p).detach() ** gamma


def nfl(rows: Rows, gamma: float) -> Tensor:
    focal = focal_weights(rows.log_p, gamma) * rows.log_p
    return rows.at_label(focal) / focal.sum(1, keepdim=True)


def nfl_terms(gamma: float) -> Terms:
    return (WeightedTerm("nfl", 1.0, gamma, -inf),)


@registered(
    formula="f_y / Σ_k f_k, f_k = −(1 − p_k)^γ log p_k",
    symmetric="yes",
    bounded="yes",
    source=_MA,
    terms=nfl_terms,
    reference=loss(nfl),
    gamma=Range(at_least=0),
)
def nfl_loss(
    input: Tensor,
    target: Tensor,
    gamma: Number = 0.5,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Normalized focal loss, ``f_y / sum_k f_k`` with ``f = -(1 - p)^gamma log p``: symmetric.

    As published, the factors ``(1 - p_k)^gamma`` count as constants in the gradient.

    Args:
        <tensors>
        gamma: Focusing exponent, gamma >= 0; 0 is `nce_loss`.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> nfl_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), gamma=0.5)
        tensor(0.0254)
    """
    plan = single("nfl", gamma=gamma)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class NFLLoss(RegisteredLoss, function=nfl_loss):
    """Normalized focal loss, see `noisykernels.functional.nfl_loss`."""


def ngce(rows: Rows, q: float) -> Tensor:
    gce = one_minus_exp(times(q, rows.log_p))
    return rows.at_label(gce) / gce.sum(1, keepdim=True)


@registered(
    formula="(1 − p_y^q) / Σ_k (1 − p_k^q)",
    symmetric="yes",
    bounded="yes",
    source=_MA,
    terms=lambda q: (WeightedTerm("ngce", 1.0, q),),
    reference=loss(ngce),
    q=Range(above=0, at_most=1),
)
def ngce_loss(
    input: Tensor,
    target: Tensor,
    q: Number = 0.7,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
    published: bool = False,
) -> LossAndStats:
    """Normalized generalized cross entropy, ``(1 - p_y^q) / sum_k (1 - p_k^q)``: symmetric.

    Args:
        <tensors>
        q: Exponent, 0 < q <= 1.
        <options>
        <published>

    <contract>

    Example:
        >>> import torch
        >>> ngce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), q=0.7)
        tensor(0.0889)
    """
    plan = single("ngce", published, q=q)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class NGCELoss(RegisteredLoss, function=ngce_loss):
    """Normalized generalized cross entropy, see `noisykernels.functional.ngce_loss`."""
