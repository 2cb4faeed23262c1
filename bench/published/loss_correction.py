"""github.com/giorgiop/loss-correction, Keras there; hard bootstrapping as in the code of SCE."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.published.rows import one_hot


def _clipped(logits: Tensor) -> Tensor:
    p = F.softmax(logits, dim=1)
    return torch.clamp(p / p.sum(dim=1, keepdim=True), 1e-7, 1 - 1e-7)


def bootstrap_soft(logits: Tensor, target: Tensor, beta: float = 0.95) -> Tensor:
    p = _clipped(logits)
    labels = beta * one_hot(logits, target) + (1 - beta) * p
    return -torch.sum(labels * torch.log(p), dim=1).mean()


def bootstrap_hard(logits: Tensor, target: Tensor, beta: float = 0.8) -> Tensor:
    p = _clipped(logits)
    predicted = F.one_hot(p.argmax(1), logits.shape[1])
    labels = beta * one_hot(logits, target) + (1 - beta) * predicted
    return -torch.sum(labels * torch.log(p), dim=1).mean()


def forward(logits: Tensor, target: Tensor, T: Tensor) -> Tensor:
    noisy = torch.log(_clipped(logits) @ T)
    return -torch.sum(one_hot(logits, target) * noisy, dim=1).mean()


def backward(logits: Tensor, target: Tensor, T: Tensor) -> Tensor:
    return backward_by_inverse(logits, target, torch.linalg.inv(T))


def backward_by_inverse(logits: Tensor, target: Tensor, inverse: Tensor) -> Tensor:
    labels = one_hot(logits, target).to(inverse.dtype) @ inverse
    return -torch.sum(labels * torch.log(_clipped(logits)), dim=1).mean()


FORMULAS = {loss.__name__: loss for loss in (bootstrap_soft, bootstrap_hard, forward, backward)}
