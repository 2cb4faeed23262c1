"""What a parameter of a loss may be: how it is checked, and how that is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, TypeAlias

from torch import Tensor

from noisykernels import validation

Number: TypeAlias = float | Tensor
"""A parameter that is a number, which may also come as a tensor of one element."""

Parameter: TypeAlias = float | str | Tensor
"""A checked parameter of any kind."""


@dataclass(frozen=True, kw_only=True)
class Range:
    """An interval of the real numbers; `above` and `below` are excluded, the other two included."""

    above: float = -inf
    at_least: float = -inf
    at_most: float = inf
    below: float = inf

    def check(self, name: str, value: Any, parameters: Mapping[str, Any]) -> Number:
        """Return `value` as a float or a 0-d tensor, or raise what is wrong with it.

        A tensor on a GPU or being traced is taken as it is: reading it would make the host wait.
        """
        tensor = validation.scalar(name, value) if isinstance(value, Tensor) else None
        if tensor is not None and not validation.at_hand(tensor):
            return tensor
        number = validation.number(name, value)
        if not (self.above < number < self.below and self.at_least <= number <= self.at_most):
            got = value if tensor is None else number
            raise ValueError(f"{name} must satisfy {self.describe(name)}, got {got!r}")
        return number if tensor is None else tensor

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

    def check(self, name: str, value: Any, parameters: Mapping[str, Any]) -> Number:
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


@dataclass(frozen=True)
class Integer:
    """The whole numbers from `least` to `most`."""

    least: int
    most: int

    def check(self, name: str, value: Any, parameters: Mapping[str, Any]) -> int:
        """Return `value` as an int, or raise what is wrong with it."""
        number = validation.number(name, value)
        if number != int(number) or not self.least <= number <= self.most:
            raise ValueError(f"{name} must be {self._text()}, got {value!r}")
        return int(number)

    def describe(self, name: str) -> str:
        """The range as text."""
        return f"{name} = {self._text()}"

    def _text(self) -> str:
        return f"a whole number from {self.least} to {self.most}"


@dataclass(frozen=True)
class Flag:
    """True or False."""

    def check(self, name: str, value: Any, parameters: Mapping[str, Any]) -> bool:
        """Return `value`, or raise what is wrong with it."""
        if isinstance(value, bool):
            return value
        raise TypeError(f"{name} must be True or False, got {validation.describe(value)}")

    def describe(self, name: str) -> str:
        """The two values as text."""
        return f"{name} = True or False"


@dataclass(frozen=True)
class Matrix:
    """A transition matrix of shape (C, C), the rows of which are probabilities."""

    invertible: bool = False

    def check(self, name: str, value: Any, parameters: Mapping[str, Any]) -> Tensor:
        """Return `value`, or raise what is wrong with it."""
        return validation.transition_matrix(name, value, self.invertible)

    def describe(self, name: str) -> str:
        """What the matrix must be, as text."""
        return f"{name} of shape (C, C), rows sum to 1" + ", invertible" * self.invertible


Domain = Range | Choice | RangeBy | Integer | Flag | Matrix
