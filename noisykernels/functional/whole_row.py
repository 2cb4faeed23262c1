# ruff: noqa: D417 -- the shared arguments are documented once, see _documented
"""Losses and regularizers that need every class of the row."""

from __future__ import annotations

from torch import Tensor

from noisykernels.evaluate import LossAndStats, evaluate
from noisykernels.functional._documented import documented
from noisykernels.plan import single
from noisykernels.registry import Number


@documented
def muh_loss(
    input: Tensor,
    target: Tensor,
    quadratic: Number = 0.0,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Multiclass unhinged, ``mean_k z_k - z_y + quadratic * sum_k z_k^2``: symmetric and convex.

    It is cross entropy less its mean over all labels, and unbounded below: to be trained it needs
    the quadratic term or bounded logits.

    Args:
        <tensors>
        quadratic: Weight of the sum of the squared logits, quadratic >= 0.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> muh_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), quadratic=0.1)
        tensor(-0.9333)
    """
    plan = single("muh", quadratic=quadratic)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


@documented
def centered_square_loss(
    input: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Square loss against centered labels, ``sum_k (z_k - onehot_k + 1/C)^2 / 2``: convex.

    It is `muh_loss` with ``quadratic=0.5``, plus ``(1 - 1/C) / 2``.

    Args:
        <tensors>
        <options>

    <contract>

    Example:
        >>> import torch
        >>> centered_square_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]))
        tensor(1.)
    """
    plan = single("centered_square")
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


@documented
def sgce_loss(
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
    """Symmetrized generalized cross entropy, ``(mean_k p_k^q - p_y^q) / q``: symmetric for every q.

    It is `gce_loss` less its mean over all labels: `muh_loss` as q -> 0, ``1/C - p_y`` at q = 1.

    Args:
        <tensors>
        q: Exponent, 0 < q <= 1.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> sgce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), q=0.7)
        tensor(-0.6068)
    """
    plan = single("sgce", q=q)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


@documented
def alpha_mae_loss(
    input: Tensor,
    target: Tensor,
    alpha: Number = 0.5,
    *,
    form: str = "temperature",
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """alpha-MAE, from `muh_loss`, alpha -> 0, to ``1 - p_y``, alpha = 1: symmetric.

    The paper is known here only from its abstract, and two forms fit it. ``form="temperature"`` is
    ``(1 - softmax(alpha z)_y) / alpha``, bounded, with 1/C the slope of `muh_loss` as alpha -> 0.
    ``form="convex"`` is ``alpha (1 - p_y) + (1 - alpha) (mean_k z_k - z_y)``, unbounded below: like
    `muh_loss` alone it needs bounded logits.

    Args:
        <tensors>
        alpha: Inverse temperature, alpha > 0; in the convex form the share of ``1 - p_y``,
            0 <= alpha <= 1.
        form: "temperature" or "convex".
        <options>

    <contract>

    Example:
        >>> import torch
        >>> alpha_mae_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), alpha=0.5)
        tensor(0.8478)
    """
    plan = single("alpha_mae", alpha=alpha, form=form)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


@documented
def amse_loss(
    input: Tensor,
    target: Tensor,
    a: Number = 30.0,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Asymmetric mean square error, ``sum_k (a onehot_k - p_k)^2 / C``.

    Apart from a constant it is ``2 a / C (1 - p_y) + sum_k p_k^2 / C``, so with a large `a` it is a
    multiple of MAE with a small penalty on confidence. The gradients grow with `a`.

    Args:
        <tensors>
        a: Scale of the label, a >= 1.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> amse_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), a=30.0)
        tensor(284.4743)
    """
    plan = single("amse", a=a)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


@documented
def entropy_loss(
    input: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Entropy of the predictions, ``-sum_k p_k log p_k``, whatever the label: a regularizer.

    The label matters only for class weights and for what is ignored.

    Args:
        <tensors>
        <options>

    <contract>

    Example:
        >>> import torch
        >>> entropy_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]))
        tensor(0.6656)
    """
    plan = single("entropy")
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


@documented
def confidence_penalty_loss(
    input: Tensor,
    target: Tensor,
    beta: Number = 0.1,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Cross entropy with a confidence penalty, ``-log p_y - beta H`` with the entropy ``H``.

    Args:
        <tensors>
        beta: Weight of the entropy, beta >= 0.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> confidence_penalty_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), beta=0.1)
        tensor(0.1730)
    """
    plan = single("confidence_penalty", beta=beta)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


@documented
def bootstrap_soft_loss(
    input: Tensor,
    target: Tensor,
    beta: Number = 0.95,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Soft bootstrapping, cross entropy with the target ``beta onehot + (1 - beta) p``.

    It is ``beta CE + (1 - beta) H`` with the entropy ``H``; gradients flow through the target.

    Args:
        <tensors>
        beta: Share of the label in the target, 0 <= beta <= 1.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> bootstrap_soft_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), beta=0.95)
        tensor(0.2608)
    """
    plan = single("bootstrap_soft", beta=beta)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


@documented
def bootstrap_hard_loss(
    input: Tensor,
    target: Tensor,
    beta: Number = 0.8,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Hard bootstrapping, cross entropy with ``beta onehot + (1 - beta) onehot'``.

    ``onehot'`` is that of the predicted class, the first of the largest logits.

    Args:
        <tensors>
        beta: Share of the label in the target, 0 <= beta <= 1.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> bootstrap_hard_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), beta=0.8)
        tensor(0.2395)
    """
    plan = single("bootstrap_hard", beta=beta)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


@documented
def pnorm_loss(
    input: Tensor,
    target: Tensor,
    s: Number = 0.5,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Sparsity of the predictions, ``sum_k p_k^s``, whatever the label: a regularizer.

    For s < 1 it is least, 1, where one class has all the probability. The label matters only for
    class weights and for what is ignored.

    Args:
        <tensors>
        s: Exponent, s > 0.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> pnorm_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), s=0.5)
        tensor(1.5398)
    """
    plan = single("pnorm", s=s)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )
