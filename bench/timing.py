"""Fair timing: contenders take turns in one process, so that a busy neighbor slows all of them.

A timing on a shared machine says little by itself; the ratio of two that interleave is stable.
"""

from __future__ import annotations

import gc
import math
import random
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import quantiles
from typing import TypeVar

from torch import Tensor

Step = Callable[[], object]
Clocked = Callable[[int], float]
"""Calls something so many times and returns the seconds of one call."""
Name = TypeVar("Name", bound=Hashable)
Ready = TypeVar("Ready")

LEAST_ROUNDS = 7  # what quartiles need
SAMPLE_SECONDS = 1e-3


@dataclass(frozen=True)
class Sample:
    """Seconds per call, or a ratio of them: the median and the quartiles around it."""

    median: float
    low: float
    high: float

    def __truediv__(self, yardstick: Sample) -> float:
        return self.median / yardstick.median


def step(loss: Callable[[Tensor, Tensor], Tensor], logits: Tensor, target: Tensor) -> Step:
    """One forward and backward as a training step does it: the gradient is written anew."""

    def run() -> None:
        logits.grad = None
        loss(logits, target).backward()

    return run


def looped(call: Step) -> Clocked:
    """Times ``call`` in a loop."""

    def seconds(repeats: int) -> float:
        start = time.perf_counter()
        for _ in range(repeats):
            call()
        return (time.perf_counter() - start) / repeats

    return seconds


def after(prepare: Callable[[], Ready], call: Callable[[Ready], object]) -> Clocked:
    """Times ``call`` on what ``prepare`` returns; ``prepare`` runs anew before, off the clock."""

    def seconds(repeats: int) -> float:
        total = 0.0
        for _ in range(repeats):
            ready = prepare()
            start = time.perf_counter()
            call(ready)
            total += time.perf_counter() - start
        return total / repeats

    return seconds


def interleaved(
    contenders: Mapping[Name, Step], *, rounds: int = 100, sample_seconds: float = SAMPLE_SECONDS
) -> dict[Name, Sample]:
    """Times ``contenders`` in turns and returns a sample for each name, see `take_turns`."""
    clocked = {name: looped(call) for name, call in contenders.items()}
    seconds = take_turns(clocked, rounds=rounds, sample_seconds=sample_seconds)
    return {name: summary(values) for name, values in seconds.items()}


def take_turns(
    contenders: Mapping[Name, Clocked],
    *,
    rounds: int = 100,
    sample_seconds: float = SAMPLE_SECONDS,
    budget_seconds: float = math.inf,
) -> dict[Name, list[float]]:
    """Seconds per call of each contender, one number for each round.

    In a round all have their turn, in an order drawn anew, so that none always follows the one that
    leaves the caches as it likes them.

    Args:
        contenders: What to time. Each is called before the clock starts, which compiles, fills
            caches and warms the allocator.
        rounds: Measurements of each contender.
        sample_seconds: Each measurement repeats the call for about this long, so that the clock's
            own resolution and cost do not count. Calls on a GPU must synchronize themselves.
        budget_seconds: No further round is started after this long, once there are enough for
            quartiles.
    """
    repeats = {name: repeats_for(clocked, sample_seconds) for name, clocked in contenders.items()}
    seconds: dict[Name, list[float]] = {name: [] for name in contenders}
    order, shuffle = list(contenders), random.Random(0).shuffle
    start = time.perf_counter()
    with _no_garbage_collection():
        for done in range(rounds):
            if done >= LEAST_ROUNDS and time.perf_counter() - start > budget_seconds:
                break
            shuffle(order)
            for name in order:
                seconds[name].append(contenders[name](repeats[name]))
    return seconds


def repeats_for(clocked: Clocked, sample_seconds: float) -> int:
    """How many calls last about ``sample_seconds``, once the first has warmed up."""
    clocked(1)
    warm = clocked(1)
    if warm < sample_seconds:
        warm = min(clocked(10) for _ in range(3))
    return max(1, round(sample_seconds / warm))


def summary(values: Sequence[float]) -> Sample:
    """Median and quartiles; a single value is all three."""
    if len(values) == 1:
        return Sample(values[0], values[0], values[0])
    low, median, high = quantiles(values, n=4, method="inclusive")
    return Sample(median, low, high)


def ratio(seconds: Sequence[float], rival: Sequence[float]) -> Sample:
    """How long one takes, in units of the other: of each round, which saw the same neighbors."""
    return summary([one / other for one, other in zip(seconds, rival, strict=True)])


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
