"""Losses phi(p_y) of the label's probability: the gradient is c (p - e), c = -p_y phi'(p_y)."""

from __future__ import annotations

import numpy as np

from oracle.rows import Array, Exact, Rows


def of_label(rows: Rows, value: Array, c: Array) -> Exact:
    return Exact(value, c[:, None] * rows.p_minus_onehot)


def one_minus_p(rows: Rows) -> Exact:
    return of_label(rows, rows.miss, rows.p_y)


def rce(rows: Rows, A: float) -> Exact:
    return -A * one_minus_p(rows)


def mae(rows: Rows) -> Exact:
    return 2 * one_minus_p(rows)


def gce(rows: Rows, q: float) -> Exact:
    q = np.longdouble(q)
    q_log_p = q * rows.log_p_y
    return of_label(rows, -np.expm1(q_log_p) / q, np.exp(q_log_p))


def truncated_gce(rows: Rows, q: float, k: float) -> Exact:
    kept, whole = rows.p_y > k, gce(rows, q)
    constant = -np.expm1(q * np.log(np.longdouble(k))) / np.longdouble(q)
    return Exact(np.where(kept, whole.value, constant), kept[:, None] * whole.gradient)


def taylor_ce(rows: Rows, order: int) -> Exact:
    powers = [rows.miss**i for i in range(int(order) + 1)]
    value = sum(power / i for i, power in enumerate(powers) if i)
    return of_label(rows, value, rows.p_y * sum(powers[:-1]))  # 1 - (1 - p)^t


def phuber_ce(rows: Rows, tau: float) -> Exact:
    tau = np.longdouble(tau)
    linear = rows.p_y <= 1 / tau
    value = np.where(linear, np.log(tau) + 1 - tau * rows.p_y, -rows.log_p_y)
    return of_label(rows, value, np.where(linear, tau * rows.p_y, 1))


def focal(rows: Rows, gamma: float, detach: bool) -> Exact:
    weight = rows.miss ** np.longdouble(gamma)
    # -p log p / (1 - p), which is 0 at p = 0 and 1 at p = 1
    slope = np.where(rows.p_y == 0, 0, -rows.p_y * rows.log_p_y) / rows.miss
    slope = np.where(rows.miss == 0, 1, slope)
    return of_label(
        rows, -weight * rows.log_p_y, weight if detach else weight * (1 + gamma * slope)
    )


def agce(rows: Rows, a: float, q: float) -> Exact:
    a, q = np.longdouble(a), np.longdouble(q)
    confident = -np.expm1(q * np.log1p(-rows.miss / (a + 1))) * (a + 1) ** q
    value = np.where(rows.p_y > 0.5, confident, (a + 1) ** q - (a + rows.p_y) ** q) / q
    return of_label(rows, value, rows.p_y * (a + rows.p_y) ** (q - 1))


def aul(rows: Rows, a: float, q: float) -> Exact:
    edge, q = np.longdouble(a) - 1, np.longdouble(q)
    value = edge**q * np.expm1(q * np.log1p(rows.miss / edge)) / q
    return of_label(rows, value, rows.p_y * (edge + rows.miss) ** (q - 1))


def ael(rows: Rows, a: float) -> Exact:
    ratio = rows.p_y / np.longdouble(a)
    return of_label(rows, np.exp(-ratio), ratio * np.exp(-ratio))


def eps_softmax_ce(rows: Rows, m: float) -> Exact:
    m, hit = np.longdouble(m), rows.x_y == rows.x.max(1)
    value = np.where(hit, -np.log1p(-rows.miss / (m + 1)), np.log1p(m) - rows.log_p_y)
    return of_label(rows, value, np.where(hit, rows.p_y / (rows.p_y + m), 1))
