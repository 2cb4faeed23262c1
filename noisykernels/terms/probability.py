"""Terms of the label's probability alone: value phi(p_y), dz_k = c p_k, c = -p_y phi'(p_y)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from noisykernels.terms.row import Coefficients, Need, Row, term

MAX_ORDER = 16
"""Of `taylor_ce`."""


def _of_probability(row: Row, value: Tensor, c: Tensor | float) -> Coefficients:
    return Coefficients(value=value, label=-c * row.miss, powers=((1.0, c),))


@term(Need.SOFTMAX)
def ce(row: Row, _: float, __: float) -> Coefficients:
    """-log p_y."""
    return _of_probability(row, -row.log_p, 1.0)


@term(Need.SOFTMAX)
def mae(row: Row, _: float, __: float) -> Coefficients:
    """1 - p_y: half the L1 distance to the one-hot label."""
    return _of_probability(row, row.miss, row.p)


@term(Need.SOFTMAX)
def gce(row: Row, q: float, _: float) -> Coefficients:
    """(1 - p_y^q) / q."""
    return _of_probability(row, -torch.expm1(q * row.log_p) / q, (q * row.log_p).exp())


@term(Need.SOFTMAX)
def focal(row: Row, gamma: float, detach: float) -> Coefficients:
    """-(1 - p_y)^gamma log p_y; with `detach` the factor counts as constant."""
    weight = row.miss.pow(gamma) if gamma else torch.ones_like(row.miss)
    c = weight
    if gamma and not detach:
        # log p / (1 - p) tends to -1 where the label is certain, p log p to 0 where it is hopeless.
        ratio = torch.where(row.miss > 0, row.p * row.log_p / row.miss, -1.0)
        c = weight * (1 - gamma * torch.where(row.p > 0, ratio, 0.0))
    return _of_probability(row, -weight * row.log_p, c)


@term(Need.SOFTMAX)
def truncated_gce(row: Row, q: float, log_k: float) -> Coefficients:
    """(1 - max(p_y, k)^q) / q."""
    above = row.log_p > log_k
    value = -torch.expm1(q * torch.where(above, row.log_p, log_k)) / q
    return _of_probability(row, value, torch.where(above, (q * row.log_p).exp(), 0.0))


@term(Need.SOFTMAX)
def taylor_ce(row: Row, order: float, _: float) -> Coefficients:
    """The first `order` terms of the series of -log p_y: sum_i (1 - p_y)^i / i."""
    powers = [row.miss**i for i in range(int(order) + 1)]
    value = sum((power / i for i, power in enumerate(powers[1:], 1)), torch.zeros_like(row.miss))
    return _of_probability(row, value, row.p * sum(powers[:-1], torch.zeros_like(row.miss)))


@term(Need.SOFTMAX)
def phuber_ce(row: Row, tau: float, _: float) -> Coefficients:
    """-log p_y where p_y > 1 / tau, else the tangent there, log tau + 1 - tau p_y."""
    linear = tau * row.p <= 1
    tangent = math.log(tau) + (row.miss - (tau - 1) * row.p)  # 1 - tau p_y cancels at tau next to 1
    value = torch.where(linear, tangent, -row.log_p)
    return _of_probability(row, value, torch.where(linear, tau * row.p, 1.0))


@term(Need.SOFTMAX)
def agce(row: Row, a: float, q: float) -> Coefficients:
    """((a + 1)^q - (a + p_y)^q) / q."""
    log_ratio = torch.log1p(row.miss / (a + row.p))  # of a + 1 to a + p
    value = -((a + 1) ** q) * torch.expm1(-q * log_ratio) / q
    return _of_probability(row, value, row.p * (a + row.p) ** (q - 1))


@term(Need.SOFTMAX)
def aul(row: Row, a: float, q: float) -> Coefficients:
    """((a - p_y)^q - (a - 1)^q) / q."""
    base = (a - 1) + row.miss
    log_ratio = torch.log1p(row.miss / (a - 1))  # of a - p to a - 1
    value = -(base**q) * torch.expm1(-q * log_ratio) / q
    return _of_probability(row, value, row.p * base ** (q - 1))


@term(Need.SOFTMAX)
def ael(row: Row, a: float, _: float) -> Coefficients:
    """exp(-p_y / a)."""
    value = (-row.p / a).exp()
    return _of_probability(row, value, row.p / a * value)


@term(Need.SOFTMAX)
def eps_softmax_ce(row: Row, m: float, _: float) -> Coefficients:
    """-log((p_y + m) / (1 + m)) where the label leads, -log(p_y / (1 + m)) elsewhere."""
    leads = row.leads
    value = torch.where(leads, torch.log1p(row.miss / (row.p + m)), math.log1p(m) - row.log_p)
    return _of_probability(row, value, torch.where(leads, row.p / (row.p + m), 1.0))
