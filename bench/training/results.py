"""What records and step times hold, gathered for a report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench import json_lines
from bench.asymptotic import Point
from bench.errors import UsageError
from bench.training import dumps, papers
from bench.training.criteria import BACKENDS
from bench.training.steps import StepTime

Line = json_lines.Line

BACKEND_NAMES = dict(
    zip(BACKENDS, ("fused", "tidy eager", "published eager", "torch.compile"), strict=True)
)


@dataclass(frozen=True)
class Group:
    """The complete runs that differ in nothing but the seed."""

    run: Line
    """The line of one of them."""
    histories: Sequence[Sequence[Line]]
    """The lines of the epochs, for each seed."""
    dumps: Sequence[Mapping[int, Path]]
    """The files of outputs by their epochs, for each seed."""

    @property
    def loss(self) -> str:
        """The loss, what it calls T, and what computes it if that is not us."""
        loss, backend = self.run["loss"], self.run["backend"]
        if self.transition:
            loss = f"{loss}, {self.transition} T"
        return loss if backend == "fused" else f"{loss} ({BACKEND_NAMES[backend]})"

    @property
    def transition(self) -> str:
        """What the loss calls T."""
        kind: str = self.run.get("transition", "")  # records before there was a T lack it
        return kind

    @property
    def data(self) -> str:
        """The data, and what accuracy is of if not of the test images."""
        data = self.run["data"]
        return f"{data}, held-out noisy labels" if self.run["held_out"] else data

    @property
    def label(self) -> str:
        """The loss, and what it changes in the recipe."""
        _, _, changes = self.run["recipe"]["name"].partition(", ")
        return f"{self.loss}; {changes}" if changes else self.loss

    @property
    def setting(self) -> str:
        """What losses are compared on, each with its own learning rate perhaps."""
        return (
            f"{self.data}, noise {self.run['noise']}, {self.run['recipe']['name'].split(', ')[0]}"
        )

    @property
    def published(self) -> papers.Published | None:
        """The paper's result; a changed recipe or part of the data has another name than there."""
        run = self.run
        if run["held_out"]:
            return None
        of_run = run["recipe"]["name"], run["data"], run["noise"], run["loss"]
        return papers.find(*of_run, self.transition)

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
class Asymptotic:
    """What bench.asymptotic found."""

    run: Line
    points: Sequence[Point]


@dataclass(frozen=True)
class Results:
    """Everything that was found."""

    groups: Sequence[Group]
    steps: Sequence[StepTimes]
    asymptotic: Sequence[Asymptotic]
    unfinished: int
    """Number of runs that are not complete; nothing is said of them."""


def gather(places: Sequence[Path]) -> Results:
    """All results in files, and in and below folders.

    Raises:
        UsageError: If a place is not there, or a file is something else.
    """
    runs: dict[str, list[tuple[Path, list[Line]]]] = defaultdict(list)
    steps: list[StepTimes] = []
    asymptotic: list[Asymptotic] = []
    unfinished = 0
    for path in _files(places):
        lines = json_lines.read(path)
        first, *others = lines
        try:
            match first["kind"], {line["kind"] for line in others}:
                case "run", kinds if kinds <= {"epoch", "result"}:
                    if "result" in kinds:
                        runs[_but_seed(first)].append((path, lines))
                    else:
                        unfinished += 1
                case "steps", kinds if kinds <= {"step"}:
                    times = [StepTime(**_without_kind(line)) for line in others]
                    steps.append(StepTimes(first["facts"], times))
                case "asymptotic", kinds if kinds <= {"point"}:
                    points = [Point(**_without_kind(line)) for line in others]
                    asymptotic.append(Asymptotic(first, points))
                case _:
                    raise UsageError(f"{path} holds neither a run nor step times")
        except (KeyError, TypeError) as error:
            raise UsageError(f"{path} is no complete file of {first['kind']}: {error}") from None
    groups = [_group(same) for same in runs.values()]
    return Results(groups, steps, asymptotic, unfinished)


def _files(places: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for place in places:
        if not place.exists():
            raise UsageError(f"there is no {place}")
        found += sorted(place.rglob(f"*{json_lines.SUFFIX}")) if place.is_dir() else [place]
    return found


def _group(same: Sequence[tuple[Path, Sequence[Line]]]) -> Group:
    return Group(
        run=same[0][1][0],
        histories=[[line for line in lines if line["kind"] == "epoch"] for _, lines in same],
        dumps=[dumps.beside(path) for path, _ in same],
    )


def _but_seed(run: Line) -> str:
    different = {"seed", "facts", "T"}
    return repr(sorted((key, value) for key, value in run.items() if key not in different))


def _without_kind(line: Line) -> dict[str, Any]:
    return {key: value for key, value in line.items() if key != "kind"}
