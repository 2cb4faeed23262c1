"""Sparsity of the predictions."""

from __future__ import annotations

from torch import Tensor

from noisykernels.evaluate import LossAndStats, evaluate
from noisykernels.loss_functions._registered import registered
from noisykernels.modules import RegisteredLoss
from noisykernels.plan import single
from noisykernels.reference._loss import loss
from noisykernels.reference._rows import Rows, times
from noisykernels.registry import Number, Range
from noisykernels.terms import WeightedTerm

__all__ = ["PNormLoss", "pnorm_loss"]


def pnorm(rows: Rows, s: float) -> Tensor:
    return times(s, rows.log_p).exp().sum(1, keepdim=True)


@registered(
    formula="Σ_k p_k^s",
    symmetric="no: the same for all labels",
    bounded="yes",
    source="Zhou et al. 2021, arXiv:2108.00192",
    terms=lambda s: (WeightedTerm("power_sum", 1.0, s),),
    reference=loss(pnorm),
    s=Range(above=0),
)
def pnorm_loss(
    input: Tensor,
    target: Tensor,
    s: Number = 0.5,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Sparsity of the predictions, ``sum_k p_k^s``, whatever the label: a regularizer.

    For s < 1 it is least, 1, where one class has all the probability. The label matters only for
    class weights and for what is ignored.

    Args:
        <tensors>
        s: Exponent, s > 0.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> pnorm_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), s=0.5)
        tensor(1.5398)
    """
    plan = single("pnorm", s=s)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class PNormLoss(RegisteredLoss, function=pnorm_loss):
    """Sparsity of the predictions, see `noisykernels.functional.pnorm_loss`."""
