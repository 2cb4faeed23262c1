"""What every public name runs: from a weighted sum of losses and the tensors to the loss."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any, TypeAlias

import torch
from torch import Tensor

from noisykernels import backends, formula, published, statistics, validation
from noisykernels.autograd import fused_loss
from noisykernels.backends import extension
from noisykernels.bounded import Scores, rescaled, widened
from noisykernels.ops import REDUCTIONS
from noisykernels.plan import Part, Plan
from noisykernels.registry import LOSSES
from noisykernels.sample_weight import weigh
from noisykernels.statistics import Stats

LossAndStats: TypeAlias = Any
"""A tensor, or with `return_stats` a tensor and `Stats`: for static types either will do."""


def evaluate(
    plan: Plan,
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    sample_weight: Tensor | None = None,
    return_stats: bool = False,
    scores: Scores | tuple[()] = (),
) -> LossAndStats:
    """Check the arguments, choose the backend, and compute the loss of the logits or their scores.

    `scores` are what the operators take last: nothing for the logits as they are.
    """
    if sample_weight is not None or return_stats:
        return _with_options(
            plan,
            input,
            target,
            weight,
            ignore_index,
            reduction,
            sample_weight,
            return_stats,
            scores,
        )
    if extension is None or torch.compiler.is_dynamo_compiling():
        return _checked(plan, input, target, weight, ignore_index, reduction, scores)
    # The way of nearly every step: the operator refuses what it cannot compute by itself, and only
    # then is it worth the time to find out what to say.
    try:
        backend = backends.choose(input.device.type, input)
        first = plan.passes[0] if plan.passes else None
        if (
            backend not in backends.COMPILED
            or first is None
            or first.native is None
            or type(input) not in validation.PLAIN_TENSORS
            or type(ignore_index) is not int
            or target.is_floating_point()
        ):
            return _checked(plan, input, target, weight, ignore_index, reduction, scores)
        code = REDUCTIONS[reduction]
        fused = extension.fused_loss
        loss: Tensor = fused(
            input, target, weight, first.vectors, first.native, ignore_index, code, backend, *scores
        )
        for more in plan.passes[1:]:
            vectors, native = more.vectors, more.native
            loss = loss + fused(
                input, target, weight, vectors, native, ignore_index, code, backend, *scores
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
    scores: Scores | tuple[()],
) -> Tensor | tuple[Tensor, Stats]:
    """`evaluate` with the options that a plain step does not use and does not pay for.

    Sample weights multiply the losses of samples after the kernel: N numbers, beside its N x C. So
    they have derivatives of every order, and the upstream gradient brings them into the backward
    kernel before its one rounding.
    """
    ignore_index, _code = _check(plan, input, target, weight, ignore_index, reduction)
    if return_stats and target.is_floating_point():
        raise TypeError(
            "return_stats needs class indices as target: statistics are those of the label, got "
            f"{validation.describe(target)}"
        )
    if sample_weight is not None:
        validation.check_sample_weight(sample_weight, input)
    inner = reduction if sample_weight is None else "none"
    input, scores, backend = _route(plan, input, target, scores)
    if backend == backends.REFERENCE:
        loss = _reference(plan.parts, input, target, weight, ignore_index, inner)
        stats = statistics.of_logits(input, target, ignore_index) if return_stats else None
    else:
        code = REDUCTIONS[inner]
        loss, rows = _fused(
            plan, input, target, weight, ignore_index, code, backend, return_stats, scores
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
    probabilities = _takes_probabilities(plan, target)
    if probabilities:
        validation.check_probabilities(input, target, weight)
    else:
        validation.check_tensors(input, target, weight)
    for part in plan.parts:
        for name, value in part.parameters.items():
            if isinstance(value, Tensor) and value.dim() > 0:
                validation.check_matrix(name, value, input)
    ignore_index = validation.integer("ignore_index", ignore_index)
    if probabilities and ignore_index >= 0:
        raise ValueError(
            "ignore_index must be negative where target holds probabilities, which have no label "
            f"to ignore, got {ignore_index}"
        )
    return ignore_index, validation.reduction_code(reduction)


def _checked(
    plan: Plan,
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    scores: Scores | tuple[()],
) -> Tensor:
    ignore_index, code = _check(plan, input, target, weight, ignore_index, reduction)
    input, scores, backend = _route(plan, input, target, scores)
    if backend == backends.REFERENCE:
        return _reference(plan.parts, input, target, weight, ignore_index, reduction)
    return _fused(plan, input, target, weight, ignore_index, code, backend, False, scores)[0]


def _route(
    plan: Plan, input: Tensor, target: Tensor, scores: Scores | tuple[()]
) -> tuple[Tensor, Scores | tuple[()], int]:
    """Where the loss is computed, and of what: for the reference scores are made here."""
    backend = backends.choose(input.device.type, input)
    if not plan.runs_on(backend) or target.is_floating_point():
        backend = backends.REFERENCE
    if scores and backend == backends.REFERENCE:
        return rescaled(widened(input), scores), (), backend
    return input, scores, backend


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
    scores: Scores | tuple[()],
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
            *scores,
        )
        for i, (vectors, terms, values, _) in enumerate(plan.passes)
    ]
    loss, rows = results[0]
    return sum((more for more, _ in results[1:]), loss), rows


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
        prod(part.factors, start=part.scale) * _in_plain_torch(part)(input, target, **options)
        for part in parts
    ]
    return sum(losses[1:], losses[0])


def _in_plain_torch(part: Part) -> Callable[..., Tensor]:
    """The loss as its code was published, from its paper, or if it has neither from its terms."""
    loss = LOSSES[part.name]
    plain = getattr(published, f"{part.name}_loss") if part.published else loss.reference
    if plain is not None:
        return partial(plain, **part.parameters)
    if part._replace(factors=()).numbers():
        raise TypeError(
            f"{part.name} was registered from outside the package: its parameters must be numbers, "
            "not tensors that require grad, lie on a GPU or are traced"
        )
    return partial(formula.loss, loss.terms(**part.parameters))
