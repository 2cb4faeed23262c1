"""Who takes part in a case: the fused loss, its rivals, and the yardsticks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from bench import registered, timing
from bench.cases import FLOOR, Case
from bench.contenders import Loss, compiled, tidy
from bench.published import PUBLISHED, published

FUSED = "fused"
EAGER = "tidy eager"
PUBLISHED_CODE = "published eager"
COMPILED = "torch.compile"
YARDSTICK = "F.cross_entropy"
AUTOGRAD = "autograd alone"
PACE = "pace"
"""What tells how fast the machine is at the moment; it takes turns with the contenders."""
SINGLE = "fused float32"
"""The fused loss on float32 logits, beside one on half-precision logits."""

COPY, CLONE, EXP = "copy", "clone", "exp"

WEIGHED = (FUSED, EAGER, COMPILED, AUTOGRAD)
"""Contenders of which the peak memory is measured too."""


class NotCompiled(Exception):
    """torch.compile has no compiler to use here."""


def contenders(case: Case) -> tuple[str, ...]:
    """Names, in the order of the tables; the first is the one the ratios are of."""
    if case.loss == FLOOR:
        return (YARDSTICK, AUTOGRAD, COPY, CLONE, EXP)
    name, _ = case.function
    return (
        FUSED,
        EAGER,
        *([PUBLISHED_CODE] if name in PUBLISHED else []),
        COMPILED,
        *map(term, parts(case)),
        *([SINGLE] if case.dtype != "float32" else []),
        YARDSTICK,
        AUTOGRAD,
    )


def clocked(case: Case, contender: str) -> timing.Clocked:
    """The contender, ready to be timed; torch's number of threads is up to the caller.

    Raises:
        NotCompiled: If the contender is torch.compile and there is no C++ compiler.
    """
    logits, target = inputs(replace(case, dtype="float32") if contender == SINGLE else case)
    if contender in (COPY, CLONE, EXP):
        return timing.looped(_floor(contender, logits.detach()))
    loss = loss_function(case, contender)
    return _MODES[case.mode](loss, logits, target)


def pace(case: Case) -> timing.Clocked:
    """The floor of every loss, autograd over one number; with threads, one parallel region."""
    if case.threads == 1:
        number = torch.zeros(1, requires_grad=True)
        call: timing.Step = timing.step(lambda x, _: x.sum(), number, number)
    else:
        call = _floor(EXP, torch.zeros(2**17))
    clocked = timing.looped(call)

    def seconds(repeats: int) -> float:
        call()  # the machine's pace, not what the contender before has left in the caches
        return clocked(repeats)

    return seconds


@lru_cache(maxsize=2)
def inputs(case: Case) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(case.rows, case.classes, generator=generator).to(case.torch_dtype)
    target = torch.randint(case.classes, (case.rows,), generator=generator)
    return logits.requires_grad_(), target


def loss_function(case: Case, contender: str) -> Loss:
    """What maps logits and labels to the contender's loss."""
    if contender == YARDSTICK:
        return F.cross_entropy
    if contender == AUTOGRAD:
        return lambda logits, _: logits.sum()
    if contender == COMPILED:
        return _graph(replace(case, mode="both"))
    if contender in (FUSED, SINGLE):
        return registered.fused(case)
    if contender in (EAGER, PUBLISHED_CODE):
        write = tidy if contender == EAGER else published
        return write(case.function[0], **registered.parameters(case))
    return registered.alone(registered.terms(case)[contender.removeprefix("term ")])


def term(name: str) -> str:
    """A term of a sum, as a contender."""
    return f"term {name}"


def parts(case: Case) -> tuple[str, ...]:
    """Names of the terms of a loss that is a sum of several; none of another."""
    # Of few classes: a transition matrix does not matter for the names.
    names = tuple(registered.terms(replace(case, classes=2)))
    return names if len(names) > 1 else ()


# Of the last case alone: graphs are compiled afresh for each, and modes follow each other.
@lru_cache(maxsize=1)
def _graph(case: Case) -> Loss:
    graph = compiled(tidy(case.function[0], **registered.parameters(case)))
    logits, target = inputs(case)
    try:
        graph(logits, target).backward()
    except Exception as error:
        if "InvalidCxxCompiler" in str(error):
            raise NotCompiled("torch.compile finds no C++ compiler") from error
        raise
    return graph


def _both(loss: Loss, logits: Tensor, target: Tensor) -> timing.Clocked:
    return timing.looped(timing.step(loss, logits, target))


def _forward(loss: Loss, logits: Tensor, target: Tensor) -> timing.Clocked:
    return timing.looped(lambda: loss(logits, target))


def _backward(loss: Loss, logits: Tensor, target: Tensor) -> timing.Clocked:
    # Each backward has a forward of its own: a graph kept for a second one would not be the same.
    def prepare() -> Tensor:
        logits.grad = None
        return loss(logits, target)

    return timing.after(prepare, lambda value: value.backward())


_MODES = {"both": _both, "forward": _forward, "backward": _backward}


def _floor(contender: str, logits: Tensor) -> Callable[[], object]:
    if contender == CLONE:
        return logits.clone
    destination = torch.empty_like(logits)
    if contender == COPY:
        return lambda: destination.copy_(logits)
    return lambda: torch.exp(logits, out=destination)
