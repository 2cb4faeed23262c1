# ruff: noqa: D417 -- the shared arguments are documented once, see _documented
"""Weighted sums of losses that have a name of their own, in one pass."""

from __future__ import annotations

from torch import Tensor

from noisykernels.evaluate import LossAndStats, evaluate
from noisykernels.functional._documented import documented
from noisykernels.plan import single
from noisykernels.registry import Number


@documented
def sce_loss(
    input: Tensor,
    target: Tensor,
    alpha: Number = 0.1,
    beta: Number = 1.0,
    A: Number = -4.0,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Symmetric cross entropy, ``alpha * ce + beta * rce``, in one pass.

    Args:
        <tensors>
        alpha: Weight of `ce_loss`, alpha >= 0.
        beta: Weight of `rce_loss`, beta >= 0.
        A: As in `rce_loss`, A < 0.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> sce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), alpha=0.1, beta=1.0)
        tensor(0.8760)
    """
    plan = single("sce", alpha=alpha, beta=beta, A=A)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


@documented
def lsr_sce_loss(
    input: Tensor,
    target: Tensor,
    epsilon: Number = 0.1,
    alpha: Number = 0.1,
    beta: Number = 1.0,
    A: Number = -4.0,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Symmetric cross entropy with smoothed labels, ``alpha * lsr + beta * rce``, in one pass.

    RCE compares with the one-hot label; the paper, which calls it LSR + SL, does not say whether it
    should compare with that or with the smoothed one.

    Args:
        <tensors>
        epsilon: As in `lsr_loss`, 0 <= epsilon <= 1.
        alpha: Weight of `lsr_loss`, alpha >= 0.
        beta: Weight of `rce_loss`, beta >= 0.
        A: As in `rce_loss`, A < 0.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> lsr_sce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), epsilon=0.1)
        tensor(0.8893)
    """
    plan = single("lsr_sce", epsilon=epsilon, alpha=alpha, beta=beta, A=A)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


@documented
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


@documented
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
) -> LossAndStats:
    """Normalized and reverse cross entropy, ``alpha * nce + beta * rce``: symmetric.

    The paper's experiments have ``A = log 1e-4 = -9.21``.

    Args:
        <tensors>
        alpha: Weight of `nce_loss`, alpha >= 0.
        beta: Weight of `rce_loss`, beta >= 0.
        A: As in `rce_loss`, A < 0.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> nce_rce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), A=-9.21)
        tensor(2.0126)
    """
    plan = single("nce_rce", alpha=alpha, beta=beta, A=A)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


@documented
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


@documented
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
) -> LossAndStats:
    """Normalized focal loss and reverse cross entropy, ``alpha * nfl + beta * rce``: symmetric.

    The paper's experiments have ``A = log 1e-4 = -9.21``.

    Args:
        <tensors>
        alpha: Weight of `nfl_loss`, alpha >= 0.
        beta: Weight of `rce_loss`, beta >= 0.
        gamma: As in `nfl_loss`, gamma >= 0.
        A: As in `rce_loss`, A < 0.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> nfl_rce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), A=-9.21)
        tensor(1.9873)
    """
    plan = single("nfl_rce", alpha=alpha, beta=beta, gamma=gamma, A=A)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


@documented
def nce_agce_loss(
    input: Tensor,
    target: Tensor,
    alpha: Number = 1.0,
    beta: Number = 4.0,
    a: Number = 6.0,
    q: Number = 1.5,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Normalized cross entropy and AGCE, ``alpha * nce + beta * agce``.

    Args:
        <tensors>
        alpha: Weight of `nce_loss`, alpha >= 0.
        beta: Weight of `agce_loss`, beta >= 0.
        a: As in `agce_loss`, a > 0.
        q: As in `agce_loss`, q > 0.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> nce_agce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), alpha=1.0, beta=4.0)
        tensor(2.2879)
    """
    plan = single("nce_agce", alpha=alpha, beta=beta, a=a, q=q)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


@documented
def nce_aul_loss(
    input: Tensor,
    target: Tensor,
    alpha: Number = 1.0,
    beta: Number = 4.0,
    a: Number = 6.3,
    q: Number = 1.5,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Normalized cross entropy and AUL, ``alpha * nce + beta * aul``.

    Args:
        <tensors>
        alpha: Weight of `nce_loss`, alpha >= 0.
        beta: Weight of `aul_loss`, beta >= 0.
        a: As in `aul_loss`, a > 1.
        q: As in `aul_loss`, q > 0.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> nce_aul_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), alpha=1.0, beta=4.0)
        tensor(2.0319)
    """
    plan = single("nce_aul", alpha=alpha, beta=beta, a=a, q=q)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


@documented
def nce_ael_loss(
    input: Tensor,
    target: Tensor,
    alpha: Number = 1.0,
    beta: Number = 4.0,
    a: Number = 5.0,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Normalized cross entropy and AEL, ``alpha * nce + beta * ael``.

    Args:
        <tensors>
        alpha: Weight of `nce_loss`, alpha >= 0.
        beta: Weight of `ael_loss`, beta >= 0.
        a: As in `ael_loss`, a > 0.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> nce_ael_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), alpha=1.0, beta=4.0)
        tensor(3.4682)
    """
    plan = single("nce_ael", alpha=alpha, beta=beta, a=a)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


@documented
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
    """Active negative loss, ``alpha * nce + beta * nnce``: symmetric.

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


@documented
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
    """Active negative loss, ``alpha * nfl + beta * nnfl``: symmetric.

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


@documented
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
    """Joint asymmetric loss, ``alpha * nce + beta * amse``.

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


@documented
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
    """Joint asymmetric loss, ``alpha * nfl + beta * amse``.

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
