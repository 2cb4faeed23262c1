"""What the tests are repeated over: the registered losses with parameters, and kinds of logits."""

from __future__ import annotations

import contextlib
import inspect
import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
import torch
from reference_cases import DETACHED, NORMALIZED, SMOOTHED, transition_matrix
from torch import Tensor

import noisykernels as nk
import noisykernels.functional as NF
from noisykernels import reference
from noisykernels.modules import MODULES
from noisykernels.registry import LOSSES, Choice, Domain, Flag, Loss, Matrix

CORE = ("ce", "rce", "mae", "gce", "muh", "sgce", "alpha_mae", "sce")
"""Losses whose accuracy is tested with every parameter below, on all logits, at all SIMD levels.

What the kernels do for the others beside these is little: their terms share the sums and the
skeleton. So of them the defaults are tested, where the formulas differ.
"""

FURTHER = ("nfl", "entropy", "bootstrap_hard", "forward", "backward")
"""A loss for each kind of sum that only the others take."""

TRIED: dict[str, tuple[float, ...]] = {
    "q": (0.01, 0.1, 0.5, 0.7, 1.0),
    "alpha": (0.1, 0.5, 1.0, 2.0),
    "beta": (0.1, 1.0),
    "A": (-4.0, -9.21),
    "quadratic": (0.0, 0.1),
    "label_smoothing": (0.0, 0.1, 1.0),
}
"""Values besides the default; those that a loss does not take are left out."""


class Case(NamedTuple):
    """A registered loss with parameters; a transition matrix comes with the number of classes."""

    name: str
    parameters: dict[str, Any]

    @property
    def function(self) -> Callable[..., Tensor]:
        return getattr(NF, f"{self.name}_loss")

    @property
    def detached(self) -> bool:
        """Whether the gradient is by definition not that of the value."""
        return self.name in DETACHED or self.parameters.get("detach", False)

    @property
    def smoothed(self) -> bool:
        """Whether the loss takes in the logarithm of every class's probability, each weighted."""
        return self.name in SMOOTHED or bool(self.parameters.get("label_smoothing"))

    @property
    def normalized(self) -> bool:
        """Whether the loss is divided by its sum over all labels, which for one class is 0."""
        return self.name in NORMALIZED

    @property
    def takes_matrix(self) -> bool:
        return any(isinstance(domain, Matrix) for domain in LOSSES[self.name].parameters.values())

    def all_parameters(self, classes: int) -> dict[str, Any]:
        if not self.takes_matrix:
            return self.parameters
        return self.parameters | LOSSES[self.name].matrices(transition_matrix(classes))

    def module(self, classes: int, **options: Any) -> nk.modules.Loss:
        """What the function computes, but a matrix is checked and inverted only once."""
        return MODULES[self.name](**self.all_parameters(classes), **options)

    def reference(self, input: Tensor, target: Tensor, **options: Any) -> Tensor:
        parameters = self.all_parameters(input.shape[input.dim() > 1])
        return getattr(reference, f"{self.name}_loss")(input, target, **parameters, **options)

    def __call__(self, input: Tensor, target: Tensor, **options: Any) -> Tensor:
        parameters = self.all_parameters(input.shape[input.dim() > 1])
        return self.function(input, target, **parameters, **options)

    def __str__(self) -> str:
        shown = ",".join(f"{k}={v}" for k, v in self.parameters.items())
        return f"{self.name}({shown})"


def _defaults(loss: Loss) -> dict[str, Any]:
    signature = inspect.signature(getattr(NF, f"{loss.name}_loss")).parameters
    return {
        name: signature[name].default
        for name, domain in loss.parameters.items()
        if not isinstance(domain, Matrix)
    }


def _parameters_of_terms() -> dict[str, tuple[float, float]]:
    found: dict[str, tuple[float, float]] = {}
    for loss in LOSSES.values():
        for term in loss.terms(**_defaults(loss), **loss.matrices(torch.eye(2))):
            found.setdefault(term.name, (term.parameter, term.second))
    return found


PARAMETERS_OF_TERMS = _parameters_of_terms()
"""Those that a term has in the first loss that is made of it, at the loss's defaults."""


def other_parameters(name: str, classes: int) -> dict[str, Any]:
    """For every parameter of a loss a value that is not its default."""
    loss = LOSSES[name]
    changed = {
        parameter: next(_others(loss.parameters[parameter], parameter, default, _defaults(loss)))
        for parameter, default in _defaults(loss).items()
    }
    return changed | loss.matrices(transition_matrix(classes))


def _others(
    domain: Domain, name: str, default: Any, defaults: dict[str, Any]
) -> Iterator[float | str]:
    if isinstance(domain, Choice):
        yield from (choice for choice in domain.names if choice != default)
    elif isinstance(domain, Flag):
        yield not default
    else:
        for value in (0.5 * default, 2 * default, default + 0.5):
            with contextlib.suppress(ValueError):  # out of the loss's range
                if domain.check(name, value, defaults) != default:
                    yield value


def _variants(loss: Loss) -> Iterator[dict[str, Any]]:
    """The defaults with each choice, then with one number changed."""
    choices = {
        name: domain.names if isinstance(domain, Choice) else (False, True)
        for name, domain in loss.parameters.items()
        if isinstance(domain, Choice | Flag)
    }
    for chosen in itertools.product(*choices.values()):
        base = _defaults(loss) | dict(zip(choices, chosen, strict=True))
        yield base
        for name in loss.parameters:
            if name not in choices and loss.name in CORE:
                yield from (base | {name: value} for value in TRIED.get(name, ()))


def _cases(loss: Loss) -> list[Case]:
    kept: list[Case] = []
    for parameters in _variants(loss):
        case = Case(loss.name, parameters)
        try:
            loss.check(case.all_parameters(classes=2))
        except ValueError:  # out of this loss's range
            continue
        if case not in kept:
            kept.append(case)
    return kept


def _representative(case: Case) -> bool:
    """Whether the case is a loss's default, or differs from it in a choice or in a part added."""
    defaults = _defaults(LOSSES[case.name])
    changed = {k for k, v in case.parameters.items() if v != defaults[k]}
    return all(
        isinstance(defaults[k], str | bool) or (defaults[k] == 0 and case.parameters[k] < 1)
        for k in changed
    )


CASES = [case for loss in LOSSES.values() for case in _cases(loss)]
REPRESENTATIVES = [case for case in CASES if _representative(case)]


def each_of(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=str)


each_loss = each_of(REPRESENTATIVES)
each_attached_loss = each_of([case for case in REPRESENTATIVES if not case.detached])
"""Of the others the second derivative is that of the gradient, which autograd takes otherwise."""
every_core_case = each_of([case for case in CASES if case.name in CORE])
each_core_loss = each_of([case for case in REPRESENTATIVES if case.name in CORE])
each_kind_of_pass = each_of(
    [case for case in REPRESENTATIVES if case.name in CORE or case.name in FURTHER]
)
each_other_loss = each_of([case for case in REPRESENTATIVES if case.name not in CORE])
