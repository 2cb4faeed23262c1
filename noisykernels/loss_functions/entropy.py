"""Entropy of the predictions, and cross entropy with a reward for it."""

from __future__ import annotations

import torch
from torch import Tensor

from noisykernels.evaluate import LossAndStats, evaluate
from noisykernels.loss_functions._registered import registered
from noisykernels.loss_functions.cross_entropy import ce, ce_terms
from noisykernels.modules import RegisteredLoss
from noisykernels.plan import single
from noisykernels.reference._loss import loss
from noisykernels.reference._rows import Rows
from noisykernels.registry import Number, Range, Terms, weighted_sum
from noisykernels.terms import WeightedTerm

__all__ = ["ConfidencePenaltyLoss", "EntropyLoss", "confidence_penalty_loss", "entropy_loss"]

_PEREYRA = "Pereyra et al. 2017, arXiv:1701.06548"


def entropy(rows: Rows) -> Tensor:
    p = rows.p
    # Where p is 0 so is p log p, and its gradient.
    return -(p * torch.where(p > 0, rows.log_p, 0.0)).sum(1, keepdim=True)


def entropy_terms() -> Terms:
    return (WeightedTerm("entropy", 1.0),)


@registered(
    formula="−Σ_k p_k log p_k",
    symmetric="no: the same for all labels",
    bounded="yes",
    source=_PEREYRA,
    terms=entropy_terms,
    reference=loss(entropy),
)
def entropy_loss(
    input: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Entropy of the predictions, ``-sum_k p_k log p_k``, whatever the label: a regularizer.

    The label matters only for class weights and for what is ignored.

    Args:
        <tensors>
        <options>

    <contract>

    Example:
        >>> import torch
        >>> entropy_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]))
        tensor(0.6656)
    """
    plan = single("entropy")
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class EntropyLoss(RegisteredLoss, function=entropy_loss):
    """Entropy of the predictions, see `noisykernels.functional.entropy_loss`."""


def confidence_penalty(rows: Rows, beta: float) -> Tensor:
    return ce(rows) - beta * entropy(rows)


@registered(
    formula="−log p_y + β Σ_k p_k log p_k",
    symmetric="no",
    bounded="no",
    source=_PEREYRA,
    terms=lambda beta: weighted_sum((1.0, ce_terms()), (-beta, entropy_terms())),
    reference=loss(confidence_penalty),
    beta=Range(at_least=0),
)
def confidence_penalty_loss(
    input: Tensor,
    target: Tensor,
    beta: Number = 0.1,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Confidence penalty, ``-log p_y - beta H``: cross entropy with a reward for the entropy ``H``.

    Args:
        <tensors>
        beta: Weight of the entropy, beta >= 0.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> confidence_penalty_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), beta=0.1)
        tensor(0.1730)
    """
    plan = single("confidence_penalty", beta=beta)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class ConfidencePenaltyLoss(RegisteredLoss, function=confidence_penalty_loss):
    """Confidence penalty, see `noisykernels.functional.confidence_penalty_loss`."""
