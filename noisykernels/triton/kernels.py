"""The kernels.

Forward: `evaluate_tiles` where a row fits on chip, else `sum_rows` and `evaluate_sums`, with
`sum_rows_again` between them where a term takes a second visit; `finish` adds up what many
programs have summed. Of bounded scores `measure_rows` comes before `sum_rows`. Backward:
`gradient`, without any loss.

Names in capitals are compile-time constants; terms come as a tuple of jit functions without
annotation, because only then does Triton key its cache by their source.
"""

from __future__ import annotations

import triton
import triton.language as tl

from noisykernels.triton.batch import (
    from_bits,
    in_range,
    load_label_weight,
    load_labels,
    row_start,
    to_bits,
    vector_start,
    widen,
)
from noisykernels.triton.evaluate import (
    Label,
    column,
    evaluate,
    leave_total,
    softmax_of,
    store_rows,
    store_statistics,
    store_total,
)
from noisykernels.triton.scores import (
    difference_of_label,
    rescaled,
    rescaling_of,
    scores_of,
    squared_length,
)
from noisykernels.triton.sums import (
    NO_CLASS,
    Sums,
    add,
    element_factor,
    finite_or_zero,
    first_top,
    load_parts,
    merge_parts,
    nothing,
    power_of,
    rebase,
    reduce,
    subtrahend,
    sum_classes,
    sum_elements,
    wide,
)


@triton.jit
def evaluate_tiles(
    problem,
    logits,
    loss,
    divisor,
    columns,
    partial,
    exponents,
    elements,
    terms,
    values,
    length,
    PLAN: tl.constexpr,
    VISIT: tl.constexpr,
    PARTS: tl.constexpr,
    COLUMNS: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    FINISH: tl.constexpr,
):
    """Whole rows on chip, ROWS at a time; with FINISH one program does all, the reduction too."""
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
        class_weight, vectors, label_vector = None, None, None
        if VISIT.weighted:
            class_weight = tl.load(
                problem.class_weight + classes, mask=classes < problem.classes, other=0.0
            )[None, :]
        if VISIT.vector or VISIT.vector_power:
            starts = vector_start(problem, rows, labels, VISIT.by_sample)
            vectors = tl.load(starts[:, None] + classes[None, :], mask=valid, other=0.0)
            label_vector = tl.sum(tl.where(is_label, vectors, 0.0), axis=1)
        u, rescaling = None, None
        if VISIT.scores:
            origin = label_value
            if len(exponents) > 0:
                origin = tl.max(x, axis=1)
            square = squared_length(tl.where(valid, x, 0.0), 1)
            rescaling = rescaling_of(square, origin, length, VISIT.scores)
            x, u = rescaled(x, valid, rescaling, 1)
            label_value = tl.sum(tl.where(is_label, x, 0.0), axis=1)
        label = Label(labels, label_value, load_label_weight(problem, labels, kept), label_vector)

        if len(exponents) > 0:
            shift = tl.max(x, axis=1)
        else:
            shift = finite_or_zero(label_value)
        point = shift[:, None]
        sums = sum_classes(
            x, u, point, point, is_label, valid, class_weight, vectors, exponents, VISIT, 1
        )
        sums = wide(sums, PARTS, shift)
        softmax, top, element_sums = None, None, ()
        if PLAN.softmax:
            softmax = softmax_of(sums, shift, label_value, VISIT.apart)
        if VISIT.top:
            top = first_top(x, point, classes[None, :], 1)
        if len(elements) > 0:
            element_sums = sum_elements(
                x,
                u,
                point,
                softmax.log_sum.to(x.dtype)[:, None],
                softmax.top_miss.to(x.dtype)[:, None],
                valid & (is_label == 0),
                exponents,
                elements,
                VISIT,
                1,
            )
        value, coefficients = evaluate(
            problem,
            label,
            shift,
            top,
            sums,
            softmax,
            element_sums,
            elements,
            terms,
            values,
            rescaling,
            PLAN,
            VISIT,
        )
        if VISIT.scores:
            shift = shift.to(tl.float64) + rescaling.ratio * rescaling.origin.to(tl.float64)
        value = tl.where(kept, value, 0.0)
        store_rows(problem, rows, kept, value, coefficients, loss, columns, COLUMNS, PLAN)
        if PLAN.statistics >= 0:
            store_statistics(
                problem, rows, kept, label, shift, top, softmax, columns, PLAN.statistics
            )
        total += tl.sum(value)
        total_weight += tl.sum(label.weight.to(tl.float64))
    leave_total(total, total_weight, loss, divisor, partial, PLAN, FINISH)


@triton.jit
def range_of_part(problem, DEPTH: tl.constexpr, BLOCK: tl.constexpr):
    """The first class of a program's part of its row, and the one after its last."""
    step = DEPTH * BLOCK
    span = tl.cdiv(tl.cdiv(problem.classes, step), tl.num_programs(1)) * step
    begin = tl.program_id(1) * span
    return begin, tl.minimum(begin + span, problem.classes)


@triton.jit
def part_of_row(problem, parts, row):
    """Where a program leaves the first number of its part of its row, and how far the next is."""
    splits = tl.num_programs(1)
    part = parts + (row.to(tl.int64) * splits + tl.program_id(1))
    return part, tl.cast(problem.rows, tl.int64) * splits


@triton.jit
def load_classes(logits, start, first, end, DEPTH: tl.constexpr, BLOCK: tl.constexpr):
    """DEPTH x BLOCK classes of a row, which of them there are, and their logits."""
    classes = first + tl.arange(0, DEPTH)[:, None] * BLOCK + tl.arange(0, BLOCK)[None, :]
    valid = classes < end
    pointers = start + classes.to(tl.int64) * logits.class_stride
    return classes, valid, widen(tl.load(pointers, mask=valid, other=float("-inf")))


@triton.jit
def measure_rows(problem, logits, measures, DEPTH: tl.constexpr, BLOCK: tl.constexpr):
    """The largest logit of a part of a row and its sum of squares, for bounded scores."""
    row = tl.program_id(0)
    _label, kept = load_labels(problem, row)
    if kept:
        start = row_start(logits, problem, row)
        begin, end = range_of_part(problem, DEPTH, BLOCK)
        largest = tl.full([BLOCK], float("-inf"), tl.float64)
        square = tl.zeros([BLOCK], tl.float64)
        for first in range(begin, end, DEPTH * BLOCK):
            _classes, valid, x = load_classes(logits, start, first, end, DEPTH, BLOCK)
            largest = tl.maximum(largest, tl.max(x, axis=0).to(tl.float64))
            square += squared_length(tl.where(valid, x, 0.0), 0)
        measure, stride = part_of_row(problem, measures, row)
        tl.store(measure, tl.max(largest, axis=0))
        tl.store(measure + stride, tl.sum(square, axis=0))


@triton.jit
def load_rescaling(
    problem,
    measures,
    rows,
    kept,
    label_value,
    length,
    exponents,
    VISIT: tl.constexpr,
    SPLITS: tl.constexpr,
):
    """From what `measure_rows` has left of rows."""
    square = tl.sum(load_parts(problem, measures, rows, kept, 1, SPLITS), axis=1)
    origin = label_value
    if len(exponents) > 0:
        largest = tl.max(load_parts(problem, measures, rows, kept, 0, SPLITS), axis=1)
        origin = largest.to(label_value.dtype)
    return rescaling_of(square, origin, length, VISIT.scores)


@triton.jit
def sum_rows(
    problem,
    logits,
    measures,
    parts,
    exponents,
    length,
    VISIT: tl.constexpr,
    PARTS: tl.constexpr,
    DEPTH: tl.constexpr,
    BLOCK: tl.constexpr,
    SPLITS: tl.constexpr,
):
    """Sums of a part of a row that does not fit on chip: one read, DEPTH x BLOCK at a time.

    Each of BLOCK lanes has a maximum of its own, so that nothing is exchanged between threads
    before the end, and rescales its sums once for DEPTH elements.
    """
    row = tl.program_id(0)
    label, kept = load_labels(problem, row)
    if kept:
        start = row_start(logits, problem, row)
        begin, end = range_of_part(problem, DEPTH, BLOCK)
        good = in_range(problem, label)
        label_value = widen(tl.load(start + label * logits.class_stride, mask=good, other=0.0))
        center = finite_or_zero(label_value)
        rescaling = None
        if VISIT.scores:
            rows = row + tl.arange(0, 1)
            rescaling = load_rescaling(
                problem,
                measures,
                rows,
                rows >= 0,
                label_value + tl.zeros([1], label_value.dtype),
                length,
                exponents,
                VISIT,
                SPLITS,
            )
            center = finite_or_zero(tl.sum(difference_of_label(label_value, rescaling), axis=0))

        lanes = tl.zeros([BLOCK], label_value.dtype)
        shift = lanes - (0.0 if VISIT.scores else float("inf"))
        top = tl.full([BLOCK], NO_CLASS, tl.int32)
        sums = nothing(lanes, PARTS)
        for first in range(begin, end, DEPTH * BLOCK):
            classes, valid, x = load_classes(logits, start, first, end, DEPTH, BLOCK)
            u = None
            if VISIT.scores:
                x, u = rescaled(x, valid, rescaling, 0)
            new, base = shift, lanes
            if len(exponents) > 0:
                new = tl.maximum(shift, tl.max(x, axis=0))
                base = subtrahend(new)
                if VISIT.top:
                    # A class that is found later does not come before one that is as large.
                    found = first_top(x, new[None, :], classes, 0)
                    top = tl.minimum(tl.where(shift < new, NO_CLASS, top), found)
            class_weight, vectors = None, None
            if VISIT.weighted:
                class_weight = tl.load(problem.class_weight + classes, mask=valid, other=0.0)
            if VISIT.vector or VISIT.vector_power:
                vectors = tl.load(
                    vector_start(problem, row, label, VISIT.by_sample) + classes,
                    mask=valid,
                    other=0.0,
                )
            more = sum_classes(
                x,
                u,
                base[None, :],
                center,
                classes == label,
                valid,
                class_weight,
                vectors,
                exponents,
                VISIT,
                0,
            )
            sums = Sums(*add(rebase(sums, shift, base, exponents, VISIT), more))
            shift = new

        largest = tl.max(shift, axis=0)
        sums = rebase(sums, shift, subtrahend(largest), exponents, VISIT)
        sums = reduce(sums, PARTS, 0)
        part, stride = part_of_row(problem, parts, row)
        tl.store(part, largest)
        if VISIT.top:
            first = first_top(shift, largest, top, 0)
            tl.store(part + stride, to_bits(first, shift.dtype))
        for i in tl.static_range(len(sums)):
            if PARTS[i] >= 0:
                tl.store(part + PARTS[i] * stride, sums[i])


@triton.jit
def sum_rows_again(
    problem,
    logits,
    measures,
    parts,
    element_parts,
    exponents,
    elements,
    length,
    VISIT: tl.constexpr,
    PARTS: tl.constexpr,
    DEPTH: tl.constexpr,
    BLOCK: tl.constexpr,
    SPLITS: tl.constexpr,
):
    """The second visit of a part of a row, when the softmax of the whole is known."""
    row = tl.program_id(0)
    label, kept = load_labels(problem, row)
    if kept:
        start = row_start(logits, problem, row)
        begin, end = range_of_part(problem, DEPTH, BLOCK)
        good = in_range(problem, label)
        label_value = widen(tl.load(start + label * logits.class_stride, mask=good, other=0.0))
        rows = row + tl.arange(0, 1)
        rescaling = None
        if VISIT.scores:
            rescaling = load_rescaling(
                problem,
                measures,
                rows,
                rows >= 0,
                label_value + tl.zeros([1], label_value.dtype),
                length,
                exponents,
                VISIT,
                SPLITS,
            )
            label_value = difference_of_label(label_value, rescaling)
        shift, _top, sums = merge_parts(
            problem, parts, rows, rows >= 0, label_value, exponents, VISIT, PARTS, SPLITS
        )
        softmax = softmax_of(sums, shift, label_value, VISIT.apart)
        log_sum = softmax.log_sum.to(shift.dtype)[:, None]
        top_miss = softmax.top_miss.to(shift.dtype)[:, None]

        found = (tl.zeros([BLOCK], shift.dtype),) * (VISIT.element_sums * len(elements))
        for first in range(begin, end, DEPTH * BLOCK):
            classes, valid, x = load_classes(logits, start, first, end, DEPTH, BLOCK)
            u = None
            if VISIT.scores:
                x, u = rescaled(x, valid, rescaling, 0)
            more = sum_elements(
                x,
                u,
                shift[:, None],
                log_sum,
                top_miss,
                valid & (classes != label),
                exponents,
                elements,
                VISIT,
                0,
            )
            found = add(found, more)
        part, stride = part_of_row(problem, element_parts, row)
        for i in tl.static_range(len(found)):
            tl.store(part + i * stride, tl.sum(found[i], axis=0))


@triton.jit
def evaluate_sums(
    problem,
    logits,
    measures,
    parts,
    element_parts,
    loss,
    divisor,
    columns,
    partial,
    exponents,
    elements,
    terms,
    values,
    length,
    PLAN: tl.constexpr,
    VISIT: tl.constexpr,
    PARTS: tl.constexpr,
    COLUMNS: tl.constexpr,
    ROWS: tl.constexpr,
    SPLITS: tl.constexpr,
    FINISH: tl.constexpr,
):
    """What `evaluate_tiles` does, from what `sum_rows` and `sum_rows_again` have left."""
    total = tl.zeros([], tl.float64)
    total_weight = tl.zeros([], tl.float64)
    for tile in range(tl.program_id(0), tl.cdiv(problem.rows, ROWS), tl.num_programs(0)):
        rows = tile * ROWS + tl.arange(0, ROWS)
        labels, kept = load_labels(problem, rows)
        good = kept & in_range(problem, labels)
        pointers = row_start(logits, problem, rows) + labels * logits.class_stride
        label_value = widen(tl.load(pointers, mask=good, other=0.0))
        label_vector = None
        if VISIT.vector or VISIT.vector_power:
            vectors = vector_start(problem, rows, labels, VISIT.by_sample)
            label_vector = tl.load(vectors + labels, mask=good, other=0.0)
        rescaling = None
        if VISIT.scores:
            rescaling = load_rescaling(
                problem, measures, rows, kept, label_value, length, exponents, VISIT, SPLITS
            )
            label_value = difference_of_label(label_value, rescaling)
        label = Label(labels, label_value, load_label_weight(problem, labels, kept), label_vector)

        shift, top, sums = merge_parts(
            problem, parts, rows, kept, label_value, exponents, VISIT, PARTS, SPLITS
        )
        softmax, element_sums = None, ()
        if PLAN.softmax:
            softmax = softmax_of(sums, shift, label_value, VISIT.apart)
        for i in tl.static_range(VISIT.element_sums * len(elements)):
            part = load_parts(problem, element_parts, rows, kept, i, SPLITS)
            element_sums = element_sums + (tl.sum(part, axis=1),)
        value, coefficients = evaluate(
            problem,
            label,
            shift,
            top,
            sums,
            softmax,
            element_sums,
            elements,
            terms,
            values,
            rescaling,
            PLAN,
            VISIT,
        )
        if VISIT.scores:
            shift = shift.to(tl.float64) + rescaling.ratio * rescaling.origin.to(tl.float64)
        value = tl.where(kept, value, 0.0)
        store_rows(problem, rows, kept, value, coefficients, loss, columns, COLUMNS, PLAN)
        if PLAN.statistics >= 0:
            store_statistics(
                problem, rows, kept, label, shift, top, softmax, columns, PLAN.statistics
            )
        total += tl.sum(value)
        total_weight += tl.sum(label.weight.to(tl.float64))
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
def scaled(problem, columns, rows, kept, scale, i):
    """A coefficient of rows, times what the gradient of the loss is scaled by."""
    return (scale * tl.load(column(problem, columns, rows, i), mask=kept, other=0.0))[:, None]


@triton.jit
def gradient(
    problem,
    logits,
    out,
    upstream,
    upstream_stride,
    divisor,
    columns,
    exponents,
    elements,
    COLUMNS: tl.constexpr,
    BY_SAMPLE: tl.constexpr,
    HALF: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """The row gradient from the coefficients of rows; here no loss is known."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    classes = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    labels, kept = load_labels(problem, rows)
    inside = (rows < problem.rows)[:, None] & (classes < problem.classes)[None, :]
    valid = inside & kept[:, None]
    scale = widen(
        tl.load(upstream + rows.to(tl.int64) * upstream_stride, mask=kept, other=0.0)
    ) / tl.load(divisor)
    # A label out of range makes its row NaN.
    scale = tl.where(in_range(problem, labels), scale, float("nan"))

    dz = tl.zeros([ROWS, BLOCK], scale.dtype)
    vectors = None
    if COLUMNS.constant >= 0:
        dz += scaled(problem, columns, rows, kept, scale, COLUMNS.constant)
    if COLUMNS.class_weight >= 0:
        w = tl.load(problem.class_weight + classes, mask=classes < problem.classes, other=0.0)
        dz += scaled(problem, columns, rows, kept, scale, COLUMNS.class_weight) * w[None, :]
    if COLUMNS.vector >= 0 or COLUMNS.vector_power >= 0:
        starts = vector_start(problem, rows, labels, BY_SAMPLE)
        vectors = tl.load(starts[:, None] + classes[None, :], mask=valid, other=0.0)
    if COLUMNS.vector >= 0:
        dz += scaled(problem, columns, rows, kept, scale, COLUMNS.vector) * vectors
    if len(exponents) > 0 or COLUMNS.linear >= 0:
        pointers = (
            row_start(logits, problem, rows)[:, None]
            + classes[None, :].to(tl.int64) * logits.class_stride
        )
        x = widen(tl.load(pointers, mask=valid, other=0.0))
        if COLUMNS.linear >= 0:
            u = x
            if COLUMNS.ratio >= 0:
                high = tl.load(column(problem, columns, rows, COLUMNS.ratio), mask=kept, other=0.0)
                low = tl.load(
                    column(problem, columns, rows, COLUMNS.ratio_rest), mask=kept, other=0.0
                )
                high, low = high[:, None], low[:, None]
                u = scores_of(x, high, low)
            dz += scaled(problem, columns, rows, kept, scale, COLUMNS.linear) * u
        first = 0.0
        for i in tl.static_range(len(exponents)):
            shift = tl.load(column(problem, columns, rows, COLUMNS.shift), mask=kept, other=0.0)
            d = x - shift[:, None]
            if COLUMNS.ratio >= 0:
                d = scores_of(d, high, low)
            e = power_of(d, first, exponents[i], HALF)
            factor = scaled(problem, columns, rows, kept, scale, COLUMNS.power0 + i)
            if i == 0:
                first = e
                if COLUMNS.entropy >= 0:
                    finite = tl.where(d == float("-inf"), 0.0, d)
                    factor += scaled(problem, columns, rows, kept, scale, COLUMNS.entropy) * finite
                if COLUMNS.vector_power >= 0:
                    factor += (
                        scaled(problem, columns, rows, kept, scale, COLUMNS.vector_power) * vectors
                    )
                if len(elements) > 0:
                    log_sum = tl.load(
                        column(problem, columns, rows, COLUMNS.log_sum), mask=kept, other=0.0
                    )
                    top_miss = tl.load(
                        column(problem, columns, rows, COLUMNS.top_miss), mask=kept, other=0.0
                    )
                    for j in tl.static_range(len(elements)):
                        f, above = element_factor(
                            d,
                            e,
                            tl.exp(-log_sum)[:, None],
                            log_sum[:, None],
                            top_miss[:, None],
                            elements[j],
                            HALF,
                        )
                        dz += scaled(
                            problem, columns, rows, kept, scale, COLUMNS.element0 + j
                        ) * tl.where(above, f, 0.0)
            dz += factor * e
    if COLUMNS.top >= 0:
        top = from_bits(
            tl.load(column(problem, columns, rows, COLUMNS.top_class), mask=kept, other=0.0)
        )
        at_top = scaled(problem, columns, rows, kept, scale, COLUMNS.top)
        dz += tl.where(classes[None, :] == top[:, None], at_top, 0.0)
    at_label = scaled(problem, columns, rows, kept, scale, COLUMNS.label)
    dz = tl.where(classes[None, :] == labels[:, None], at_label, dz)
    # An ignored row gets zeros, whatever the upstream gradient and the divisor are.
    dz = tl.where(kept[:, None], dz, 0.0)
    pointers = (
        row_start(out, problem, rows)[:, None] + classes[None, :].to(tl.int64) * out.class_stride
    )
    tl.store(pointers, dz, mask=inside)
