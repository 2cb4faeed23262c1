"""Mean absolute error and a multiple of it, reverse cross entropy: symmetric and bounded."""

from __future__ import annotations

from torch import Tensor

from noisykernels.evaluate import LossAndStats, evaluate
from noisykernels.loss_functions._registered import registered
from noisykernels.modules import RegisteredLoss
from noisykernels.plan import single
from noisykernels.reference._loss import loss
from noisykernels.reference._rows import Rows
from noisykernels.registry import Number, Range, Terms, weighted_sum
from noisykernels.terms import WeightedTerm

__all__ = ["MAELoss", "RCELoss", "mae_loss", "rce_loss"]


def rce(rows: Rows, A: float) -> Tensor:
    # -sum_k p_k log t_k for one-hot t with log 0 = A. Published code clips p at 1e-7 too, which
    # zeroes the gradient through smaller p_k.
    return -A * rows.miss


def one_minus_p() -> Terms:
    """What much of the literature calls MAE: half of `mae`."""
    return (WeightedTerm("mae", 1.0),)


def rce_terms(A: float) -> Terms:
    return weighted_sum((-A, one_minus_p()))


@registered(
    formula="−A (1 − p_y)",
    symmetric="yes",
    bounded="yes",
    source="Wang et al. 2019, arXiv:1908.06112",
    terms=rce_terms,
    reference=loss(rce),
    A=Range(below=0),
)
def rce_loss(
    input: Tensor,
    target: Tensor,
    A: Number = -4.0,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
    published: bool = False,
) -> LossAndStats:
    """Reverse cross entropy, ``-A (1 - p_y)``: symmetric, a multiple of `mae_loss`.

    Args:
        <tensors>
        A: Stands for log 0 in ``-sum_k p_k log onehot_k``, A < 0. The paper's value is -4;
            published code clips the one-hot label at 1e-4, which is A = log 1e-4 = -9.21. With
            ``published`` that takes the place of -4.
        <options>
        <published>

    <contract>

    Example:
        >>> import torch
        >>> rce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), A=-4.0)
        tensor(0.8521)
    """
    plan = single("rce", published, A=A)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class RCELoss(RegisteredLoss, function=rce_loss):
    """Reverse cross entropy, see `noisykernels.functional.rce_loss`."""


def mae(rows: Rows) -> Tensor:
    # sum_k |p_k - t_k| for one-hot t.
    return 2 * rows.miss


@registered(
    formula="2 (1 − p_y)",
    symmetric="yes",
    bounded="yes",
    source="Ghosh et al. 2017, arXiv:1712.09482",
    terms=lambda: weighted_sum((2.0, one_minus_p())),
    reference=loss(mae),
)
def mae_loss(
    input: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Mean absolute error, ``sum_k |p_k - onehot_k| = 2 (1 - p_y)``: symmetric, slow to train.

    Much of the literature calls half of it, ``1 - p_y``, MAE.

    Args:
        <tensors>
        <options>

    <contract>

    Example:
        >>> import torch
        >>> mae_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]))
        tensor(0.4260)
    """
    plan = single("mae")
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class MAELoss(RegisteredLoss, function=mae_loss):
    """Mean absolute error, see `noisykernels.functional.mae_loss`."""
