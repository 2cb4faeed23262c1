"""A registered loss, the list of all of them, and the way into it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from noisykernels.registry.domains import Domain, Matrix, Parameter
from noisykernels.terms import WeightedTerm

Terms = tuple[WeightedTerm, ...]
"""A sum; a plan leaves out what has weight zero."""


@dataclass(frozen=True)
class Loss:
    """A registered loss: its terms, what its parameters may be, facts for the docs."""

    name: str
    title: str
    terms: Callable[..., Terms]
    parameters: Mapping[str, Domain]
    formula: str
    symmetric: str
    bounded: str
    source: str
    reference: Callable[..., Tensor] | None = None
    """Its paper's formula in plain torch; losses from outside the package have none."""

    def check(self, parameters: Mapping[str, Any]) -> dict[str, Parameter]:
        """Return all parameters as what they stand for, or raise what is wrong with one."""
        return {
            name: allowed.check(name, parameters[name], parameters)
            for name, allowed in self.parameters.items()
        }

    def matrices(self, matrix: Tensor) -> dict[str, Tensor]:
        """The parameters that are matrices, which have no default, all of them this one."""
        return {
            name: matrix for name, domain in self.parameters.items() if isinstance(domain, Matrix)
        }


LOSSES: dict[str, Loss] = {}


def losses() -> list[str]:
    """Short names of all losses: "ce", "rce", ...; their functions are `functional.<name>_loss`.

    Example:
        >>> "gce" in losses()
        True
    """
    return list(LOSSES)


def add(loss: Loss) -> None:
    """Put a loss at the end of the list."""
    if loss.name in LOSSES:
        raise ValueError(f"there is a loss {loss.name!r} already")
    LOSSES[loss.name] = loss


def weighted_sum(*parts: tuple[float, Terms]) -> Terms:
    """The terms of a weighted sum of losses."""
    return tuple(
        term._replace(weight=weight * term.weight) for weight, terms in parts for term in terms
    )
