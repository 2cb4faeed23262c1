"""Bounded scores: logits scaled to a norm, or down to it, before they enter a loss.

Losses that are unbounded below, such as MUH, need them, and clipped logits make any loss bounded.
Each function is two passes over the logits forward and two backward, beside those of the loss.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from noisykernels import validation


def normalize(input: Tensor, scale: float = 1.0) -> Tensor:
    """Logits of one length, ``scale * z / ||z||``.

    Args:
        input: Logits of shape (C,), (N, C) or (N, C, d1, ...), dtype float16, bfloat16, float32 or
            float64, with any strides. Logits that are all 0 stay so and have gradient 0.
        scale: Euclidean length of the result, scale > 0.

    Returns:
        Scores of input's shape and dtype; half precision is computed in float32. Where the logits
        of a sample are not finite, or the sum of their squares is not, its scores are NaN; its
        gradient is 0 if nothing depends on them, as where its label is ignored.

    Raises:
        ValueError: If scale is out of range or input has no class dimension.
        TypeError: If an argument has the wrong type or dtype.

    Source:
        Lemire Paquin et al. 2026, arXiv:2605.20347, for losses that are unbounded below.

    Example:
        >>> normalize(torch.tensor([[3.0, 4.0]]), scale=10.0)
        tensor([[6., 8.]])
    """
    return _rescaled(input, "scale", scale, True)


def clip(input: Tensor, delta: float) -> Tensor:
    """Logits no longer than delta, ``z * min(1, delta / ||z||)``: LogitClip.

    Args:
        input: As in `normalize`.
        delta: Largest Euclidean length of the result, delta > 0: in published code 2.5 for
            CIFAR-10 and 0.5 for CIFAR-100.

    Returns:
        As `normalize`.

    Raises:
        ValueError: If delta is out of range or input has no class dimension.
        TypeError: If an argument has the wrong type or dtype.

    Source:
        Wei et al. 2023, Mitigating memorization of noisy labels by clipping the model prediction,
        arXiv:2212.04055.

    Example:
        >>> clip(torch.tensor([[3.0, 4.0], [0.3, 0.4]]), delta=1.0)
        tensor([[0.6000, 0.8000],
                [0.3000, 0.4000]])
    """
    return _rescaled(input, "delta", delta, False)


def _rescaled(input: Tensor, name: str, length: float, grow: bool) -> Tensor:
    validation.check_logits(input)
    if isinstance(length, Tensor):
        raise TypeError(f"{name} must be a number, got {validation.describe(length)}")
    number = validation.number(name, length)
    if number <= 0:
        raise ValueError(f"{name} must satisfy {name} > 0, got {length!r}")
    apply: Any = _Rescaled.apply
    result: Tensor = apply(input, number, grow)
    return result


class _Rescaled(torch.autograd.Function):
    """``z * length / ||z||`` where z is longer, or with `grow` everywhere."""

    generate_vmap_rule = True

    @staticmethod
    def forward(input: Tensor, length: float, grow: bool) -> Tensor:
        z, norm, rescaled = _lengths(input, length, grow)
        return (z * torch.where(rescaled, length / norm, 1.0)).to(input.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        input, ctx.length, ctx.grow = inputs
        ctx.save_for_backward(input)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        """A step along z does not change the scores: what is across it counts."""
        (input,) = ctx.saved_tensors
        z, norm, rescaled = _lengths(input, ctx.length, ctx.grow)
        g = upstream.to(z.dtype)
        along = (z * g).sum(_axis(input), keepdim=True) / norm.square()
        across = g - torch.where(rescaled, along, 0.0) * z
        result = torch.where(rescaled, ctx.length / norm, 1.0) * across
        # Of an ignored sample no score matters: 0 times NaN must not come back.
        unread = norm.isnan() & (upstream == 0)
        return torch.where(unread, 0.0, result).to(input.dtype), None, None


def _axis(input: Tensor) -> int:
    return 1 if input.dim() > 1 else 0


def _lengths(input: Tensor, length: float, grow: bool) -> tuple[Tensor, Tensor, Tensor]:
    """The logits, their lengths, and which are rescaled; zeros have a length that keeps them so."""
    z = input.to(torch.promote_types(input.dtype, torch.float32))
    square = z.square().sum(_axis(input), keepdim=True)
    square = torch.where(square.isinf(), torch.nan, square)
    zero = square == 0
    norm = torch.where(zero, torch.inf if grow else length, torch.where(zero, 1.0, square).sqrt())
    return z, norm, torch.full_like(zero, grow) | ~(norm <= length)
