"""The operators as torch.library has them: schemas, fakes, and a differentiable backward.

`noisykernels::forward` and `noisykernels::backward` have their kernels and their autograd in C++
(`csrc/`); where the extension is absent the operators exist all the same, so that another backend
can serve them. This is the only file that knows torch.library.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from noisykernels.backends import extension
from noisykernels.terms import NAMES, WeightedTerm, gradient

NONE, MEAN, SUM = range(3)
"""Reductions as the operators take them."""

REDUCTIONS = {"none": NONE, "mean": MEAN, "sum": SUM}

ROW_COEFFICIENTS = 8
"""Numbers per row that the forward hands to the backward (`csrc/arguments.h` names them)."""

_LIBRARY = torch.library.Library("noisykernels", "DEF")  # keeps the registrations alive

_LOSS = "int[] terms, float[] values, int ignore_index, int reduction, int backend"
for _name in ("forward", "triton_forward"):
    _LIBRARY.define(
        f"{_name}(Tensor logits, Tensor target, Tensor? weight, {_LOSS})"
        " -> (Tensor loss, Tensor rows, Tensor divisor)"
    )
for _name in ("backward", "triton_backward", "backward_formula"):
    _LIBRARY.define(
        f"{_name}(Tensor upstream, Tensor logits, Tensor target, Tensor? weight,"
        f" Tensor rows, Tensor divisor, {_LOSS}) -> Tensor"
    )


def pack(terms: Sequence[WeightedTerm]) -> tuple[list[int], list[float]]:
    """The operators' `terms` and `values`: ids, and a weight and a parameter for each."""
    ids = [NAMES.index(term.name) for term in terms]
    values = [value for term in terms for value in (term.weight, term.parameter)]
    return ids, values


def unpack(ids: Sequence[int], values: Sequence[float]) -> list[WeightedTerm]:
    """The inverse of `pack`."""
    return [
        WeightedTerm(NAMES[i], weight, parameter)
        for i, weight, parameter in zip(ids, values[::2], values[1::2], strict=True)
    ]


def arithmetic_dtype(dtype: torch.dtype) -> torch.dtype:
    """The type losses are computed and returned in: half precision is computed in float32."""
    return torch.float64 if dtype == torch.float64 else torch.float32


@torch.library.register_fake("noisykernels::forward")
def _forward_fake(
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None,
    terms: Sequence[int],
    values: Sequence[float],
    ignore_index: int,
    reduction: int,
    backend: int,
) -> tuple[Tensor, Tensor, Tensor]:
    dtype = arithmetic_dtype(logits.dtype)
    loss = logits.new_empty(target.shape if reduction == NONE else (), dtype=dtype)
    rows = logits.new_empty((ROW_COEFFICIENTS, target.numel()), dtype=dtype)
    return loss, rows, logits.new_empty((), dtype=dtype)


@torch.library.register_fake("noisykernels::backward")
def _backward_fake(
    upstream: Tensor,
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None,
    rows: Tensor,
    divisor: Tensor,
    terms: Sequence[int],
    values: Sequence[float],
    ignore_index: int,
    reduction: int,
    backend: int,
) -> Tensor:
    return torch.empty_like(logits)


def _backward_formula(
    upstream: Tensor,
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None,
    rows: Tensor,
    divisor: Tensor,
    terms: Sequence[int],
    values: Sequence[float],
    ignore_index: int,
    reduction: int,
    backend: int,
) -> Tensor:
    """The backward in plain torch, from the logits: `rows` depend on them too."""
    return gradient(
        upstream, logits, target, weight, unpack(terms, values), ignore_index, reduction == MEAN
    )


_LIBRARY.impl("backward_formula", _backward_formula, "CompositeImplicitAutograd")


def _triton_forward(*arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
    from noisykernels.triton import launch

    return launch.forward(*arguments)


def _triton_backward(*arguments: Any) -> Tensor:
    from noisykernels.triton import launch

    return launch.backward(*arguments)


# CUDA tensors go to Triton at once. CPU tensors do where there are no compiled kernels; those pass
# on what is meant for Triton's interpreter.
for _key in ("CUDA",) if extension else ("CUDA", "CPU"):
    _LIBRARY.impl("forward", _triton_forward, _key)
    _LIBRARY.impl("backward", _triton_backward, _key)
_LIBRARY.impl("triton_forward", _triton_forward, "CompositeExplicitAutograd")
_LIBRARY.impl("triton_backward", _triton_backward, "CompositeExplicitAutograd")
