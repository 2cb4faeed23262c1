"""What the docstrings of all losses share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from noisykernels.evaluate import LossAndStats
from noisykernels.registry import LOSSES

_Function = TypeVar("_Function", bound=Callable[..., LossAndStats])

_TENSORS = """\
input: Logits of shape (C,), (N, C) or (N, C, d1, ...), dtype float16, bfloat16, float32 or
            float64, with any strides.
        target: Class indices in [0, C) of shape (), (N,) or (N, d1, ...), dtype int64, int32 or
            uint8."""

_OPTIONS = """\
weight: Factor for the loss of each class, a floating-point tensor of shape (C,).
        sample_weight: Factor for the loss of each sample, a floating-point tensor of target's
            shape. It may require grad.
        ignore_index: Samples with this label have loss 0 and gradient 0, whatever their logits.
        reduction: "none", "mean" (the sum over the weights of the labels that are not ignored,
            times their sample weights) or "sum".
        return_stats: Whether to return `noisykernels.statistics.Stats` too."""

_CONTRACT = """\
Returns:
        The loss, a scalar, or with reduction="none" of target's shape; float64 for float64 logits,
        else float32. Gradients have the dtype of input. With return_stats a pair: the loss, and of
        each sample p_y, log p_y, the predicted class, whether it is the label, and the logarithm of
        the partition function, from the same pass and without gradient.

    Raises:
        ValueError: If a shape, the reduction or a parameter is out of range.
        TypeError: If an argument has the wrong type or dtype.
        RuntimeError: If tensors are on different devices or weight requires grad.
        IndexError: If a label on the CPU is neither in [0, C) nor ignore_index."""


def documented(function: _Function) -> _Function:
    """Fill in the parts of a docstring that all losses share."""
    source = LOSSES[function.__name__.removesuffix("_loss")].source.replace("; ", "\n        ")
    function.__doc__ = (
        (function.__doc__ or "")
        .replace("<tensors>", _TENSORS)
        .replace("<options>", _OPTIONS)
        .replace("<contract>", f"{_CONTRACT}\n\n    Source:\n        {source}")
    )
    return function
