"""Generalized cross entropy, between cross entropy and mean absolute error, and its truncation."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor

from noisykernels.evaluate import LossAndStats, evaluate
from noisykernels.loss_functions._registered import registered
from noisykernels.modules import RegisteredLoss
from noisykernels.plan import single
from noisykernels.reference._loss import loss
from noisykernels.reference._rows import Rows, one_minus_exp, times
from noisykernels.registry import Number, Range
from noisykernels.terms import WeightedTerm

__all__ = ["GCELoss", "TruncatedGCELoss", "gce_loss", "truncated_gce_loss"]

_ZHANG = "Zhang & Sabuncu 2018, arXiv:1805.07836"


def gce(rows: Rows, q: float) -> Tensor:
    # Published code either raises the softmax to the power q, whose gradient is NaN where p_y
    # underflows, or clips p at 1e-7, below which the gradient is 0 although p_y^q is not small.
    return one_minus_exp(times(q, rows.log_p_y)) / q


@registered(
    formula="(1 − p_y^q) / q",
    symmetric="at q = 1",
    bounded="yes",
    source=_ZHANG,
    terms=lambda q: (WeightedTerm("gce", 1.0, q),),
    reference=loss(gce),
    q=Range(above=0, at_most=1),
)
def gce_loss(
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
    """Generalized cross entropy, ``(1 - p_y^q) / q``: from cross entropy, q -> 0, to MAE, q = 1.

    Args:
        <tensors>
        q: Exponent, 0 < q <= 1. The larger, the more robust and the slower to train.
        <options>
        <published>

    <contract>

    Example:
        >>> import torch
        >>> gce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), q=0.7)
        tensor(0.2205)
    """
    plan = single("gce", published, q=q)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class GCELoss(RegisteredLoss, function=gce_loss):
    """Generalized cross entropy, see `noisykernels.functional.gce_loss`."""


def truncated_gce(rows: Rows, q: float, k: float) -> Tensor:
    return torch.where(rows.p_y > k, gce(rows, q), (1 - k**q) / q)


@registered(
    formula="(1 − max(p_y, k)^q) / q",
    symmetric="no",
    bounded="yes",
    source=_ZHANG,
    terms=lambda q, k: (WeightedTerm("truncated_gce", 1.0, q, log(k)),),
    reference=loss(truncated_gce),
    q=Range(above=0, at_most=1),
    k=Range(above=0, below=1),
)
def truncated_gce_loss(
    input: Tensor,
    target: Tensor,
    q: Number = 0.7,
    k: Number = 0.5,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Truncated generalized cross entropy, ``(1 - max(p_y, k)^q) / q``.

    Samples with ``p_y <= k`` have no gradient.

    The paper decides which samples to keep once in several epochs, from a pass over the data: that
    has the gradient of `gce_loss` with a ``sample_weight`` of 0 and 1.

    Args:
        <tensors>
        q: Exponent, 0 < q <= 1.
        k: Probability below which a label is taken to be wrong, 0 < k < 1.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> truncated_gce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), q=0.7, k=0.5)
        tensor(0.2205)
    """
    plan = single("truncated_gce", q=q, k=k)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class TruncatedGCELoss(RegisteredLoss, function=truncated_gce_loss):
    """Truncated generalized cross entropy, see `noisykernels.functional.truncated_gce_loss`."""
