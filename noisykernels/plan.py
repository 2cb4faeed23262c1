"""From a weighted sum of losses to what the operators are called with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple, TypeGuard

import torch
from torch import Tensor

from noisykernels import published, validation
from noisykernels.backends import REFERENCE, TRITON, extension
from noisykernels.ops import pack
from noisykernels.registry import LOSSES, Flag, Parameter
from noisykernels.terms import NAMES, TERMS, WeightedTerm, passes, resources


class Part(NamedTuple):
    """A registered loss with checked parameters, and its weight in a sum."""

    scale: float
    name: str
    parameters: Mapping[str, Parameter]
    factors: tuple[Tensor, ...] = ()
    """More of the weight: 0-d tensors whose values may change between calls."""
    published: bool = False
    """Whether it is computed as its authors' code does."""

    def numbers(self) -> list[Tensor]:
        """Parameters and factors that are 0-d tensors: what may be annealed or learned."""
        numbers = [value for value in self.parameters.values() if _is_number(value)]
        return [*numbers, *self.factors]


class Pass(NamedTuple):
    """What one call of the operator computes: its tensors and numbers, and all of it for C++."""

    vectors: Tensor | None
    terms: list[int]
    values: list[float]
    native: Any  # noisykernels._C.Terms, or None


class Plan(NamedTuple):
    """A weighted sum of losses, ready to run: by the reference from its parts, or in passes.

    Nearly always there is one pass, see `terms.passes`. There is none where a number in the sum is
    known only as a tensor: one that requires grad, lies on a GPU or is being traced; nor where a
    part is computed as published.
    """

    parts: tuple[Part, ...]
    passes: tuple[Pass, ...]
    outside: tuple[str, ...] = ()
    """Terms that were registered from outside the package: no compiled kernel knows them."""

    def runs_on(self, backend: int) -> bool:
        """Whether the kernels of a backend can compute it; if not the reference does."""
        if backend == REFERENCE or not self.passes:
            return False
        if not self.outside:
            return True
        return backend == TRITON and all(TERMS[name].triton is not None for name in self.outside)


def plan(parts: tuple[Part, ...]) -> Plan:
    """Merge the terms of all parts, so that a sum of losses costs what its distinct terms cost."""
    if any(part.numbers() for part in parts):
        for part in parts:
            _check(part)
        if not all(_readable(number) for part in parts for number in part.numbers()):
            return Plan(parts, ())
        parts = tuple(map(_read, parts))
    if any(part.published for part in parts):
        return Plan(parts, ())
    merged: dict[Any, WeightedTerm] = {}
    matrices: list[Tensor | None] = []
    for part in parts:
        for term in LOSSES[part.name].terms(**part.parameters):
            key = term.name, term.parameter, term.second, _place(matrices, term.vectors)
            weight = merged[key].weight if key in merged else 0.0
            merged[key] = term._replace(weight=weight + part.scale * term.weight)
    terms = [
        term
        for term in merged.values()
        if term.weight != 0  # 0 times an infinite loss is NaN
    ] or [WeightedTerm("ce", 0.0)]
    outside = tuple(term.name for term in terms if term.name not in NAMES)
    return Plan(parts, tuple(map(_make_pass, passes(terms))), outside)


def checked_part(name: str, parameters: Mapping[str, Any], as_published: bool) -> Part:
    """A registered loss alone, or what is wrong with a parameter."""
    checked = LOSSES[name].check(parameters)
    if as_published is not False and _FLAG.check("published", as_published, {}):
        return Part(1.0, name, published.with_constants(checked), published=True)
    return Part(1.0, name, checked)


def single(name: str, as_published: bool = False, /, **parameters: Any) -> Plan:
    """The plan of one loss, its parameters checked."""
    if as_published is not False:
        return plan((checked_part(name, parameters, as_published),))
    for value in parameters.values():
        if type(value) not in _CACHED:
            parameters = LOSSES[name].check(parameters)
            if any(isinstance(checked, Tensor) for checked in parameters.values()):
                return plan((Part(1.0, name, parameters),))
            break
    if torch.compiler.is_dynamo_compiling():  # it warns of caches
        return _single(name, **parameters)
    return _cached_single(name, **parameters)


def _single(name: str, /, **parameters: Parameter) -> Plan:
    return plan((Part(1.0, name, LOSSES[name].check(parameters)),))


# Bounded: an annealed q is new at every step. Typed: it would take True for 1.0.
_cached_single = lru_cache(maxsize=256, typed=True)(_single)

_FLAG = Flag()

_CACHED = frozenset({float, int, bool, str})
"""Types of parameters that stay what they are; a tensor may hold other numbers the next time."""


def forget() -> None:
    """Forget plans: what a name stands for has changed."""
    _cached_single.cache_clear()


def _place(matrices: list[Tensor | None], matrix: Tensor | None) -> int:
    """Which of them it is, maybe a new one. By identity, but torch 2.11 compiles no call of id."""
    for place, known in enumerate(matrices):
        if known is matrix:
            return place
    matrices.append(matrix)
    return len(matrices) - 1


def _make_pass(terms: Sequence[WeightedTerm]) -> Pass:
    vectors = resources(terms).vectors
    ids, values = pack(terms)
    native = None
    known = all(term.name in NAMES for term in terms)
    if extension is not None and known and not torch.compiler.is_dynamo_compiling():
        native = extension.Terms(ids, values)
    return Pass(vectors, ids, values, native)


def _is_number(value: Any) -> TypeGuard[Tensor]:
    return isinstance(value, Tensor) and value.dim() == 0


def _readable(number: Tensor) -> bool:
    """Whether the kernels may have the number itself: it has no gradient to get, and is at hand."""
    return validation.at_hand(number) and not number.requires_grad


def _check(part: Part) -> None:
    """Raise what is wrong with the numbers that tensors hold now, where they are at hand."""
    LOSSES[part.name].check(part.parameters)
    for factor in filter(validation.at_hand, part.factors):
        validation.number("the factor of a loss", factor)


def _read(part: Part) -> Part:
    """The part with the numbers that its tensors hold now."""
    parameters = {
        name: float(value) if _is_number(value) else value
        for name, value in part.parameters.items()
    }
    scale = prod(map(float, part.factors), start=part.scale)
    return part._replace(scale=scale, parameters=parameters, factors=())
