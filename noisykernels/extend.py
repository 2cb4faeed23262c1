"""Terms and losses from outside the package: written, computed and added like those in it.

A term is a formula of row statistics, with its gradient coefficients (`noisykernels.terms`). It
runs in plain torch wherever no kernel knows it: on the CPU always, on a GPU unless it comes with a
jit function. A loss is a sum of terms; one that is made of this package's own runs on its kernels.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any

from torch import Tensor

from noisykernels import plan
from noisykernels.evaluate import LossAndStats, evaluate
from noisykernels.modules import MODULES
from noisykernels.registry import LOSSES, Domain, Loss, Terms, add
from noisykernels.terms import NAMES, TERMS
from noisykernels.terms import term as register_term

__all__ = ["register_loss", "register_term", "unregister_loss", "unregister_term"]


def register_loss(
    *,
    formula: str = "",
    symmetric: str = "unknown",
    bounded: str = "unknown",
    source: str = "",
    **parameters: Domain,
) -> Callable[[Callable[..., Terms]], Callable[..., LossAndStats]]:
    """Register a loss under the name of the decorated function, less a trailing "_loss".

    The decorated function takes the loss's parameters, with their defaults, and returns its terms.
    What takes its place takes logits, targets and options too, as those of
    `noisykernels.functional`. A parameter is a number: it cannot be learned.

    Args:
        formula: For the table of losses, as all that follow.
        symmetric: Whether the loss is, as text.
        bounded: Whether it is, as text.
        source: Who published it.
        **parameters: What each parameter may be, for example `noisykernels.registry.Range`.

    Raises:
        ValueError: If there is a loss of this name, or parameters are not those of the function.

    Example:
        >>> import torch
        >>> from noisykernels.modules import RegisteredLoss
        >>> from noisykernels.registry import Range
        >>> from noisykernels.terms import WeightedTerm
        >>> @register_loss(penalty=Range(at_least=0))
        ... def penalized_ce_loss(penalty=0.01):
        ...     return WeightedTerm("ce", 1.0), WeightedTerm("square", penalty)
        >>> penalized_ce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]))
        tensor(0.2795)

        Its module, which sums and `loss("...")` are made of:

        >>> class PenalizedCELoss(RegisteredLoss, function=penalized_ce_loss):
        ...     pass
        >>> PenalizedCELoss(penalty=0.1)
        PenalizedCELoss(penalty=0.1)
        >>> unregister_loss("penalized_ce")
    """

    def register(terms: Callable[..., Terms]) -> Callable[..., LossAndStats]:
        signature = inspect.signature(terms)
        if set(parameters) != set(signature.parameters):
            raise ValueError(
                f"the parameters of {terms.__name__} are {list(signature.parameters)}, got what "
                f"{list(parameters)} may be"
            )
        function = _function(terms, signature)
        name, title = terms.__name__.removesuffix("_loss"), (terms.__doc__ or "").rstrip(".")
        add(Loss(name, title, terms, parameters, formula, symmetric, bounded, source))
        return function

    return register


def unregister_loss(name: str) -> None:
    """Forget a loss that was registered from outside, and its module.

    Raises:
        ValueError: If there is none of this name.
    """
    if name not in LOSSES or LOSSES[name].reference is not None:
        raise ValueError(f"no loss {name!r} was registered from outside the package")
    del LOSSES[name]
    MODULES.pop(name, None)
    plan.forget()


def unregister_term(name: str) -> None:
    """Forget a term that was registered from outside; losses made of it must go first.

    Raises:
        ValueError: If there is none of this name.
    """
    if name not in TERMS or name in NAMES:
        raise ValueError(f"no term {name!r} was registered from outside the package")
    del TERMS[name]
    plan.forget()
    launches: Any = sys.modules.get("noisykernels.triton.plan")
    if launches:  # the numbers of terms that were registered later have changed
        launches.make_launch.cache_clear()


def _function(
    terms: Callable[..., Terms], of_terms: inspect.Signature
) -> Callable[..., LossAndStats]:
    name = terms.__name__.removesuffix("_loss")

    def function(
        input: Tensor,
        target: Tensor,
        *arguments: Any,
        weight: Tensor | None = None,
        sample_weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        return_stats: bool = False,
        **parameters: Any,
    ) -> LossAndStats:
        given = of_terms.bind(*arguments, **parameters)
        given.apply_defaults()
        return evaluate(
            plan.single(name, **given.arguments),
            input,
            target,
            weight,
            ignore_index,
            reduction,
            sample_weight,
            return_stats,
        )

    input, target, _, *options, _ = inspect.signature(function).parameters.values()
    function.__name__ = function.__qualname__ = f"{name}_loss"
    function.__module__, function.__doc__ = terms.__module__, terms.__doc__
    function.__signature__ = of_terms.replace(  # type: ignore[attr-defined]
        parameters=[input, target, *of_terms.parameters.values(), *options],
        return_annotation=LossAndStats,
    )
    return function
