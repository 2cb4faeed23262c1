"""Losses divided by their sum over all labels, and the negative ones: symmetric all of them.

They are not defined for a single class, where they are 0 / 0.
"""

from __future__ import annotations

import torch
from torch import Tensor

from noisykernels.reference._loss import loss
from noisykernels.reference._rows import Rows, one_minus_exp, times


def nce(rows: Rows) -> Tensor:
    """Normalized cross entropy, ``log p_y / sum_k log p_k``.

    Source: Ma et al. 2020, arXiv:2006.13554.
    """
    return rows.log_p_y / rows.log_p.sum(1, keepdim=True)


def nfl(rows: Rows, gamma: float = 0.5) -> Tensor:
    """Normalized focal loss, ``f_y / sum_k f_k`` with ``f_k = -(1 - p_k)^gamma log p_k``.

    Source: Ma et al. 2020, arXiv:2006.13554, whose code lets no gradient through the weights
    ``(1 - p_k)^gamma``; nor does this.
    """
    focal = _focal_weights(rows.log_p, gamma) * rows.log_p
    return rows.at_label(focal) / focal.sum(1, keepdim=True)


def ngce(rows: Rows, q: float = 0.7) -> Tensor:
    """Normalized generalized cross entropy, ``(1 - p_y^q) / sum_k (1 - p_k^q)``.

    Source: Ma et al. 2020, arXiv:2006.13554.
    """
    gce = one_minus_exp(times(q, rows.log_p))
    return rows.at_label(gce) / gce.sum(1, keepdim=True)


def nnce(rows: Rows, p_min: float = 1e-7) -> Tensor:
    """Normalized negative cross entropy, ``1 - u_y / sum_k u_k``, ``u_k = max(0, log(p_k/p_min))``.

    A class below ``p_min`` gets no gradient of its own. Source: Ye et al. 2023, "Active negative
    loss functions for learning with noisy labels", NeurIPS; the code of arXiv:2507.17692 takes
    ``p_min = 1e-8``.
    """
    u = torch.relu(rows.log_p - _log(p_min, rows))
    return 1 - rows.at_label(u) / u.sum(1, keepdim=True)


def nnfl(rows: Rows, gamma: float = 0.5, p_min: float = 1e-7) -> Tensor:
    """Normalized negative focal loss, ``1 - u_y / sum_k u_k``, ``u_k = max(0, f(p_min) - f(p_k))``.

    Here ``f(p) = -(1 - p)^gamma log p``, and no gradient flows through the weights of ``f(p_k)``,
    as in the published code. Source: as :func:`nnce`.
    """
    log_p_min = _log(p_min, rows)
    least = one_minus_exp(log_p_min) ** gamma * log_p_min
    u = torch.relu(_focal_weights(rows.log_p, gamma) * rows.log_p - least)
    return 1 - rows.at_label(u) / u.sum(1, keepdim=True)


def _focal_weights(log_p: Tensor, gamma: float) -> Tensor:
    return one_minus_exp(log_p).detach() ** gamma


def _log(value: float, rows: Rows) -> Tensor:
    return torch.as_tensor(value, dtype=rows.z.dtype, device=rows.z.device).log()


nce_loss = loss(nce)
nfl_loss = loss(nfl)
ngce_loss = loss(ngce)
nnce_loss = loss(nnce)
nnfl_loss = loss(nnfl)
