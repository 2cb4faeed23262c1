"""Cross entropy and its smoothing, which bring in the class weights themselves."""

from __future__ import annotations

import numpy as np

from oracle.rows import Exact, Rows, weighted_sum


def unweighted_ce(rows: Rows) -> Exact:
    return Exact(-rows.log_p_y, rows.p_minus_onehot)


def uniform_ce(rows: Rows) -> Exact:
    share = rows.weight / rows.classes
    value = np.where(share == 0, 0, share * rows.minus_log_p).sum(1)
    return Exact(value, share.sum() * rows.p - share, gradient_parts=[share])


def lsr(rows: Rows, epsilon: float) -> Exact:
    epsilon, labelled = np.longdouble(epsilon), rows.label_weight * unweighted_ce(rows)
    return weighted_sum((1 - epsilon, labelled), (epsilon, uniform_ce(rows)))


def ce(rows: Rows, label_smoothing: float) -> Exact:
    return lsr(rows, label_smoothing)
