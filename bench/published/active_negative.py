"""github.com/Virusdoll/Active-Negative-Loss."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.published.active_passive import nce, nfl
from bench.published.rows import of_label, one_hot


def nnce(logits: Tensor, target: Tensor, p_min: float = 1e-7) -> Tensor:
    log_p = torch.clamp(F.softmax(logits, dim=1), min=p_min, max=1).log()
    excess = log_p - math.log(p_min)
    excess_y = torch.sum(one_hot(logits, target) * excess, dim=1)
    return (1 - excess_y / excess.sum(dim=1)).mean()


def nnfl(logits: Tensor, target: Tensor, gamma: float = 0.5, p_min: float = 1e-7) -> Tensor:
    most = -((1 - p_min) ** gamma) * math.log(p_min)
    log_p = F.log_softmax(logits, dim=1).clamp(min=math.log(p_min))
    total = torch.sum(-1 * (1 - log_p.data.exp()) ** gamma * log_p, dim=1)
    log_p_y = of_label(log_p, target)
    focal_y = -1 * (1 - log_p_y.data.exp()) ** gamma * log_p_y
    return (1 - (most - focal_y) / (logits.shape[1] * most - total)).mean()


def anl_ce(
    logits: Tensor, target: Tensor, alpha: float = 5.0, beta: float = 5.0, p_min: float = 1e-7
) -> Tensor:
    return alpha * nce(logits, target) + beta * nnce(logits, target, p_min)


def anl_fl(
    logits: Tensor,
    target: Tensor,
    alpha: float = 5.0,
    beta: float = 5.0,
    gamma: float = 0.5,
    p_min: float = 1e-7,
) -> Tensor:
    return alpha * nfl(logits, target, gamma) + beta * nnfl(logits, target, gamma, p_min)


FORMULAS = {loss.__name__: loss for loss in (nnce, nnfl, anl_ce, anl_fl)}
