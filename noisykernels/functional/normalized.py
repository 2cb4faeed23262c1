# ruff: noqa: D417 -- the shared arguments are documented once, see _documented
"""Losses divided by their sum over all labels, and the negative ones: symmetric all of them."""

from __future__ import annotations

from torch import Tensor

from noisykernels.evaluate import LossAndStats, evaluate
from noisykernels.functional._documented import documented
from noisykernels.plan import single
from noisykernels.registry import Number


@documented
def nce_loss(
    input: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Normalized cross entropy, ``log p_y / sum_k log p_k``: symmetric, slow to train alone.

    It is 0 / 0 for a single class.

    Args:
        <tensors>
        <options>

    <contract>

    Example:
        >>> import torch
        >>> nce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]))
        tensor(0.0508)
    """
    plan = single("nce")
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


@documented
def nfl_loss(
    input: Tensor,
    target: Tensor,
    gamma: Number = 0.5,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Normalized focal loss, ``f_y / sum_k f_k`` with ``f = -(1 - p)^gamma log p``: symmetric.

    As published, the factors ``(1 - p_k)^gamma`` count as constants in the gradient.

    Args:
        <tensors>
        gamma: Focusing exponent, gamma >= 0; 0 is `nce_loss`.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> nfl_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), gamma=0.5)
        tensor(0.0254)
    """
    plan = single("nfl", gamma=gamma)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


@documented
def ngce_loss(
    input: Tensor,
    target: Tensor,
    q: Number = 0.7,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Normalized generalized cross entropy, ``(1 - p_y^q) / sum_k (1 - p_k^q)``: symmetric.

    Args:
        <tensors>
        q: Exponent, 0 < q <= 1.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> ngce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), q=0.7)
        tensor(0.0889)
    """
    plan = single("ngce", q=q)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


@documented
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


@documented
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
