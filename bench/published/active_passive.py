"""github.com/HanxunH/Active-Passive-Losses, which most later code copies."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.published.rows import label_probability, of_label, one_hot


def _probabilities(logits: Tensor) -> Tensor:
    return torch.clamp(F.softmax(logits, dim=1), min=1e-7, max=1.0)


def rce(logits: Tensor, target: Tensor, A: float = math.log(1e-4)) -> Tensor:
    labels = torch.clamp(one_hot(logits, target), min=math.exp(A), max=1.0)
    return (-1 * torch.sum(_probabilities(logits) * torch.log(labels), dim=1)).mean()


def mae(logits: Tensor, target: Tensor) -> Tensor:
    """1 - p_y, half of what is named so here."""
    return (1.0 - label_probability(logits, target)).mean()


def gce(logits: Tensor, target: Tensor, q: float = 0.7) -> Tensor:
    p_y = torch.sum(one_hot(logits, target) * _probabilities(logits), dim=1)
    return ((1.0 - torch.pow(p_y, q)) / q).mean()


def focal(logits: Tensor, target: Tensor, gamma: float = 0.5, detach: bool = True) -> Tensor:
    """With or without `detach` the weight is a constant."""
    log_p_y = of_label(F.log_softmax(logits, dim=1), target)
    return (-1 * (1 - log_p_y.data.exp()) ** gamma * log_p_y).mean()


def nce(logits: Tensor, target: Tensor) -> Tensor:
    log_p = F.log_softmax(logits, dim=1)
    return (-1 * torch.sum(one_hot(logits, target) * log_p, dim=1) / (-log_p.sum(dim=1))).mean()


def nfl(logits: Tensor, target: Tensor, gamma: float = 0.5) -> Tensor:
    log_p = F.log_softmax(logits, dim=1)
    total = torch.sum(-1 * (1 - log_p.data.exp()) ** gamma * log_p, dim=1)
    log_p_y = of_label(log_p, target)
    return (-1 * (1 - log_p_y.data.exp()) ** gamma * log_p_y / total).mean()


def ngce(logits: Tensor, target: Tensor, q: float = 0.7) -> Tensor:
    p = _probabilities(logits)
    numerator = 1.0 - torch.pow(torch.sum(one_hot(logits, target) * p, dim=1), q)
    return (numerator / (logits.shape[1] - torch.pow(p, q).sum(dim=1))).mean()


def sce(
    logits: Tensor,
    target: Tensor,
    alpha: float = 0.1,
    beta: float = 1.0,
    A: float = math.log(1e-4),
) -> Tensor:
    return alpha * F.cross_entropy(logits, target) + beta * rce(logits, target, A)


def nce_mae(logits: Tensor, target: Tensor, alpha: float = 1.0, beta: float = 1.0) -> Tensor:
    return alpha * nce(logits, target) + beta * mae(logits, target)


def nce_rce(
    logits: Tensor,
    target: Tensor,
    alpha: float = 1.0,
    beta: float = 1.0,
    A: float = math.log(1e-4),
) -> Tensor:
    return alpha * nce(logits, target) + beta * rce(logits, target, A)


def nfl_mae(
    logits: Tensor, target: Tensor, alpha: float = 1.0, beta: float = 1.0, gamma: float = 0.5
) -> Tensor:
    return alpha * nfl(logits, target, gamma) + beta * mae(logits, target)


def nfl_rce(
    logits: Tensor,
    target: Tensor,
    alpha: float = 1.0,
    beta: float = 1.0,
    gamma: float = 0.5,
    A: float = math.log(1e-4),
) -> Tensor:
    return alpha * nfl(logits, target, gamma) + beta * rce(logits, target, A)


FORMULAS = {
    loss.__name__: loss
    for loss in (rce, mae, gce, focal, nce, nfl, ngce, sce, nce_mae, nce_rce, nfl_mae, nfl_rce)
}
