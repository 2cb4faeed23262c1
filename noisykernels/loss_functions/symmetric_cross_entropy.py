"""Symmetric cross entropy: cross entropy plus reverse cross entropy."""

from __future__ import annotations

from torch import Tensor

from noisykernels.evaluate import LossAndStats, evaluate
from noisykernels.loss_functions._registered import registered
from noisykernels.loss_functions.cross_entropy import ce, ce_terms, lsr, lsr_terms
from noisykernels.loss_functions.mean_absolute_error import rce, rce_terms
from noisykernels.modules import RegisteredLoss
from noisykernels.plan import single
from noisykernels.reference._loss import loss
from noisykernels.reference._rows import Rows
from noisykernels.registry import Number, Range, weighted_sum

__all__ = ["LSRSCELoss", "SCELoss", "lsr_sce_loss", "sce_loss"]

_WANG = "Wang et al. 2019, arXiv:1908.06112"


def sce(rows: Rows, alpha: float, beta: float, A: float) -> Tensor:
    return alpha * ce(rows) + beta * rce(rows, A)


@registered(
    formula="α · CE + β · RCE",
    symmetric="at α = 0",
    bounded="at α = 0",
    source=_WANG,
    terms=lambda alpha, beta, A: weighted_sum((alpha, ce_terms()), (beta, rce_terms(A))),
    reference=loss(sce),
    alpha=Range(at_least=0),
    beta=Range(at_least=0),
    A=Range(below=0),
)
def sce_loss(
    input: Tensor,
    target: Tensor,
    alpha: Number = 0.1,
    beta: Number = 1.0,
    A: Number = -4.0,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
    published: bool = False,
) -> LossAndStats:
    """Symmetric cross entropy, ``alpha * ce + beta * rce``, in one pass.

    Args:
        <tensors>
        alpha: Weight of `ce_loss`, alpha >= 0.
        beta: Weight of `rce_loss`, beta >= 0.
        A: As in `rce_loss`, A < 0.
        <options>
        <published>

    <contract>

    Example:
        >>> import torch
        >>> sce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), alpha=0.1, beta=1.0)
        tensor(0.8760)
    """
    plan = single("sce", published, alpha=alpha, beta=beta, A=A)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class SCELoss(RegisteredLoss, function=sce_loss):
    """Symmetric cross entropy, see `noisykernels.functional.sce_loss`."""


def lsr_sce(rows: Rows, epsilon: float, alpha: float, beta: float, A: float) -> Tensor:
    return alpha * lsr(rows, epsilon) + beta * rows.label_weight * rce(rows, A)


@registered(
    formula="α · LSR + β · RCE",
    symmetric="at α = 0",
    bounded="at α = 0",
    source=_WANG,
    terms=lambda epsilon, alpha, beta, A: weighted_sum(
        (alpha, lsr_terms(epsilon)), (beta, rce_terms(A))
    ),
    reference=loss(lsr_sce, by_label_weight=False),
    epsilon=Range(at_least=0, at_most=1),
    alpha=Range(at_least=0),
    beta=Range(at_least=0),
    A=Range(below=0),
)
def lsr_sce_loss(
    input: Tensor,
    target: Tensor,
    epsilon: Number = 0.1,
    alpha: Number = 0.1,
    beta: Number = 1.0,
    A: Number = -4.0,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Symmetric cross entropy with smoothed labels, ``alpha * lsr + beta * rce``, in one pass.

    RCE compares with the one-hot label; the paper, which calls it LSR + SL, does not say whether it
    should compare with that or with the smoothed one.

    Args:
        <tensors>
        epsilon: As in `lsr_loss`, 0 <= epsilon <= 1.
        alpha: Weight of `lsr_loss`, alpha >= 0.
        beta: Weight of `rce_loss`, beta >= 0.
        A: As in `rce_loss`, A < 0.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> lsr_sce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), epsilon=0.1)
        tensor(0.8893)
    """
    plan = single("lsr_sce", epsilon=epsilon, alpha=alpha, beta=beta, A=A)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class LSRSCELoss(RegisteredLoss, function=lsr_sce_loss):
    """Symmetric cross entropy with smoothed labels, see `noisykernels.functional.lsr_sce_loss`."""
