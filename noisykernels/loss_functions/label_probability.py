"""Other losses that are functions of the label's probability p_y alone."""

from __future__ import annotations

import torch
from torch import Tensor

from noisykernels.evaluate import LossAndStats, evaluate
from noisykernels.loss_functions._registered import registered
from noisykernels.loss_functions.cross_entropy import ce
from noisykernels.modules import RegisteredLoss
from noisykernels.plan import single
from noisykernels.reference._loss import loss
from noisykernels.reference._rows import Rows
from noisykernels.registry import Flag, Integer, Number, Range
from noisykernels.terms import WeightedTerm
from noisykernels.terms.probability import MAX_ORDER

__all__ = [
    "FocalLoss",
    "PHuberCELoss",
    "TaylorCELoss",
    "focal_loss",
    "phuber_ce_loss",
    "taylor_ce_loss",
]


def taylor_ce(rows: Rows, order: int) -> Tensor:
    series = miss = rows.miss
    for i in range(2, int(order) + 1):
        series = series + miss**i / i
    return series


@registered(
    formula="Σ_{i ≤ order} (1 − p_y)^i / i",
    symmetric="at order = 1",
    bounded="yes",
    source="Feng et al. 2020, Can cross entropy loss be robust to label noise?, IJCAI",
    terms=lambda order: (WeightedTerm("taylor_ce", 1.0, float(order)),),
    reference=loss(taylor_ce),
    order=Integer(1, MAX_ORDER),
)
def taylor_ce_loss(
    input: Tensor,
    target: Tensor,
    order: int = 2,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Taylor cross entropy, ``sum_{i <= order} (1 - p_y)^i / i``, the series of ``-log p_y`` at 1.

    It is ``1 - p_y`` at order 1 and tends to cross entropy. It is not the Taylor softmax.

    Args:
        <tensors>
        order: Number of terms, a whole number from 1 to 16.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> taylor_ce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), order=2)
        tensor(0.2357)
    """
    plan = single("taylor_ce", order=order)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class TaylorCELoss(RegisteredLoss, function=taylor_ce_loss):
    """Taylor cross entropy, see `noisykernels.functional.taylor_ce_loss`."""


def phuber_ce(rows: Rows, tau: float) -> Tensor:
    log_tau = torch.as_tensor(tau, dtype=rows.z.dtype, device=rows.z.device).log()
    tangent = log_tau + rows.miss - (tau - 1) * rows.p_y  # log tau + 1 - tau p_y
    return torch.where(rows.p_y > 1 / tau, ce(rows), tangent)


@registered(
    formula="−log p_y if p_y > 1/τ, else log τ + 1 − τ p_y",
    symmetric="no",
    bounded="yes",
    source="Menon et al. 2020, Can gradient clipping mitigate label noise?, ICLR",
    terms=lambda tau: (WeightedTerm("phuber_ce", 1.0, tau),),
    reference=loss(phuber_ce),
    tau=Range(above=1),
)
def phuber_ce_loss(
    input: Tensor,
    target: Tensor,
    tau: Number = 10.0,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Partially Huberised cross entropy, ``-log p_y`` but its tangent where ``p_y <= 1 / tau``.

    The tangent is ``log tau + 1 - tau p_y``: the slope by ``p_y`` is clipped at ``-tau``, and the
    loss of a hopeless label is at most ``log tau + 1``.

    Args:
        <tensors>
        tau: Steepest slope, tau > 1: towards 1 half of `mae_loss`, if large cross entropy. The
            paper takes 2 or 10, by what does better on noisy labels that are held out.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> phuber_ce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([1]), tau=2.0)
        tensor(1.4801)
    """
    plan = single("phuber_ce", tau=tau)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class PHuberCELoss(RegisteredLoss, function=phuber_ce_loss):
    """Partially Huberised cross entropy, see `noisykernels.functional.phuber_ce_loss`."""


def focal(rows: Rows, gamma: float, detach: bool) -> Tensor:
    # With `detach` the gradient is that of cross entropy times the weight. Other published code is
    # NaN at p_y = 1 if gamma < 1.
    log_miss = rows.log_miss.detach() if detach else rows.log_miss
    # At p = 0 it is 0 without a slope: that times the infinite logarithm would be NaN.
    log_miss = torch.where(rows.p_y > 0, log_miss, 0.0)
    return torch.exp(gamma * log_miss) * ce(rows)


@registered(
    formula="−(1 − p_y)^γ log p_y",
    symmetric="no",
    bounded="no",
    source="Lin et al. 2017, arXiv:1708.02002",
    terms=lambda gamma, detach: (WeightedTerm("focal", 1.0, gamma, float(detach)),),
    reference=loss(focal),
    gamma=Range(at_least=0),
    detach=Flag(),
)
def focal_loss(
    input: Tensor,
    target: Tensor,
    gamma: Number = 0.5,
    detach: bool = False,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
    published: bool = False,
) -> LossAndStats:
    """Focal loss, ``-(1 - p_y)^gamma log p_y``: cross entropy with less weight on what is learned.

    Args:
        <tensors>
        gamma: Focusing exponent, gamma >= 0; 0 is cross entropy.
        detach: Whether ``(1 - p_y)^gamma`` counts as a constant in the gradient, as in the
            published code of losses for noisy labels.
        <options>
        <published>

    <contract>

    Example:
        >>> import torch
        >>> focal_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), gamma=0.5)
        tensor(0.1106)
    """
    plan = single("focal", published, gamma=gamma, detach=detach)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class FocalLoss(RegisteredLoss, function=focal_loss):
    """Focal loss, see `noisykernels.functional.focal_loss`."""
