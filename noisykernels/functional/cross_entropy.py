# ruff: noqa: D417 -- the shared arguments are documented once, see _documented
"""Cross entropy against labels, smoothed labels, probabilities, and no labels."""

from __future__ import annotations

from torch import Tensor

from noisykernels.evaluate import LossAndStats, evaluate
from noisykernels.functional._documented import documented
from noisykernels.plan import single
from noisykernels.registry import Number


@documented
def ce_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
    label_smoothing: Number = 0.0,
) -> LossAndStats:
    """Cross entropy, ``-log p_y``: `torch.nn.functional.cross_entropy`, the non-robust yardstick.

    Args:
        <tensors>
            This loss also takes class probabilities, a floating-point tensor of input's shape: then
            no sample is ignored, the mean divides by their number, and gradients flow to target
            too. They come without return_stats.
        <options>
        label_smoothing: Share e of the label that is spread over all classes, 0 <= e <= 1:
            ``-(1 - e) log p_y - e / C sum_k log p_k``.

    <contract>

    Example:
        >>> import torch
        >>> ce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]))
        tensor(0.2395)
    """
    plan = single("ce", label_smoothing=label_smoothing)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


@documented
def lsr_loss(
    input: Tensor,
    target: Tensor,
    epsilon: Number = 0.1,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Label smoothing regularization, cross entropy with ``(1 - epsilon) onehot + epsilon / C``.

    It is `ce_loss` with ``label_smoothing=epsilon``, class weights included.

    Args:
        <tensors>
        epsilon: Share of the label that is spread over all classes, 0 <= epsilon <= 1.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> lsr_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), epsilon=0.1)
        tensor(0.3729)
    """
    plan = single("lsr", epsilon=epsilon)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


@documented
def uniform_ce_loss(
    input: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Cross entropy against uniform labels, ``-(1/C) sum_k log p_k``: a regularizer.

    It is what label smoothing adds to a loss. Class weights stand inside the sum, ``w_k log p_k``,
    and the mean divides by the sum of ``w_y`` all the same; the label matters for nothing else.

    Args:
        <tensors>
        <options>

    <contract>

    Example:
        >>> import torch
        >>> uniform_ce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]))
        tensor(1.5729)
    """
    plan = single("uniform_ce")
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )
