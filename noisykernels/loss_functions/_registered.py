"""What makes a documented function a loss of the list: facts, terms and its paper's formula."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TypeVar

from torch import Tensor

from noisykernels import reference
from noisykernels.evaluate import LossAndStats
from noisykernels.registry import Domain, Loss, Terms, add

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

_PUBLISHED = """\
published: Whether to compute what the code of the authors does, clamps included, in plain
            torch: see `noisykernels.published`."""

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

_BEYOND_PLAIN_TORCH = frozenset({"sample_weight", "return_stats", "published"})
"""Options that the reference leaves to others."""


def registered(
    *,
    formula: str,
    symmetric: str,
    bounded: str,
    source: str,
    terms: Callable[..., Terms],
    reference: Callable[..., Tensor],
    **parameters: Domain,
) -> Callable[[_Function], _Function]:
    """Register a function ``name_loss`` as the loss `name`, and complete its docstring.

    The title of the loss is the start of the docstring, up to the first comma or colon.

    Args:
        formula: For the table of losses, as all that follow up to `source`.
        symmetric: Whether the loss is, as text.
        bounded: Whether it is, as text.
        source: Who published it; several are separated by semicolons.
        terms: From the parameters to what the kernels compute.
        reference: The paper's formula in plain torch; it takes its defaults from the function.
        **parameters: What each parameter may be.
    """

    def register(function: _Function) -> _Function:
        name, text = function.__name__.removesuffix("_loss"), function.__doc__ or ""
        title = text.partition("\n")[0].partition(",")[0].partition(":")[0]
        add(Loss(name, title, terms, parameters, formula, symmetric, bounded, source, reference))
        _serve(function, reference, source)
        function.__doc__ = _completed(text, source)
        return function

    return register


def _completed(text: str, source: str) -> str:
    """A docstring with what all losses share."""
    sources = source.replace("; ", "\n        ")
    return (
        text.replace("<tensors>", _TENSORS)
        .replace("<options>", _OPTIONS)
        .replace("<published>", _PUBLISHED)
        .replace("<contract>", f"{_CONTRACT}\n\n    Source:\n        {sources}")
    )


def _serve(
    function: Callable[..., LossAndStats], plain: Callable[..., Tensor], source: str
) -> None:
    """Let `noisykernels.reference` have a formula under the name and signature of the function."""
    signature = inspect.signature(function)
    signature = signature.replace(
        parameters=[p for p in signature.parameters.values() if p.name not in _BEYOND_PLAIN_TORCH],
        return_annotation="Tensor",
    )

    def in_plain_torch(*args: object, **kwargs: object) -> Tensor:
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        return plain(**given.arguments)

    about = (function.__doc__ or "").partition("\n\n    Args:")[0]
    in_plain_torch.__name__ = in_plain_torch.__qualname__ = function.__name__
    in_plain_torch.__module__ = reference.__name__
    in_plain_torch.__doc__ = f"{about}\n\n    Source: {source}."
    in_plain_torch.__signature__ = signature  # type: ignore[attr-defined]
    setattr(reference, function.__name__, in_plain_torch)
    reference.__all__.append(function.__name__)
