"""Joint asymmetric losses: a normalized loss plus asymmetric mean square error."""

from __future__ import annotations

from torch import Tensor

from noisykernels.evaluate import LossAndStats, evaluate
from noisykernels.loss_functions._registered import registered
from noisykernels.loss_functions.mean_square_error import amse, amse_terms
from noisykernels.loss_functions.normalized import nce, nce_terms, nfl, nfl_terms
from noisykernels.modules import RegisteredLoss
from noisykernels.plan import single
from noisykernels.reference._loss import loss
from noisykernels.reference._rows import Rows
from noisykernels.registry import Number, Range, weighted_sum

__all__ = ["JALCELoss", "JALFLLoss", "jal_ce_loss", "jal_fl_loss"]

_WANG = "Wang et al. 2025, arXiv:2507.17692"


def jal_ce(rows: Rows, alpha: float, beta: float, a: float) -> Tensor:
    return alpha * nce(rows) + beta * amse(rows, a)


@registered(
    formula="α · NCE + β · AMSE",
    symmetric="at β = 0; asymmetric",
    bounded="yes",
    source=_WANG,
    terms=lambda alpha, beta, a: weighted_sum((alpha, nce_terms()), (beta, amse_terms(a))),
    reference=loss(jal_ce),
    alpha=Range(at_least=0),
    beta=Range(at_least=0),
    a=Range(at_least=1),
)
def jal_ce_loss(
    input: Tensor,
    target: Tensor,
    alpha: Number = 1.0,
    beta: Number = 1.0,
    a: Number = 30.0,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Joint asymmetric loss of cross entropy, ``alpha * nce + beta * amse``.

    The paper adds the L1 norm of all weights of the model: `noisykernels.presets` has the numbers.

    Args:
        <tensors>
        alpha: Weight of `nce_loss`, alpha >= 0.
        beta: Weight of `amse_loss`, beta >= 0.
        a: As in `amse_loss`, a >= 1.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> jal_ce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), a=30.0)
        tensor(284.5251)
    """
    plan = single("jal_ce", alpha=alpha, beta=beta, a=a)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class JALCELoss(RegisteredLoss, function=jal_ce_loss):
    """Joint asymmetric loss of cross entropy, see `noisykernels.functional.jal_ce_loss`."""


def jal_fl(rows: Rows, alpha: float, beta: float, a: float, gamma: float) -> Tensor:
    return alpha * nfl(rows, gamma) + beta * amse(rows, a)


@registered(
    formula="α · NFL + β · AMSE",
    symmetric="at β = 0; asymmetric",
    bounded="yes",
    source=_WANG,
    terms=lambda alpha, beta, a, gamma: weighted_sum(
        (alpha, nfl_terms(gamma)), (beta, amse_terms(a))
    ),
    reference=loss(jal_fl),
    alpha=Range(at_least=0),
    beta=Range(at_least=0),
    a=Range(at_least=1),
    gamma=Range(at_least=0),
)
def jal_fl_loss(
    input: Tensor,
    target: Tensor,
    alpha: Number = 1.0,
    beta: Number = 1.0,
    a: Number = 30.0,
    gamma: Number = 0.5,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Joint asymmetric loss of focal loss, ``alpha * nfl + beta * amse``.

    The paper adds the L1 norm of all weights of the model: `noisykernels.presets` has the numbers.

    Args:
        <tensors>
        alpha: Weight of `nfl_loss`, alpha >= 0.
        beta: Weight of `amse_loss`, beta >= 0.
        a: As in `amse_loss`, a >= 1.
        gamma: As in `nfl_loss`, gamma >= 0.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> jal_fl_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), a=30.0)
        tensor(284.4997)
    """
    plan = single("jal_fl", alpha=alpha, beta=beta, a=a, gamma=gamma)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class JALFLLoss(RegisteredLoss, function=jal_fl_loss):
    """Joint asymmetric loss of focal loss, see `noisykernels.functional.jal_fl_loss`."""
