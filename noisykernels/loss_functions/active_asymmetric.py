"""Normalized cross entropy plus an asymmetric loss."""

from __future__ import annotations

from torch import Tensor

from noisykernels.evaluate import LossAndStats, evaluate
from noisykernels.loss_functions._registered import registered
from noisykernels.loss_functions.asymmetric import ael, ael_terms, agce, agce_terms, aul, aul_terms
from noisykernels.loss_functions.normalized import nce, nce_terms
from noisykernels.modules import RegisteredLoss
from noisykernels.plan import single
from noisykernels.reference._loss import loss
from noisykernels.reference._rows import Rows
from noisykernels.registry import Number, Range, weighted_sum

__all__ = [
    "NCEAELLoss",
    "NCEAGCELoss",
    "NCEAULLoss",
    "nce_ael_loss",
    "nce_agce_loss",
    "nce_aul_loss",
]

_ZHOU = "Zhou et al. 2021, arXiv:2106.03110"


def nce_agce(rows: Rows, alpha: float, beta: float, a: float, q: float) -> Tensor:
    return alpha * nce(rows) + beta * agce(rows, a, q)


@registered(
    formula="α · NCE + β · AGCE",
    symmetric="at β = 0; asymmetric",
    bounded="yes",
    source=_ZHOU,
    terms=lambda alpha, beta, a, q: weighted_sum((alpha, nce_terms()), (beta, agce_terms(a, q))),
    reference=loss(nce_agce),
    alpha=Range(at_least=0),
    beta=Range(at_least=0),
    a=Range(above=0),
    q=Range(above=0),
)
def nce_agce_loss(
    input: Tensor,
    target: Tensor,
    alpha: Number = 1.0,
    beta: Number = 4.0,
    a: Number = 6.0,
    q: Number = 1.5,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Normalized cross entropy and AGCE, ``alpha * nce + beta * agce``.

    Args:
        <tensors>
        alpha: Weight of `nce_loss`, alpha >= 0.
        beta: Weight of `agce_loss`, beta >= 0.
        a: As in `agce_loss`, a > 0.
        q: As in `agce_loss`, q > 0.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> nce_agce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), alpha=1.0, beta=4.0)
        tensor(2.2879)
    """
    plan = single("nce_agce", alpha=alpha, beta=beta, a=a, q=q)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class NCEAGCELoss(RegisteredLoss, function=nce_agce_loss):
    """Normalized cross entropy and AGCE, see `noisykernels.functional.nce_agce_loss`."""


def nce_aul(rows: Rows, alpha: float, beta: float, a: float, q: float) -> Tensor:
    return alpha * nce(rows) + beta * aul(rows, a, q)


@registered(
    formula="α · NCE + β · AUL",
    symmetric="at β = 0 or q = 1; asymmetric",
    bounded="yes",
    source=_ZHOU,
    terms=lambda alpha, beta, a, q: weighted_sum((alpha, nce_terms()), (beta, aul_terms(a, q))),
    reference=loss(nce_aul),
    alpha=Range(at_least=0),
    beta=Range(at_least=0),
    a=Range(above=1),
    q=Range(above=0),
)
def nce_aul_loss(
    input: Tensor,
    target: Tensor,
    alpha: Number = 1.0,
    beta: Number = 4.0,
    a: Number = 6.3,
    q: Number = 1.5,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Normalized cross entropy and AUL, ``alpha * nce + beta * aul``.

    Args:
        <tensors>
        alpha: Weight of `nce_loss`, alpha >= 0.
        beta: Weight of `aul_loss`, beta >= 0.
        a: As in `aul_loss`, a > 1.
        q: As in `aul_loss`, q > 0.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> nce_aul_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), alpha=1.0, beta=4.0)
        tensor(2.0319)
    """
    plan = single("nce_aul", alpha=alpha, beta=beta, a=a, q=q)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class NCEAULLoss(RegisteredLoss, function=nce_aul_loss):
    """Normalized cross entropy and AUL, see `noisykernels.functional.nce_aul_loss`."""


def nce_ael(rows: Rows, alpha: float, beta: float, a: float) -> Tensor:
    return alpha * nce(rows) + beta * ael(rows, a)


@registered(
    formula="α · NCE + β · AEL",
    symmetric="at β = 0; asymmetric",
    bounded="yes",
    source=_ZHOU,
    terms=lambda alpha, beta, a: weighted_sum((alpha, nce_terms()), (beta, ael_terms(a))),
    reference=loss(nce_ael),
    alpha=Range(at_least=0),
    beta=Range(at_least=0),
    a=Range(above=0),
)
def nce_ael_loss(
    input: Tensor,
    target: Tensor,
    alpha: Number = 1.0,
    beta: Number = 4.0,
    a: Number = 5.0,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Normalized cross entropy and AEL, ``alpha * nce + beta * ael``.

    Args:
        <tensors>
        alpha: Weight of `nce_loss`, alpha >= 0.
        beta: Weight of `ael_loss`, beta >= 0.
        a: As in `ael_loss`, a > 0.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> nce_ael_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), alpha=1.0, beta=4.0)
        tensor(3.4682)
    """
    plan = single("nce_ael", alpha=alpha, beta=beta, a=a)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class NCEAELLoss(RegisteredLoss, function=nce_ael_loss):
    """Normalized cross entropy and AEL, see `noisykernels.functional.nce_ael_loss`."""
