"""Losses and regularizers that need every class of the row."""

from __future__ import annotations

import torch
from torch import Tensor

from noisykernels.reference._loss import loss
from noisykernels.reference._rows import (
    Rows,
    is_zero,
    leader,
    log_softmax,
    one_minus_exp,
    times,
    unhinged,
)
from noisykernels.reference.cross_entropy import ce


def muh(rows: Rows, quadratic: float = 0.0) -> Tensor:
    """Multi-category unhinged loss, ``mean_k z_k - z_y + quadratic * sum_k z_k^2``.

    It is cross entropy minus its mean over all labels. Without the quadratic term it is unbounded
    below. Source: Shoham et al. 2021, arXiv:2104.12477, which has no code. Its regularizer is
    ``z^T A z``, its corollary takes ``A = I / 2``: here ``quadratic = 0.5``.
    """
    linear = unhinged(rows)
    # Left out, not multiplied by 0: the logits may hold inf.
    if is_zero(quadratic):
        return linear
    return linear + quadratic * rows.z.square().sum(1, keepdim=True)


def centered_square(rows: Rows) -> Tensor:
    """Square loss against centered labels, ``||z - (e - 1/C)||^2 / 2``.

    It is MUH with ``quadratic = 0.5``, plus ``(1 - 1/C) / 2``. Source: as :func:`muh`.
    """
    centered = rows.one_hot - 1 / rows.classes
    return (rows.z - centered).square().sum(1, keepdim=True) / 2


def sgce(rows: Rows, q: float = 0.7) -> Tensor:
    """Symmetrized GCE, ``GCE(z, y) - mean_k GCE(z, k) = (mean_k p_k^q - p_y^q) / q``.

    MUH for q -> 0, ``1/C - p_y`` at q = 1. Source: Lemire Paquin et al. 2026, arXiv:2605.20347, of
    which only the abstract and texts about it were at hand: subtracting the mean over the labels is
    theirs, an additive constant or a positive factor may differ.
    """
    # The label's own share of the mean is taken out of it: left in, it cancels in the gradient.
    others = rows.sum_of_others(times(q, rows.log_p).exp())
    share = 1 / rows.classes
    return (share * others - (1 - share) * times(q, rows.log_p_y).exp()) / q


def alpha_mae(rows: Rows, alpha: float = 0.5, *, form: str = "temperature") -> Tensor:
    """alpha-MAE, between MUH (alpha -> 0) and ``1 - p_y`` (alpha = 1).

    ``form="temperature"`` is ``(1 - softmax(alpha z)_y) / alpha``, which without its constant tends
    to MUH / C; ``form="convex"`` is ``alpha (1 - p_y) + (1 - alpha) MUH``, unbounded below. Source:
    Lemire Paquin et al. 2026, arXiv:2605.20347, of which only the abstract was at hand: both fit.
    """
    if form == "temperature":
        return one_minus_exp(rows.at_label(log_softmax(times(alpha, rows.z)))) / alpha
    if form == "convex":
        return alpha * rows.miss + (1 - alpha) * unhinged(rows)
    raise ValueError(f"form must be 'temperature' or 'convex', got {form!r}")


def amse(rows: Rows, a: float = 30.0) -> Tensor:
    """Asymmetric mean square error, ``||a e - p||^2 / C``.

    It is ``(a^2 - 2 a p_y + sum_k p_k^2) / C``. Source: Wang et al. 2025, arXiv:2507.17692.
    """
    # a - p_y, which is 1 - p_y at a = 1
    distance = rows.p.scatter(1, rows.y, (a - 1) + rows.miss)
    return distance.square().mean(1, keepdim=True)


def entropy(rows: Rows) -> Tensor:
    """Entropy of the predictions, ``H = -sum_k p_k log p_k``, whatever the label: a regularizer."""
    p = rows.p
    # Where p is 0 so is p log p, and its gradient.
    return -(p * torch.where(p > 0, rows.log_p, 0.0)).sum(1, keepdim=True)


def confidence_penalty(rows: Rows, beta: float = 0.1) -> Tensor:
    """Cross entropy with a reward for entropy, ``CE - beta H``.

    Source: Pereyra et al. 2017, arXiv:1701.06548.
    """
    return ce(rows) - beta * entropy(rows)


def bootstrap_soft(rows: Rows, beta: float = 0.95) -> Tensor:
    """Soft bootstrapping, cross entropy with ``t = beta e + (1 - beta) p``.

    It is ``beta CE + (1 - beta) H``, and gradients flow through ``t``: with ``t`` held constant,
    that of the second part is 0. Source: Reed et al. 2015, arXiv:1412.6596.
    """
    return beta * ce(rows) + (1 - beta) * entropy(rows)


def bootstrap_hard(rows: Rows, beta: float = 0.8) -> Tensor:
    """Hard bootstrapping, cross entropy with ``t = beta e + (1 - beta) e_k``, ``k`` the prediction.

    The prediction is the first of the largest logits. Source: Reed et al. 2015, arXiv:1412.6596.
    """
    predicted = rows.log_p.gather(1, leader(rows.z))
    return beta * ce(rows) - (1 - beta) * predicted


def pnorm(rows: Rows, s: float = 0.5) -> Tensor:
    """Sparsity of the predictions, ``sum_k p_k^s``, whatever the label: a regularizer.

    For ``s < 1`` it is least, 1, where one class has all the probability. Source: Zhou et al. 2021,
    "Learning with noisy labels via sparse regularization", arXiv:2108.00192.
    """
    return times(s, rows.log_p).exp().sum(1, keepdim=True)


muh_loss = loss(muh)
centered_square_loss = loss(centered_square)
sgce_loss = loss(sgce)
alpha_mae_loss = loss(alpha_mae)
amse_loss = loss(amse)
entropy_loss = loss(entropy)
confidence_penalty_loss = loss(confidence_penalty)
bootstrap_soft_loss = loss(bootstrap_soft)
bootstrap_hard_loss = loss(bootstrap_hard)
pnorm_loss = loss(pnorm)
