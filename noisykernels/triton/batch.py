"""The tensors of a batch as kernels see them.

Rows are seen as (outer, class, inner) with strides, so that (N, C), channels-last and (N, C, d1,
...) are one case: row r is outer r // inner and inner r % inner.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import triton
import triton.language as tl


class Matrix(NamedTuple):
    """Logits or their gradient: a pointer and strides in elements."""

    pointer: Any
    outer_stride: Any
    inner_stride: Any
    class_stride: Any


class Problem(NamedTuple):
    """What all kernels need to know of the batch."""

    rows: Any
    classes: Any
    inner: Any
    target: Any
    ignore_index: Any
    class_weight: Any  # pointer or None
    vectors: Any  # pointer to a row for each label or each sample, or None


@triton.jit
def row_start(matrix, problem, rows):
    """Pointers to the first class of rows."""
    outer = (rows // problem.inner).to(tl.int64)
    inner = (rows % problem.inner).to(tl.int64)
    return matrix.pointer + outer * matrix.outer_stride + inner * matrix.inner_stride


@triton.jit
def vector_start(problem, rows, labels, BY_SAMPLE: tl.constexpr):
    """Pointers to the first number of the vectors of rows."""
    line = rows if BY_SAMPLE else tl.where(in_range(problem, labels), labels, 0)
    return problem.vectors + line.to(tl.int64) * problem.classes


@triton.jit
def in_range(problem, labels):
    """Which labels are classes."""
    return (labels >= 0) & (labels < problem.classes)


@triton.jit
def load_labels(problem, rows):
    """Labels of rows and which of them count; rows beyond the last do not."""
    inside = rows < problem.rows
    labels = tl.load(problem.target + rows, mask=inside, other=0).to(tl.int64)
    return labels, inside & (labels != problem.ignore_index)


@triton.jit
def load_label_weight(problem, labels, kept):
    """w_y, and zero for rows that do not count."""
    if problem.class_weight is None:
        weight = kept.to(tl.float32)
    else:
        good = kept & in_range(problem, labels)
        weight = tl.load(problem.class_weight + labels, mask=good, other=0.0)
    return weight


@triton.jit
def widen(x):
    """To the type of the arithmetic."""
    return x if x.dtype == tl.float64 else x.to(tl.float32)


@triton.jit
def to_bits(index, dtype: tl.constexpr):
    """An integer in the bits of a float, where a buffer has one type for all."""
    if dtype == tl.float64:
        bits = index.to(tl.int64).to(tl.float64, bitcast=True)
    else:
        bits = index.to(tl.int32).to(tl.float32, bitcast=True)
    return bits


@triton.jit
def from_bits(x):
    """The integer in the bits of a float."""
    if x.dtype == tl.float64:
        index = x.to(tl.int64, bitcast=True)
    else:
        index = x.to(tl.int32, bitcast=True)
    return index
