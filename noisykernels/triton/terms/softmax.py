"""Terms that need more of the softmax than the label's probability."""

from __future__ import annotations

import triton
import triton.language as tl

from noisykernels.triton.scalar import expm1
from noisykernels.triton.terms.row import Gradient


@triton.jit
def _powers(row, q):
    """p_y^q, the sum of the others' p_k^q, and what makes p_k^q of exp(q (x_k - shift))."""
    scale = tl.exp(-q * row.softmax.log_sum)
    return tl.exp(q * row.softmax.log_p), row.others * scale, scale


@triton.jit
def sgce(row, q, _):
    """(mean_k p_k^q - p_y^q) / q."""
    share = 1.0 / row.classes
    p_q, others, scale = _powers(row, q)
    return Gradient(
        value=(others - (row.classes - 1.0) * p_q) * share / q,
        label=-(p_q * row.softmax.miss * (1.0 - share) + others * row.softmax.p * share),
        softmax=p_q - (p_q + others) * share,
        power=share * scale,
    )


@triton.jit
def alpha_mae(row, alpha, _):
    """(1 - softmax(alpha z)_y) / alpha."""
    e_y = tl.exp(alpha * row.logit)
    sum_inv = 1.0 / (row.others + e_y)
    s = e_y * sum_inv
    miss = row.others * sum_inv
    return Gradient(value=miss / alpha, label=-s * miss, power=s * sum_inv)


@triton.jit
def smoothing(row, _, __):
    """-(1/C) sum_k w_k log p_k."""
    share = 1.0 / row.classes
    return Gradient(
        value=share * (row.class_weights * row.softmax.log_sum - row.weighted),
        label=share * (row.class_weights * row.softmax.p - row.label_weight),
        softmax=share * row.class_weights,
        class_weight=-share,
    )


@triton.jit
def nce(row, _, __):
    """Log p_y / sum_k log p_k."""
    total_inv = 1.0 / (row.classes * row.softmax.log_sum - row.linear)
    value = -row.softmax.log_p * total_inv
    return Gradient(
        value=value,
        label=-(row.softmax.miss + value * (row.classes * row.softmax.p - 1.0)) * total_inv,
        softmax=(1.0 - row.classes * value) * total_inv,
        constant=value * total_inv,
    )


@triton.jit
def ngce(row, q, _):
    """(1 - p_y^q) / sum_k (1 - p_k^q)."""
    p_q, others, scale = _powers(row, q)
    total = row.classes - (p_q + others)
    value = -expm1(q * row.softmax.log_p) / total
    slope = q / total
    return Gradient(
        value=value,
        label=-slope * (p_q * row.softmax.miss * (1.0 - value) + value * others * row.softmax.p),
        softmax=slope * (p_q - value * (p_q + others)),
        power=slope * value * scale,
    )


@triton.jit
def amse(row, square, a):
    """||p - a onehot||^2 / C; the power it sums is the square."""
    share = 1.0 / row.classes
    p, miss = row.softmax.p, row.softmax.miss
    _, others, scale = _powers(row, square)
    rest = (a - 1.0) + miss
    return Gradient(
        value=share * (others + rest * rest),
        label=-2.0 * share * p * (miss * rest + others),
        softmax=2.0 * share * ((a - 1.0) * p + p * miss - others),
        power=2.0 * share * scale,
    )


@triton.jit
def power_sum(row, s, _):
    """sum_k p_k^s."""
    p_s, others, scale = _powers(row, s)
    return Gradient(
        value=p_s + others,
        label=s * (p_s * row.softmax.miss - others * row.softmax.p),
        softmax=-s * (p_s + others),
        power=s * scale,
    )


@triton.jit
def entropy(row, _, __):
    """-sum_k p_k log p_k, which is log l - sum_k p_k (x_k - shift)."""
    logit = tl.where(row.softmax.p == 0.0, 0.0, row.logit)
    return Gradient(
        value=row.softmax.log_sum - row.expected,
        label=row.softmax.p * (row.expected - logit),
        softmax=row.expected,
        entropy=-1.0,
    )


@triton.jit
def top_ce(row, _, __):
    """-log max_k p_k."""
    return Gradient(
        value=row.softmax.log_sum,
        label=tl.where(row.label_is_top, -row.softmax.miss, row.softmax.p),
        softmax=1.0,
        top=-1.0,
    )


TERMS = sgce, alpha_mae, smoothing, nce, ngce, amse, power_sum, entropy, top_ce
