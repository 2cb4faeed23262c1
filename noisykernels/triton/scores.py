"""Bounded scores u = r x: rows are rescaled as they are loaded, and gradients find back to x.

A loaded row becomes the differences r (x_k - origin); origin is the largest logit where
exponentials are taken, else the label's. From there on it is a row like any other, around 0.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import triton
import triton.language as tl

from noisykernels import bounded
from noisykernels.triton.coefficients import Coefficients
from noisykernels.triton.scalar import number

NORMALIZED = tl.constexpr(bounded.NORMALIZED)


class Rescaling(NamedTuple):
    """Of rows, in float64."""

    ratio: Any  # r
    shrink: Any  # 1 / ||u||^2 where a step along the row does not change u, else 0
    origin: Any


@triton.jit
def squared_length(x, AXIS: tl.constexpr):
    """The sum of squares over an axis, in float64; no square overflows on the way there."""
    if x.dtype == tl.float64:
        square = tl.sum(x * x, axis=AXIS)
    else:
        # The power of two below the largest, and one over it.
        largest = tl.max(tl.abs(x), axis=AXIS).to(tl.int32, bitcast=True)
        bits = tl.minimum(largest & 0x7F800000, 0x7E800000)
        y = x * tl.expand_dims((0x7F000000 - bits).to(tl.float32, bitcast=True), AXIS)
        unit = bits.to(tl.float32, bitcast=True).to(tl.float64)
        square = tl.sum(y * y, axis=AXIS).to(tl.float64) * unit * unit
    return square


@triton.jit
def rescaling_of(square, origin, length, KIND: tl.constexpr):
    """From the squared lengths of rows; zeros stay zeros, what is not finite becomes NaN."""
    wanted = number(length)
    norm = tl.sqrt(square)
    if KIND == NORMALIZED:
        rescaled = square > 0.0
        ratio = tl.where(rescaled, wanted / tl.where(rescaled, norm, 1.0), 0.0)
    else:
        rescaled = norm > wanted
        ratio = tl.where(rescaled, wanted / tl.where(rescaled, norm, 1.0), 1.0)
    finite = square < float("inf")  # false for NaN too
    return Rescaling(
        tl.where(finite, ratio, float("nan")),
        tl.where(rescaled, 1.0 / (wanted * wanted), 0.0),
        origin,
    )


@triton.jit
def split(x, like):
    """Numbers of rows in two parts of the type of the arithmetic."""
    high = x.to(like.dtype)
    return high, (x - high.to(tl.float64)).to(like.dtype)


@triton.jit
def scores_of(x, high, low):
    """R x, where r is the sum of both parts."""
    return x * high + x * low


@triton.jit
def rescaled(x, valid, rescaling, AXIS: tl.constexpr):
    """The differences of a row's elements, as they were loaded, and the scores themselves."""
    high, low = split(rescaling.ratio, x)
    high, low = tl.expand_dims(high, AXIS), tl.expand_dims(low, AXIS)
    d = scores_of(x - tl.expand_dims(rescaling.origin, AXIS), high, low)
    return tl.where(valid, d, float("-inf")), tl.where(valid, scores_of(x, high, low), 0.0)


@triton.jit
def difference_of_label(label_value, rescaling):
    """The same of the labels' logits."""
    high, low = split(rescaling.ratio, label_value)
    return scores_of(label_value - rescaling.origin, high, low)


@triton.jit
def pulled_back(coefficients, sums, element_moments, at_top, label, rescaling):
    """The coefficients of the gradient with respect to the logits from those with respect to u.

        dx = r (g - u (g u) / ||u||^2)

    `label` is u_y, `at_top` the score of the class with the largest logit, or zero where that is
    the label.
    """
    g = coefficients
    along = g.label * label + g.linear * sums.square_moment
    along += g.power0 * sums.moment0 + g.power1 * sums.moment1 + g.power2 * sums.moment2
    along += g.entropy * sums.entropy_moment + g.vector_power * sums.vector_power_moment
    along += g.constant * sums.linear_moment + g.class_weight * sums.weighted_moment
    along += g.vector * sums.vector_moment + g.top * at_top
    along += g.element0 * element_moments[0] + g.element1 * element_moments[1]
    along *= rescaling.shrink
    return Coefficients(
        rescaling.ratio * (g.label - along * label),
        rescaling.origin.to(tl.float64),
        rescaling.ratio * g.power0,
        rescaling.ratio * g.power1,
        rescaling.ratio * g.power2,
        rescaling.ratio * g.entropy,
        rescaling.ratio * g.vector_power,
        rescaling.ratio * (g.linear - along),
        rescaling.ratio * g.constant,
        rescaling.ratio * g.class_weight,
        rescaling.ratio * g.vector,
        rescaling.ratio * g.top,
        g.top_class,
        g.log_sum,
        g.top_miss,
        rescaling.ratio * g.element0,
        rescaling.ratio * g.element1,
        *split(rescaling.ratio, rescaling.origin),
    )
