"""Losses and regularizers that need every class of the row."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from bench.contenders.rows import labels


def muh(logits: Tensor, target: Tensor, quadratic: float = 0.0) -> Tensor:
    loss = logits.mean() + F.nll_loss(logits, target)
    if quadratic:
        loss = loss + quadratic * logits.square().sum() / len(logits)
    return loss


def centered_square(logits: Tensor, target: Tensor) -> Tensor:
    uniform = 1 / logits.shape[1]
    centered = labels(logits, target, off=-uniform, on=1 - uniform)
    return F.mse_loss(logits, centered, reduction="sum") / (2 * len(logits))


def sgce(logits: Tensor, target: Tensor, q: float = 0.7) -> Tensor:
    power = (q * logits.log_softmax(1)).exp()
    return (power.mean() + F.nll_loss(power, target)) / q


def alpha_mae(
    logits: Tensor, target: Tensor, alpha: float = 0.5, form: str = "temperature"
) -> Tensor:
    if form == "temperature":
        return (1 + F.nll_loss((alpha * logits).softmax(1), target)) / alpha
    miss = 1 + F.nll_loss(logits.softmax(1), target)
    return alpha * miss + (1 - alpha) * muh(logits, target)


def amse(logits: Tensor, target: Tensor, a: float = 30.0) -> Tensor:
    return F.mse_loss(logits.softmax(1), labels(logits, target, off=0.0, on=a))


def entropy(logits: Tensor, target: Tensor) -> Tensor:
    return -_minus_entropy(logits.log_softmax(1))


def confidence_penalty(logits: Tensor, target: Tensor, beta: float = 0.1) -> Tensor:
    log_p = logits.log_softmax(1)
    return F.nll_loss(log_p, target) + beta * _minus_entropy(log_p)


def bootstrap_soft(logits: Tensor, target: Tensor, beta: float = 0.95) -> Tensor:
    log_p = logits.log_softmax(1)
    return beta * F.nll_loss(log_p, target) - (1 - beta) * _minus_entropy(log_p)


def bootstrap_hard(logits: Tensor, target: Tensor, beta: float = 0.8) -> Tensor:
    log_p = logits.log_softmax(1)
    return beta * F.nll_loss(log_p, target) + (1 - beta) * F.nll_loss(log_p, log_p.argmax(1))


def pnorm(logits: Tensor, target: Tensor, s: float = 0.5) -> Tensor:
    return (logits.softmax(1) ** s).sum() / len(logits)


def _minus_entropy(log_p: Tensor) -> Tensor:
    return (log_p.exp() * log_p).sum() / len(log_p)


FORMULAS = {
    loss.__name__: loss
    for loss in (
        *(muh, centered_square, sgce, alpha_mae, amse, entropy),
        *(confidence_penalty, bootstrap_soft, bootstrap_hard, pnorm),
    )
}
