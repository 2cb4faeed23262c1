"""From the sums of rows to their losses and to the coefficients of their gradients.

The few scalars of a row are float64.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import triton
import triton.language as tl

from noisykernels.triton.batch import in_range, to_bits
from noisykernels.triton.coefficients import Coefficients
from noisykernels.triton.scalar import number
from noisykernels.triton.scores import pulled_back
from noisykernels.triton.sums import MAX_POWERS
from noisykernels.triton.terms.row import Element, Row, Vector, complete_softmax


class Label(NamedTuple):
    """What belongs to the label of rows."""

    index: Any
    value: Any  # x_y, of bounded scores the difference r (x_y - origin)
    weight: Any  # w_y
    vector: Any  # v_y


@triton.jit
def softmax_of(sums, shift, label_value, APART: tl.constexpr):
    """The softmax of rows from their sums, which are float64 here."""
    logit = label_value.to(tl.float64) - shift.to(tl.float64)
    return complete_softmax(logit, sums.power0, sums.ties, APART)


@triton.jit
def evaluate(
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
    PLAN: tl.constexpr,
    VISIT: tl.constexpr,
):
    """The loss of rows, and the coefficients of their gradient."""
    logit = label.value.to(tl.float64) - shift.to(tl.float64)
    zero = tl.zeros_like(logit)
    power_sums = (sums.power0 + sums.ties if VISIT.apart else sums.power0,) + sums[1:MAX_POWERS]
    expected, label_is_top, top_class, vector = zero, None, zero, None
    label_value, square = label.value.to(tl.float64), sums.square
    if VISIT.scores:
        label_value = logit + rescaling.ratio * rescaling.origin.to(tl.float64)
        square = sums.square_moment + label_value * label_value
    if VISIT.entropy:
        at_label = tl.where(softmax.p == 0.0, 0.0, softmax.p * logit)
        expected = sums.entropy * softmax.sum_inv + at_label
    if VISIT.top:
        label_is_top = top == label.index
        top_class = to_bits(top, label.value.dtype)
    if VISIT.vector or VISIT.vector_power:
        vector = Vector(
            label=label.vector.to(tl.float64),
            power=sums.vector_power * softmax.sum_inv,
            rest=sums.vector_rest * softmax.sum_inv,
            linear=sums.vector,
            total=sums.vectors,
        )

    value, at_label, softmax_slope, entropy, vector_power = zero, zero, zero, zero, zero
    linear, constant, class_weight, vector_slope, at_top = zero, zero, zero, zero, zero
    powers, element_slopes = (zero, zero, zero), (zero, zero)
    for i in tl.static_range(len(terms)):
        others, element = zero, None
        if PLAN.power_of[i] >= 0:
            others = power_sums[PLAN.power_of[i]]
        if PLAN.element_of[i] >= 0:
            element = Element(
                offset=number(elements[PLAN.element_of[i]].offset),
                gap=element_sums[VISIT.element_sums * PLAN.element_of[i]].to(tl.float64),
                factor=element_sums[VISIT.element_sums * PLAN.element_of[i] + 1].to(tl.float64),
            )
        row = Row(
            classes=zero + problem.classes,
            label_value=label_value,
            label_weight=label.weight.to(tl.float64),
            logit=logit,
            others=others,
            linear=sums.linear,
            square=square,
            # Without class weights w_k = 1.
            weighted=sums.weighted if VISIT.weighted else sums.linear,
            class_weights=sums.class_weights if VISIT.weighted else zero + problem.classes,
            expected=expected,
            label_is_top=label_is_top,
            softmax=softmax,
            vector=vector,
            element=element,
        )
        weight = zero + number(values[3 * i])
        if PLAN.by_label_weight[i]:
            weight *= row.label_weight
        g = terms[i](row, zero + number(values[3 * i + 1]), zero + number(values[3 * i + 2]))
        value += weight * g.value
        at_label += weight * g.label
        softmax_slope += weight * g.softmax
        entropy += weight * g.entropy
        vector_power += weight * g.vector_power
        linear += weight * g.linear
        constant += weight * g.constant
        class_weight += weight * g.class_weight
        vector_slope += weight * g.vector
        at_top += weight * g.top
        for p in tl.static_range(MAX_POWERS):
            if PLAN.power_of[i] == p:
                powers = powers[:p] + (powers[p] + weight * g.power,) + powers[p + 1 :]
        for j in tl.static_range(2):
            if PLAN.element_of[i] == j:
                element_slopes = (
                    element_slopes[:j]
                    + (element_slopes[j] + weight * g.element,)
                    + element_slopes[j + 1 :]
                )
    log_sum, top_miss = zero, zero
    if PLAN.softmax:
        # The kernels of elements know e_k and not p_k.
        powers = (powers[0] + softmax_slope * softmax.sum_inv,) + powers[1:]
        entropy *= softmax.sum_inv
        vector_power *= softmax.sum_inv
        log_sum, top_miss = softmax.log_sum, softmax.top_miss
    if not VISIT.weighted:
        constant += class_weight
    # A label out of range makes its row NaN; no host waits to be told.
    value = tl.where(in_range(problem, label.index), value, float("nan"))
    coefficients = Coefficients(
        at_label,
        shift.to(tl.float64),
        *powers,
        entropy,
        vector_power,
        linear,
        constant,
        class_weight,
        vector_slope,
        at_top,
        top_class,
        log_sum,
        top_miss,
        *element_slopes,
        zero,
        zero,
    )
    if VISIT.scores:
        moments, of_top = (zero, zero), zero
        for j in tl.static_range(len(elements)):
            moments = moments[:j] + (element_sums[3 * j + 2].to(tl.float64),) + moments[j + 1 :]
        if VISIT.top:
            origin = rescaling.ratio * rescaling.origin.to(tl.float64)
            of_top = tl.where(label_is_top, 0.0, origin)
        coefficients = pulled_back(coefficients, sums, moments, of_top, label_value, rescaling)
    return value, coefficients


@triton.jit
def column(problem, pointer, rows, i):
    """Pointers to the numbers of rows in one column."""
    return pointer + i * tl.cast(problem.rows, tl.int64) + rows


@triton.jit
def store_rows(
    problem,
    rows,
    kept,
    value,
    coefficients,
    loss,
    columns,
    COLUMNS: tl.constexpr,
    PLAN: tl.constexpr,
):
    """Write the coefficients of rows, and with reduction "none" their losses."""
    inside = rows < problem.rows
    for i in tl.static_range(len(coefficients)):
        if COLUMNS[i] >= 0:
            numbers = tl.where(kept, coefficients[i], 0.0)
            tl.store(column(problem, columns, rows, COLUMNS[i]), numbers, mask=inside)
    if PLAN.per_row:
        tl.store(loss + rows, value, mask=inside)


@triton.jit
def store_statistics(problem, rows, kept, label, shift, top, softmax, columns, FIRST: tl.constexpr):
    """Write what `noisykernels.statistics` reads; a row that does not count is NaN there."""
    inside = rows < problem.rows
    known = kept & in_range(problem, label.index)
    log_partition = shift.to(tl.float64) + softmax.log_sum
    numbers = (
        tl.where(known, softmax.log_p, float("nan")),
        tl.where(known, softmax.p, float("nan")),
        tl.where(kept, log_partition, float("nan")),
        to_bits(tl.where(kept, top, -1), label.value.dtype),
    )
    for i in tl.static_range(len(numbers)):
        tl.store(column(problem, columns, rows, FIRST + i), numbers[i], mask=inside)


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
