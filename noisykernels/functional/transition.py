# ruff: noqa: D417 -- the shared arguments are documented once, see _documented
"""Corrections by a transition matrix."""

from __future__ import annotations

from torch import Tensor

from noisykernels.evaluate import LossAndStats, evaluate
from noisykernels.functional._documented import documented
from noisykernels.plan import single
from noisykernels.registry import Number


@documented
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
) -> LossAndStats:
    """Forward correction, ``-log (T^T p)_y``: cross entropy of the predicted noisy labels.

    A function checks T at every call, a module once.

    Args:
        <tensors>
        T: Transition matrix of shape (C, C), ``T[i, j] = P(noisy label j | clean label i)``: not
            negative, rows sum to 1, on input's device, not requiring grad.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> T = torch.tensor([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
        >>> forward_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), T)
        tensor(0.4294)
    """
    plan = single("forward", T=T)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


@documented
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
) -> LossAndStats:
    """Backward correction, ``-sum_k (T^-1)_yk log p_k``: unbiased under the noise, unbounded below.

    A function inverts T at every call, a module once, in float64.

    Args:
        <tensors>
        T: Transition matrix of shape (C, C), ``T[i, j] = P(noisy label j | clean label i)``: not
            negative, rows sum to 1, on input's device, not requiring grad; invertible, with a
            condition number below 1e6.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> T = torch.tensor([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
        >>> backward_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), T)
        tensor(-0.3319)
    """
    plan = single("backward", T=T)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


@documented
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
    """Forward correction and reverse cross entropy, ``forward(T) + beta * rce``, in one pass.

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
