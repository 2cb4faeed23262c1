"""Numbers that carry their gradient: a formula written for them needs no derivative by hand."""

from __future__ import annotations

from collections.abc import Sequence

import mpmath
from mpmath import mpf


class Dual:
    """A number and its partial derivatives with respect to some variables."""

    def __init__(self, value: mpf, partials: Sequence[mpf]) -> None:
        self.value = value
        self.partials = list(partials)

    def _chain(self, value: mpf, slope: mpf) -> Dual:
        return Dual(value, [slope * d for d in self.partials])

    def __add__(self, other: Dual | mpf) -> Dual:
        if not isinstance(other, Dual):
            return Dual(self.value + other, self.partials)
        partials = [a + b for a, b in zip(self.partials, other.partials, strict=True)]
        return Dual(self.value + other.value, partials)

    def __mul__(self, other: Dual | mpf) -> Dual:
        if not isinstance(other, Dual):
            return self._chain(self.value * other, other)
        return other._chain(self.value * other.value, self.value) + self._chain(0, other.value)

    def __pow__(self, exponent: mpf) -> Dual:
        return self._chain(self.value**exponent, exponent * self.value ** (exponent - 1))

    def __truediv__(self, other: Dual | mpf) -> Dual:
        return self * (other**-1 if isinstance(other, Dual) else 1 / mpf(other))

    def __neg__(self) -> Dual:
        return self * mpf(-1)

    def __sub__(self, other: Dual | mpf) -> Dual:
        return self + -other

    def __rsub__(self, other: mpf) -> Dual:
        return -self + other

    def __gt__(self, other: mpf) -> bool:
        return self.value > other

    __radd__ = __add__
    __rmul__ = __mul__


def log(x: Dual) -> Dual:
    return x._chain(mpmath.log(x.value), 1 / x.value)


def exp(x: Dual) -> Dual:
    return x._chain(mpmath.exp(x.value), mpmath.exp(x.value))
