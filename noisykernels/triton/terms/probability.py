"""Terms of the label's probability alone: value phi(p_y), dz_k = c p_k, c = -p_y phi'(p_y)."""

from __future__ import annotations

import triton
import triton.language as tl

from noisykernels.terms import probability
from noisykernels.triton.scalar import expm1, log1p, power
from noisykernels.triton.terms.row import Gradient

MAX_ORDER = tl.constexpr(probability.MAX_ORDER)


@triton.jit
def _of_probability(row, value, c):
    return Gradient(value=value, label=-c * row.softmax.miss, softmax=c)


@triton.jit
def ce(row, _, __):
    """-log p_y."""
    return _of_probability(row, -row.softmax.log_p, 1.0)


@triton.jit
def mae(row, _, __):
    """1 - p_y."""
    return _of_probability(row, row.softmax.miss, row.softmax.p)


@triton.jit
def gce(row, q, _):
    """(1 - p_y^q) / q."""
    q_log_p = q * row.softmax.log_p
    return _of_probability(row, -expm1(q_log_p) / q, tl.exp(q_log_p))


@triton.jit
def focal(row, gamma, detach):
    """-(1 - p_y)^gamma log p_y; with `detach` the factor counts as constant."""
    p, miss, log_p = row.softmax.p, row.softmax.miss, row.softmax.log_p
    factor = power(miss, gamma)
    # p log p / (1 - p) tends to -1 where the label is certain, to 0 where it is hopeless.
    ratio = tl.where(p == 0.0, 0.0, tl.where(miss == 0.0, -1.0, p * log_p / miss))
    c = tl.where(detach != 0.0, factor, factor * (1.0 - gamma * ratio))
    return _of_probability(row, -factor * log_p, c)


@triton.jit
def truncated_gce(row, q, log_k):
    """(1 - max(p_y, k)^q) / q."""
    above = row.softmax.log_p > log_k
    q_log_p = q * tl.where(above, row.softmax.log_p, log_k)
    return _of_probability(row, -expm1(q_log_p) / q, tl.where(above, tl.exp(q_log_p), 0.0))


@triton.jit
def taylor_ce(row, order, _):
    """The first `order` terms of the series of -log p_y: sum_i (1 - p_y)^i / i."""
    miss = row.softmax.miss
    value, slope = miss * 0.0, miss * 0.0
    miss_i = miss * 0.0 + 1.0
    for i in tl.static_range(1, MAX_ORDER + 1):
        slope += tl.where(i <= order, miss_i, 0.0)
        miss_i *= miss
        value += tl.where(i <= order, miss_i * (1.0 / i), 0.0)
    return _of_probability(row, value, row.softmax.p * slope)


@triton.jit
def phuber_ce(row, tau, _):
    """-log p_y where p_y > 1 / tau, else the tangent there, log tau + 1 - tau p_y."""
    p = row.softmax.p
    linear = tau * p <= 1.0
    tangent = tl.log(tau) + (row.softmax.miss - (tau - 1.0) * p)  # 1 - tau p_y cancels at tau ~ 1
    value = tl.where(linear, tangent, -row.softmax.log_p)
    return _of_probability(row, value, tl.where(linear, tau * p, 1.0))


@triton.jit
def agce(row, a, q):
    """((a + 1)^q - (a + p_y)^q) / q."""
    base = a + row.softmax.p
    log_ratio = log1p(row.softmax.miss / base)  # of a + 1 to a + p
    value = -power(a + 1.0, q) * expm1(-q * log_ratio) / q
    return _of_probability(row, value, row.softmax.p * power(base, q - 1.0))


@triton.jit
def aul(row, a, q):
    """((a - p_y)^q - (a - 1)^q) / q."""
    base = (a - 1.0) + row.softmax.miss
    log_ratio = log1p(row.softmax.miss / (a - 1.0))  # of a - p to a - 1
    value = -power(base, q) * expm1(-q * log_ratio) / q
    return _of_probability(row, value, row.softmax.p * power(base, q - 1.0))


@triton.jit
def ael(row, a, _):
    """exp(-p_y / a)."""
    scaled = row.softmax.p / a
    value = tl.exp(-scaled)
    return _of_probability(row, value, scaled * value)


@triton.jit
def eps_softmax_ce(row, m, _):
    """-log((p_y + m) / (1 + m)) where the label leads, -log(p_y / (1 + m)) elsewhere."""
    leads = row.logit >= 0.0
    raised = row.softmax.p + m
    value = tl.where(leads, log1p(row.softmax.miss / raised), log1p(m) - row.softmax.log_p)
    return _of_probability(row, value, tl.where(leads, row.softmax.p / raised, 1.0))


TERMS = ce, mae, gce, focal, truncated_gce, taylor_ce, phuber_ce, agce, aul, ael, eps_softmax_ce
