"""Every term once, as a jit function of row statistics; the formulas are in `noisykernels.terms`.

A term gets the statistics of rows, its weight (the row's own included) and its parameter, all
float64, and returns its value and its row gradient

    dz_k = softmax p_k + power exp(q (x_k - shift)) + linear x_k + constant + class_weight w_k    (k
    != y),  dz_y = label.

What it leaves out is zero. `tl` has neither `log1p` nor `expm1`: they are here too.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import triton
import triton.language as tl


class Softmax(NamedTuple):
    """Of the softmax of rows, exact at both ends."""

    log_sum: Any  # log l, l the sum of exp(x_k - shift)
    sum_inv: Any  # 1 / l
    log_p: Any  # log p_y
    p: Any  # p_y
    miss: Any  # 1 - p_y


class Row(NamedTuple):
    """Statistics of rows, the label kept apart, as in csrc/terms.h."""

    classes: Any
    logit: Any  # x_y - shift
    others: Any  # sum over k != y of exp(q (x_k - shift)), q the parameter of the term at hand
    linear: Any  # sum of x_k - shift
    square: Any  # sum of x_k^2
    weighted: Any  # sum of w_k (x_k - shift)
    class_weights: Any  # sum of w_k
    label_weight: Any  # w_y
    label_value: Any  # x_y
    softmax: Any  # Softmax, or None where no term needs it


class Gradient(NamedTuple):
    """A term's value and the coefficients of its row gradient."""

    value: Any
    label: Any
    softmax: Any = 0.0
    power: Any = 0.0
    linear: Any = 0.0
    constant: Any = 0.0
    class_weight: Any = 0.0


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
def complete_softmax(logit, others):
    """From x_y - shift and the sum of exp(x_k - shift) over k != y."""
    e_y = tl.exp(logit)
    total = others + e_y
    # One log1p serves both ends: log p_y = -log1p(s/e_y) for a leading label, else (x_y - m) - log
    # l.
    leads = e_y >= others
    log1 = log1p(tl.where(leads, others / e_y, total - 1.0))
    sum_inv = 1.0 / total
    return Softmax(
        log_sum=tl.where(leads, logit + log1, log1),
        sum_inv=sum_inv,
        log_p=tl.where(leads, -log1, logit - log1),
        p=e_y * sum_inv,
        miss=others * sum_inv,
    )


@triton.jit
def ce(row, w, q):
    """-log p_y."""
    return Gradient(value=-w * row.softmax.log_p, label=-w * row.softmax.miss, softmax=w)


@triton.jit
def mae(row, w, q):
    """1 - p_y."""
    return Gradient(
        value=w * row.softmax.miss,
        label=-w * row.softmax.p * row.softmax.miss,
        softmax=w * row.softmax.p,
    )


@triton.jit
def gce(row, w, q):
    """(1 - p_y^q) / q."""
    p_q = tl.exp(q * row.softmax.log_p)
    return Gradient(
        value=-w * expm1(q * row.softmax.log_p) / q,
        label=-w * p_q * row.softmax.miss,
        softmax=w * p_q,
    )


@triton.jit
def muh(row, w, q):
    """mean(z) - z_y."""
    share = 1.0 / row.classes
    return Gradient(
        value=w * (row.linear * share - row.logit), label=w * (share - 1.0), constant=w * share
    )


@triton.jit
def sgce(row, w, q):
    """(mean_k p_k^q - p_y^q) / q."""
    share = 1.0 / row.classes
    p_q = tl.exp(q * row.softmax.log_p)
    l_q = tl.exp(-q * row.softmax.log_sum)
    others = row.others * l_q
    return Gradient(
        value=w * (others - (row.classes - 1.0) * p_q) * share / q,
        label=-w * (p_q * row.softmax.miss * (1.0 - share) + others * row.softmax.p * share),
        softmax=w * (p_q - (p_q + others) * share),
        power=w * share * l_q,
    )


@triton.jit
def alpha_mae(row, w, alpha):
    """(1 - softmax(alpha z)_y) / alpha."""
    e_y = tl.exp(alpha * row.logit)
    sum_inv = 1.0 / (row.others + e_y)
    s = e_y * sum_inv
    miss = row.others * sum_inv
    return Gradient(value=w * miss / alpha, label=-w * s * miss, power=w * s * sum_inv)


@triton.jit
def smoothing(row, w, q):
    """-(1/C) sum_k w_k log p_k."""
    share = w / row.classes
    return Gradient(
        value=share * (row.class_weights * row.softmax.log_sum - row.weighted),
        label=share * (row.class_weights * row.softmax.p - row.label_weight),
        softmax=share * row.class_weights,
        class_weight=-share,
    )


@triton.jit
def square(row, w, q):
    """||z||^2."""
    return Gradient(value=w * row.square, label=w * 2.0 * row.label_value, linear=w * 2.0)


TERMS = {term.__name__: term for term in (ce, mae, gce, muh, sgce, alpha_mae, smoothing, square)}
