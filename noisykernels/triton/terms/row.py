"""What a term is given and what it returns."""

from __future__ import annotations

from typing import Any, NamedTuple

import triton
import triton.language as tl

from noisykernels.triton.scalar import log1p


class Softmax(NamedTuple):
    """Of the softmax of rows, exact at both ends."""

    log_sum: Any  # log l, l the sum of exp(x_k - shift)
    sum_inv: Any  # 1 / l
    log_p: Any  # log p_y
    p: Any  # p_y
    miss: Any  # 1 - p_y
    top_miss: Any  # 1 - p_k of the class with the largest logit


class Vector(NamedTuple):
    """Sums with the vector v of rows."""

    label: Any  # v_y
    power: Any  # sum over k != y of v_k p_k
    rest: Any  # sum over k != y of (1 - v_k) p_k
    linear: Any  # sum of v_k (x_k - shift)
    total: Any  # sum of v_k


class Element(NamedTuple):
    """Sums over k != y with f(p_k), the factor of the elementwise function of a term."""

    offset: Any
    gap: Any  # sum of offset + f(p_k) log p_k, of the classes above the floor
    factor: Any  # sum of f(p_k)


class Row(NamedTuple):
    """Statistics of rows, the label kept apart."""

    classes: Any
    label_value: Any  # x_y
    label_weight: Any  # w_y
    logit: Any  # x_y - shift
    others: Any  # sum over k != y of exp(q (x_k - shift)), q the parameter of the term at hand
    linear: Any  # sum of x_k - shift
    square: Any  # sum of x_k^2
    weighted: Any  # sum of w_k (x_k - shift)
    class_weights: Any  # sum of w_k
    expected: Any  # sum of p_k (x_k - shift)
    label_is_top: Any  # whether the label is the first class with the largest logit
    softmax: Any  # Softmax, or None where no term needs it
    vector: Any  # Vector
    element: Any  # Element, of the term at hand


class Gradient(NamedTuple):
    """A term's value and its row gradient; what it leaves out is zero.

    dz_k = softmax p_k + power exp(q d_k) + entropy p_k d_k + vector_power v_k p_k + linear x_k
           + constant + class_weight w_k + vector v_k + element f(p_k)     (k != y)
    dz_y = label,   plus `top` at the class with the largest logit if that is not the label,

    with d_k = x_k - shift.
    """

    value: Any
    label: Any
    softmax: Any = 0.0
    power: Any = 0.0
    entropy: Any = 0.0
    vector_power: Any = 0.0
    linear: Any = 0.0
    constant: Any = 0.0
    class_weight: Any = 0.0
    vector: Any = 0.0
    top: Any = 0.0
    element: Any = 0.0


@triton.jit
def complete_softmax(logit, others, ties, APART: tl.constexpr):
    """From x_y - shift and the sum of exp(x_k - shift) over k != y.

    With APART those k that have the largest logit are left out of the sum, and are counted in
    `ties`: then log l is exact where any class is nearly certain, else where the label is.
    """
    e_y = tl.exp(logit)
    if APART:
        label_leads = logit == 0.0
        beyond_one = others + (
            ties - tl.where(label_leads, 0.0, 1.0) + tl.where(label_leads, 0.0, e_y)
        )
        others += ties
    else:
        beyond_one = others + e_y - 1.0
    # One log1p serves both ends: log p_y = -log1p(s/e_y) for a leading label, else (x_y - m) - log
    # l.
    leads = e_y >= others
    log1 = log1p(tl.where(leads, others / e_y, beyond_one))
    sum_inv = 1.0 / (others + e_y)
    return Softmax(
        log_sum=tl.where(leads, logit + log1, log1),
        sum_inv=sum_inv,
        log_p=tl.where(leads, -log1, logit - log1),
        p=e_y * sum_inv,
        miss=others * sum_inv,
        top_miss=beyond_one * sum_inv,
    )
