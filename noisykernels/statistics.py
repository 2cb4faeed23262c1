"""What a pass over the logits knows of each sample beside its loss."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from noisykernels.reference._rows import log_softmax
from noisykernels.terms import STATISTICS


class Stats(NamedTuple):
    """Statistics of samples, of the shape of the targets, without gradient.

    Where the target is `ignore_index` the sample was not read, and where its logits hold NaN or
    +inf, or nothing but -inf, it has no probabilities: the numbers are NaN, `predicted` is -1 and
    `hit` is False.
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
    top = torch.where(log_p.isnan(), -1, top)
    # The label of an ignored sample may be -1 too.
    return Stats(p, log_p, top, (top == target) & (top >= 0), log_partition)


@torch.no_grad()
def of_logits(logits: Tensor, target: Tensor, ignore_index: int) -> Stats:
    """In plain torch."""
    z = logits.unsqueeze(0) if logits.dim() == 1 else logits
    z = z.to(torch.promote_types(z.dtype, torch.float32))
    labels = target.long()  # a smaller type would compare modulo its range
    kept = labels != ignore_index
    labels = torch.where(kept, labels, 0)
    log_p = log_softmax(z).gather(1, labels.reshape(z[:, :1].shape)).reshape(target.shape)
    read = kept & ~log_p.isnan()
    top = torch.where(read, z.argmax(1).reshape(target.shape), -1)
    log_p = torch.where(read, log_p, torch.nan)
    log_partition = torch.where(read, z.logsumexp(1).reshape(target.shape), torch.nan)
    return Stats(log_p.exp(), log_p, top, read & (top == labels), log_partition)
