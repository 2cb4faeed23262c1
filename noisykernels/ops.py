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
from noisykernels.bounded import Scores, class_axis, pulled_back, rescaled_plainly, widened
from noisykernels.terms import TERMS, Need, WeightedTerm, columns, gradient

NONE, MEAN, SUM = range(3)
"""Reductions as the operators take them."""

REDUCTIONS = {"none": NONE, "mean": MEAN, "sum": SUM}

COMPILED_FOR = () if extension is None else ("CPU", "CUDA") if extension.cuda else ("CPU",)
"""Devices that the extension has kernels for."""

LIBRARY = torch.library.Library("noisykernels", "DEF")
"""Keeps the registrations alive."""

_INPUTS = "Tensor logits, Tensor target, Tensor? weight, Tensor? vectors"
_LOSS = (
    "int[] terms, float[] values, int ignore_index, int reduction, bool statistics, int backend, "
    "int scores=0, float length=0."
)
for _name in ("forward", "triton_forward"):
    LIBRARY.define(f"{_name}({_INPUTS}, {_LOSS}) -> (Tensor loss, Tensor rows, Tensor divisor)")
for _name in ("backward", "triton_backward", "backward_formula"):
    LIBRARY.define(
        f"{_name}(Tensor upstream, {_INPUTS}, Tensor rows, Tensor divisor, {_LOSS}) -> Tensor"
    )


def pack(terms: Sequence[WeightedTerm]) -> tuple[list[int], list[float]]:
    """The operators' `terms` and `values`: ids, and a weight and two parameters for each."""
    names = list(TERMS)
    ids = [names.index(term.name) for term in terms]
    values = [value for term in terms for value in (term.weight, term.parameter, term.second)]
    return ids, values


def unpack(
    ids: Sequence[int], values: Sequence[float], vectors: Tensor | None = None
) -> list[WeightedTerm]:
    """The inverse of `pack`; the terms that read vectors get them."""
    names = list(TERMS)
    terms = zip(ids, values[::3], values[1::3], values[2::3], strict=True)
    reading = Need.VECTOR | Need.VECTOR_POWER
    return [
        WeightedTerm(
            names[i],
            weight,
            parameter,
            second,
            vectors if TERMS[names[i]].needs & reading else None,
        )
        for i, weight, parameter, second in terms
    ]


def arithmetic_dtype(dtype: torch.dtype) -> torch.dtype:
    """The type losses are computed and returned in: half precision is computed in float32."""
    return torch.float64 if dtype == torch.float64 else torch.float32


@torch.library.register_fake("noisykernels::forward")
def _forward_fake(
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
) -> tuple[Tensor, Tensor, Tensor]:
    dtype = arithmetic_dtype(logits.dtype)
    loss = logits.new_empty(target.shape if reduction == NONE else (), dtype=dtype)
    names = columns(unpack(terms, values), weight is not None, statistics, scores != 0)
    rows = logits.new_empty((len(names), target.numel()), dtype=dtype)
    return loss, rows, logits.new_empty((), dtype=dtype)


@torch.library.register_fake("noisykernels::backward")
def _backward_fake(
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
) -> Tensor:
    return torch.empty_like(logits)


def _backward_formula(
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
) -> Tensor:
    """The backward in plain torch, from the logits: `rows` depend on them too."""
    spec = unpack(terms, values, vectors)
    mean = reduction == MEAN
    if scores == 0:
        return gradient(upstream, logits, target, weight, spec, ignore_index, mean)
    kept = (target.long() != ignore_index).unsqueeze(class_axis(logits))
    z = torch.where(kept, widened(logits), 0.0)
    kind = Scores(scores, length)
    of_scores = gradient(
        upstream, rescaled_plainly(z, kind), target, weight, spec, ignore_index, mean
    )
    return pulled_back(of_scores, z, kind).to(logits.dtype)


LIBRARY.impl("backward_formula", _backward_formula, "CompositeImplicitAutograd")


def _triton_forward(*arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
    from noisykernels.triton import launch

    return launch.forward(*arguments)


def _triton_backward(*arguments: Any) -> Tensor:
    from noisykernels.triton import launch

    return launch.backward(*arguments)


# Where there are no compiled kernels for a device, its tensors go to Triton at once; the compiled
# ones pass on what is meant for it.
for _device in ("CPU", "CUDA"):
    if _device not in COMPILED_FOR:
        LIBRARY.impl("forward", _triton_forward, _device)
        LIBRARY.impl("backward", _triton_backward, _device)
LIBRARY.impl("triton_forward", _triton_forward, "CompositeExplicitAutograd")
LIBRARY.impl("triton_backward", _triton_backward, "CompositeExplicitAutograd")
