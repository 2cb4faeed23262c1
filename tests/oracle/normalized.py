"""Losses that are divided by their sum over all labels."""

from __future__ import annotations

import numpy as np

from oracle.rows import Array, Exact, Rows


def normalized(rows: Rows, losses: Array, slopes: Array) -> Exact:
    """losses_y / sum_k losses_k, where slopes are those of the losses by -log p."""
    total = losses.sum(1)
    ratio = rows.at_label(losses) / total
    per_total, ratio_slope = slopes / total[:, None], (ratio / total)[:, None] * slopes
    of_label = rows.at_label(per_total)[:, None] * rows.p_minus_onehot
    of_sum = ratio_slope.sum(1, keepdims=True) * rows.p
    return Exact(ratio, of_label + ratio_slope - of_sum, [], [of_label, ratio_slope, of_sum])


def negative(rows: Rows, losses: Array, slopes: Array, largest: np.longdouble) -> Exact:
    """1 - u_y / sum_k u_k with u = largest - losses; the sum over the others has no 1 to cancel."""
    u = np.maximum(largest - losses, 0)
    loss = normalized(rows, u, -slopes)
    result = Exact(rows.sum_others(u) / u.sum(1), -loss.gradient)
    result.value_scale = np.maximum(1, largest / u.sum(1))
    result.gradient_scale = loss.gradient_scale
    return result


def focal_weights(rows: Rows, gamma: float) -> Array:
    return rows.one_minus_p ** np.longdouble(gamma)


def nce(rows: Rows) -> Exact:
    return normalized(rows, rows.minus_log_p, np.ones_like(rows.p))


def nfl(rows: Rows, gamma: float) -> Exact:
    weights = focal_weights(rows, gamma)
    return normalized(rows, weights * rows.minus_log_p, weights)


def ngce(rows: Rows, q: float) -> Exact:
    q = np.longdouble(q)
    losses = -np.expm1(-q * rows.minus_log_p)
    return normalized(rows, losses, q * np.exp(-q * rows.minus_log_p))


def nnce(rows: Rows, p_min: float) -> Exact:
    largest = -np.log(np.longdouble(p_min))
    kept = np.where(rows.minus_log_p < largest, np.longdouble(1), 0)
    return negative(rows, rows.minus_log_p, kept, largest)


def nnfl(rows: Rows, gamma: float, p_min: float) -> Exact:
    p_min = np.longdouble(p_min)
    kept, weights = rows.p > p_min, focal_weights(rows, gamma)
    largest = -((1 - p_min) ** np.longdouble(gamma)) * np.log(p_min)
    losses = np.where(kept, weights * rows.minus_log_p, largest)
    return negative(rows, losses, kept * weights, largest)
