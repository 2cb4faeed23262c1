"""The kernels.

Forward: `evaluate_tiles` where a row fits on chip, else `sum_rows` and `evaluate_sums`; `finish`
adds up what many programs have summed. Backward: `gradient`, without any loss.

Rows are seen as (outer, class, inner) with strides, so that (N, C), channels-last and (N, C, d1,
...) are one case: row r is outer r // inner and inner r % inner. Arithmetic on elements is float32
(float64 for float64 rows), the few scalars of a row are float64. Names in capitals are compile-time
constants; terms come as a tuple of jit functions without annotation, because only then does Triton
key its cache by their source.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import triton
import triton.language as tl

from noisykernels.triton.exponential import exponential
from noisykernels.triton.terms import Row, complete_softmax

MAX_POWERS = tl.constexpr(3)
"""Column numbers of coefficients and sums follow from it, as in csrc/arguments.h."""

ROW_SUMS = 8
"""Numbers that `sum_rows` leaves for each part of a row."""


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


class Sums(NamedTuple):
    """What one visit of a row leaves, the label kept apart; `shift` was subtracted from x_k."""

    shift: Any
    others: Any  # for each power, sum over k != y of exp(q (x_k - shift))
    linear: Any  # sum of x_k - shift
    square: Any  # sum of x_k^2
    weighted: Any  # sum of w_k (x_k - shift)
    class_weights: Any  # sum of w_k


@triton.jit
def exactly(problem, logits, CLASSES: tl.constexpr, OUTER_STRIDE: tl.constexpr):
    """The batch with the numbers in it that are known when the kernel is compiled."""
    if CLASSES > 0:
        problem = Problem(
            problem.rows,
            CLASSES,
            problem.inner,
            problem.target,
            problem.ignore_index,
            problem.class_weight,
        )
        logits = Matrix(logits.pointer, OUTER_STRIDE, logits.inner_stride, logits.class_stride)
    return problem, logits


@triton.jit
def row_start(matrix, problem, rows):
    """Pointers to the first class of rows."""
    outer = (rows // problem.inner).to(tl.int64)
    inner = (rows % problem.inner).to(tl.int64)
    return matrix.pointer + outer * matrix.outer_stride + inner * matrix.inner_stride


@triton.jit
def widen(x):
    """To the type of the arithmetic."""
    return x if x.dtype == tl.float64 else x.to(tl.float32)


@triton.jit
def finite_or_zero(x):
    """A point to subtract from the row that cannot make a NaN of an infinity."""
    return tl.where(tl.abs(x) < float("inf"), x, 0.0)


@triton.jit
def evaluate(
    problem,
    labels,
    sums,
    label_value,
    label_weight,
    terms,
    values,
    PLAN: tl.constexpr,
    VISIT: tl.constexpr,
):
    """The loss of rows, and the coefficients of their gradient in the order of csrc/arguments.h."""
    logit = label_value.to(tl.float64) - sums.shift.to(tl.float64)
    zero = tl.zeros_like(logit)
    softmax = None
    if PLAN.softmax:
        softmax = complete_softmax(logit, sums.others[0].to(tl.float64))
    value, label, linear, constant, class_weight = zero, zero, zero, zero, zero
    powers = (zero,) * MAX_POWERS
    for i in tl.static_range(len(terms)):
        others = zero
        if PLAN.power_of[i] >= 0:
            others = sums.others[PLAN.power_of[i]].to(tl.float64)
        row = Row(
            classes=zero + problem.classes,
            logit=logit,
            others=others,
            linear=sums.linear.to(tl.float64),
            square=sums.square.to(tl.float64),
            # Without class weights w_k = 1.
            weighted=(sums.weighted if VISIT.weighted else sums.linear).to(tl.float64),
            class_weights=sums.class_weights.to(tl.float64)
            if VISIT.weighted
            else zero + problem.classes,
            label_weight=label_weight.to(tl.float64),
            label_value=label_value.to(tl.float64),
            softmax=softmax,
        )
        weight = zero + values[2 * i][0] + values[2 * i][1]
        if PLAN.by_label_weight[i]:
            weight *= row.label_weight
        parameter = zero + values[2 * i + 1][0] + values[2 * i + 1][1]
        g = terms[i](row, weight, parameter)
        value += g.value
        label += g.label
        linear += g.linear
        constant += g.constant
        class_weight += g.class_weight
        if PLAN.softmax:
            powers = (powers[0] + g.softmax * softmax.sum_inv,) + powers[1:]
        for p in tl.static_range(MAX_POWERS):
            if PLAN.power_of[i] == p:
                powers = powers[:p] + (powers[p] + g.power,) + powers[p + 1 :]
    # A label out of range makes its row NaN; no host waits to be told.
    good = (labels >= 0) & (labels < problem.classes)
    value = tl.where(good, value, float("nan"))
    constant = tl.where(good, constant, float("nan"))
    return value, (sums.shift.to(tl.float64),) + powers + (linear, constant, class_weight, label)


@triton.jit
def store_rows(
    problem, rows, kept, value, weight, coefficients, loss, coefficient_pointer, PLAN: tl.constexpr
):
    """Write the coefficients of rows, and with reduction "none" their losses."""
    inside = rows < problem.rows
    for i in tl.static_range(len(coefficients)):
        column = coefficient_pointer + i * tl.cast(problem.rows, tl.int64) + rows
        tl.store(column, tl.where(kept, coefficients[i], 0.0), mask=inside)
    if PLAN.per_row:
        tl.store(loss + rows, value, mask=inside)


@triton.jit
def store_total(value, weight, loss, divisor, MEAN: tl.constexpr):
    """The reduced loss, and what the backward divides by."""
    if MEAN:
        tl.store(loss, value / weight)
        tl.store(divisor, weight)
    else:
        tl.store(loss, value)
        tl.store(divisor, 1.0)


@triton.jit
def leave_total(
    total, total_weight, loss, divisor, partial, PLAN: tl.constexpr, FINISH: tl.constexpr
):
    """Write the total of a program, which is the loss if there is no other program."""
    if PLAN.per_row:
        if tl.program_id(0) == 0:
            tl.store(divisor, 1.0)
    elif FINISH:
        store_total(total, total_weight, loss, divisor, PLAN.mean)
    else:
        tl.store(partial + tl.program_id(0), total)
        tl.store(partial + tl.num_programs(0) + tl.program_id(0), total_weight)


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
        good = kept & (labels >= 0) & (labels < problem.classes)
        weight = tl.load(problem.class_weight + labels, mask=good, other=0.0)
    return weight


@triton.jit
def tile_sums(x, is_label, valid, label_value, class_weight, exponents, VISIT: tl.constexpr):
    """Sums of rows that lie on chip as a whole, as [rows, classes]."""
    zero = tl.zeros_like(label_value)
    if len(exponents) > 0:
        shift = tl.max(x, axis=1)
    else:
        shift = finite_or_zero(label_value)
    others = ()
    for i in tl.static_range(len(exponents)):
        e = exponential(x - shift[:, None], exponents[i], VISIT.half)
        others = others + (tl.sum(tl.where(is_label, 0.0, e), axis=1),)
    linear, square, weighted, class_weights = zero, zero, zero, zero
    if VISIT.linear:
        linear = tl.sum(tl.where(valid, x - shift[:, None], 0.0), axis=1)
    if VISIT.square:
        square = tl.sum(tl.where(valid, x * x, 0.0), axis=1)
    if VISIT.weighted:
        weighted = tl.sum(tl.where(valid, class_weight * (x - shift[:, None]), 0.0), axis=1)
        class_weights += tl.sum(class_weight, axis=1)
    return Sums(shift, others, linear, square, weighted, class_weights)


@triton.jit
def evaluate_tiles(
    problem,
    logits,
    loss,
    divisor,
    coefficients,
    partial,
    exponents,
    terms,
    values,
    PLAN: tl.constexpr,
    VISIT: tl.constexpr,
    CLASSES: tl.constexpr,
    OUTER_STRIDE: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    FINISH: tl.constexpr,
):
    """Whole rows on chip, ROWS at a time; with FINISH one program does all, the reduction too."""
    problem, logits = exactly(problem, logits, CLASSES, OUTER_STRIDE)
    total = tl.zeros([], tl.float64)
    total_weight = tl.zeros([], tl.float64)
    for tile in range(tl.program_id(0), tl.cdiv(problem.rows, ROWS), tl.num_programs(0)):
        rows = tile * ROWS + tl.arange(0, ROWS)
        labels, kept = load_labels(problem, rows)
        classes = tl.arange(0, BLOCK)
        valid = kept[:, None] & (classes < problem.classes)[None, :]
        pointers = (
            row_start(logits, problem, rows)[:, None]
            + classes[None, :].to(tl.int64) * logits.class_stride
        )
        x = widen(tl.load(pointers, mask=valid, other=float("-inf")))
        is_label = classes[None, :] == labels[:, None]
        label_value = tl.sum(tl.where(is_label, x, 0.0), axis=1)
        class_weight = None
        if VISIT.weighted:
            class_weight = tl.load(
                problem.class_weight + classes, mask=classes < problem.classes, other=0.0
            )[None, :]
        sums = tile_sums(x, is_label, valid, label_value, class_weight, exponents, VISIT)
        weight = load_label_weight(problem, labels, kept)
        value, row_coefficients = evaluate(
            problem, labels, sums, label_value, weight, terms, values, PLAN, VISIT
        )
        value = tl.where(kept, value, 0.0)
        store_rows(problem, rows, kept, value, weight, row_coefficients, loss, coefficients, PLAN)
        total += tl.sum(value)
        total_weight += tl.sum(weight.to(tl.float64))
    leave_total(total, total_weight, loss, divisor, partial, PLAN, FINISH)


@triton.jit
def sum_rows(
    problem,
    logits,
    sums,
    exponents,
    VISIT: tl.constexpr,
    DEPTH: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Sums of a part of a row that does not fit on chip: one read, DEPTH x BLOCK at a time.

    Each of BLOCK lanes has a maximum of its own, so that nothing is exchanged between threads
    before the end, and rescales its sums once for DEPTH elements.
    """
    row = tl.program_id(0)
    split = tl.program_id(1)
    splits = tl.num_programs(1)
    label, kept = load_labels(problem, row)
    if kept:
        start = row_start(logits, problem, row)
        step = DEPTH * BLOCK
        span = tl.cdiv(tl.cdiv(problem.classes, step), splits) * step
        begin = split * span
        end = tl.minimum(begin + span, problem.classes)
        good = (label >= 0) & (label < problem.classes)
        label_value = widen(tl.load(start + label * logits.class_stride, mask=good, other=0.0))
        center = finite_or_zero(label_value)

        lanes = tl.zeros([BLOCK], label_value.dtype)
        shift = lanes - float("inf")
        others = (lanes,) * len(exponents)
        linear, square, weighted, class_weights = lanes, lanes, lanes, lanes
        for first in range(begin, end, step):
            classes = first + tl.arange(0, DEPTH)[:, None] * BLOCK + tl.arange(0, BLOCK)[None, :]
            valid = classes < end
            x = widen(
                tl.load(
                    start + classes.to(tl.int64) * logits.class_stride,
                    mask=valid,
                    other=float("-inf"),
                )
            )
            if len(exponents) > 0:
                new = tl.maximum(shift, tl.max(x, axis=0))
                # Lanes that have seen nothing but -inf have nothing to subtract.
                base = tl.where(new == float("-inf"), 0.0, new)
                for i in tl.static_range(len(exponents)):
                    e = exponential(x - base[None, :], exponents[i], VISIT.half)
                    e = tl.where(classes == label, 0.0, e)
                    scaled = others[i] * exponential(
                        shift - base, exponents[i], VISIT.half
                    ) + tl.sum(e, axis=0)
                    others = others[:i] + (scaled,) + others[i + 1 :]
                shift = new
            if VISIT.linear:
                linear += tl.sum(tl.where(valid, x - center, 0.0), axis=0)
            if VISIT.square:
                square += tl.sum(tl.where(valid, x * x, 0.0), axis=0)
            if VISIT.weighted:
                w = tl.load(problem.class_weight + classes, mask=valid, other=0.0)
                weighted += tl.sum(tl.where(valid, w * (x - center), 0.0), axis=0)
                class_weights += tl.sum(w, axis=0)

        column = sums + (row.to(tl.int64) * splits + split)
        stride = tl.cast(problem.rows, tl.int64) * splits
        top = tl.max(shift, axis=0)
        base = tl.where(top == float("-inf"), 0.0, top)
        tl.store(column, top)
        for i in tl.static_range(len(exponents)):
            merged = tl.sum(others[i] * exponential(shift - base, exponents[i], VISIT.half), axis=0)
            tl.store(column + (1 + i) * stride, merged)
        tl.store(column + (1 + MAX_POWERS) * stride, tl.sum(linear, axis=0))
        tl.store(column + (2 + MAX_POWERS) * stride, tl.sum(square, axis=0))
        tl.store(column + (3 + MAX_POWERS) * stride, tl.sum(weighted, axis=0))
        tl.store(column + (4 + MAX_POWERS) * stride, tl.sum(class_weights, axis=0))


@triton.jit
def merge_splits(
    problem, sums, rows, kept, label_value, exponents, VISIT: tl.constexpr, SPLITS: tl.constexpr
):
    """The sums of whole rows from those of their parts, in a fixed order."""
    columns = sums + rows[:, None].to(tl.int64) * SPLITS + tl.arange(0, SPLITS)[None, :]
    stride = tl.cast(problem.rows, tl.int64) * SPLITS
    mask = kept[:, None]
    zero = tl.zeros_like(label_value)
    center = finite_or_zero(label_value)
    shift = center
    others = ()
    if len(exponents) > 0:
        tops = tl.load(columns, mask=mask, other=0.0)
        shift = tl.max(tops, axis=1)
        base = tl.where(shift == float("-inf"), 0.0, shift)
        for i in tl.static_range(len(exponents)):
            part = tl.load(columns + (1 + i) * stride, mask=mask, other=0.0)
            others = others + (
                tl.sum(part * exponential(tops - base[:, None], exponents[i], VISIT.half), axis=1),
            )
    linear, square, weighted, class_weights = zero, zero, zero, zero
    # Polynomial sums were taken around the label's value; from here on the shift is the point.
    if VISIT.linear:
        linear = tl.sum(tl.load(columns + (1 + MAX_POWERS) * stride, mask=mask, other=0.0), axis=1)
        linear += problem.classes * (center - shift)
    if VISIT.square:
        square = tl.sum(tl.load(columns + (2 + MAX_POWERS) * stride, mask=mask, other=0.0), axis=1)
    if VISIT.weighted:
        weighted = tl.sum(
            tl.load(columns + (3 + MAX_POWERS) * stride, mask=mask, other=0.0), axis=1
        )
        class_weights = tl.sum(
            tl.load(columns + (4 + MAX_POWERS) * stride, mask=mask, other=0.0), axis=1
        )
        weighted += class_weights * (center - shift)
    return Sums(shift, others, linear, square, weighted, class_weights)


@triton.jit
def evaluate_sums(
    problem,
    logits,
    sums,
    loss,
    divisor,
    coefficients,
    partial,
    exponents,
    terms,
    values,
    PLAN: tl.constexpr,
    VISIT: tl.constexpr,
    ROWS: tl.constexpr,
    SPLITS: tl.constexpr,
    FINISH: tl.constexpr,
):
    """What `evaluate_tiles` does, from sums that `sum_rows` has left."""
    total = tl.zeros([], tl.float64)
    total_weight = tl.zeros([], tl.float64)
    for tile in range(tl.program_id(0), tl.cdiv(problem.rows, ROWS), tl.num_programs(0)):
        rows = tile * ROWS + tl.arange(0, ROWS)
        labels, kept = load_labels(problem, rows)
        good = kept & (labels >= 0) & (labels < problem.classes)
        pointers = row_start(logits, problem, rows) + labels * logits.class_stride
        label_value = widen(tl.load(pointers, mask=good, other=0.0))
        row_sums = merge_splits(problem, sums, rows, kept, label_value, exponents, VISIT, SPLITS)
        weight = load_label_weight(problem, labels, kept)
        value, row_coefficients = evaluate(
            problem, labels, row_sums, label_value, weight, terms, values, PLAN, VISIT
        )
        value = tl.where(kept, value, 0.0)
        store_rows(problem, rows, kept, value, weight, row_coefficients, loss, coefficients, PLAN)
        total += tl.sum(value)
        total_weight += tl.sum(weight.to(tl.float64))
    leave_total(total, total_weight, loss, divisor, partial, PLAN, FINISH)


@triton.jit
def finish(partial, count, loss, divisor, MEAN: tl.constexpr, BLOCK: tl.constexpr):
    """The reduction over all programs, in the order of their numbers."""
    total = tl.zeros([BLOCK], tl.float64)
    total_weight = tl.zeros([BLOCK], tl.float64)
    for start in range(0, count, BLOCK):
        index = start + tl.arange(0, BLOCK)
        total += tl.load(partial + index, mask=index < count, other=0.0)
        total_weight += tl.load(partial + count + index, mask=index < count, other=0.0)
    store_total(tl.sum(total), tl.sum(total_weight), loss, divisor, MEAN)


@triton.jit
def gradient(
    problem,
    logits,
    out,
    upstream,
    upstream_stride,
    divisor,
    coefficients,
    exponents,
    VISIT: tl.constexpr,
    CLASSES: tl.constexpr,
    OUTER_STRIDE: tl.constexpr,
    OUT_STRIDE: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """The row gradient from the coefficients of rows; here no loss is known."""
    _, out = exactly(problem, out, CLASSES, OUT_STRIDE)
    problem, logits = exactly(problem, logits, CLASSES, OUTER_STRIDE)
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    classes = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    labels, kept = load_labels(problem, rows)
    inside = (rows < problem.rows)[:, None] & (classes < problem.classes)[None, :]
    columns = coefficients + rows
    stride = tl.cast(problem.rows, tl.int64)
    scale = widen(
        tl.load(upstream + rows.to(tl.int64) * upstream_stride, mask=kept, other=0.0)
    ) / tl.load(divisor)

    constant = tl.load(columns + (2 + MAX_POWERS) * stride, mask=kept, other=0.0)
    if VISIT.weighted:
        class_weight = tl.load(columns + (3 + MAX_POWERS) * stride, mask=kept, other=0.0)
        w = tl.load(problem.class_weight + classes, mask=classes < problem.classes, other=0.0)
        dz = (scale * constant)[:, None] + (scale * class_weight)[:, None] * w[None, :]
    else:
        if VISIT.linear:  # without class weights w_k = 1
            constant += tl.load(columns + (3 + MAX_POWERS) * stride, mask=kept, other=0.0)
        dz = tl.zeros([ROWS, BLOCK], constant.dtype) + (scale * constant)[:, None]
    if len(exponents) > 0 or VISIT.square:
        valid = inside & kept[:, None]
        pointers = (
            row_start(logits, problem, rows)[:, None]
            + classes[None, :].to(tl.int64) * logits.class_stride
        )
        x = widen(tl.load(pointers, mask=valid, other=0.0))
        if len(exponents) > 0:
            shift = tl.load(columns, mask=kept, other=0.0)
            for i in tl.static_range(len(exponents)):
                power = tl.load(columns + (1 + i) * stride, mask=kept, other=0.0)
                dz += (scale * power)[:, None] * exponential(
                    x - shift[:, None], exponents[i], VISIT.half
                )
        if VISIT.square:
            linear = tl.load(columns + (1 + MAX_POWERS) * stride, mask=kept, other=0.0)
            dz += (scale * linear)[:, None] * x
    label = tl.load(columns + (4 + MAX_POWERS) * stride, mask=kept, other=0.0)
    dz = tl.where(classes[None, :] == labels[:, None], (scale * label)[:, None], dz)
    # An ignored row gets zeros, whatever the upstream gradient and the divisor are.
    dz = tl.where(kept[:, None], dz, 0.0)
    pointers = (
        row_start(out, problem, rows)[:, None] + classes[None, :].to(tl.int64) * out.class_stride
    )
    tl.store(pointers, dz, mask=inside)
