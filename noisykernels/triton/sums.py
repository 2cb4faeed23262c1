"""What a visit of a row sums, over rows as a whole or over parts of one, and how parts are merged.

Arithmetic on elements is float32, float64 for float64 rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import triton
import triton.language as tl

from noisykernels import terms
from noisykernels.triton.batch import from_bits
from noisykernels.triton.exponential import exponential

MAX_POWERS = tl.constexpr(terms.MAX_POWERS)

NO_CLASS = tl.constexpr(2**31 - 1)
"""After all classes."""


class Sums(NamedTuple):
    """Sums of a visit, the label kept apart; d_k = x_k - shift, e_k = exp(d_k).

    What is not needed is the number 0.0, whatever the shape of the others.
    """

    power0: Any  # for each power, sum over k != y of exp(q d_k)
    power1: Any
    power2: Any
    ties: Any  # how many k != y have d_k = 0; power0 leaves them out where this is needed
    entropy: Any  # sum over k != y of e_k d_k
    vector_power: Any  # sum over k != y of v_k e_k
    vector_rest: Any  # sum over k != y of (1 - v_k) e_k
    linear: Any  # sum of x_k - center
    square: Any  # sum of x_k^2
    weighted: Any  # sum of w_k (x_k - center)
    class_weights: Any  # sum of w_k
    vector: Any  # sum of v_k (x_k - center), where v_k = 0 counts nothing
    vectors: Any  # sum of v_k

    # Of bounded scores u_k, sums over k != y times what the gradient's coefficients multiply.
    moment0: Any  # for each power, of exp(q d_k) u_k
    moment1: Any
    moment2: Any
    entropy_moment: Any  # of e_k d_k u_k
    vector_power_moment: Any  # of v_k e_k u_k
    square_moment: Any  # of u_k u_k
    linear_moment: Any  # of u_k
    weighted_moment: Any  # of w_k u_k
    vector_moment: Any  # of v_k u_k


@triton.jit
def finite_or_zero(x):
    """A point to subtract from the row that cannot make a NaN of an infinity."""
    return tl.where(tl.abs(x) < float("inf"), x, 0.0)


@triton.jit
def subtrahend(shift):
    """The largest logit so far, but who has seen nothing but -inf has nothing to subtract."""
    return tl.where(shift == float("-inf"), 0.0, shift)


@triton.jit
def power_of(d, first, exponent, HALF: tl.constexpr):
    """exp(q d), which is the square of the first power where there is no exponent."""
    if len(exponent) == 0:
        result = first * first
    else:
        result = exponential(d, exponent, HALF)
    return result


@triton.jit
def sum_classes(
    x, u, shift, center, is_label, valid, w, v, exponents, VISIT: tl.constexpr, AXIS: tl.constexpr
):
    """Sums over one axis of elements; u are the scores that x belong to, or None."""
    powers, moments = (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)
    entropy_moment, vector_power_moment, square_moment = 0.0, 0.0, 0.0
    linear_moment, weighted_moment, vector_moment = 0.0, 0.0, 0.0
    ties, entropy, vector_power, vector_rest = 0.0, 0.0, 0.0, 0.0
    linear, square, weighted, class_weights, vector, vectors = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    first = 0.0
    for i in tl.static_range(len(exponents)):
        d = x - shift
        e = tl.where(is_label, 0.0, power_of(d, first, exponents[i], VISIT.half))
        if VISIT.scores:
            moments = moments[:i] + (tl.sum(e * u, axis=AXIS),) + moments[i + 1 :]
        if i == 0:
            first = e
            if VISIT.entropy:
                entropy = tl.sum(tl.where(d == float("-inf"), 0.0, e * d), axis=AXIS)
                if VISIT.scores:
                    product = tl.where(d == float("-inf"), 0.0, e * d * u)
                    entropy_moment = tl.sum(product, axis=AXIS)
            if VISIT.vector_power:
                vector_power = tl.sum(v * e, axis=AXIS)
                vector_rest = tl.sum((1.0 - v) * e, axis=AXIS)
                if VISIT.scores:
                    vector_power_moment = tl.sum(v * e * u, axis=AXIS)
            if VISIT.apart:
                leads = d == 0.0
                ties = tl.sum(tl.where(leads & (is_label == 0), 1.0, 0.0), axis=AXIS)
                e = tl.where(leads, 0.0, e)
        powers = powers[:i] + (tl.sum(e, axis=AXIS),) + powers[i + 1 :]
    if VISIT.linear:
        linear = tl.sum(tl.where(valid, x - center, 0.0), axis=AXIS)
    if VISIT.square:
        square = tl.sum(tl.where(valid, x * x, 0.0), axis=AXIS)
    if VISIT.weighted:
        weighted = tl.sum(tl.where(valid, w * (x - center), 0.0), axis=AXIS)
        class_weights = tl.sum(w, axis=AXIS)
    if VISIT.vector:
        vector = tl.sum(tl.where(v == 0.0, 0.0, v * (x - center)), axis=AXIS)
        vectors = tl.sum(v, axis=AXIS)
    if VISIT.scores:
        others = tl.where(is_label, 0.0, u)
        square_moment = tl.sum(others * others, axis=AXIS)
        linear_moment = tl.sum(others, axis=AXIS)
        if VISIT.weighted:
            weighted_moment = tl.sum(w * others, axis=AXIS)
        if VISIT.vector:
            vector_moment = tl.sum(v * others, axis=AXIS)
    return Sums(
        *powers,
        ties,
        entropy,
        vector_power,
        vector_rest,
        linear,
        square,
        weighted,
        class_weights,
        vector,
        vectors,
        *moments,
        entropy_moment,
        vector_power_moment,
        square_moment,
        linear_moment,
        weighted_moment,
        vector_moment,
    )


@triton.jit
def first_top(x, shift, classes, AXIS: tl.constexpr):
    """The first class that has the largest logit, or NaN, of those on one axis."""
    return tl.min(tl.where(x < shift, NO_CLASS, classes), axis=AXIS)


@triton.jit
def rebase(sums, shift, base, exponents, VISIT: tl.constexpr):
    """The sums as if `base`, which is no smaller, had been subtracted instead of `shift`.

    Of bounded scores both are 0 from the start, and moments are left alone.
    """
    difference = shift - base
    powers = (0.0, 0.0, 0.0)
    ties, entropy = sums.ties, sums.entropy
    vector_power, vector_rest = sums.vector_power, sums.vector_rest
    first = 0.0
    for i in tl.static_range(len(exponents)):
        scale = power_of(difference, first, exponents[i], VISIT.half)
        total = sums[i]
        if i == 0:
            first = scale
            if VISIT.entropy:
                others = sums.power0 + sums.ties
                entropy = scale * (entropy + finite_or_zero(difference) * others)
            if VISIT.vector_power:
                vector_power = scale * vector_power
                vector_rest = scale * vector_rest
            if VISIT.apart:
                lead = difference == 0.0
                total = total + tl.where(lead, 0.0, ties)
                ties = tl.where(lead, ties, 0.0)
        powers = powers[:i] + (total * scale,) + powers[i + 1 :]
    return Sums(
        *powers,
        ties,
        entropy,
        vector_power,
        vector_rest,
        sums.linear,
        sums.square,
        sums.weighted,
        sums.class_weights,
        sums.vector,
        sums.vectors,
        *sums[13:],
    )


@triton.jit
def nothing(zero, PARTS: tl.constexpr):
    """Sums of no classes."""
    found = ()
    for i in tl.static_range(len(PARTS)):
        found = found + (zero if PARTS[i] >= 0 else 0.0,)
    return Sums(*found)


@triton.jit
def add(a, b):
    """Sums of two visits, as a plain tuple."""
    found = ()
    for i in tl.static_range(len(a)):
        found = found + (a[i] + b[i],)
    return found


@triton.jit
def reduce(sums, PARTS: tl.constexpr, AXIS: tl.constexpr):
    """Sums over an axis of sums."""
    found = ()
    for i in tl.static_range(len(sums)):
        found = found + (tl.sum(sums[i], axis=AXIS) if PARTS[i] >= 0 else 0.0,)
    return Sums(*found)


@triton.jit
def wide(sums, PARTS: tl.constexpr, like):
    """The sums of whole rows in float64, all of the same shape."""
    zero = tl.zeros_like(like.to(tl.float64))
    found = ()
    for i in tl.static_range(len(sums)):
        found = found + (sums[i].to(tl.float64) if PARTS[i] >= 0 else zero,)
    return Sums(*found)


@triton.jit
def load_parts(problem, parts, rows, kept, i, SPLITS: tl.constexpr):
    """The number in column i of each part of rows."""
    stride = tl.cast(problem.rows, tl.int64) * SPLITS
    pointers = parts + rows[:, None].to(tl.int64) * SPLITS + tl.arange(0, SPLITS)[None, :]
    return tl.load(pointers + i * stride, mask=kept[:, None], other=0.0)


@triton.jit
def merge_parts(
    problem,
    parts,
    rows,
    kept,
    label_value,
    exponents,
    VISIT: tl.constexpr,
    PARTS: tl.constexpr,
    SPLITS: tl.constexpr,
):
    """Shift, top and sums of whole rows from those of their parts, in a fixed order."""
    center = finite_or_zero(label_value)
    found = ()
    for i in tl.static_range(len(PARTS)):
        found = found + (
            load_parts(problem, parts, rows, kept, PARTS[i], SPLITS) if PARTS[i] >= 0 else 0.0,
        )
    sums = Sums(*found)
    shift, top = center, NO_CLASS
    if len(exponents) > 0:
        shifts = load_parts(problem, parts, rows, kept, 0, SPLITS)
        shift = tl.max(shifts, axis=1)
        sums = rebase(sums, shifts, subtrahend(shift)[:, None], exponents, VISIT)
        if VISIT.top:
            tops = from_bits(load_parts(problem, parts, rows, kept, 1, SPLITS))
            top = first_top(shifts, shift[:, None], tops, 1)
    sums = wide(reduce(sums, PARTS, 1), PARTS, shift)
    # Polynomial sums were taken around the label's value; from here on the shift is the point.
    difference = center.to(tl.float64) - shift.to(tl.float64)
    return (
        shift,
        top,
        Sums(
            *sums[:7],
            sums.linear + problem.classes * difference,
            sums.square,
            sums.weighted + sums.class_weights * difference,
            sums.class_weights,
            sums.vector + sums.vectors * difference,
            sums.vectors,
            *sums[13:],
        ),
    )


@triton.jit
def element_factor(d, e, sum_inv, log_sum, top_miss, element, HALF: tl.constexpr):
    """(1 - p_k)^gamma, and whether it counts: where log p_k is not below the floor."""
    # Only the class with the largest logit can have a p_k above 1/2.
    miss = tl.where(d == 0.0, top_miss, 1.0 - e * sum_inv)
    if len(element.gamma) == 0:
        factor = tl.sqrt(miss)
    else:
        # Of a certain class finite too: gamma may be zero.
        factor = exponential(tl.maximum(tl.log(miss), -1e38), element.gamma, HALF)
    floor = tl.zeros([], d.dtype) + element.floor[0] + element.floor[1]
    return factor, d - log_sum >= floor


@triton.jit
def sum_elements(
    x,
    u,
    shift,
    log_sum,
    top_miss,
    others,
    exponents,
    elements,
    VISIT: tl.constexpr,
    AXIS: tl.constexpr,
):
    """Sums of offset + f(p_k) log p_k and of f(p_k) over the other classes: a second visit.

    Of bounded scores u_k also of f(p_k) u_k.
    """
    d = x - shift
    e = exponential(d, exponents[0], VISIT.half)
    sum_inv = tl.exp(-log_sum)
    found = ()
    for j in tl.static_range(len(elements)):
        factor, above = element_factor(d, e, sum_inv, log_sum, top_miss, elements[j], VISIT.half)
        counts = above & others
        offset = tl.zeros([], d.dtype) + elements[j].offset[0] + elements[j].offset[1]
        gap = tl.where(counts, offset + factor * (d - log_sum), 0.0)
        factor = tl.where(counts, factor, 0.0)
        found = found + (tl.sum(gap, axis=AXIS), tl.sum(factor, axis=AXIS))
        if VISIT.scores:
            found = found + (tl.sum(factor * u, axis=AXIS),)
    return found
