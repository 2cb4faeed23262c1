"""Bootstrapping: cross entropy against a mixture of the label and the prediction."""

from __future__ import annotations

from torch import Tensor

from noisykernels.evaluate import LossAndStats, evaluate
from noisykernels.loss_functions._registered import registered
from noisykernels.loss_functions.cross_entropy import ce, ce_terms
from noisykernels.loss_functions.entropy import entropy, entropy_terms
from noisykernels.modules import RegisteredLoss
from noisykernels.plan import single
from noisykernels.reference._loss import loss
from noisykernels.reference._rows import Rows, leader
from noisykernels.registry import Number, Range, weighted_sum
from noisykernels.terms import WeightedTerm

__all__ = ["BootstrapHardLoss", "BootstrapSoftLoss", "bootstrap_hard_loss", "bootstrap_soft_loss"]

_REED = "Reed et al. 2015, arXiv:1412.6596"


def bootstrap_soft(rows: Rows, beta: float) -> Tensor:
    # Gradients flow through the target: were it held constant, that of the entropy would be 0.
    return beta * ce(rows) + (1 - beta) * entropy(rows)


@registered(
    formula="−β log p_y − (1 − β) Σ_k p_k log p_k",
    symmetric="no",
    bounded="no",
    source=_REED,
    terms=lambda beta: weighted_sum((beta, ce_terms()), (1 - beta, entropy_terms())),
    reference=loss(bootstrap_soft),
    beta=Range(at_least=0, at_most=1),
)
def bootstrap_soft_loss(
    input: Tensor,
    target: Tensor,
    beta: Number = 0.95,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
    published: bool = False,
) -> LossAndStats:
    """Soft bootstrapping, cross entropy with the target ``beta onehot + (1 - beta) p``.

    It is ``beta CE + (1 - beta) H`` with the entropy ``H``; gradients flow through the target.

    Args:
        <tensors>
        beta: Share of the label in the target, 0 <= beta <= 1.
        <options>
        <published>

    <contract>

    Example:
        >>> import torch
        >>> bootstrap_soft_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), beta=0.95)
        tensor(0.2608)
    """
    plan = single("bootstrap_soft", published, beta=beta)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class BootstrapSoftLoss(RegisteredLoss, function=bootstrap_soft_loss):
    """Soft bootstrapping, see `noisykernels.functional.bootstrap_soft_loss`."""


def bootstrap_hard(rows: Rows, beta: float) -> Tensor:
    predicted = rows.log_p.gather(1, leader(rows.z))
    return beta * ce(rows) - (1 - beta) * predicted


@registered(
    formula="−β log p_y − (1 − β) log max_k p_k",
    symmetric="no",
    bounded="no",
    source=_REED,
    terms=lambda beta: weighted_sum((beta, ce_terms()), (1 - beta, (WeightedTerm("top_ce", 1.0),))),
    reference=loss(bootstrap_hard),
    beta=Range(at_least=0, at_most=1),
)
def bootstrap_hard_loss(
    input: Tensor,
    target: Tensor,
    beta: Number = 0.8,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
    published: bool = False,
) -> LossAndStats:
    """Hard bootstrapping, cross entropy with ``beta onehot + (1 - beta) onehot'``.

    ``onehot'`` is that of the predicted class, the first of the largest logits.

    Args:
        <tensors>
        beta: Share of the label in the target, 0 <= beta <= 1.
        <options>
        <published>

    <contract>

    Example:
        >>> import torch
        >>> bootstrap_hard_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), beta=0.8)
        tensor(0.2395)
    """
    plan = single("bootstrap_hard", published, beta=beta)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class BootstrapHardLoss(RegisteredLoss, function=bootstrap_hard_loss):
    """Hard bootstrapping, see `noisykernels.functional.bootstrap_hard_loss`."""
