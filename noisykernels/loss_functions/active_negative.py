"""Active negative losses: a normalized loss plus a normalized negative one."""

from __future__ import annotations

from torch import Tensor

from noisykernels.evaluate import LossAndStats, evaluate
from noisykernels.loss_functions._registered import registered
from noisykernels.loss_functions.normalized import nce, nce_terms, nfl, nfl_terms
from noisykernels.loss_functions.normalized_negative import nnce, nnce_terms, nnfl, nnfl_terms
from noisykernels.modules import RegisteredLoss
from noisykernels.plan import single
from noisykernels.reference._loss import loss
from noisykernels.reference._rows import Rows
from noisykernels.registry import Number, Range, weighted_sum

__all__ = ["ANLCELoss", "ANLFLLoss", "anl_ce_loss", "anl_fl_loss"]

_YE = "Ye et al. 2023, Active negative loss functions for learning with noisy labels, NeurIPS"


def anl_ce(rows: Rows, alpha: float, beta: float, p_min: float) -> Tensor:
    return alpha * nce(rows) + beta * nnce(rows, p_min)


@registered(
    formula="α · NCE + β · NNCE",
    symmetric="yes",
    bounded="yes",
    source=_YE,
    terms=lambda alpha, beta, p_min: weighted_sum((alpha, nce_terms()), (beta, nnce_terms(p_min))),
    reference=loss(anl_ce),
    alpha=Range(at_least=0),
    beta=Range(at_least=0),
    p_min=Range(above=0, below=1),
)
def anl_ce_loss(
    input: Tensor,
    target: Tensor,
    alpha: Number = 5.0,
    beta: Number = 5.0,
    p_min: Number = 1e-07,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Active negative loss of cross entropy, ``alpha * nce + beta * nnce``: symmetric.

    The paper adds the L1 norm of all weights of the model: `noisykernels.presets` has the numbers.

    Args:
        <tensors>
        alpha: Weight of `nce_loss`, alpha >= 0.
        beta: Weight of `nnce_loss`, beta >= 0.
        p_min: As in `nnce_loss`, 0 < p_min < 1.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> anl_ce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), alpha=5.0, beta=5.0)
        tensor(3.4344)
    """
    plan = single("anl_ce", alpha=alpha, beta=beta, p_min=p_min)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class ANLCELoss(RegisteredLoss, function=anl_ce_loss):
    """Active negative loss of cross entropy, see `noisykernels.functional.anl_ce_loss`."""


def anl_fl(rows: Rows, alpha: float, beta: float, gamma: float, p_min: float) -> Tensor:
    return alpha * nfl(rows, gamma) + beta * nnfl(rows, gamma, p_min)


@registered(
    formula="α · NFL + β · NNFL",
    symmetric="yes",
    bounded="yes",
    source=_YE,
    terms=lambda alpha, beta, gamma, p_min: weighted_sum(
        (alpha, nfl_terms(gamma)), (beta, nnfl_terms(gamma, p_min))
    ),
    reference=loss(anl_fl),
    alpha=Range(at_least=0),
    beta=Range(at_least=0),
    gamma=Range(at_least=0),
    p_min=Range(above=0, below=1),
)
def anl_fl_loss(
    input: Tensor,
    target: Tensor,
    alpha: Number = 5.0,
    beta: Number = 5.0,
    gamma: Number = 0.5,
    p_min: Number = 1e-07,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Active negative loss of focal loss, ``alpha * nfl + beta * nnfl``: symmetric.

    The paper adds the L1 norm of all weights of the model: `noisykernels.presets` has the numbers.

    Args:
        <tensors>
        alpha: Weight of `nfl_loss`, alpha >= 0.
        beta: Weight of `nnfl_loss`, beta >= 0.
        gamma: As in both, gamma >= 0.
        p_min: As in `nnfl_loss`, 0 < p_min < 1.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> anl_fl_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), alpha=5.0, beta=5.0)
        tensor(3.3086)
    """
    plan = single("anl_fl", alpha=alpha, beta=beta, gamma=gamma, p_min=p_min)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class ANLFLLoss(RegisteredLoss, function=anl_fl_loss):
    """Active negative loss of focal loss, see `noisykernels.functional.anl_fl_loss`."""
