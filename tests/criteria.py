"""What a step with a loss gives, and when two of them are the same."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

NAN, INF = float("nan"), float("inf")


def value_and_gradient(loss: Callable[[Tensor], Tensor], logits: Tensor) -> tuple[Tensor, Tensor]:
    """Of a function of the logits, at an upstream gradient that differs from row to row."""
    x = logits.detach().clone().requires_grad_()
    value = loss(x)
    upstream = torch.linspace(0.5, 2, value.numel(), dtype=value.dtype).reshape(value.shape)
    (gradient,) = torch.autograd.grad(value, x, upstream)
    return value.detach(), gradient


def assert_same_bits(found: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> None:
    for mine, other in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=0, equal_nan=True)
