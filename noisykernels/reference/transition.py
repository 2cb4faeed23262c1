"""Corrections by a transition matrix ``T``, (C, C): ``T[i, j] = P(noisy label j | clean label i)``.

Source of both corrections: Patrini et al. 2017, arXiv:1609.03683.
"""

from __future__ import annotations

import torch
from torch import Tensor

from noisykernels.reference._loss import loss
from noisykernels.reference._rows import Rows
from noisykernels.reference.label_probability import rce


def forward(rows: Rows, T: Tensor) -> Tensor:
    """Forward correction, ``-log (T^T p)_y``: cross entropy of the predicted noisy labels.

    Published code clips ``p`` at 1e-7.
    """
    column = _of_labels(T.T, rows)
    # Where the noisy label is likely, from what lacks to 1: at T = I it is CE at both ends.
    lacking = (rows.p * (1 - column)).sum(1, keepdim=True)
    likely = lacking < 0.5
    # The inner where keeps log1p away from -1, where its slope is infinite and 0 * inf is NaN.
    near_one = -torch.log1p(-torch.where(likely, lacking, 0.0))
    return torch.where(likely, near_one, -(rows.log_p + column.log()).logsumexp(1, keepdim=True))


def backward(rows: Rows, T: Tensor) -> Tensor:
    """Backward correction, ``-sum_j (T^-1)_yj log p_j``: unbiased under the noise, unbounded below.

    The inverse is computed in float64.
    """
    row = _of_labels(torch.linalg.inv(T.to(torch.float64)), rows)
    # 0 times the -inf of a masked class is 0.
    return -torch.where(row == 0, 0.0, row * rows.log_p).sum(1, keepdim=True)


def forward_rce(rows: Rows, T: Tensor, beta: float = 1.0, A: float = -4.0) -> Tensor:
    """Forward correction with reverse cross entropy, ``Forward(T) + beta RCE(A)``.

    RCE compares ``p`` itself, not ``T^T p``, with the given label. Source: Wang et al. 2019,
    arXiv:1908.06112, which calls it Forward + SL.
    """
    return forward(rows, T) + beta * rce(rows, A)


def _of_labels(matrix: Tensor, rows: Rows) -> Tensor:
    """The matrix's rows at the labels, (N, C, ...)."""
    return matrix.to(rows.z.dtype)[rows.y.squeeze(1)].movedim(-1, 1)


forward_loss = loss(forward)
backward_loss = loss(backward)
forward_rce_loss = loss(forward_rce)
