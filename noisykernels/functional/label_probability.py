# ruff: noqa: D417 -- the shared arguments are documented once, see _documented
"""Losses of the label's probability p_y alone."""

from __future__ import annotations

from torch import Tensor

from noisykernels.evaluate import LossAndStats, evaluate
from noisykernels.functional._documented import documented
from noisykernels.plan import single
from noisykernels.registry import Number


@documented
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
) -> LossAndStats:
    """Reverse cross entropy, ``-A (1 - p_y)``: symmetric, a multiple of `mae_loss`.

    Args:
        <tensors>
        A: Stands for log 0 in ``-sum_k p_k log onehot_k``, A < 0. The paper's value is -4;
            published code clips the one-hot label at 1e-4, which is A = -9.21.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> rce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), A=-4.0)
        tensor(0.8521)
    """
    plan = single("rce", A=A)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


@documented
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


@documented
def gce_loss(
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
    """Generalized cross entropy, ``(1 - p_y^q) / q``: from cross entropy, q -> 0, to MAE, q = 1.

    Args:
        <tensors>
        q: Exponent, 0 < q <= 1. The larger, the more robust and the slower to train.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> gce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), q=0.7)
        tensor(0.2205)
    """
    plan = single("gce", q=q)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


@documented
def truncated_gce_loss(
    input: Tensor,
    target: Tensor,
    q: Number = 0.7,
    k: Number = 0.5,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Truncated GCE, ``(1 - max(p_y, k)^q) / q``: no gradient for samples with ``p_y <= k``.

    The paper decides which samples to keep once in several epochs, from a pass over the data: that
    has the gradient of `gce_loss` with a ``sample_weight`` of 0 and 1.

    Args:
        <tensors>
        q: Exponent, 0 < q <= 1.
        k: Probability below which a label is taken to be wrong, 0 < k < 1.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> truncated_gce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), q=0.7, k=0.5)
        tensor(0.2205)
    """
    plan = single("truncated_gce", q=q, k=k)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


@documented
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


@documented
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
) -> LossAndStats:
    """Focal loss, ``-(1 - p_y)^gamma log p_y``: cross entropy with less weight on what is learned.

    Args:
        <tensors>
        gamma: Focusing exponent, gamma >= 0; 0 is cross entropy.
        detach: Whether ``(1 - p_y)^gamma`` counts as a constant in the gradient, as in the
            published code of losses for noisy labels.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> focal_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), gamma=0.5)
        tensor(0.1106)
    """
    plan = single("focal", gamma=gamma, detach=detach)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


@documented
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


@documented
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


@documented
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


@documented
def eps_softmax_ce_loss(
    input: Tensor,
    target: Tensor,
    m: Number = 100000.0,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Cross entropy of the eps-softmax, ``-log((p_y + m hit) / (m + 1))``.

    ``hit`` is 1 where no logit of the sample is larger than the label's, else 0, without gradient.

    Args:
        <tensors>
        m: How much is added to the leading probability, m >= 0; 0 is cross entropy.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> eps_softmax_ce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), m=10.0)
        tensor(0.0196)
    """
    plan = single("eps_softmax_ce", m=m)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )
