"""Named sums: all parts share one softmax, and what else they have in common."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor

from bench.contenders.normalized import least_focal, minus_focal, negative, share
from bench.contenders.rows import at_label, ce_of_rows, labels, log_probabilities


def sce(
    logits: Tensor, target: Tensor, alpha: float = 0.1, beta: float = 1.0, A: float = -4.0
) -> Tensor:
    ce = ce_of_rows(logits, target)
    return (alpha * ce + beta * A * (-ce).exp()).mean() - beta * A


def lsr_sce(
    logits: Tensor,
    target: Tensor,
    epsilon: float = 0.1,
    alpha: float = 0.1,
    beta: float = 1.0,
    A: float = -4.0,
) -> Tensor:
    log_p = logits.log_softmax(1)
    ce = F.nll_loss(log_p, target, reduction="none")
    of_label = (alpha * (1 - epsilon) * ce + beta * A * (-ce).exp()).mean() - beta * A
    return of_label - alpha * epsilon * log_p.mean()


def nce_mae(logits: Tensor, target: Tensor, alpha: float = 1.0, beta: float = 1.0) -> Tensor:
    log_p, log_p_y = log_probabilities(logits, target)
    return (alpha * share(log_p, log_p_y) - beta * log_p_y.exp()).mean() + beta


def nce_rce(
    logits: Tensor, target: Tensor, alpha: float = 1.0, beta: float = 1.0, A: float = -4.0
) -> Tensor:
    return nce_mae(logits, target, alpha, -beta * A)


def nfl_mae(
    logits: Tensor, target: Tensor, alpha: float = 1.0, beta: float = 1.0, gamma: float = 0.5
) -> Tensor:
    log_p, log_p_y = log_probabilities(logits, target)
    nfl = share(minus_focal(log_p, gamma), minus_focal(log_p_y, gamma))
    return (alpha * nfl - beta * log_p_y.exp()).mean() + beta


def nfl_rce(
    logits: Tensor,
    target: Tensor,
    alpha: float = 1.0,
    beta: float = 1.0,
    gamma: float = 0.5,
    A: float = -4.0,
) -> Tensor:
    return nfl_mae(logits, target, alpha, -beta * A, gamma)


def nce_agce(
    logits: Tensor,
    target: Tensor,
    alpha: float = 1.0,
    beta: float = 4.0,
    a: float = 6.0,
    q: float = 1.5,
) -> Tensor:
    log_p, log_p_y = log_probabilities(logits, target)
    scale = beta / q
    losses = alpha * share(log_p, log_p_y) - scale * (a + log_p_y.exp()) ** q
    return losses.mean() + scale * (a + 1) ** q


def nce_aul(
    logits: Tensor,
    target: Tensor,
    alpha: float = 1.0,
    beta: float = 4.0,
    a: float = 6.3,
    q: float = 1.5,
) -> Tensor:
    log_p, log_p_y = log_probabilities(logits, target)
    scale = beta / q
    losses = alpha * share(log_p, log_p_y) + scale * (a - log_p_y.exp()) ** q
    return losses.mean() - scale * (a - 1) ** q


def nce_ael(
    logits: Tensor, target: Tensor, alpha: float = 1.0, beta: float = 4.0, a: float = 5.0
) -> Tensor:
    log_p, log_p_y = log_probabilities(logits, target)
    return (alpha * share(log_p, log_p_y) + beta * (log_p_y.exp() / -a).exp()).mean()


def anl_ce(
    logits: Tensor, target: Tensor, alpha: float = 5.0, beta: float = 5.0, p_min: float = 1e-7
) -> Tensor:
    log_p = log_probabilities(logits, target)
    return (alpha * share(*log_p) + beta * negative(*log_p, math.log(p_min))).mean()


def anl_fl(
    logits: Tensor,
    target: Tensor,
    alpha: float = 5.0,
    beta: float = 5.0,
    gamma: float = 0.5,
    p_min: float = 1e-7,
) -> Tensor:
    focal = minus_focal(logits.log_softmax(1), gamma)
    of_label = at_label(focal, target)
    nnfl = negative(focal, of_label, least_focal(p_min, gamma))
    return (alpha * share(focal, of_label) + beta * nnfl).mean()


def jal_ce(
    logits: Tensor, target: Tensor, alpha: float = 1.0, beta: float = 1.0, a: float = 30.0
) -> Tensor:
    log_p, log_p_y = log_probabilities(logits, target)
    amse = F.mse_loss(log_p.exp(), labels(logits, target, off=0.0, on=a))
    return alpha * share(log_p, log_p_y).mean() + beta * amse


def jal_fl(
    logits: Tensor,
    target: Tensor,
    alpha: float = 1.0,
    beta: float = 1.0,
    a: float = 30.0,
    gamma: float = 0.5,
) -> Tensor:
    log_p = logits.log_softmax(1)
    focal = minus_focal(log_p, gamma)
    amse = F.mse_loss(log_p.exp(), labels(logits, target, off=0.0, on=a))
    return alpha * share(focal, at_label(focal, target)).mean() + beta * amse


FORMULAS = {
    loss.__name__: loss
    for loss in (
        *(sce, lsr_sce, nce_mae, nce_rce, nfl_mae, nfl_rce, nce_agce, nce_aul, nce_ael),
        *(anl_ce, anl_fl, jal_ce, jal_fl),
    )
}
