"""How a fused loss enters autograd: by the C++ node, or by a Python function of one contract.

`fused_loss` is what the losses use where the extension is built: the operator carries its own
autograd node, and a step of 128x10 costs a third of what it does through a Python function.
`FusedLoss` needs no extension and serves where it is absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from noisykernels import batching, ops
from noisykernels.backends import extension

batching.register(ops.LIBRARY)

_forward = torch.ops.noisykernels.forward.default
_backward = torch.ops.noisykernels.backward.default
_backward_formula = torch.ops.noisykernels.backward_formula.default


def fused_loss(
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
) -> tuple[Tensor, Tensor]:
    """A weighted sum of terms in one pass, forward and backward.

    The arguments are those of the operator, unchecked but for the labels on the CPU;
    `noisykernels.functional` is the checked way in.

    Args:
        logits: (C,), (N, C) or (N, C, d1, ...), floating point, any strides.
        target: class indices, the shape of `logits` without its class axis.
        weight: (C,) class weights or None.
        vectors: (C, C), a row for each label, or a row for each sample, for terms that read one.
        terms: ids of the terms, positions in `noisykernels.terms.NAMES`.
        values: for each term its weight and its two parameters, one after the other.
        ignore_index: rows with this label have loss and gradient zero.
        reduction: 0 none, 1 mean, 2 sum.
        statistics: whether the last rows of the second result are `noisykernels.terms.STATISTICS`.
        backend: position in `noisykernels.backends.NAMES`.
        scores: what the loss is computed of: 0 the logits, 1 normalized, 2 clipped to `length`.
        length: of the scores; the loss of them is one pass too.

    Returns:
        The loss, float32 for half precision logits, and the numbers of rows, which
        `noisykernels.terms.columns` names; they have no gradient.

    Example:
        >>> from noisykernels.ops import pack
        >>> from noisykernels.terms import WeightedTerm
        >>> pack([WeightedTerm("ce", 0.1), WeightedTerm("mae", 4.0)])
        ([0, 1], [0.1, 0.0, 0.0, 4.0, 0.0, 0.0])
    """
    function: Any = _forward if extension else FusedLoss.apply
    loss, rows, _ = function(
        logits,
        target,
        weight,
        vectors,
        terms,
        values,
        ignore_index,
        reduction,
        statistics,
        backend,
        scores,
        length,
    )
    return loss, rows


class FusedLoss(torch.autograd.Function):
    """The contract of `fused_loss` as a Python function: `FusedLoss.apply(*arguments)[0]`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(*arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
        """The loss, and for the backward the coefficients of rows and the mean's divisor."""
        loss, rows, divisor = _forward(*arguments)
        return loss, rows, divisor

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        """Save the tensors; the loss alone is differentiable."""
        logits, target, weight, vectors, *ctx.loss = inputs
        _, rows, divisor = output
        ctx.mark_non_differentiable(rows, divisor)
        ctx.save_for_backward(logits, target, weight, vectors, rows, divisor)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor, *_: Any) -> tuple[Any, ...]:
        """The kernel, or its formula in plain torch when the gradient is itself differentiated."""
        logits = ctx.saved_tensors[0]
        differentiated = torch.is_grad_enabled() and (
            logits.requires_grad or upstream.requires_grad
        )
        op = _backward_formula if differentiated else _backward
        return op(upstream, *ctx.saved_tensors, *ctx.loss), *[None] * (3 + len(ctx.loss))
