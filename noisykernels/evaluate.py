"""What every public name runs: from a weighted sum of losses and the tensors to the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

from noisykernels import backends, reference, statistics, validation
from noisykernels.autograd import fused_loss
from noisykernels.backends import extension
from noisykernels.ops import REDUCTIONS, pack
from noisykernels.registry import LOSSES, Parameter
from noisykernels.sample_weight import weigh
from noisykernels.statistics import Stats
from noisykernels.terms import WeightedTerm, passes, resources

LossAndStats: TypeAlias = Any
"""A tensor, or with `return_stats` a tensor and `Stats`: for static types either will do."""


class Part(NamedTuple):
    """A registered loss with checked parameters and its weight in a sum."""

    scale: float
    name: str
    parameters: Mapping[str, Parameter]


class Pass(NamedTuple):
    """What one call of the operator computes: its tensors and numbers, and all of it for C++."""

    vectors: Tensor | None
    terms: list[int]
    values: list[float]
    native: Any  # noisykernels._C.Terms, or None


class Plan(NamedTuple):
    """A weighted sum of losses, ready to run: by the reference from its parts, or in passes."""

    parts: tuple[Part, ...]
    passes: tuple[Pass, ...]  # nearly always one, see `terms.passes`


def plan(parts: tuple[Part, ...]) -> Plan:
    """Merge the terms of all parts, so that a sum of losses costs what its distinct terms cost."""
    merged: dict[Any, WeightedTerm] = {}
    for part in parts:
        for term in LOSSES[part.name].terms(**part.parameters):
            key = term.name, term.parameter, term.second, id(term.vectors)
            weight = merged[key].weight if key in merged else 0.0
            merged[key] = term._replace(weight=weight + part.scale * term.weight)
    terms = [
        term
        for term in merged.values()
        if term.weight != 0  # 0 times an infinite loss is NaN
    ] or [WeightedTerm("ce", 0.0)]
    return Plan(parts, tuple(_make_pass(group) for group in passes(terms)))


def _make_pass(terms: Sequence[WeightedTerm]) -> Pass:
    vectors = resources(terms).vectors
    ids, values = pack(terms)
    native = None
    if extension is not None and not torch.compiler.is_dynamo_compiling():
        native = extension.Terms(ids, values)
    return Pass(vectors, ids, values, native)


def single(name: str, **parameters: Parameter) -> Plan:
    """The plan of one loss, its parameters checked."""
    for value in parameters.values():
        if type(value) not in _CACHED:
            parameters = LOSSES[name].check(parameters)
            if any(isinstance(checked, Tensor) for checked in parameters.values()):
                return plan((Part(1.0, name, parameters),))
            break
    if torch.compiler.is_dynamo_compiling():  # it warns of caches
        return _single(name, **parameters)
    return _cached_single(name, **parameters)


def evaluate(
    plan: Plan,
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    sample_weight: Tensor | None = None,
    return_stats: bool = False,
) -> LossAndStats:
    """Check the arguments, choose the backend, and compute the loss."""
    if sample_weight is not None or return_stats:
        return _with_options(
            plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
        )
    if extension is None or torch.compiler.is_dynamo_compiling():
        return _checked(plan, input, target, weight, ignore_index, reduction)
    # The way of nearly every step: the operator refuses what it cannot compute by itself, and only
    # then is it worth the time to find out what to say.
    try:
        backend = backends.choose(input.device.type)
        first = plan.passes[0]
        if (
            backend != backends.CPU
            or first.native is None
            or type(input) not in validation.PLAIN_TENSORS
            or type(ignore_index) is not int
            or target.is_floating_point()
        ):
            return _checked(plan, input, target, weight, ignore_index, reduction)
        code = REDUCTIONS[reduction]
        fused = extension.fused_loss
        loss: Tensor = fused(
            input, target, weight, first.vectors, first.native, ignore_index, code, backend
        )
        for more in plan.passes[1:]:
            loss = loss + fused(
                input, target, weight, more.vectors, more.native, ignore_index, code, backend
            )
        return loss
    except Exception:
        _check(plan, input, target, weight, ignore_index, reduction)
        raise


def _with_options(
    plan: Plan,
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    sample_weight: Tensor | None,
    return_stats: bool,
) -> Tensor | tuple[Tensor, Stats]:
    """`evaluate` with the options that a plain step does not use and does not pay for.

    Sample weights multiply the losses of samples after the kernel: N numbers, beside its N x C. So
    they have derivatives of every order, and the upstream gradient brings them into the backward
    kernel before its one rounding.
    """
    ignore_index, _code = _check(plan, input, target, weight, ignore_index, reduction)
    if sample_weight is not None:
        validation.check_sample_weight(sample_weight, input, target)
    inner = reduction if sample_weight is None else "none"
    backend = backends.choose(input.device.type)
    if backend == backends.REFERENCE:
        loss = _reference(plan.parts, input, target, weight, ignore_index, inner)
        stats = statistics.of_logits(input, target, ignore_index) if return_stats else None
    else:
        loss, rows = _fused(
            plan, input, target, weight, ignore_index, REDUCTIONS[inner], backend, return_stats
        )
        stats = statistics.of_rows(rows, target) if return_stats else None
    if sample_weight is not None:
        loss = weigh(loss, sample_weight, target, weight, ignore_index, reduction)
    return loss if stats is None else (loss, stats)


def _check(
    plan: Plan,
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
) -> tuple[int, int]:
    """Raise what is wrong with the arguments of a call."""
    validation.check_tensors(input, target, weight)
    for part in plan.parts:
        for name, value in part.parameters.items():
            if isinstance(value, Tensor):
                validation.check_matrix(name, value, input)
    return validation.integer("ignore_index", ignore_index), validation.reduction_code(reduction)


def _checked(
    plan: Plan,
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
) -> Tensor:
    if _takes_probabilities(plan, target):
        validation.check_probabilities(input, target, weight)
        validation.reduction_code(reduction)
        return _reference(plan.parts, input, target, weight, ignore_index, reduction)
    ignore_index, code = _check(plan, input, target, weight, ignore_index, reduction)
    backend = backends.choose(input.device.type)
    if backend == backends.REFERENCE:
        return _reference(plan.parts, input, target, weight, ignore_index, reduction)
    return _fused(plan, input, target, weight, ignore_index, code, backend, False)[0]


def _takes_probabilities(plan: Plan, target: Tensor) -> bool:
    """Whether the target holds class probabilities, and the loss is one that takes them."""
    return (
        isinstance(target, Tensor)
        and target.is_floating_point()
        and all(part.name == "ce" for part in plan.parts)
    )


def _fused(
    plan: Plan,
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: int,
    backend: int,
    return_stats: bool,
) -> tuple[Tensor, Tensor]:
    """The loss, and what the first pass leaves for each row."""
    results = [
        fused_loss(
            input,
            target,
            weight,
            vectors,
            terms,
            values,
            ignore_index,
            reduction,
            return_stats and i == 0,
            backend,
        )
        for i, (vectors, terms, values, _) in enumerate(plan.passes)
    ]
    loss, rows = results[0]
    return sum((more for more, _ in results[1:]), loss), rows


def _single(name: str, **parameters: Parameter) -> Plan:
    return plan((Part(1.0, name, LOSSES[name].check(parameters)),))


# Bounded: an annealed q is new at every step. Typed: it would take True for 1.0.
_cached_single = lru_cache(maxsize=256, typed=True)(_single)

_CACHED = frozenset({float, int, bool, str})
"""Types of parameters that stay what they are; a tensor may hold other numbers the next time."""


def _reference(
    parts: tuple[Part, ...],
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
) -> Tensor:
    if input.is_cpu and not target.is_floating_point() and validation.readable(target):
        validation.check_labels(target, input.shape[input.dim() > 1], ignore_index)
    options = {"weight": weight, "ignore_index": ignore_index, "reduction": reduction}
    losses: list[Tensor] = [
        part.scale
        * getattr(reference, f"{part.name}_loss")(input, target, **part.parameters, **options)
        for part in parts
    ]
    return sum(losses[1:], losses[0])
