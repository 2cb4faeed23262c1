"""What every public name runs: from a weighted sum of losses and the tensors to the loss."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from noisykernels import backends, reference, validation
from noisykernels.autograd import fused_loss
from noisykernels.backends import extension
from noisykernels.ops import REDUCTIONS, pack
from noisykernels.registry import LOSSES
from noisykernels.terms import WeightedTerm, passes


class Part(NamedTuple):
    """A registered loss with checked parameters and its weight in a sum."""

    scale: float
    name: str
    parameters: Mapping[str, float | str]


class Pass(NamedTuple):
    """What one call of the operator computes: its `terms` and `values`, and both for C++."""

    terms: list[int]
    values: list[float]
    native: Any  # noisykernels._C.Terms, or None


class Plan(NamedTuple):
    """A weighted sum of losses, ready to run: by the reference from its parts, or in passes."""

    parts: tuple[Part, ...]
    passes: tuple[Pass, ...]  # nearly always one, see `terms.passes`


def plan(parts: tuple[Part, ...]) -> Plan:
    """Merge the terms of all parts, so that a sum of losses costs what its distinct terms cost."""
    weights: dict[tuple[str, float], float] = {}
    for part in parts:
        for term in LOSSES[part.name].terms(**part.parameters):
            key = term.name, term.parameter
            weights[key] = weights.get(key, 0.0) + part.scale * term.weight
    terms = [
        WeightedTerm(name, weight, parameter)
        for (name, parameter), weight in weights.items()
        if weight != 0  # 0 times an infinite loss is NaN
    ] or [WeightedTerm("ce", 0.0)]
    packed = [pack(group) for group in passes(terms)]
    native = None
    if extension is not None and not torch.compiler.is_dynamo_compiling():
        native = extension.Terms
    return Plan(parts, tuple(Pass(*p, native(*p) if native else None) for p in packed))


def single(name: str, **parameters: float | str) -> Plan:
    """The plan of one loss, its parameters checked."""
    for value in parameters.values():
        if type(value) is not float and type(value) is not str:
            # The cache would take True for 1.0, and a tensor for whatever it held at first.
            parameters = LOSSES[name].check(parameters)
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
) -> Tensor:
    """Check the arguments, choose the backend, and compute the loss."""
    if extension is None or torch.compiler.is_dynamo_compiling():
        return _checked(plan, input, target, weight, ignore_index, reduction)
    # The way of nearly every step: the operator refuses what it cannot compute by itself, and only
    # then is it worth the time to find out what to say.
    try:
        backend = backends.choose(input.device.type)
        native = plan.passes[0].native
        if (
            backend != backends.CPU
            or native is None
            or type(input) not in validation.PLAIN_TENSORS
            or type(ignore_index) is not int
        ):
            return _checked(plan, input, target, weight, ignore_index, reduction)
        code = REDUCTIONS[reduction]
        fused = extension.fused_loss
        loss: Tensor = fused(input, target, weight, native, ignore_index, code, backend)
        for further in plan.passes[1:]:
            loss = loss + fused(input, target, weight, further.native, ignore_index, code, backend)
        return loss
    except Exception:
        _check(input, target, weight, ignore_index, reduction)
        raise


def _check(
    input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str
) -> tuple[int, int]:
    """Raise what is wrong with the arguments of a call."""
    validation.check_tensors(input, target, weight)
    return validation.integer("ignore_index", ignore_index), validation.reduction_code(reduction)


def _checked(
    plan: Plan,
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
) -> Tensor:
    ignore_index, code = _check(input, target, weight, ignore_index, reduction)
    backend = backends.choose(input.device.type)
    if backend == backends.REFERENCE:
        return _reference(plan.parts, input, target, weight, ignore_index, reduction)
    losses = [
        fused_loss(input, target, weight, terms, values, ignore_index, code, backend)
        for terms, values, _ in plan.passes
    ]
    return sum(losses[1:], losses[0])


def _single(name: str, **parameters: float | str) -> Plan:
    return plan((Part(1.0, name, LOSSES[name].check(parameters)),))


_cached_single = lru_cache(maxsize=256)(_single)  # bounded: an annealed q is new at every step


def _reference(
    parts: tuple[Part, ...],
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
) -> Tensor:
    if input.is_cpu and validation.readable(target):
        validation.check_labels(target, input.shape[input.dim() > 1], ignore_index)
    options = {"weight": weight, "ignore_index": ignore_index, "reduction": reduction}
    losses: list[Tensor] = [
        part.scale
        * getattr(reference, f"{part.name}_loss")(input, target, **part.parameters, **options)
        for part in parts
    ]
    return sum(losses[1:], losses[0])
