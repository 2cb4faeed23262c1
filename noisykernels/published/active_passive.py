"""Losses as in the code of active passive losses, which that of later papers repeats.

After github.com/HanxunH/Active-Passive-Losses, loss.py. The code of arXiv:2507.17692 clamps at 1e-8
instead.
"""

from __future__ import annotations

import torch
from torch import Tensor

from noisykernels.reference._loss import loss
from noisykernels.reference._rows import Rows

LEAST = 1e-7
"""What probabilities are clamped to."""


def _clamped(rows: Rows) -> Tensor:
    return torch.softmax(rows.z, 1).clamp(min=LEAST, max=1.0)


def _log_softmax(rows: Rows) -> Tensor:
    return torch.log_softmax(rows.z, 1)


def _focal(log_p: Tensor, gamma: float) -> Tensor:
    return -((1 - log_p.detach().exp()) ** gamma) * log_p


def rce(rows: Rows, A: float = -4.0) -> Tensor:
    """Reverse cross entropy against a one-hot label clipped at ``e^A``, with ``p >= 1e-7``."""
    labels = torch.where(rows.one_hot > 0, 0.0, A)
    return -(_clamped(rows) * labels).sum(1, keepdim=True)


def gce(rows: Rows, q: float = 0.7) -> Tensor:
    """Generalized cross entropy of ``max(p_y, 1e-7)``."""
    return (1 - rows.at_label(_clamped(rows)) ** q) / q


def ngce(rows: Rows, q: float = 0.7) -> Tensor:
    """Normalized generalized cross entropy of ``max(p, 1e-7)``."""
    p_q = _clamped(rows) ** q
    return (1 - rows.at_label(p_q)) / (rows.classes - p_q.sum(1, keepdim=True))


def focal(rows: Rows, gamma: float = 0.5, detach: bool = False) -> Tensor:
    """Focal loss; with or without ``detach``, ``(1 - p_y)^gamma`` has no gradient."""
    return _focal(rows.at_label(_log_softmax(rows)), gamma)


def sce(rows: Rows, alpha: float = 0.1, beta: float = 1.0, A: float = -4.0) -> Tensor:
    """Symmetric cross entropy: only RCE has clamps."""
    return alpha * -rows.at_label(_log_softmax(rows)) + beta * rce(rows, A)


def nce_rce(rows: Rows, alpha: float = 1.0, beta: float = 1.0, A: float = -4.0) -> Tensor:
    """Normalized cross entropy and RCE."""
    log_p = _log_softmax(rows)
    return alpha * rows.at_label(log_p) / log_p.sum(1, keepdim=True) + beta * rce(rows, A)


def nfl_rce(
    rows: Rows, alpha: float = 1.0, beta: float = 1.0, gamma: float = 0.5, A: float = -4.0
) -> Tensor:
    """Normalized focal loss and RCE."""
    focal = _focal(_log_softmax(rows), gamma)
    return alpha * rows.at_label(focal) / focal.sum(1, keepdim=True) + beta * rce(rows, A)


rce_loss = loss(rce)
gce_loss = loss(gce)
ngce_loss = loss(ngce)
focal_loss = loss(focal)
sce_loss = loss(sce)
nce_rce_loss = loss(nce_rce)
nfl_rce_loss = loss(nfl_rce)
