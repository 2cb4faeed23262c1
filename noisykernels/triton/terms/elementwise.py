"""Terms with a function of each class's probability, which takes a second visit of the row."""

from __future__ import annotations

import triton
import triton.language as tl

from noisykernels.triton.scalar import power
from noisykernels.triton.terms.row import Gradient


@triton.jit
def nfl(row, gamma, floor):
    """f_y / sum_k f_k with f_k = -(1 - p_k)^gamma log p_k."""
    factor = _label_factor(row, gamma, floor)
    focal = tl.where(factor > 0.0, -factor * row.softmax.log_p, 0.0)
    return _normalized(row, factor, focal, -row.element.gap, False)


@triton.jit
def nnfl(row, gamma, floor):
    """1 - g_y / sum_k g_k, g_k = A + (1 - p_k)^gamma log p_k above the floor, which is its zero."""
    factor = _label_factor(row, gamma, floor)
    gap = row.element.offset + factor * row.softmax.log_p
    gap = tl.where(row.softmax.log_p > floor, gap, 0.0)
    return _normalized(row, factor, gap, row.element.gap, True)


@triton.jit
def _label_factor(row, gamma, floor):
    return tl.where(row.softmax.log_p > floor, power(row.softmax.miss, gamma), 0.0)


@triton.jit
def _normalized(row, factor, label, others, NEGATIVE: tl.constexpr):
    total_inv = 1.0 / (label + others)
    share, rest = label * total_inv, others * total_inv
    factors = row.element.factor
    return Gradient(
        value=rest if NEGATIVE else share,
        label=-(factor * row.softmax.miss * rest + share * row.softmax.p * factors) * total_inv,
        softmax=(factor * rest - share * factors) * total_inv,
        element=share * total_inv,
    )


TERMS = nfl, nnfl
