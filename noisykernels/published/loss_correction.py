"""Losses as in the code of loss correction: every probability is clipped on both sides.

After github.com/giorgiop/loss-correction, loss.py, which is Keras. The code of symmetric cross
entropy has the same functions and adds hard bootstrapping.
"""

from __future__ import annotations

import torch
from torch import Tensor

from noisykernels.reference._loss import loss
from noisykernels.reference._rows import Rows

EPSILON = 1e-7
"""Of Keras."""


def _clipped(rows: Rows) -> Tensor:
    return torch.softmax(rows.z, 1).clamp(EPSILON, 1 - EPSILON)


def forward(rows: Rows, T: Tensor) -> Tensor:
    """Forward correction, ``-log sum_k T_ky p_k``."""
    return -(rows.of_label(T.T) * _clipped(rows)).sum(1, keepdim=True).log()


def backward(rows: Rows, T: Tensor) -> Tensor:
    """Backward correction, ``-sum_k (T^-1)_yk log p_k``."""
    inverse = torch.linalg.inv(T.double())
    return -(rows.of_label(inverse) * _clipped(rows).log()).sum(1, keepdim=True)


def bootstrap_soft(rows: Rows, beta: float = 0.95) -> Tensor:
    """Soft bootstrapping, cross entropy with ``beta e + (1 - beta) p``."""
    p = _clipped(rows)
    return -((beta * rows.one_hot + (1 - beta) * p) * p.log()).sum(1, keepdim=True)


def bootstrap_hard(rows: Rows, beta: float = 0.8) -> Tensor:
    """Hard bootstrapping, cross entropy with ``beta e + (1 - beta) e_k``, ``k`` the prediction."""
    p = _clipped(rows)
    log_p, predicted = p.log(), p.argmax(1, keepdim=True)
    return -(beta * rows.at_label(log_p) + (1 - beta) * log_p.gather(1, predicted))


forward_loss = loss(forward)
backward_loss = loss(backward)
bootstrap_soft_loss = loss(bootstrap_soft)
bootstrap_hard_loss = loss(bootstrap_hard)
