"""What a pass over the logits knows of each sample beside its loss."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from noisykernels.terms import STATISTICS


class Stats(NamedTuple):
    """Statistics of samples, of the shape of the targets, without gradient.

    Where the target is `ignore_index` the sample was not read: the numbers are NaN, `predicted` is
    -1 and `hit` is False.
    """

    p_y: Tensor
    """The probability of the label."""
    logp_y: Tensor
    """Its logarithm, exact where the probability itself rounds to 1 or to 0."""
    predicted: Tensor
    """The class with the largest logit, int64; the first of them on ties."""
    hit: Tensor
    """Whether that is the label."""
    log_partition: Tensor
    """log sum_k exp(z_k)."""


def of_rows(rows: Tensor, target: Tensor) -> Stats:
    """From what the kernels leave for each row."""
    log_p, p, log_partition, predicted = rows.detach()[-len(STATISTICS) :].reshape(4, *target.shape)
    # The class is stored as an integer in the bits of a float.
    integer = torch.int64 if rows.dtype == torch.float64 else torch.int32
    top = predicted.contiguous().view(integer).long()
    return Stats(p, log_p, top, top == target, log_partition)


@torch.no_grad()
def of_logits(logits: Tensor, target: Tensor, ignore_index: int) -> Stats:
    """In plain torch."""
    z = logits.unsqueeze(0) if logits.dim() == 1 else logits
    z = z.to(torch.promote_types(z.dtype, torch.float32))
    kept = target != ignore_index
    y = torch.where(kept, target, 0).long().reshape(z[:, :1].shape)
    log_partition = z.logsumexp(1)
    others = z.log_softmax(1).exp().scatter(1, y, 0.0).sum(1)
    log_p = z.log_softmax(1).gather(1, y).squeeze(1)
    log_p = torch.where(others < 0.5, torch.log1p(-others), log_p)
    top = torch.where(kept, z.argmax(1).reshape(target.shape), -1)
    nan = torch.nan

    def where_kept(values: Tensor) -> Tensor:
        return torch.where(kept, values.reshape(target.shape), nan)

    return Stats(
        where_kept(log_p.exp()),
        where_kept(log_p),
        top,
        kept & (top == target),
        where_kept(log_partition),
    )
