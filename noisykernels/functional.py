# ruff: noqa: D417 -- the shared arguments are documented once, see _documented
"""Loss functions with the interface of `torch.nn.functional.cross_entropy`.

In all formulas z are the logits of a sample, p = softmax(z), y is its label and C the number of
classes. A loss is symmetric if its sum over all labels is the same for all logits: then uniform
label noise does not move its minimum.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from torch import Tensor

from noisykernels.evaluate import evaluate
from noisykernels.plan import single
from noisykernels.registry import LOSSES

_Function = TypeVar("_Function", bound=Callable[..., Tensor])

_TENSORS = """\
input: Logits of shape (C,), (N, C) or (N, C, d1, ...), dtype float16, bfloat16, float32 or
            float64, with any strides.
        target: Class indices in [0, C) of shape (), (N,) or (N, d1, ...), dtype int64, int32 or
            uint8."""

_OPTIONS = """\
weight: Factor for the loss of each class, a floating-point tensor of shape (C,).
        ignore_index: Samples with this label have loss 0 and gradient 0, whatever their logits.
        reduction: "none", "mean" (the sum over the weights of the labels that are not ignored) or
            "sum"."""

_CONTRACT = """\
Returns:
        The loss, a scalar, or with reduction="none" of target's shape; float64 for float64 logits,
        else float32. Gradients have the dtype of input.

    Raises:
        ValueError: If a shape, the reduction or a parameter is out of range.
        TypeError: If an argument has the wrong type or dtype.
        RuntimeError: If tensors are on different devices or weight requires grad.
        IndexError: If a label on the CPU is neither in [0, C) nor ignore_index."""


def _documented(function: _Function) -> _Function:
    """Fill in the parts of a docstring that all losses share."""
    source = LOSSES[function.__name__.removesuffix("_loss")].source.replace("; ", "\n        ")
    function.__doc__ = (
        (function.__doc__ or "")
        .replace("<tensors>", _TENSORS)
        .replace("<options>", _OPTIONS)
        .replace("<contract>", f"{_CONTRACT}\n\n    Source:\n        {source}")
    )
    return function


@_documented
def ce_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross entropy, ``-log p_y``: `torch.nn.functional.cross_entropy`, the non-robust yardstick.

    Args:
        <tensors>
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
    return evaluate(plan, input, target, weight, ignore_index, reduction)


@_documented
def rce_loss(
    input: Tensor,
    target: Tensor,
    A: float = -4.0,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
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
    return evaluate(single("rce", A=A), input, target, weight, ignore_index, reduction)


@_documented
def mae_loss(
    input: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
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
    return evaluate(single("mae"), input, target, weight, ignore_index, reduction)


@_documented
def gce_loss(
    input: Tensor,
    target: Tensor,
    q: float = 0.7,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
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
    return evaluate(single("gce", q=q), input, target, weight, ignore_index, reduction)


@_documented
def muh_loss(
    input: Tensor,
    target: Tensor,
    quadratic: float = 0.0,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
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
    return evaluate(plan, input, target, weight, ignore_index, reduction)


@_documented
def sgce_loss(
    input: Tensor,
    target: Tensor,
    q: float = 0.7,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
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
    return evaluate(single("sgce", q=q), input, target, weight, ignore_index, reduction)


@_documented
def alpha_mae_loss(
    input: Tensor,
    target: Tensor,
    alpha: float = 0.5,
    *,
    form: str = "temperature",
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
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
    return evaluate(plan, input, target, weight, ignore_index, reduction)


@_documented
def sce_loss(
    input: Tensor,
    target: Tensor,
    alpha: float = 0.1,
    beta: float = 1.0,
    A: float = -4.0,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
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
    return evaluate(plan, input, target, weight, ignore_index, reduction)
