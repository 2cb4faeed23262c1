"""Weights of samples: co-teaching, reweighting, learned weights."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import embedding


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
        target: Class indices; where they are `ignore_index` the sample's weight counts as zero. Or
            probabilities, where nothing is ignored and the mean divides by sum_i s_i.
        weight: Class weights w of shape (C,), or None.
        ignore_index: See target.
        reduction: "none", "mean" or "sum".
    """
    s = sample_weight.to(losses.dtype)
    w_y = None
    if not target.is_floating_point():
        labels = target.long()  # a smaller type would compare modulo its range
        kept = labels != ignore_index
        s = torch.where(kept, s, 0.0)
        if weight is not None:
            # Under vmap [] does not take an index of no dimension.
            w = weight.to(losses.dtype).unsqueeze(1)
            w_y = embedding(torch.where(kept, labels, 0), w).squeeze(-1)
    weighted = s * losses
    if reduction == "none":
        return weighted
    if reduction == "sum":
        return weighted.sum()
    return weighted.sum() / (s if w_y is None else s * w_y).sum()
