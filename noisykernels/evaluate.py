"""What every public name runs: from a weighted sum of losses and the tensors to the loss."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from noisykernels import backends, reference, validation
from noisykernels.autograd import fused_loss
from noisykernels.ops import pack
from noisykernels.registry import LOSSES
from noisykernels.terms import WeightedTerm, passes


class Part(NamedTuple):
    """A registered loss with checked parameters and its weight in a sum."""

    scale: float
    name: str
    parameters: Mapping[str, float | str]


class Plan(NamedTuple):
    """A weighted sum of losses, ready to run.

    `parts` is what the reference evaluates; `terms` and `values` are arguments of the operator, and
    `others` holds more of them for a sum that needs more than one pass (`terms.passes`).
    """

    parts: tuple[Part, ...]
    terms: list[int]
    values: list[float]
    others: tuple[tuple[list[int], list[float]], ...]


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
    first, *others = map(pack, passes(terms))
    return Plan(parts, *first, tuple(others))


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
    validation.check_tensors(input, target, weight)
    ignore_index = validation.integer("ignore_index", ignore_index)
    code = validation.reduction_code(reduction)
    backend = backends.choose(input.device.type)
    if backend == backends.REFERENCE:
        return _reference(plan.parts, input, target, weight, ignore_index, reduction)
    loss = fused_loss(input, target, weight, plan.terms, plan.values, ignore_index, code, backend)
    for terms, values in plan.others:
        loss = loss + fused_loss(input, target, weight, terms, values, ignore_index, code, backend)
    return loss


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
