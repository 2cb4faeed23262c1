"""github.com/cswjl/joint-asymmetric-loss."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from bench.published.active_passive import nce, nfl
from bench.published.rows import one_hot


def amse(logits: Tensor, target: Tensor, a: float = 30.0) -> Tensor:
    difference = a * one_hot(logits, target) - F.softmax(logits, dim=1)
    return difference.square().mean()


def jal_ce(
    logits: Tensor, target: Tensor, alpha: float = 1.0, beta: float = 1.0, a: float = 30.0
) -> Tensor:
    return alpha * nce(logits, target) + beta * amse(logits, target, a)


def jal_fl(
    logits: Tensor,
    target: Tensor,
    alpha: float = 1.0,
    beta: float = 1.0,
    a: float = 30.0,
    gamma: float = 0.5,
) -> Tensor:
    return alpha * nfl(logits, target, gamma) + beta * amse(logits, target, a)


FORMULAS = {loss.__name__: loss for loss in (amse, jal_ce, jal_fl)}
