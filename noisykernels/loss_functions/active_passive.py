"""Active passive losses: a normalized loss plus a passive one.

"MAE" in their names is 1 - p_y, as in all their published code: half of `mae`.
"""

from __future__ import annotations

from torch import Tensor

from noisykernels.evaluate import LossAndStats, evaluate
from noisykernels.loss_functions._registered import registered
from noisykernels.loss_functions.mean_absolute_error import one_minus_p, rce, rce_terms
from noisykernels.loss_functions.normalized import nce, nce_terms, nfl, nfl_terms
from noisykernels.modules import RegisteredLoss
from noisykernels.plan import single
from noisykernels.reference._loss import loss
from noisykernels.reference._rows import Rows
from noisykernels.registry import Number, Range, weighted_sum

__all__ = [
    "NCEMAELoss",
    "NCERCELoss",
    "NFLMAELoss",
    "NFLRCELoss",
    "nce_mae_loss",
    "nce_rce_loss",
    "nfl_mae_loss",
    "nfl_rce_loss",
]

_MA = "Ma et al. 2020, arXiv:2006.13554"


def nce_mae(rows: Rows, alpha: float, beta: float) -> Tensor:
    return alpha * nce(rows) + beta * rows.miss


@registered(
    formula="α · NCE + β (1 − p_y)",
    symmetric="yes",
    bounded="yes",
    source=_MA,
    terms=lambda alpha, beta: weighted_sum((alpha, nce_terms()), (beta, one_minus_p())),
    reference=loss(nce_mae),
    alpha=Range(at_least=0),
    beta=Range(at_least=0),
)
def nce_mae_loss(
    input: Tensor,
    target: Tensor,
    alpha: Number = 1.0,
    beta: Number = 1.0,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Normalized cross entropy and MAE, ``alpha * nce + beta (1 - p_y)``: symmetric.

    MAE is ``1 - p_y`` here, as in the published code of this loss: half of `mae_loss`.

    Args:
        <tensors>
        alpha: Weight of `nce_loss`, alpha >= 0.
        beta: Weight of ``1 - p_y``, beta >= 0.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> nce_mae_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), alpha=10.0, beta=0.1)
        tensor(0.5290)
    """
    plan = single("nce_mae", alpha=alpha, beta=beta)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class NCEMAELoss(RegisteredLoss, function=nce_mae_loss):
    """Normalized cross entropy and MAE, see `noisykernels.functional.nce_mae_loss`."""


def nce_rce(rows: Rows, alpha: float, beta: float, A: float) -> Tensor:
    return alpha * nce(rows) + beta * rce(rows, A)


@registered(
    formula="α · NCE + β · RCE",
    symmetric="yes",
    bounded="yes",
    source=_MA,
    terms=lambda alpha, beta, A: weighted_sum((alpha, nce_terms()), (beta, rce_terms(A))),
    reference=loss(nce_rce),
    alpha=Range(at_least=0),
    beta=Range(at_least=0),
    A=Range(below=0),
)
def nce_rce_loss(
    input: Tensor,
    target: Tensor,
    alpha: Number = 1.0,
    beta: Number = 1.0,
    A: Number = -4.0,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
    published: bool = False,
) -> LossAndStats:
    """Normalized cross entropy and RCE, ``alpha * nce + beta * rce``: symmetric.

    The paper's experiments have ``A = log 1e-4 = -9.21``.

    Args:
        <tensors>
        alpha: Weight of `nce_loss`, alpha >= 0.
        beta: Weight of `rce_loss`, beta >= 0.
        A: As in `rce_loss`, A < 0.
        <options>
        <published>

    <contract>

    Example:
        >>> import torch
        >>> nce_rce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), A=-9.21)
        tensor(2.0126)
    """
    plan = single("nce_rce", published, alpha=alpha, beta=beta, A=A)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class NCERCELoss(RegisteredLoss, function=nce_rce_loss):
    """Normalized cross entropy and RCE, see `noisykernels.functional.nce_rce_loss`."""


def nfl_mae(rows: Rows, alpha: float, beta: float, gamma: float) -> Tensor:
    return alpha * nfl(rows, gamma) + beta * rows.miss


@registered(
    formula="α · NFL + β (1 − p_y)",
    symmetric="yes",
    bounded="yes",
    source=_MA,
    terms=lambda alpha, beta, gamma: weighted_sum((alpha, nfl_terms(gamma)), (beta, one_minus_p())),
    reference=loss(nfl_mae),
    alpha=Range(at_least=0),
    beta=Range(at_least=0),
    gamma=Range(at_least=0),
)
def nfl_mae_loss(
    input: Tensor,
    target: Tensor,
    alpha: Number = 1.0,
    beta: Number = 1.0,
    gamma: Number = 0.5,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Normalized focal loss and MAE, ``alpha * nfl + beta (1 - p_y)``: symmetric.

    MAE is ``1 - p_y`` here, as in the published code of this loss: half of `mae_loss`.

    Args:
        <tensors>
        alpha: Weight of `nfl_loss`, alpha >= 0.
        beta: Weight of ``1 - p_y``, beta >= 0.
        gamma: As in `nfl_loss`, gamma >= 0.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> nfl_mae_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), alpha=10.0, beta=0.1)
        tensor(0.2758)
    """
    plan = single("nfl_mae", alpha=alpha, beta=beta, gamma=gamma)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class NFLMAELoss(RegisteredLoss, function=nfl_mae_loss):
    """Normalized focal loss and MAE, see `noisykernels.functional.nfl_mae_loss`."""


def nfl_rce(rows: Rows, alpha: float, beta: float, gamma: float, A: float) -> Tensor:
    return alpha * nfl(rows, gamma) + beta * rce(rows, A)


@registered(
    formula="α · NFL + β · RCE",
    symmetric="yes",
    bounded="yes",
    source=_MA,
    terms=lambda alpha, beta, gamma, A: weighted_sum(
        (alpha, nfl_terms(gamma)), (beta, rce_terms(A))
    ),
    reference=loss(nfl_rce),
    alpha=Range(at_least=0),
    beta=Range(at_least=0),
    gamma=Range(at_least=0),
    A=Range(below=0),
)
def nfl_rce_loss(
    input: Tensor,
    target: Tensor,
    alpha: Number = 1.0,
    beta: Number = 1.0,
    gamma: Number = 0.5,
    A: Number = -4.0,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
    published: bool = False,
) -> LossAndStats:
    """Normalized focal loss and RCE, ``alpha * nfl + beta * rce``: symmetric.

    The paper's experiments have ``A = log 1e-4 = -9.21``.

    Args:
        <tensors>
        alpha: Weight of `nfl_loss`, alpha >= 0.
        beta: Weight of `rce_loss`, beta >= 0.
        gamma: As in `nfl_loss`, gamma >= 0.
        A: As in `rce_loss`, A < 0.
        <options>
        <published>

    <contract>

    Example:
        >>> import torch
        >>> nfl_rce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), A=-9.21)
        tensor(1.9873)
    """
    plan = single("nfl_rce", published, alpha=alpha, beta=beta, gamma=gamma, A=A)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class NFLRCELoss(RegisteredLoss, function=nfl_rce_loss):
    """Normalized focal loss and RCE, see `noisykernels.functional.nfl_rce_loss`."""
