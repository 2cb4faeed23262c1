"""The operators on the triton backend: shapes and layouts come in here, kernels are launched."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from itertools import pairwise

import torch
import triton
import triton.language as tl
from torch import Tensor

from noisykernels.ops import MEAN, NONE, arithmetic_dtype
from noisykernels.triton import kernels, regimes
from noisykernels.triton.batch import Matrix, Problem
from noisykernels.triton.plan import Launch, make_launch

MAX_ROWS = 2**31 - 2**12
"""Row numbers are 32 bit; offsets of elements are 64 bit."""

CHECK = os.environ.get("NOISYKERNELS_CHECK") == "1"
"""Whether a label out of range stops the GPU, where else its row is NaN."""


def collapses(tensor: Tensor) -> bool:
    """Whether d1, ... of a tensor of shape (N, C, d1, ...) are one dimension in memory."""
    inner = [(n, s) for n, s in zip(tensor.shape[2:], tensor.stride()[2:], strict=True) if n != 1]
    return all(outer[1] == n * s for outer, (n, s) in pairwise(inner))


def matrix(tensor: Tensor) -> tuple[Matrix, int]:
    """A tensor of shape (C,), (N, C) or (N, C, d1, ...) as a matrix, and its inner dimension."""
    if tensor.dim() == 1:
        return Matrix(tensor, 0, 0, tensor.stride(0)), 1
    strides = [s for n, s in zip(tensor.shape[2:], tensor.stride()[2:], strict=True) if n != 1]
    inner, inner_stride = tensor.shape[2:].numel(), strides[-1] if strides else 0
    return Matrix(tensor, tensor.stride(0), inner_stride, tensor.stride(1)), inner


def on_device(tensor: Tensor) -> AbstractContextManager[object]:
    """Kernels run on the tensor's device and its current stream; the interpreter has neither."""
    return torch.cuda.device(tensor.device) if tensor.is_cuda else nullcontext()


@lru_cache
def processors(device: torch.device) -> int:
    """Multiprocessors to keep busy."""
    return (
        torch.cuda.get_device_properties(device).multi_processor_count
        if device.type == "cuda"
        else 1
    )


def prepare(
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None,
    vectors: Tensor | None,
    ignore_index: int,
) -> tuple[Matrix, Problem]:
    """The logits as a matrix, copied only where their layout does not collapse, and the batch."""
    x, inner = matrix(logits if collapses(logits) else logits.contiguous())
    dtype = arithmetic_dtype(logits.dtype)
    if weight is not None:
        weight = weight.to(dtype).contiguous()
    if vectors is not None:
        vectors = vectors.to(dtype).contiguous()
    classes = logits.shape[min(1, logits.dim() - 1)]
    labels = target.contiguous()
    rows = labels.numel()
    if rows > MAX_ROWS:
        raise RuntimeError(f"the triton backend takes up to {MAX_ROWS} rows, got {rows}")
    return x, Problem(rows, classes, inner, labels, ignore_index, weight, vectors)


def assert_labels(problem: Problem) -> None:
    """Fail at a label out of range: on a GPU later, for nobody waits for it."""
    labels = problem.target.long()  # -100 is no uint8
    valid = (labels >= 0) & (labels < problem.classes) | (labels == problem.ignore_index)
    torch._assert_async(valid.all(), "target has labels that are neither classes nor ignore_index")


def exact(problem: Problem, *matrices: Matrix) -> tuple[Problem | Matrix, ...]:
    """The same with compile-time classes and row strides where kernels are compiled for them.

    Only where classes are neighbors do loads get wider by it; and the row stride of images is a
    multiple of their size, of which a job may have many.
    """
    if problem.classes > regimes.EXACT or matrices[0].class_stride != 1:
        return problem, *matrices
    return (
        problem._replace(classes=tl.constexpr(problem.classes)),
        *(matrix._replace(outer_stride=tl.constexpr(matrix.outer_stride)) for matrix in matrices),
    )


def specification(
    logits: Tensor,
    weight: Tensor | None,
    terms: Sequence[int],
    values: Sequence[float],
    reduction: int,
    statistics: bool,
    scores: int,
    length: float,
) -> Launch:
    """What the kernels are compiled and called with."""
    half = logits.dtype in (torch.float16, torch.bfloat16)
    return make_launch(
        tuple(terms),
        tuple(values),
        weight is not None,
        half,
        statistics,
        reduction,
        scores,
        length,
    )


def forward(
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
    """`noisykernels::forward`."""
    x, problem = prepare(logits, target, weight, vectors, ignore_index)
    spec = specification(logits, weight, terms, values, reduction, statistics, scores, length)
    dtype = arithmetic_dtype(logits.dtype)
    loss = logits.new_empty(target.shape if reduction == NONE else (), dtype=dtype)
    divisor = logits.new_empty((), dtype=dtype)
    columns = logits.new_empty((spec.column_count, problem.rows), dtype=dtype)
    if problem.rows == 0:
        if reduction != NONE:
            loss.fill_(float("nan") if reduction == MEAN else 0.0)
        return loss, columns, divisor.fill_(1.0)
    if CHECK:
        assert_labels(problem)
    powers = len(spec.exponents)
    with on_device(logits):
        if problem.classes <= regimes.ON_CHIP:
            tile = regimes.forward_tile(
                problem.rows,
                problem.classes,
                powers,
                reduces=reduction != NONE,
                terms=len(spec.terms),
            )
            finishes, partial = totals(logits, tile.programs, reduction)
            kernels.evaluate_tiles[(tile.programs,)](
                *exact(problem, x),
                loss,
                divisor,
                columns,
                partial,
                spec.exponents,
                spec.elements,
                spec.terms,
                spec.values,
                spec.length,
                PLAN=spec.plan,
                VISIT=spec.visit,
                PARTS=spec.parts,
                COLUMNS=spec.columns,
                ROWS=tile.rows,
                BLOCK=tile.block,
                FINISH=finishes,
                num_warps=tile.warps,
                maxnreg=tile.registers,
            )
        else:
            loop = regimes.forward_loop(
                problem.rows, problem.classes, powers, processors(logits.device), scores != 0
            )
            shape = problem.rows, loop.splits
            parts = logits.new_empty((spec.part_count, *shape), dtype=dtype)
            element_count = spec.visit.element_sums * len(spec.elements)
            element_parts = logits.new_empty((element_count, *shape), dtype=dtype)
            measures = None
            if spec.visit.scores:
                measures = logits.new_empty((2, *shape), dtype=torch.float64)
                kernels.measure_rows[shape](
                    problem, x, measures, DEPTH=loop.depth, BLOCK=loop.block, num_warps=loop.warps
                )
            kernels.sum_rows[shape](
                problem,
                x,
                measures,
                parts,
                spec.exponents,
                spec.length,
                VISIT=spec.visit,
                PARTS=spec.parts,
                DEPTH=loop.depth,
                BLOCK=loop.block,
                SPLITS=loop.splits if spec.visit.scores else 0,
                num_warps=loop.warps,
                maxnreg=loop.registers,
            )
            if spec.elements:
                kernels.sum_rows_again[shape](
                    problem,
                    x,
                    measures,
                    parts,
                    element_parts,
                    spec.exponents,
                    spec.elements,
                    spec.length,
                    VISIT=spec.visit,
                    PARTS=spec.parts,
                    DEPTH=loop.depth_again,
                    BLOCK=loop.block,
                    SPLITS=loop.splits,
                    num_warps=loop.warps,
                )
            tile = regimes.sums_tile(
                problem.rows, loop.splits, powers, reduction != NONE, scores != 0
            )
            finishes, partial = totals(logits, tile.programs, reduction)
            kernels.evaluate_sums[(tile.programs,)](
                problem,
                x,
                measures,
                parts,
                element_parts,
                loss,
                divisor,
                columns,
                partial,
                spec.exponents,
                spec.elements,
                spec.terms,
                spec.values,
                spec.length,
                PLAN=spec.plan,
                VISIT=spec.visit,
                PARTS=spec.parts,
                COLUMNS=spec.columns,
                ROWS=tile.rows,
                SPLITS=loop.splits,
                FINISH=finishes,
                num_warps=tile.warps,
                maxnreg=tile.registers,
            )
        if partial is not None:
            kernels.finish[(1,)](
                partial, tile.programs, loss, divisor, MEAN=reduction == MEAN, BLOCK=1024
            )
    return loss, columns, divisor


def totals(like: Tensor, programs: int, reduction: int) -> tuple[bool, Tensor | None]:
    """Whether the one program finishes the reduction; else memory for the totals of many."""
    if reduction == NONE or programs == 1:
        return reduction != NONE, None
    return False, like.new_empty((2, programs), dtype=torch.float64)


def backward(
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
    """`noisykernels::backward`."""
    x, problem = prepare(logits, target, weight, vectors, ignore_index)
    spec = specification(logits, weight, terms, values, reduction, statistics, scores, length)
    gradient = torch.empty_like(logits)
    if gradient.numel() == 0:
        return gradient
    written = gradient
    if not collapses(gradient):
        written = torch.empty_like(gradient, memory_format=torch.contiguous_format)
    out, _ = matrix(written)
    upstream = upstream.reshape(-1)
    tile = regimes.backward_tile(problem.rows, problem.classes)
    with on_device(logits):
        kernels.gradient[(tile.programs, triton.cdiv(problem.classes, tile.block))](
            *exact(problem, x, out),
            upstream,
            upstream.stride(0) if reduction == NONE else 0,
            divisor,
            rows,
            spec.exponents,
            spec.elements,
            COLUMNS=spec.columns,
            BY_SAMPLE=spec.visit.by_sample,
            HALF=spec.visit.half,
            ROWS=tile.rows,
            BLOCK=tile.block,
            num_warps=tile.warps,
        )
    if written is not gradient:
        gradient.copy_(written)
    return gradient
