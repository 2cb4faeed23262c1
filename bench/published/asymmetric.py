"""github.com/hitcszx/ALFs."""

from __future__ import annotations

import torch
from torch import Tensor

from bench.published.active_passive import nce
from bench.published.rows import label_probability


def agce(logits: Tensor, target: Tensor, a: float = 0.6, q: float = 0.6) -> Tensor:
    return (((a + 1) ** q - torch.pow(a + label_probability(logits, target), q)) / q).mean()


def aul(logits: Tensor, target: Tensor, a: float = 5.5, q: float = 3.0) -> Tensor:
    return ((torch.pow(a - label_probability(logits, target), q) - (a - 1) ** q) / q).mean()


def ael(logits: Tensor, target: Tensor, a: float = 2.5) -> Tensor:
    return torch.exp(-label_probability(logits, target) / a).mean()


def nce_agce(
    logits: Tensor,
    target: Tensor,
    alpha: float = 1.0,
    beta: float = 4.0,
    a: float = 6.0,
    q: float = 1.5,
) -> Tensor:
    return alpha * nce(logits, target) + beta * agce(logits, target, a, q)


def nce_aul(
    logits: Tensor,
    target: Tensor,
    alpha: float = 1.0,
    beta: float = 4.0,
    a: float = 6.3,
    q: float = 1.5,
) -> Tensor:
    return alpha * nce(logits, target) + beta * aul(logits, target, a, q)


def nce_ael(
    logits: Tensor, target: Tensor, alpha: float = 1.0, beta: float = 4.0, a: float = 5.0
) -> Tensor:
    return alpha * nce(logits, target) + beta * ael(logits, target, a)


FORMULAS = {loss.__name__: loss for loss in (agce, aul, ael, nce_agce, nce_aul, nce_ael)}
