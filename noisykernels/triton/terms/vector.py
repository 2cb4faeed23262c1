"""Terms with a vector v over the classes: a column or row of a matrix, or the row's own targets."""

from __future__ import annotations

import triton
import triton.language as tl

from noisykernels.triton.scalar import log1p
from noisykernels.triton.terms.row import Gradient


@triton.jit
def _total_and_rest(row):
    """sum_k v_k p_k, and what it lacks of one."""
    v, p = row.vector, row.softmax.p
    return v.power + v.label * p, v.rest + (1.0 - v.label) * p


@triton.jit
def _label(row):
    """The label's p_y (sum_k v_k p_k - v_y), to be divided."""
    return row.softmax.p * (row.vector.power - row.vector.label * row.softmax.miss)


@triton.jit
def forward(row, _, __):
    """-log sum_k v_k p_k."""
    total, rest = _total_and_rest(row)
    return Gradient(
        value=tl.where(total == 0.0, float("inf"), log1p(rest / total)),
        label=_label(row) / total,
        softmax=1.0,
        vector_power=-1.0 / total,
    )


@triton.jit
def backward(row, _, __):
    """-sum_k v_k log p_k."""
    total = row.vector.total
    return Gradient(
        value=total * row.softmax.log_sum - row.vector.linear,
        label=total * row.softmax.p - row.vector.label,
        softmax=total,
        vector=-1.0,
    )


@triton.jit
def elr(row, _, __):
    """log(1 - sum_k v_k p_k)."""
    total, rest = _total_and_rest(row)
    return Gradient(
        value=tl.where(rest == 0.0, float("-inf"), -log1p(total / rest)),
        label=_label(row) / rest,
        softmax=total / rest,
        vector_power=-1.0 / rest,
    )


TERMS = forward, backward, elr
