"""Corrections by a transition matrix, of which a row needs one vector: no product of matrices."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def forward(logits: Tensor, target: Tensor, T: Tensor) -> Tensor:
    return _forward(logits.softmax(1), target, T)


def backward(logits: Tensor, target: Tensor, T: Tensor) -> Tensor:
    return F.cross_entropy(logits, F.embedding(target, T))


def forward_rce(
    logits: Tensor, target: Tensor, T: Tensor, beta: float = 1.0, A: float = -4.0
) -> Tensor:
    p = logits.softmax(1)
    return _forward(p, target, T) - beta * A * (1 + F.nll_loss(p, target))


def _forward(p: Tensor, target: Tensor, columns: Tensor) -> Tensor:
    return -(p * F.embedding(target, columns)).sum(1).log().mean()


def _columns(T: Tensor) -> Tensor:
    return T.T.contiguous()


def _inverse(T: Tensor) -> Tensor:
    return torch.linalg.inv(T).contiguous()  # LAPACK leaves columns, and rows are taken


FORMULAS = {loss.__name__: loss for loss in (forward, backward, forward_rce)}

PREPARED = {"forward": _columns, "backward": _inverse, "forward_rce": _columns}
"""What is computed from T before training: the matrix whose y-th row the label y takes."""
