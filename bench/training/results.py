"""What records and step times hold, gathered for a report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench import json_lines
from bench.errors import UsageError
from bench.training.steps import StepTime

Line = json_lines.Line


@dataclass(frozen=True)
class Group:
    """The complete runs that differ in nothing but the seed."""

    run: Line
    """The line of one of them."""
    histories: Sequence[Sequence[Line]]
    """The lines of the epochs, for each seed."""

    @property
    def last(self) -> list[float]:
        """Accuracy after the last epoch, for each seed."""
        return [history[-1]["accuracy"] for history in self.histories]

    @property
    def best(self) -> list[float]:
        """Accuracy after the best epoch, for each seed."""
        return [max(epoch["accuracy"] for epoch in history) for history in self.histories]

    def typical(self, key: str) -> float:
        """Median over all epochs but each run's first, which compiles and warms up."""
        return median(
            epoch[key] for history in self.histories for epoch in (history[1:] or history)
        )


@dataclass(frozen=True)
class StepTimes:
    """The step times of a file, and what they were measured with."""

    facts: Mapping[str, Any]
    times: Sequence[StepTime]


@dataclass(frozen=True)
class Results:
    """Everything that was found."""

    groups: Sequence[Group]
    steps: Sequence[StepTimes]
    unfinished: int
    """Number of runs that are not complete; nothing is said of them."""


def gather(places: Sequence[Path]) -> Results:
    """All results in files, and in and below folders.

    Raises:
        UsageError: If a place is not there, or a file is something else.
    """
    runs: dict[str, list[list[Line]]] = defaultdict(list)
    steps, unfinished = [], 0
    for path in _files(places):
        lines = json_lines.read(path)
        kinds = {line["kind"] for line in lines}
        if lines[0]["kind"] == "steps" and kinds <= {"steps", "step"}:
            times = [StepTime(**_without_kind(line)) for line in lines[1:]]
            steps.append(StepTimes(lines[0]["facts"], times))
        elif lines[0]["kind"] != "run" or not kinds <= {"run", "epoch", "result"}:
            raise UsageError(f"{path} holds neither a run nor step times")
        elif "result" in kinds:
            runs[_but_seed(lines[0])].append(lines)
        else:
            unfinished += 1
    return Results([_group(same) for same in runs.values()], steps, unfinished)


def _files(places: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for place in places:
        if not place.exists():
            raise UsageError(f"there is no {place}")
        found += sorted(place.rglob(f"*{json_lines.SUFFIX}")) if place.is_dir() else [place]
    return found


def _group(same: Sequence[Sequence[Line]]) -> Group:
    epochs = [[line for line in lines if line["kind"] == "epoch"] for lines in same]
    return Group(same[0][0], epochs)


def _but_seed(run: Line) -> str:
    different = {"seed", "facts"}
    return repr(sorted((key, value) for key, value in run.items() if key not in different))


def _without_kind(line: Line) -> dict[str, Any]:
    return {key: value for key, value in line.items() if key != "kind"}
