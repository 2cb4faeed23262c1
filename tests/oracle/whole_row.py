"""Losses that need every class of the row."""

from __future__ import annotations

import numpy as np

from oracle.cross_entropy import unweighted_ce
from oracle.label_probability import one_minus_p
from oracle.rows import Exact, Rows, weighted_sum


def unhinged(rows: Rows) -> Exact:
    """mean_k z_k - z_y, whose parts are the (z_k - z_y) / C."""
    differences = (rows.x - rows.x_y[:, None]) / rows.classes
    gradient = 1 / np.longdouble(rows.classes) - rows.is_label
    return Exact(differences.sum(1), gradient, [abs(differences).sum(1)])


def quadratic_penalty(rows: Rows) -> Exact:
    return Exact((rows.x**2).sum(1), 2 * rows.x)


def muh(rows: Rows, quadratic: float) -> Exact:
    return weighted_sum((1, unhinged(rows)), (quadratic, quadratic_penalty(rows)))


def centered_square(rows: Rows) -> Exact:
    gradient = rows.x - rows.is_label + 1 / np.longdouble(rows.classes)
    return Exact((gradient**2).sum(1) / 2, gradient, [], [rows.x, rows.is_label])


def sgce(rows: Rows, q: float) -> Exact:
    q, classes = np.longdouble(q), rows.classes
    share = 1 / np.longdouble(classes)
    p_q = np.exp(-q * rows.minus_log_p)
    p_y_q = rows.at_label(p_q)
    others = rows.sum_others(p_q)
    # At k = y the difference p_y^q - S_q p_y is written as p_y^q (1 - p_y) - O_q p_y.
    label = -p_y_q * rows.miss * (1 - share) - others * rows.p_y * share
    toward_mean = (p_y_q * (1 - share) - others * share)[:, None] * rows.p
    return Exact(
        (others * share - p_y_q * (1 - share)) / q,
        np.where(rows.is_label, label[:, None], toward_mean + p_q * share),
        [others * share / q, p_y_q * (1 - share) / q],
        [np.where(rows.is_label, 0, p_q * share)],
    )


def alpha_mae(rows: Rows, alpha: float, form: str) -> Exact:
    if form == "temperature":
        differences = rows.x - rows.x.max(1, keepdims=True)
        # Scaled logits multiply the gradient by alpha, which 1/alpha undoes.
        tempered = one_minus_p(Rows(np.longdouble(alpha) * differences, rows.y))
        tempered.value /= np.longdouble(alpha)
        tempered.value_scale /= np.longdouble(alpha)
        return tempered
    return weighted_sum((alpha, one_minus_p(rows)), (1 - np.longdouble(alpha), unhinged(rows)))


def amse(rows: Rows, a: float) -> Exact:
    """||a e - p||^2 / C, where p_k - sum_j p_j^2 is p_k (1 - p_k) - sum_{j != k} p_j^2."""
    a, share = np.longdouble(a), 1 / np.longdouble(rows.classes)
    squares = rows.p**2
    own = 2 * share * squares * rows.one_minus_p
    others = 2 * share * rows.p * rows.sum_except(squares)
    towards = (2 * share * a * rows.p_y)[:, None] * rows.p_minus_onehot
    value = share * (rows.sum_others(squares) + (a - 1 + rows.miss) ** 2)
    parts = [2 * share * squares, others, towards]  # the p_k - ||p||^2 as printed subtracts
    return Exact(value, own - others + towards, [], parts)


def entropy(rows: Rows) -> Exact:
    each = np.where(rows.p == 0, 0, rows.p * rows.minus_log_p)
    value = each.sum(1)
    mean = value[:, None] * rows.p
    return Exact(value, each - mean, [], [each, mean])


def confidence_penalty(rows: Rows, beta: float) -> Exact:
    return weighted_sum((1, unweighted_ce(rows)), (-beta, entropy(rows)))


def bootstrap_soft(rows: Rows, beta: float) -> Exact:
    beta = np.longdouble(beta)
    return weighted_sum((beta, unweighted_ce(rows)), (1 - beta, entropy(rows)))


def bootstrap_hard(rows: Rows, beta: float) -> Exact:
    beta = np.longdouble(beta)
    value = np.where(rows.is_leader, rows.minus_log_p, 0).sum(1)
    of_leader = Exact(value, rows.p_minus(rows.is_leader))
    return weighted_sum((beta, unweighted_ce(rows)), (1 - beta, of_leader))


def pnorm(rows: Rows, s: float) -> Exact:
    """sum_k p_k^s, where p_k^s - S_s p_k is p_k^s (1 - p_k) - p_k sum_{j != k} p_j^s."""
    s = np.longdouble(s)
    powers = np.exp(-s * rows.minus_log_p)
    own, others = s * powers * rows.one_minus_p, s * rows.p * rows.sum_except(powers)
    parts = [s * powers, others]  # the p_k^s - S_s p_k as printed subtracts
    return Exact(powers.sum(1), own - others, [], parts)
