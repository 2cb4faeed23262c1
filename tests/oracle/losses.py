"""Every loss in longdouble: value and gradient in forms that do not cancel, and their parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from oracle.cross_entropy import ce, lsr, uniform_ce, unweighted_ce
from oracle.label_probability import (
    ael,
    agce,
    aul,
    eps_softmax_ce,
    focal,
    gce,
    mae,
    one_minus_p,
    phuber_ce,
    rce,
    taylor_ce,
    truncated_gce,
)
from oracle.normalized import nce, nfl, ngce, nnce, nnfl
from oracle.rows import Array, Exact, Rows, weighted_sum
from oracle.transition import backward, forward, forward_rce
from oracle.whole_row import (
    alpha_mae,
    amse,
    bootstrap_hard,
    bootstrap_soft,
    centered_square,
    confidence_penalty,
    entropy,
    muh,
    pnorm,
    sgce,
)

Parameters = Mapping[str, Any]


def sce(rows: Rows, alpha: float, beta: float, A: float) -> Exact:
    return weighted_sum((alpha, unweighted_ce(rows)), (beta, rce(rows, A)))


def lsr_sce(rows: Rows, epsilon: float, alpha: float, beta: float, A: float) -> Exact:
    return weighted_sum((alpha, lsr(rows, epsilon)), (beta, rows.label_weight * rce(rows, A)))


def nce_mae(rows: Rows, alpha: float, beta: float) -> Exact:
    return weighted_sum((alpha, nce(rows)), (beta, one_minus_p(rows)))


def nce_rce(rows: Rows, alpha: float, beta: float, A: float) -> Exact:
    return weighted_sum((alpha, nce(rows)), (beta, rce(rows, A)))


def nfl_mae(rows: Rows, alpha: float, beta: float, gamma: float) -> Exact:
    return weighted_sum((alpha, nfl(rows, gamma)), (beta, one_minus_p(rows)))


def nfl_rce(rows: Rows, alpha: float, beta: float, gamma: float, A: float) -> Exact:
    return weighted_sum((alpha, nfl(rows, gamma)), (beta, rce(rows, A)))


def nce_agce(rows: Rows, alpha: float, beta: float, a: float, q: float) -> Exact:
    return weighted_sum((alpha, nce(rows)), (beta, agce(rows, a, q)))


def nce_aul(rows: Rows, alpha: float, beta: float, a: float, q: float) -> Exact:
    return weighted_sum((alpha, nce(rows)), (beta, aul(rows, a, q)))


def nce_ael(rows: Rows, alpha: float, beta: float, a: float) -> Exact:
    return weighted_sum((alpha, nce(rows)), (beta, ael(rows, a)))


def anl_ce(rows: Rows, alpha: float, beta: float, p_min: float) -> Exact:
    return weighted_sum((alpha, nce(rows)), (beta, nnce(rows, p_min)))


def anl_fl(rows: Rows, alpha: float, beta: float, gamma: float, p_min: float) -> Exact:
    return weighted_sum((alpha, nfl(rows, gamma)), (beta, nnfl(rows, gamma, p_min)))


def jal_ce(rows: Rows, alpha: float, beta: float, a: float) -> Exact:
    return weighted_sum((alpha, nce(rows)), (beta, amse(rows, a)))


def jal_fl(rows: Rows, alpha: float, beta: float, a: float, gamma: float) -> Exact:
    return weighted_sum((alpha, nfl(rows, gamma)), (beta, amse(rows, a)))


LOSSES: dict[str, Callable[..., Exact]] = {
    loss.__name__: loss
    for loss in (
        *(ce, lsr, uniform_ce, rce, mae, gce, truncated_gce, taylor_ce, focal, agce, aul, ael),
        *(eps_softmax_ce, nce, nfl, ngce, nnce, nnfl, muh, centered_square, sgce, alpha_mae, amse),
        *(phuber_ce, entropy, confidence_penalty, bootstrap_soft, bootstrap_hard, pnorm),
        *(forward, backward, forward_rce, sce, lsr_sce, nce_mae, nce_rce, nfl_mae, nfl_rce),
        *(nce_agce, nce_aul, nce_ael, anl_ce, anl_fl, jal_ce, jal_fl),
    )
}

WEIGHTED_BY_ITSELF = {"ce", "lsr", "uniform_ce", "lsr_sce"}
"""Losses with a smoothed label: each class of it brings its own weight, not the row's."""


def exact(
    name: str, parameters: Parameters, logits: Array, labels: Array, weight: Array | None = None
) -> Exact:
    """The losses of rows and their gradients, class weights included."""
    with np.errstate(invalid="ignore", over="ignore", divide="ignore", under="ignore"):
        rows = Rows(logits, labels, weight)
        loss = LOSSES[name](rows, **parameters)
        return loss if name in WEIGHTED_BY_ITSELF else rows.label_weight * loss
