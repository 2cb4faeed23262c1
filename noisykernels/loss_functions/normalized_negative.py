"""Normalized negative losses: what lacks to 1 of a loss's share in its sum over all labels."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor

from noisykernels.evaluate import LossAndStats, evaluate
from noisykernels.loss_functions._registered import registered
from noisykernels.loss_functions.normalized import focal_weights
from noisykernels.modules import RegisteredLoss
from noisykernels.plan import single
from noisykernels.reference._loss import loss
from noisykernels.reference._rows import Rows, one_minus_exp
from noisykernels.registry import Number, Range, Terms
from noisykernels.terms import WeightedTerm

__all__ = ["NNCELoss", "NNFLLoss", "nnce_loss", "nnfl_loss"]

_YE = "Ye et al. 2023, Active negative loss functions for learning with noisy labels, NeurIPS"


def _log(value: float, rows: Rows) -> Tensor:
    return torch.as_tensor(value, dtype=rows.z.dtype, device=rows.z.device).log()


def nnce(rows: Rows, p_min: float) -> Tensor:
    # The code of arXiv:2507.17692 takes p_min = 1e-8.
    u = torch.relu(rows.log_p - _log(p_min, rows))
    return 1 - rows.at_label(u) / u.sum(1, keepdim=True)


def nnce_terms(p_min: float) -> Terms:
    return nnfl_terms(0.0, p_min)


@registered(
    formula="1 − u_y / Σ_k u_k, u_k = max(0, log(p_k / p_min))",
    symmetric="yes",
    bounded="yes",
    source=_YE,
    terms=nnce_terms,
    reference=loss(nnce),
    p_min=Range(above=0, below=1),
)
def nnce_loss(
    input: Tensor,
    target: Tensor,
    p_min: Number = 1e-07,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Normalized negative cross entropy, ``1 - u_y / sum_k u_k``: symmetric.

    Here ``u_k = max(0, log(p_k / p_min))``.

    Args:
        <tensors>
        p_min: Probability at which the logarithm is clipped, 0 < p_min < 1. A class below it gets
            no gradient of its own.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> nnce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), p_min=1e-7)
        tensor(0.6361)
    """
    plan = single("nnce", p_min=p_min)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class NNCELoss(RegisteredLoss, function=nnce_loss):
    """Normalized negative cross entropy, see `noisykernels.functional.nnce_loss`."""


def nnfl(rows: Rows, gamma: float, p_min: float) -> Tensor:
    log_p_min = _log(p_min, rows)
    least = one_minus_exp(log_p_min) ** gamma * log_p_min
    u = torch.relu(focal_weights(rows.log_p, gamma) * rows.log_p - least)
    return 1 - rows.at_label(u) / u.sum(1, keepdim=True)


def nnfl_terms(gamma: float, p_min: float) -> Terms:
    return (WeightedTerm("nnfl", 1.0, gamma, log(p_min)),)


@registered(
    formula="1 − u_y / Σ_k u_k, u_k = max(0, f(p_min) − f(p_k)), f(p) = −(1 − p)^γ log p",
    symmetric="yes",
    bounded="yes",
    source=_YE,
    terms=nnfl_terms,
    reference=loss(nnfl),
    gamma=Range(at_least=0),
    p_min=Range(above=0, below=1),
)
def nnfl_loss(
    input: Tensor,
    target: Tensor,
    gamma: Number = 0.5,
    p_min: Number = 1e-07,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Normalized negative focal loss, ``1 - u_y / sum_k u_k``: symmetric.

    Here ``u_k = max(0, f(p_min) - f(p_k))`` with ``f(p) = -(1 - p)^gamma log p``. As published, the
    factors ``(1 - p_k)^gamma`` count as constants in the gradient.

    Args:
        <tensors>
        gamma: Focusing exponent, gamma >= 0; 0 is `nnce_loss`.
        p_min: Probability at which the logarithm is clipped, 0 < p_min < 1. A class below it gets
            no gradient of its own.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> nnfl_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), gamma=0.5, p_min=1e-7)
        tensor(0.6363)
    """
    plan = single("nnfl", gamma=gamma, p_min=p_min)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class NNFLLoss(RegisteredLoss, function=nnfl_loss):
    """Normalized negative focal loss, see `noisykernels.functional.nnfl_loss`."""
