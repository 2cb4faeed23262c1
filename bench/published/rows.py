"""What the repositories share: one-hot labels, and two ways to get at the label."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def one_hot(logits: Tensor, target: Tensor) -> Tensor:
    return F.one_hot(target, logits.shape[1]).float()


def label_probability(logits: Tensor, target: Tensor) -> Tensor:
    return torch.sum(one_hot(logits, target) * F.softmax(logits, dim=1), dim=1)


def of_label(log_p: Tensor, target: Tensor) -> Tensor:
    return log_p.gather(1, target.view(-1, 1)).view(-1)
