"""The operators under torch.func.vmap: batches become rows of one call.

Losses of rows do not depend on each other, so a batch of batches is a longer batch; only the
reduction has to keep them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from noisykernels.ops import MEAN, NONE

_forward = torch.ops.noisykernels.forward.default
_backward = torch.ops.noisykernels.backward.default


def _to_front(tensor: Tensor, dim: int | None, batch: int) -> Tensor:
    return tensor.expand(batch, *tensor.shape) if dim is None else tensor.movedim(dim, 0)


def _join(tensor: Tensor, labels: int) -> Tensor:
    """(batch, N, ...) as (batch N, ...); single samples have no N of their own."""
    return tensor if labels == 0 else tensor.flatten(0, 1)


def _require_shared(weight_dim: int | None, vectors_dim: int | None) -> None:
    if weight_dim is not None or vectors_dim is not None:
        raise NotImplementedError(
            "vmap over the losses takes one weight for the whole batch, got a batch of weights"
        )


def forward(
    info: Any,
    in_dims: Sequence[Any],
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None,
    vectors: Tensor | None,
    terms: Sequence[int],
    values: Sequence[float],
    ignore_index: int,
    reduction: int,
    statistics: bool,
    backend: int,
    scores: int = 0,
    length: float = 0.0,
) -> tuple[tuple[Tensor, Tensor, Tensor], tuple[int, int, int]]:
    """`noisykernels::forward`; the loss and the divisor are batched in front, rows behind."""
    _require_shared(in_dims[2], in_dims[3])
    batch = info.batch_size
    logits = _to_front(logits, in_dims[0], batch)
    target = _to_front(target, in_dims[1], batch)
    labels = target.dim() - 1
    losses, rows, _ = _forward(
        _join(logits, labels),
        _join(target, labels),
        weight,
        vectors,
        terms,
        values,
        ignore_index,
        NONE,
        statistics,
        backend,
        scores,
        length,
    )
    loss = losses.reshape(target.shape)
    divisor = torch.ones(batch, dtype=losses.dtype, device=losses.device)
    if reduction != NONE:
        # In float64, as the kernels add.
        total = loss.reshape(batch, -1).sum(1, dtype=torch.float64)
        if reduction == MEAN:
            classes = target.long()  # a smaller type would compare modulo its range
            kept = classes != ignore_index
            weights = kept.to(torch.float64)
            if weight is not None:
                weights = weights * weight.double()[torch.where(kept, classes, 0)]
            weights = weights.reshape(batch, -1).sum(1)
            total, divisor = total / weights, weights.to(losses.dtype)
        loss = total.to(losses.dtype)
    return (loss, rows.reshape(len(rows), batch, -1), divisor), (0, 1, 0)


def backward(
    info: Any,
    in_dims: Sequence[Any],
    upstream: Tensor,
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None,
    vectors: Tensor | None,
    rows: Tensor,
    divisor: Tensor,
    terms: Sequence[int],
    values: Sequence[float],
    ignore_index: int,
    reduction: int,
    statistics: bool,
    backend: int,
    scores: int = 0,
    length: float = 0.0,
) -> tuple[Tensor, int]:
    """`noisykernels::backward`."""
    _require_shared(in_dims[3], in_dims[4])
    batch = info.batch_size
    logits = _to_front(logits, in_dims[1], batch)
    target = _to_front(target, in_dims[2], batch)
    upstream = _to_front(upstream, in_dims[0], batch)
    labels = target.dim() - 1
    if reduction != NONE:
        scale = upstream / _to_front(divisor, in_dims[6], batch)
        upstream = scale.reshape(-1, *[1] * labels).expand(target.shape)
    rows = _to_front(rows, in_dims[5], batch).movedim(0, 1)
    gradient = _backward(
        _join(upstream, labels),
        _join(logits, labels),
        _join(target, labels),
        weight,
        vectors,
        rows.reshape(len(rows), -1),
        torch.ones((), dtype=rows.dtype, device=rows.device),
        terms,
        values,
        ignore_index,
        NONE,
        statistics,
        backend,
        scores,
        length,
    )
    return gradient.reshape(logits.shape), 0


def register(library: torch.library.Library) -> None:
    """Make these the operators' rules under vmap."""
    torch.library.register_vmap("noisykernels::forward", forward, lib=library)
    torch.library.register_vmap("noisykernels::backward", backward, lib=library)
