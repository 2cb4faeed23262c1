"""Asymmetric losses: AGCE, AUL and AEL."""

from __future__ import annotations

import torch
from torch import Tensor

from noisykernels.evaluate import LossAndStats, evaluate
from noisykernels.loss_functions._registered import registered
from noisykernels.modules import RegisteredLoss
from noisykernels.plan import single
from noisykernels.reference._loss import loss
from noisykernels.reference._rows import Rows, one_minus_exp
from noisykernels.registry import Number, Range, Terms
from noisykernels.terms import WeightedTerm

__all__ = ["AELLoss", "AGCELoss", "AULLoss", "ael_loss", "agce_loss", "aul_loss"]

_ZHOU = "Zhou et al. 2021, arXiv:2106.03110"


def agce(rows: Rows, a: float, q: float) -> Tensor:
    # (a + 1) / (a + p) is 1 + (1 - p) / (a + p): nothing cancels at either end.
    log_ratio = torch.log1p(rows.miss / (a + rows.p_y))
    scale: float = (a + 1) ** q / q
    return scale * one_minus_exp(-q * log_ratio)


def agce_terms(a: float, q: float) -> Terms:
    return (WeightedTerm("agce", 1.0, a, q),)


@registered(
    formula="((a + 1)^q − (a + p_y)^q) / q",
    symmetric="no; asymmetric, completely for q ≥ 1",
    bounded="yes",
    source=_ZHOU,
    terms=agce_terms,
    reference=loss(agce),
    a=Range(above=0),
    q=Range(above=0),
)
def agce_loss(
    input: Tensor,
    target: Tensor,
    a: Number = 0.6,
    q: Number = 0.6,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Asymmetric generalized cross entropy, ``((a + 1)^q - (a + p_y)^q) / q``.

    Args:
        <tensors>
        a: Shift, a > 0.
        q: Exponent, q > 0; the loss is completely asymmetric for q >= 1.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> agce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), a=0.6, q=0.6)
        tensor(0.1815)
    """
    plan = single("agce", a=a, q=q)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class AGCELoss(RegisteredLoss, function=agce_loss):
    """Asymmetric generalized cross entropy, see `noisykernels.functional.agce_loss`."""


def aul(rows: Rows, a: float, q: float) -> Tensor:
    # (a - p) / (a - 1) is 1 + (1 - p) / (a - 1).
    log_ratio = torch.log1p(rows.miss / (a - 1))
    scale: float = (a - 1) ** q / q
    return scale * torch.expm1(q * log_ratio)


def aul_terms(a: float, q: float) -> Terms:
    return (WeightedTerm("aul", 1.0, a, q),)


@registered(
    formula="((a − p_y)^q − (a − 1)^q) / q",
    symmetric="at q = 1; asymmetric, completely for q ≤ 1",
    bounded="yes",
    source=_ZHOU,
    terms=aul_terms,
    reference=loss(aul),
    a=Range(above=1),
    q=Range(above=0),
)
def aul_loss(
    input: Tensor,
    target: Tensor,
    a: Number = 5.5,
    q: Number = 3.0,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Asymmetric unhinged loss, ``((a - p_y)^q - (a - 1)^q) / q``; its code calls it AUE.

    Args:
        <tensors>
        a: Shift, a > 1.
        q: Exponent, q > 0; the loss is completely asymmetric for q <= 1.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> aul_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), a=5.5, q=3.0)
        tensor(4.5209)
    """
    plan = single("aul", a=a, q=q)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class AULLoss(RegisteredLoss, function=aul_loss):
    """Asymmetric unhinged loss, see `noisykernels.functional.aul_loss`."""


def ael(rows: Rows, a: float) -> Tensor:
    return torch.exp(-rows.p_y / a)


def ael_terms(a: float) -> Terms:
    return (WeightedTerm("ael", 1.0, a),)


@registered(
    formula="exp(−p_y / a)",
    symmetric="no; asymmetric",
    bounded="yes",
    source=_ZHOU,
    terms=ael_terms,
    reference=loss(ael),
    a=Range(above=0),
)
def ael_loss(
    input: Tensor,
    target: Tensor,
    a: Number = 2.5,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Asymmetric exponential loss, ``exp(-p_y / a)``.

    Args:
        <tensors>
        a: Scale, a > 0.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> ael_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), a=2.5)
        tensor(0.7299)
    """
    plan = single("ael", a=a)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class AELLoss(RegisteredLoss, function=ael_loss):
    """Asymmetric exponential loss, see `noisykernels.functional.ael_loss`."""
