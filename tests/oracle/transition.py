"""Losses corrected by a transition matrix T[i, j] = P(noisy label j | clean label i)."""

from __future__ import annotations

import numpy as np

from oracle.label_probability import rce
from oracle.rows import Array, Exact, Rows, weighted_sum


def forward(rows: Rows, T: Array) -> Exact:
    """-log r with r = (T^T p)_y, whose gradient is p_k - T_ky p_k / r.

    Where r is near 1 that is written as p_k ((1 - T_ky) - (1 - r)) / r.
    """
    column = T.astype(np.longdouble).T[rows.y]
    lacking = (rows.p * (1 - column)).sum(1)
    r = (rows.p * column).sum(1)
    likely = lacking < 0.5
    value = np.where(likely, -np.log1p(-lacking), -np.log(r))
    first = np.where(likely[:, None], rows.p * (1 - column) / r[:, None], rows.p)
    second = rows.p * np.where(likely[:, None], lacking[:, None], column) / r[:, None]
    return Exact(value, first - second, [], [first, second])


def backward(rows: Rows, T: Array) -> Exact:
    """-sum_j (T^-1)_yj log p_j, whose gradient is sum_j (T^-1)_yj (p - e_j)."""
    row = inverse(T)[rows.y]
    parts = np.where(row == 0, 0, row * rows.minus_log_p)
    own = row * rows.one_minus_p
    others = rows.p * (row.sum(1, keepdims=True) - row)
    largest = rows.p * abs(row).max(1, keepdims=True)
    return Exact(parts.sum(1), others - own, [parts.max(1), parts.min(1)], [own, largest])


def forward_rce(rows: Rows, T: Array, beta: float, A: float) -> Exact:
    return weighted_sum((1, forward(rows, T)), (beta, rce(rows, A)))


def inverse(T: Array) -> Array:
    """In longdouble, which numpy's linear algebra is not: Newton's steps from the double one."""
    wide = T.astype(np.longdouble)
    result = np.linalg.inv(T.astype(np.float64)).astype(np.longdouble)
    for _ in range(2):
        result = result @ (2 * np.eye(len(T)) - wide @ result)
    return result
