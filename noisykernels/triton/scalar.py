"""Functions of row scalars that `tl` lacks."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def log1p(u):
    """log(1 + u) for u >= 0: what rounding 1 + u lost comes back to first order."""
    w = 1.0 + u
    return tl.log(w) + (u - (w - 1.0)) / w


@triton.jit
def expm1(x):
    """exp(x) - 1 for x <= 0: where the difference would cancel, Taylor to the 13th power."""
    series = x * 0.0 + 1.0
    for i in tl.static_range(12):
        series = 1.0 + x * series * (1.0 / (13 - i))
    return tl.where(x > -0.35, x * series, tl.exp(x) - 1.0)


@triton.jit
def power(x, exponent):
    """x^exponent for x >= 0; 0^0 is 1."""
    return tl.where(exponent == 0.0, 1.0, tl.exp(exponent * tl.log(x)))


@triton.jit
def number(pair):
    """The float64 that a launch has split in two, because a kernel's arguments are float32."""
    return tl.zeros([], tl.float64) + pair[0] + pair[1]
