"""exp(q d) on a GPU, for d <= 0, at the accuracy of the row it serves.

`tl.exp` multiplies by log2(e), rounds, and hands over to `ex2.approx`: the rounding alone costs
1.7e-6 at |d| of 16 to 32 and 3.5e-6 beyond, which float32 rows cannot afford. Here the argument is
reduced first, exactly, so that `ex2.approx` sees a number between -1/2 and 1/2. Half precision rows
are rounded far more coarsely and take the short way.
"""

from __future__ import annotations

import math
import struct
from typing import NamedTuple

import triton
import triton.language as tl

ROUND = tl.constexpr(1.5 * 2**23)
"""Adding it to a float32 rounds to an integer, which the low bits of the sum hold."""


def pair(x: float) -> tuple[float, float]:
    """A number as two float32 parts: a kernel's arguments are float32, its row scalars float64."""
    high = struct.unpack("f", struct.pack("f", x))[0]
    return high, x - high if math.isfinite(high) else 0.0


class Exponent(NamedTuple):
    """exp(q d) = 2^n 2^(log2e (d - n step)); step = 1/log2e in two parts."""

    q: tuple[float, float]
    log2e: float  # q log2(e)
    high: float  # n times it is exact
    low: float
    lowest: float  # below it exp(q d) counts as zero


def exponent(q: float) -> Exponent:
    """The constants for one q, which may be zero."""
    if q == 0:
        return Exponent(pair(q), 0.0, 0.0, 0.0, -math.inf)
    step = math.log(2.0) / q
    mantissa, binary_exponent = math.frexp(step)
    high = math.ldexp(math.trunc(mantissa * 2**12), binary_exponent - 12)
    log2e = q / math.log(2.0)
    return Exponent(pair(q), log2e, high, step - high, -151.0 / log2e)


@triton.jit
def exponential(d, e, HALF: tl.constexpr):
    """exp(q d) for d <= 0; HALF is for rows of half precision."""
    if HALF:
        result = tl.exp2(d * e.log2e)
    elif d.dtype == tl.float64:
        q = tl.zeros([], tl.float64) + e.q[0] + e.q[1]
        result = tl.exp(q * d)
    else:
        rounded = d * e.log2e + ROUND
        n = rounded - ROUND
        r = (d - n * e.high) - n * e.low
        # 2^n in two factors, so that the last product can become subnormal with one rounding.
        power_of_two = ((rounded.to(tl.int32, bitcast=True) << 23) + ((127 + 64) << 23)).to(
            tl.float32, bitcast=True
        )
        scaled = (tl.exp2(r * e.log2e) * 2.0**-64) * power_of_two
        # The comparison comes last: it turns -inf, of padding or of the row itself, into zero and
        # leaves NaN alone.
        result = tl.where(d < e.lowest, 0.0, scaled)
    return result
