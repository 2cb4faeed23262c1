"""Every loss in plain PyTorch, written from the formula of its paper.

The kernels are tested against this file, and it is the backend where no kernel is available. It
shares no code with them: values come from ``log_softmax``, gradients of every order from autograd.

Notation: ``z`` logits, ``C`` classes, ``y`` label, ``p = softmax(z)``. Every function takes
``input`` of shape (C,), (N, C) or (N, C, d1, ...), ``target`` with class indices of that shape
without the class dimension, and ``weight`` (C,), ``ignore_index`` and ``reduction`` as in
:func:`torch.nn.functional.cross_entropy`. A row whose target is ``ignore_index`` has loss 0 and
gradient 0 whatever it holds. Half precision is computed in, and the loss returned as, float32.

Two things differ from most published code. Nothing is clamped: a clamp zeroes the gradient of
exactly the rows that are most wrong. And ``p_y``, ``1 - p_y`` and their gradients keep their
relative accuracy at both ends, so a float64 result can serve as the truth at any margin.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = [
    "alpha_mae_loss",
    "ce_loss",
    "gce_loss",
    "mae_loss",
    "muh_loss",
    "rce_loss",
    "sce_loss",
    "sgce_loss",
]

Formula = Callable[[Tensor, Tensor], Tensor]
"""Maps logits (N, C, ...) and labels (N, 1, ...) to the losses (N, 1, ...) of the rows."""


def ce_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross entropy, ``-log p_y``, equal to :func:`torch.nn.functional.cross_entropy`.

    With class weights ``w`` and ``label_smoothing = e`` the loss of a row is
    ``-(1 - e) w_y log p_y - (e / C) sum_k w_k log p_k``; the mean divides by the sum of ``w_y`` all
    the same.
    """

    def formula(z: Tensor, y: Tensor) -> Tensor:
        return -(1 - label_smoothing) * _log_p_y(z.log_softmax(1), y)

    def smoothing(z: Tensor, y: Tensor) -> Tensor:
        log_p = z.log_softmax(1)
        if weight is not None:
            log_p = log_p * weight.to(z.dtype).reshape(-1, *[1] * (z.dim() - 2))
        return -label_smoothing * log_p.mean(1, keepdim=True)

    # Without smoothing the second part is left out, not multiplied by 0: its logits may hold -inf.
    unweighted = smoothing if label_smoothing else None
    return _evaluate(formula, input, target, weight, ignore_index, reduction, unweighted)


def rce_loss(
    input: Tensor,
    target: Tensor,
    A: float = -4.0,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Reverse cross entropy, ``-sum_k p_k log t_k = -A (1 - p_y)``: ``t`` one-hot, ``log 0 = A``.

    Source: Wang et al. 2019, arXiv:1908.06112, with ``A = -4`` in its main results. Published code
    clips ``t`` at 1e-4, which makes ``A = ln 1e-4 = -9.21``, and clips ``p`` at 1e-7, which zeroes
    the gradient through smaller ``p_k``.
    """

    def formula(z: Tensor, y: Tensor) -> Tensor:
        return -A * _one_minus_exp(_log_p_y(z.log_softmax(1), y))

    return _evaluate(formula, input, target, weight, ignore_index, reduction)


def mae_loss(
    input: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Mean absolute error, ``sum_k |p_k - t_k| = 2 (1 - p_y)`` for one-hot ``t``.

    Source: Ghosh et al. 2017, arXiv:1712.09482. Much published code drops the factor 2.
    """

    def formula(z: Tensor, y: Tensor) -> Tensor:
        return 2 * _one_minus_exp(_log_p_y(z.log_softmax(1), y))

    return _evaluate(formula, input, target, weight, ignore_index, reduction)


def gce_loss(
    input: Tensor,
    target: Tensor,
    q: float = 0.7,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Generalized cross entropy, ``(1 - p_y^q) / q``: CE for q -> 0, ``1 - p_y`` at q = 1.

    Source: Zhang & Sabuncu 2018, arXiv:1805.07836, without its truncation. Published code either
    raises the softmax to the power ``q``, whose gradient is NaN where ``p_y`` underflows, or clips
    ``p`` at 1e-7, below which the gradient is 0 although ``p_y^q`` is not small.
    """

    def formula(z: Tensor, y: Tensor) -> Tensor:
        return _one_minus_exp(q * _log_p_y(z.log_softmax(1), y)) / q

    return _evaluate(formula, input, target, weight, ignore_index, reduction)


def muh_loss(
    input: Tensor,
    target: Tensor,
    quadratic: float = 0.0,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Multi-category unhinged loss, ``mean_k z_k - z_y + quadratic * sum_k z_k^2``.

    It is cross entropy minus its mean over all labels. Without the quadratic term it is unbounded
    below. Source: Shoham et al. 2021, arXiv:2104.12477, which has no code. Its regularizer is
    ``z^T A z``, its corollary takes ``A = I / 2``: here ``quadratic = 0.5``.
    """

    def formula(z: Tensor, y: Tensor) -> Tensor:
        loss = _unhinged(z, y)
        # Left out, not multiplied by 0: the logits may hold inf.
        return loss + quadratic * z.square().sum(1, keepdim=True) if quadratic else loss

    return _evaluate(formula, input, target, weight, ignore_index, reduction)


def sgce_loss(
    input: Tensor,
    target: Tensor,
    q: float = 0.7,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Symmetrized GCE, ``GCE(z, y) - mean_k GCE(z, k) = (mean_k p_k^q - p_y^q) / q``.

    MUH for q -> 0, ``1/C - p_y`` at q = 1. Source: Lemire Paquin et al. 2026, arXiv:2605.20347, of
    which only the abstract and texts about it were at hand: subtracting the mean over the labels is
    theirs, an additive constant or a positive factor may differ.
    """

    def formula(z: Tensor, y: Tensor) -> Tensor:
        log_p = z.log_softmax(1)
        label = torch.exp(q * _log_p_y(log_p, y))
        # The label's own share of the mean is taken out of it: left in, it cancels in the gradient.
        others = torch.exp(q * log_p).scatter(1, y, 0.0).sum(1, keepdim=True)
        classes = z.shape[1]
        return (others / classes - (1 - 1 / classes) * label) / q

    return _evaluate(formula, input, target, weight, ignore_index, reduction)


def alpha_mae_loss(
    input: Tensor,
    target: Tensor,
    alpha: float = 0.5,
    *,
    form: str = "temperature",
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """alpha-MAE, between MUH (alpha -> 0) and ``1 - p_y`` (alpha = 1).

    ``form="temperature"`` is ``(1 - softmax(alpha z)_y) / alpha``, which without its constant tends
    to MUH / C; ``form="convex"`` is ``alpha (1 - p_y) + (1 - alpha) MUH``, unbounded below. Source:
    Lemire Paquin et al. 2026, arXiv:2605.20347, of which only the abstract was at hand: both fit.
    """

    def temperature(z: Tensor, y: Tensor) -> Tensor:
        return _one_minus_exp(_log_p_y((alpha * z).log_softmax(1), y)) / alpha

    def convex(z: Tensor, y: Tensor) -> Tensor:
        return alpha * _one_minus_exp(_log_p_y(z.log_softmax(1), y)) + (1 - alpha) * _unhinged(z, y)

    formula = {"temperature": temperature, "convex": convex}[form]
    return _evaluate(formula, input, target, weight, ignore_index, reduction)


def sce_loss(
    input: Tensor,
    target: Tensor,
    alpha: float = 0.1,
    beta: float = 1.0,
    A: float = -4.0,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Symmetric cross entropy, ``alpha CE + beta RCE(A)``.

    Source: Wang et al. 2019, arXiv:1908.06112. Published code clips as :func:`rce_loss` describes.
    """

    def formula(z: Tensor, y: Tensor) -> Tensor:
        log_p_y = _log_p_y(z.log_softmax(1), y)
        return -alpha * log_p_y - beta * A * _one_minus_exp(log_p_y)

    return _evaluate(formula, input, target, weight, ignore_index, reduction)


def _evaluate(
    formula: Formula,
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    unweighted: Formula | None = None,
) -> Tensor:
    """Applies ``formula`` to the rows and reduces; class weights do not multiply ``unweighted``."""
    z = input if input.dim() > 1 else input.unsqueeze(0)
    y = target.to(torch.int64).reshape(z[:, :1].shape)
    # Ignored rows become rows of zeros: NaN would survive being multiplied by 0 afterwards.
    kept = y != ignore_index
    y = torch.where(kept, y, 0)
    z = torch.where(kept, z.to(torch.promote_types(z.dtype, torch.float32)), 0.0)

    losses = formula(z, y)
    if weight is None:
        total = kept.sum()
    else:
        w_y = torch.where(kept, weight.to(z.dtype)[y], 0.0)
        losses = w_y * losses
        total = w_y.sum()
    if unweighted is not None:
        losses = losses + unweighted(z, y)
    losses = torch.where(kept, losses, 0.0).reshape(target.shape)

    if reduction == "none":
        return losses
    return losses.sum() / total if reduction == "mean" else losses.sum()


def _log_p_y(log_p: Tensor, y: Tensor) -> Tensor:
    """``log p_y`` with full relative accuracy: ``log(1 - sum of the other p_k)`` if ``p_y > 1/2``.

    ``log_softmax`` alone rounds it to 0 for a confident label, and its backward computes 1 - 1.
    """
    others = log_p.exp().scatter(1, y, 0.0).sum(1, keepdim=True)
    confident = others < 0.5
    # The inner where keeps log1p away from -1, where its slope is infinite and 0 * inf is NaN.
    return torch.where(
        confident, torch.log1p(-torch.where(confident, others, 0.0)), log_p.gather(1, y)
    )


def _one_minus_exp(x: Tensor) -> Tensor:
    """``1 - e^x`` for ``x <= 0``, neither the value nor the slope ``-e^x`` from a cancellation.

    Autograd's slope of ``expm1`` is ``expm1(x) + 1``, which rounds to 0 for very negative ``x``.
    """
    return torch.where(x > -math.log(2), -torch.expm1(x), 1 - torch.exp(x))


def _unhinged(z: Tensor, y: Tensor) -> Tensor:
    """``mean_k z_k - z_y``, as a mean of differences so that a common offset drops out first."""
    return (z - z.gather(1, y)).mean(1, keepdim=True)
