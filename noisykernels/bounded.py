"""Bounded scores in plain torch: the logits of a sample times a number that makes their length.

`noisykernels.scores` is the public side of it. The kernels take `Scores` after all their other
arguments, and compute the loss of the scores in the same pass.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

NORMALIZED, CLIPPED = 1, 2
"""Kinds of scores as the operators take them; 0 stands for the logits as they are."""


class Scores(NamedTuple):
    """What becomes of the logits before a loss sees them."""

    kind: int
    length: float
    """Of all rows, or of the longest where they are clipped."""

    def __str__(self) -> str:
        """The argument that says so."""
        return f"{'scale' if self.kind == NORMALIZED else 'delta'}={self.length!r}"


def rescaled(input: Tensor, scores: Scores) -> Tensor:
    """Scores of input's shape and dtype, differentiable any number of times."""
    apply: Any = _Rescaled.apply
    result: Tensor = apply(input, scores)
    return result


def rescaled_plainly(z: Tensor, scores: Scores) -> Tensor:
    """The same without a rule for the gradient: where C++ calls torch there is no other way."""
    norm, is_rescaled = _lengths(z, scores)
    return z * torch.where(is_rescaled, scores.length / norm, 1.0)


def widened(input: Tensor) -> Tensor:
    """Logits in the type of the arithmetic."""
    return input.to(torch.promote_types(input.dtype, torch.float32))


def class_axis(input: Tensor) -> int:
    """The axis of the classes in logits of shape (C,), (N, C) or (N, C, d1, ...)."""
    return 1 if input.dim() > 1 else 0


def pulled_back(upstream: Tensor, input: Tensor, scores: Scores) -> Tensor:
    """The gradient with respect to the logits from that with respect to their scores.

    A step along the logits does not change scores that are rescaled: what is across it counts.
    """
    z = widened(input)
    g = upstream.to(z.dtype)
    norm, is_rescaled = _lengths(z, scores)
    direction = z / norm
    along = (g * direction).sum(class_axis(input), keepdim=True)
    across = g - torch.where(is_rescaled, along, 0.0) * direction
    result = torch.where(is_rescaled, scores.length / norm, 1.0) * across
    # Of an ignored sample no score matters: 0 times NaN must not come back.
    return torch.where(norm.isnan() & (upstream == 0), 0.0, result)


class _Rescaled(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(input: Tensor, scores: Scores) -> Tensor:
        return rescaled_plainly(widened(input), scores).to(input.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        input, ctx.scores = inputs
        ctx.save_for_backward(input)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        (input,) = ctx.saved_tensors
        return pulled_back(upstream, input, ctx.scores).to(input.dtype), None


def _lengths(z: Tensor, scores: Scores) -> tuple[Tensor, Tensor]:
    """The lengths of logits, NaN where one is not finite, and which of them are rescaled.

    Zeros have a length that keeps them so.
    """
    axis = class_axis(z)
    largest = z.detach().abs().amax(axis, keepdim=True)
    unit = torch.where(largest > 0, largest, 1.0)  # squares of large numbers overflow
    square = (z / unit).square().sum(axis, keepdim=True)
    zero = square == 0
    norm = unit * torch.where(zero, 1.0, square).sqrt()
    grow = scores.kind == NORMALIZED
    norm = torch.where(zero, torch.inf if grow else scores.length, norm)
    return norm, torch.full_like(zero, grow) | ~(norm <= scores.length)
