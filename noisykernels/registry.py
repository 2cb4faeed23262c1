"""The one list of losses. Tests, modules, expressions, the self-check and the docs table follow it.

A loss is a weighted sum of terms (`noisykernels.terms`), so an entry says which terms with which
weights, what its parameters may be, and the facts that the table of losses shows. Defaults are
those of the function in `noisykernels.functional`. To add a loss made of existing terms, write an
entry here, its formula in `noisykernels.reference`, its function, and its module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, TypeVar

from torch import Tensor

from noisykernels import validation
from noisykernels.terms import WeightedTerm

Terms = tuple[WeightedTerm, ...]
_Function = TypeVar("_Function", bound=Callable[..., Terms])


@dataclass(frozen=True, kw_only=True)
class Range:
    """An interval of the real numbers; `above` and `below` are excluded, the other two included."""

    above: float = -inf
    at_least: float = -inf
    at_most: float = inf
    below: float = inf

    def check(self, name: str, value: Any, parameters: Mapping[str, Any]) -> float | Tensor:
        """Return `value` as a float or a 0-d tensor, or raise what is wrong with it.

        A tensor on a GPU or being traced is taken as it is: reading it would make the host wait.
        """
        if isinstance(value, Tensor):
            value = validation.scalar(name, value)
            if not validation.at_hand(value):
                return value
        number = validation.number(name, value)
        if not (self.above < number < self.below and self.at_least <= number <= self.at_most):
            got = number if isinstance(value, Tensor) else value
            raise ValueError(f"{name} must satisfy {self.describe(name)}, got {got!r}")
        return value if isinstance(value, Tensor) else number

    def describe(self, name: str) -> str:
        """The range as text: `0 < q <= 1`."""
        low, low_sign = max((self.above, "<"), (self.at_least, "<="))
        high, high_sign = min((self.below, "<"), (self.at_most, "<="))
        if low == -inf:
            return f"{name} {high_sign} {high:g}"
        if high == inf:
            return f"{name} {low_sign.replace('<', '>')} {low:g}"
        return f"{low:g} {low_sign} {name} {high_sign} {high:g}"


@dataclass(frozen=True)
class Choice:
    """One of a few names."""

    names: tuple[str, ...]

    def check(self, name: str, value: Any, parameters: Mapping[str, Any]) -> str:
        """Return `value`, or raise what is wrong with it."""
        if isinstance(value, str) and value in self.names:
            return value
        takes = validation.choices(self.names)
        error = ValueError if isinstance(value, str) else TypeError
        raise error(f"{name} must be {takes}, got {validation.describe(value)}")

    def describe(self, name: str) -> str:
        """The names as text."""
        return f"{name} = {validation.choices(self.names)}"


@dataclass(frozen=True)
class RangeBy:
    """A range that depends on the choice made for another parameter."""

    choice: str
    ranges: Mapping[str, Range]

    def check(self, name: str, value: Any, parameters: Mapping[str, Any]) -> float | Tensor:
        """Return `value` as a float or a 0-d tensor, or raise what is wrong with it."""
        chosen = parameters[self.choice]
        # A wrong choice is reported by the choice's own check.
        selected = self.ranges.get(chosen, Range()) if isinstance(chosen, str) else Range()
        return selected.check(name, value, parameters)

    def describe(self, name: str) -> str:
        """The ranges as text."""
        return "; ".join(
            f"{selected.describe(name)} if {self.choice} = {chosen!r}"
            for chosen, selected in self.ranges.items()
        )


Domain = Range | Choice | RangeBy


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

    def check(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return all parameters as numbers, 0-d tensors and names, or raise what is wrong."""
        return {
            name: allowed.check(name, parameters[name], parameters)
            for name, allowed in self.parameters.items()
        }


LOSSES: dict[str, Loss] = {}


def losses() -> list[str]:
    """Short names of all losses: "ce", "rce", ...; their functions are `functional.<name>_loss`.

    Example:
        >>> "gce" in losses()
        True
    """
    return list(LOSSES)


def _register(
    *, formula: str, symmetric: str, bounded: str, source: str, **parameters: Domain
) -> Callable[[_Function], _Function]:
    """Register a function from a loss's parameters to its terms.

    The loss takes the function's name, and its title from the function's docstring.
    """

    def add(terms: _Function) -> _Function:
        name, title = terms.__name__, (terms.__doc__ or "").rstrip(".")
        LOSSES[name] = Loss(name, title, terms, parameters, formula, symmetric, bounded, source)
        return terms

    return add


@_register(
    formula="−log p_y",
    symmetric="no",
    bounded="no",
    source="label smoothing: Szegedy et al. 2016, arXiv:1512.00567",
    label_smoothing=Range(at_least=0, at_most=1),
)
def ce(label_smoothing: float) -> Terms:
    """Cross entropy."""
    if label_smoothing == 0:
        return (WeightedTerm("ce", 1.0),)
    return (WeightedTerm("ce", 1 - label_smoothing), WeightedTerm("smoothing", label_smoothing))


@_register(
    formula="−A (1 − p_y)",
    symmetric="yes",
    bounded="yes",
    source="Wang et al. 2019, arXiv:1908.06112",
    A=Range(below=0),
)
def rce(A: float) -> Terms:
    """Reverse cross entropy."""
    return (WeightedTerm("mae", -A),)


@_register(
    formula="2 (1 − p_y)",
    symmetric="yes",
    bounded="yes",
    source="Ghosh et al. 2017, arXiv:1712.09482",
)
def mae() -> Terms:
    """Mean absolute error."""
    return (WeightedTerm("mae", 2.0),)


@_register(
    formula="(1 − p_y^q) / q",
    symmetric="at q = 1",
    bounded="yes",
    source="Zhang & Sabuncu 2018, arXiv:1805.07836",
    q=Range(above=0, at_most=1),
)
def gce(q: float) -> Terms:
    """Generalized cross entropy."""
    return (WeightedTerm("gce", 1.0, q),)


@_register(
    formula="mean_k z_k − z_y + quadratic · Σ_k z_k²",
    symmetric="at quadratic = 0",
    bounded="below, if quadratic > 0",
    source="Lemire Paquin et al. 2026, arXiv:2605.20347; "
    "two classes: van Rooyen et al. 2015, arXiv:1505.07634",
    quadratic=Range(at_least=0),
)
def muh(quadratic: float) -> Terms:
    """Multiclass unhinged."""
    unhinged = WeightedTerm("muh", 1.0)
    return (unhinged, WeightedTerm("square", quadratic)) if quadratic else (unhinged,)


@_register(
    formula="(mean_k p_k^q − p_y^q) / q",
    symmetric="yes",
    bounded="yes",
    source="Lemire Paquin et al. 2026, arXiv:2605.20347",
    q=Range(above=0, at_most=1),
)
def sgce(q: float) -> Terms:
    """Symmetrized generalized cross entropy."""
    return (WeightedTerm("sgce", 1.0, q),)


@_register(
    formula="(1 − softmax(α z)_y) / α; convex: α (1 − p_y) + (1 − α) (mean_k z_k − z_y)",
    symmetric="yes",
    bounded="yes; convex only at α = 1",
    source="Lemire Paquin et al. 2026, arXiv:2605.20347 (form unconfirmed)",
    alpha=RangeBy("form", {"temperature": Range(above=0), "convex": Range(at_least=0, at_most=1)}),
    form=Choice(("temperature", "convex")),
)
def alpha_mae(alpha: float, form: str) -> Terms:
    """alpha-MAE."""
    if form == "temperature":
        return (WeightedTerm("alpha_mae", 1.0, alpha),)
    return (WeightedTerm("mae", alpha), WeightedTerm("muh", 1 - alpha))


@_register(
    formula="α · CE + β · RCE",
    symmetric="at α = 0",
    bounded="at α = 0",
    source="Wang et al. 2019, arXiv:1908.06112",
    alpha=Range(at_least=0),
    beta=Range(at_least=0),
    A=Range(below=0),
)
def sce(alpha: float, beta: float, A: float) -> Terms:
    """Symmetric cross entropy."""
    return (WeightedTerm("ce", alpha), WeightedTerm("mae", -A * beta))
