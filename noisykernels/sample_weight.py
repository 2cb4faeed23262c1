"""Weights of samples: co-teaching, reweighting, learned weights."""

from __future__ import annotations

import torch
from torch import Tensor


def weigh(
    losses: Tensor,
    sample_weight: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
) -> Tensor:
    """Multiply the losses of samples by s_i and reduce them; the mean divides by sum_i s_i w_yi.

    Args:
        losses: The losses of samples, class weights included, of target's shape.
        sample_weight: s, of target's shape; it may require grad.
        target: Class indices; where they are `ignore_index` the sample's weight counts as zero.
        weight: Class weights w of shape (C,), or None.
        ignore_index: See target.
        reduction: "none", "mean" or "sum".
    """
    kept = target != ignore_index
    s = torch.where(kept, sample_weight.to(losses.dtype), 0.0)
    weighted = s * losses
    if reduction == "none":
        return weighted
    if reduction == "sum":
        return weighted.sum()
    if weight is not None:
        s = s * weight.to(losses.dtype)[torch.where(kept, target, 0).long()]
    return weighted.sum() / s.sum()
