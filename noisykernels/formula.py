"""Losses from the formulas of their terms, in plain torch.

It serves losses that were registered from outside the package, wherever no kernel knows their
terms. As in the kernels the gradient is made of coefficients, so it is that of detached factors
too, and as exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from noisykernels.reference._loss import evaluate
from noisykernels.reference._rows import Rows
from noisykernels.terms import WeightedTerm, gradient, values


def loss(
    terms: Sequence[WeightedTerm],
    input: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
) -> Tensor:
    """The loss that is a weighted sum of terms; differentiable any number of times."""
    apply: Any = _Formula.apply

    def of_rows(rows: Rows) -> Tensor:
        losses: Tensor = apply(rows.z, rows.y.squeeze(1), weight, terms)
        return losses.unsqueeze(1)

    return evaluate(of_rows, input, target, weight, ignore_index, reduction)


class _Formula(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(
        logits: Tensor, target: Tensor, weight: Tensor | None, terms: Sequence[WeightedTerm]
    ) -> Tensor:
        return values(logits, target, weight, terms)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        logits, target, weight, ctx.terms = inputs
        ctx.save_for_backward(logits, target, weight)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None, None]:
        logits, target, weight = ctx.saved_tensors
        # evaluate has put a label in the place of what is ignored: no label is negative.
        result = gradient(upstream, logits, target, weight, ctx.terms, -1, mean=False)
        return result, None, None, None
