"""Corrections by a transition matrix T, T[i, j] = P(noisy label j | clean label i)."""

from __future__ import annotations

import torch
from torch import Tensor

from noisykernels.evaluate import LossAndStats, evaluate
from noisykernels.loss_functions._registered import registered
from noisykernels.loss_functions.mean_absolute_error import rce, rce_terms
from noisykernels.modules import RegisteredLoss
from noisykernels.plan import single
from noisykernels.reference._loss import loss
from noisykernels.reference._rows import Rows
from noisykernels.registry import Matrix, Number, Range, Terms, weighted_sum
from noisykernels.terms import WeightedTerm

__all__ = [
    "BackwardLoss",
    "ForwardLoss",
    "ForwardRCELoss",
    "backward_loss",
    "forward_loss",
    "forward_rce_loss",
]

_PATRINI = "Patrini et al. 2017, arXiv:1609.03683"


def forward(rows: Rows, T: Tensor) -> Tensor:
    # Published code clips p at 1e-7.
    column = rows.of_label(T.T)
    # Where the noisy label is likely, from what lacks to 1: at T = I it is CE at both ends.
    lacking = (rows.p * (1 - column)).sum(1, keepdim=True)
    likely = lacking < 0.5
    # The inner where keeps log1p away from -1, where its slope is infinite and 0 * inf is NaN.
    near_one = -torch.log1p(-torch.where(likely, lacking, 0.0))
    return torch.where(likely, near_one, -(rows.log_p + column.log()).logsumexp(1, keepdim=True))


def forward_terms(T: Tensor) -> Terms:
    return (WeightedTerm("forward", 1.0, vectors=T.T.contiguous()),)


@registered(
    formula="−log Σ_k T_ky p_k",
    symmetric="no",
    bounded="if all T_ky > 0",
    source=_PATRINI,
    terms=forward_terms,
    reference=loss(forward),
    T=Matrix(),
)
def forward_loss(
    input: Tensor,
    target: Tensor,
    T: Tensor,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
    published: bool = False,
) -> LossAndStats:
    """Forward correction, ``-log (T^T p)_y``: cross entropy of the predicted noisy labels.

    A function checks T at every call, a module once.

    Args:
        <tensors>
        T: Transition matrix of shape (C, C), ``T[i, j] = P(noisy label j | clean label i)``: not
            negative, rows sum to 1, on input's device, not requiring grad.
        <options>
        <published>

    <contract>

    Example:
        >>> import torch
        >>> T = torch.tensor([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
        >>> forward_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), T)
        tensor(0.4294)
    """
    plan = single("forward", published, T=T)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class ForwardLoss(RegisteredLoss, function=forward_loss):
    """Forward correction, see `noisykernels.functional.forward_loss`."""


def backward(rows: Rows, T: Tensor) -> Tensor:
    row = rows.of_label(torch.linalg.inv(T.to(torch.float64)))
    # 0 times the -inf of a masked class is 0.
    return -torch.where(row == 0, 0.0, row * rows.log_p).sum(1, keepdim=True)


def backward_terms(T: Tensor) -> Terms:
    # Rows in a row, and in the logits' dtype if T has it: kernels would convert them at each call.
    inverse = torch.linalg.inv(T.double()).to(torch.promote_types(T.dtype, torch.float32))
    return (WeightedTerm("backward", 1.0, vectors=inverse.contiguous()),)


@registered(
    formula="−Σ_k (T⁻¹)_yk log p_k",
    symmetric="no",
    bounded="no",
    source=_PATRINI,
    terms=backward_terms,
    reference=loss(backward),
    T=Matrix(invertible=True),
)
def backward_loss(
    input: Tensor,
    target: Tensor,
    T: Tensor,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
    published: bool = False,
) -> LossAndStats:
    """Backward correction, ``-sum_k (T^-1)_yk log p_k``: unbiased under the noise, unbounded below.

    A function inverts T at every call, a module once, in float64.

    Args:
        <tensors>
        T: Transition matrix of shape (C, C), ``T[i, j] = P(noisy label j | clean label i)``: not
            negative, rows sum to 1, on input's device, not requiring grad; invertible, with a
            condition number below 1e6.
        <options>
        <published>

    <contract>

    Example:
        >>> import torch
        >>> T = torch.tensor([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
        >>> backward_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), T)
        tensor(-0.3319)
    """
    plan = single("backward", published, T=T)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class BackwardLoss(RegisteredLoss, function=backward_loss):
    """Backward correction, see `noisykernels.functional.backward_loss`."""


def forward_rce(rows: Rows, T: Tensor, beta: float, A: float) -> Tensor:
    return forward(rows, T) + beta * rce(rows, A)


@registered(
    formula="Forward + β · RCE",
    symmetric="no",
    bounded="if all T_ky > 0",
    source="Wang et al. 2019, arXiv:1908.06112",
    terms=lambda T, beta, A: weighted_sum((1.0, forward_terms(T)), (beta, rce_terms(A))),
    reference=loss(forward_rce),
    T=Matrix(),
    beta=Range(at_least=0),
    A=Range(below=0),
)
def forward_rce_loss(
    input: Tensor,
    target: Tensor,
    T: Tensor,
    beta: Number = 1.0,
    A: Number = -4.0,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Forward correction and RCE, ``forward(T) + beta * rce``, in one pass.

    RCE compares p itself, not ``T^T p``, with the given label. The paper calls it Forward + SL.

    Args:
        <tensors>
        T: Transition matrix of shape (C, C), ``T[i, j] = P(noisy label j | clean label i)``: not
            negative, rows sum to 1, on input's device, not requiring grad.
        beta: Weight of `rce_loss`, beta >= 0.
        A: As in `rce_loss`, A < 0.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> T = torch.tensor([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
        >>> forward_rce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), T, beta=0.5)
        tensor(0.8554)
    """
    plan = single("forward_rce", T=T, beta=beta, A=A)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class ForwardRCELoss(RegisteredLoss, function=forward_rce_loss):
    """Forward correction and RCE, see `noisykernels.functional.forward_rce_loss`."""
