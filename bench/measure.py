"""Measures a case: all contenders in turns, again if neighbors slowed the machine meanwhile."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

import torch

from bench import rivals, timing
from bench.cases import Case

ROUNDS = 50
BUDGET_SECONDS = 1.5
MOST_SLOWDOWN = 0.25
ATTEMPTS = 3
PATIENCE_SECONDS = 120.0
PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class Measured:
    """Seconds per call of each contender, a number for each round."""

    case: Case
    seconds: dict[str, list[float]]
    slowdown: float
    """How much slower the machine was than it can be, see `slowdown`."""
    absent: dict[str, str] = field(default_factory=dict)
    """Contenders that could not take part, and why."""


class Meter:
    """Measures cases, and remembers how fast the machine is when nobody disturbs it."""

    def __init__(self, rounds: int = ROUNDS, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """With so many rounds for a case at most, and in all so much waiting for neighbors."""
        self._rounds = rounds
        self._patience = patience_seconds
        self._least: dict[int, float] = {}

    def __call__(self, case: Case) -> Measured:
        """The calmest of a few attempts; one that is calm enough is the last."""
        threads = torch.get_num_threads()
        torch.set_num_threads(case.threads)
        try:
            clocked, absent = _take_part(case)
            attempts: list[Measured] = []
            while len(attempts) < ATTEMPTS and (
                not attempts or attempts[-1].slowdown > MOST_SLOWDOWN
            ):
                if attempts:
                    self._wait_for_calm(case, clocked[rivals.PACE])
                seconds = timing.take_turns(
                    clocked, rounds=self._rounds, budget_seconds=BUDGET_SECONDS
                )
                slowed = self._slowdown(case, seconds.pop(rivals.PACE))
                attempts.append(Measured(case, seconds, slowed, absent))
            return min(attempts, key=lambda attempt: attempt.slowdown)
        finally:
            torch.set_num_threads(threads)

    def _wait_for_calm(self, case: Case, pace: timing.Clocked) -> None:
        repeats = timing.repeats_for(pace, timing.SAMPLE_SECONDS)
        while (
            self._patience > 0 and pace(repeats) > (1 + MOST_SLOWDOWN) * self._least[case.threads]
        ):
            time.sleep(PAUSE_SECONDS)
            self._patience -= PAUSE_SECONDS

    def _slowdown(self, case: Case, pace: Sequence[float]) -> float:
        least = min(self._least.get(case.threads, pace[0]), *pace)
        self._least[case.threads] = least
        return slowdown(pace, least)


def slowdown(pace: Sequence[float], least: float) -> float:
    """By how much the machine's pace at the start or the end exceeds the least time ever seen.

    Start and end are the medians of the first and the last third of the rounds.
    """
    third = -(-len(pace) // 3)
    return max(median(pace[:third]), median(pace[-third:])) / least - 1


def _take_part(case: Case) -> tuple[dict[str, timing.Clocked], dict[str, str]]:
    clocked, absent = {rivals.PACE: rivals.pace(case)}, {}
    for name in rivals.contenders(case):
        try:
            clocked[name] = rivals.clocked(case, name)
        except rivals.NotCompiled as error:
            absent[name] = str(error)
    return clocked, absent
