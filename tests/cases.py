"""What the tests are repeated over: the registered losses with parameters, and kinds of logits."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from torch import Tensor

import noisykernels.functional as NF
from noisykernels.registry import LOSSES, Choice, Loss

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
    """A registered loss with parameters."""

    name: str
    parameters: dict[str, Any]

    @property
    def function(self) -> Callable[..., Tensor]:
        return getattr(NF, f"{self.name}_loss")

    def __call__(self, input: Tensor, target: Tensor, **options: Any) -> Tensor:
        return self.function(input, target, **self.parameters, **options)

    def __str__(self) -> str:
        shown = ",".join(f"{k}={v}" for k, v in self.parameters.items())
        return f"{self.name}({shown})"


def _defaults(loss: Loss) -> dict[str, Any]:
    signature = inspect.signature(getattr(NF, f"{loss.name}_loss"))
    return {name: signature.parameters[name].default for name in loss.parameters}


def _variants(loss: Loss) -> Iterator[dict[str, Any]]:
    """The defaults with each choice, then with one number changed."""
    choices = {
        k: domain.names for k, domain in loss.parameters.items() if isinstance(domain, Choice)
    }
    for chosen in itertools.product(*choices.values()):
        base = _defaults(loss) | dict(zip(choices, chosen, strict=True))
        yield base
        for name in loss.parameters:
            if name not in choices:
                yield from (base | {name: value} for value in TRIED.get(name, ()))


def _cases(loss: Loss) -> list[Case]:
    kept: list[Case] = []
    for parameters in _variants(loss):
        try:
            loss.check(parameters)
        except ValueError:  # out of this loss's range
            continue
        case = Case(loss.name, parameters)
        if case not in kept:
            kept.append(case)
    return kept


def _representative(case: Case) -> bool:
    """Whether the case is a loss's default, or differs from it in a choice or in a part added."""
    defaults = _defaults(LOSSES[case.name])
    changed = {k for k, v in case.parameters.items() if v != defaults[k]}
    return all(
        isinstance(defaults[k], str) or (defaults[k] == 0 and case.parameters[k] < 1)
        for k in changed
    )


CASES = [case for loss in LOSSES.values() for case in _cases(loss)]
REPRESENTATIVES = [case for case in CASES if _representative(case)]

every_case = pytest.mark.parametrize("case", CASES, ids=str)
each_loss = pytest.mark.parametrize("case", REPRESENTATIVES, ids=str)
