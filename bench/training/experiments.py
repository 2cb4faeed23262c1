"""Lists of runs that belong together: the SCE paper's figures, and the papers' tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import tomllib

from bench.errors import UsageError
from bench.training import papers, transition

PATH = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """Runs that differ in the loss."""

    name: str
    title: str
    noise: str
    losses: Mapping[str, str]
    """By what a figure calls them."""
    data: str = "cifar10"
    recipe: str = "sce-5.1"
    transition: str = ""
    """What a loss calls T."""
    seeds: int = 1
    dump: Sequence[int] = ()
    compare: bool = False
    """Whether the report draws a figure of these losses alone."""

    def commands(self) -> list[list[str]]:
        """Arguments of a training program for each loss."""
        common = ["--recipe", self.recipe, "--seeds", str(self.seeds)]
        if self.data != papers.CLOTHING1M:
            common += ["--data", self.data, "--noise", self.noise]
        if self.dump:
            common += ["--dump", *map(str, self.dump)]
        matrix = ["--transition", self.transition]
        return [
            [*common, "--loss", loss, *(matrix if transition.named(loss) else [])]
            for loss in self.losses.values()
        ]


@lru_cache(maxsize=1)
def experiments() -> list[Experiment]:
    """All of them; those of one name follow each other."""
    figures = tomllib.loads(PATH.read_text(encoding="utf-8"))["experiment"]
    return [*(Experiment(**figure) for figure in figures), *_tables()]


def comparisons() -> list[Experiment]:
    """Those whose losses are drawn together."""
    return [experiment for experiment in experiments() if experiment.compare]


def find(name: str) -> list[Experiment]:
    """The experiments of that name."""
    found = [experiment for experiment in experiments() if experiment.name == name]
    if not found:
        known = ", ".join(dict.fromkeys(experiment.name for experiment in experiments()))
        raise UsageError(f"there is no experiment {name}; there are {known}")
    return found


def _tables() -> list[Experiment]:
    """An experiment for each noise of each paper's table."""
    together: dict[tuple[str, str, str], list[papers.Published]] = {}
    for entry in papers.published():
        together.setdefault((entry.source, entry.data, entry.noise), []).append(entry)
    return [
        Experiment(
            name=f"{first.table}-{first.data}",
            title=f"{first.source}: {first.data}",
            data=first.data,
            recipe=first.recipe,
            seeds=first.seeds,
            noise=first.noise,
            transition=first.transition,
            losses={entry.row: entry.loss for entry in entries},
        )
        for entries in together.values()
        for first in entries[:1]
    ]
