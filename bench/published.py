"""The losses as their authors' code computes them, clamps, one-hot labels and all.

After github.com/HanxunH/Active-Passive-Losses (loss.py), which most later code copies. MUH, SGCE
and alpha-MAE were published without code, and cross entropy is torch's.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def _probabilities(logits: Tensor) -> Tensor:
    return torch.clamp(F.softmax(logits, dim=1), min=1e-7, max=1.0)


def _one_hot(logits: Tensor, target: Tensor) -> Tensor:
    return F.one_hot(target, logits.shape[1]).float()


def _rce(logits: Tensor, target: Tensor, A: float = math.log(1e-4)) -> Tensor:
    labels = torch.clamp(_one_hot(logits, target), min=math.exp(A), max=1.0)
    return (-1 * torch.sum(_probabilities(logits) * torch.log(labels), dim=1)).mean()


def _mae(logits: Tensor, target: Tensor) -> Tensor:
    p_y = torch.sum(_one_hot(logits, target) * F.softmax(logits, dim=1), dim=1)
    return (1.0 - p_y).mean()


def _gce(logits: Tensor, target: Tensor, q: float = 0.7) -> Tensor:
    p_y = torch.sum(_one_hot(logits, target) * _probabilities(logits), dim=1)
    return ((1.0 - torch.pow(p_y, q)) / q).mean()


def _sce(
    logits: Tensor,
    target: Tensor,
    alpha: float = 0.1,
    beta: float = 1.0,
    A: float = math.log(1e-4),
) -> Tensor:
    return alpha * F.cross_entropy(logits, target) + beta * _rce(logits, target, A)


PUBLISHED: dict[str, Callable[..., Tensor]] = {"rce": _rce, "mae": _mae, "gce": _gce, "sce": _sce}
"""By the short name of the loss; defaults are the constants of the code, as A = ln 1e-4 of RCE."""
