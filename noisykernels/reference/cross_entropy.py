"""Cross entropy against labels, smoothed labels and probabilities: class weights as in torch."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from noisykernels.reference._loss import evaluate, loss
from noisykernels.reference._rows import Rows, is_zero, log_softmax


def ce(rows: Rows) -> Tensor:
    """Cross entropy, ``-log p_y``."""
    return -rows.log_p_y


def uniform_ce(rows: Rows) -> Tensor:
    """Cross entropy against uniform labels, ``-(1/C) sum_k w_k log p_k``: what smoothing adds.

    Class weights ``w`` stand inside the sum; the mean divides by the sum of ``w_y`` all the same.
    """
    return -(rows.class_weight * rows.log_p).mean(1, keepdim=True)


def lsr(rows: Rows, epsilon: float = 0.1) -> Tensor:
    """Label smoothing regularization, cross entropy with ``t = (1 - epsilon) e + epsilon / C``.

    It is :func:`ce_loss` with ``label_smoothing=epsilon``, class weights included. Source: Szegedy
    et al. 2016, arXiv:1512.00567. The published code of symmetric cross entropy smooths for 10
    classes whatever C is, and its targets do not sum to 1.
    """
    labelled = (1 - epsilon) * rows.label_weight * ce(rows)
    # Without smoothing the second part is left out, not multiplied by 0: its logits may hold -inf.
    return labelled if is_zero(epsilon) else labelled + epsilon * uniform_ce(rows)


uniform_ce_loss = loss(uniform_ce, by_label_weight=False)
lsr_loss = loss(lsr, by_label_weight=False)


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

    A floating-point ``target`` of the shape of ``input`` holds probabilities ``t``. The loss of a
    row is then ``-sum_k w_k ((1 - e) t_k + e / C) log p_k``, the mean divides by the number of
    rows, no row is ignored, and gradients flow to the probabilities too.
    """
    if target.is_floating_point():
        return _against_probabilities(input, target, weight, reduction, label_smoothing)
    formula = partial(lsr, epsilon=label_smoothing)
    return evaluate(formula, input, target, weight, ignore_index, reduction)


def _against_probabilities(
    input: Tensor, target: Tensor, weight: Tensor | None, reduction: str, label_smoothing: float
) -> Tensor:
    z, t = (x if x.dim() > 1 else x.unsqueeze(0) for x in (input, target))
    z = z.to(torch.promote_types(z.dtype, torch.float32))
    t = (1 - label_smoothing) * t.to(z.dtype) + label_smoothing / z.shape[1]
    if weight is not None:
        t = t * weight.to(z.dtype).reshape(-1, *[1] * (z.dim() - 2))
    # Where no class is next to certain, torch's gradient adds up fewer roundings: for targets that
    # are spread over many classes it matters.
    certain = z.softmax(1).amax(1, keepdim=True) > 0.5
    losses = -(t * torch.where(certain, log_softmax(z), z.log_softmax(1))).sum(1)
    if reduction == "none":
        return losses if input.dim() > 1 else losses[0]
    return losses.sum() / losses.numel() if reduction == "mean" else losses.sum()
