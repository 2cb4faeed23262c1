"""What the formulas start from."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def ce_of_rows(logits: Tensor, target: Tensor) -> Tensor:
    """-log p_y: one fused kernel each way, where log_softmax and gather are three."""
    return F.cross_entropy(logits, target, reduction="none")


def minus_p_y(logits: Tensor, target: Tensor) -> Tensor:
    """-p_y, which is what `nll_loss` makes of probabilities; faster than the exponential of CE."""
    return F.nll_loss(logits.softmax(1), target, reduction="none")


def at_label(values: Tensor, target: Tensor) -> Tensor:
    """The label's entry of each row."""
    return values.gather(1, target[:, None]).squeeze(1)


def log_probabilities(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """log p of all classes, and that of the label: one softmax for all parts of a sum."""
    log_p = logits.log_softmax(1)
    return log_p, at_label(log_p, target)


def labels(logits: Tensor, target: Tensor, off: float, on: float) -> Tensor:
    """Targets like one-hot labels: `on` at the label, `off` elsewhere."""
    return torch.full_like(logits, off).scatter_(1, target[:, None], on)
