"""Lists of runs that belong together: the SCE paper's figures, and the papers' tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import tomllib

from bench.errors import UsageError
from bench.training import papers

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
        return [[*common, "--loss", loss] for loss in self.losses.values()]


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
    rows: dict[tuple[str, str, str, str, int, str], dict[str, str]] = {}
    for entry in papers.published():
        key = (entry.table, entry.source, entry.data, entry.recipe, entry.seeds, entry.noise)
        rows.setdefault(key, {})[entry.row] = entry.loss
    return [
        Experiment(
            name=f"{table}-{data}",
            title=f"{source}: {data}",
            data=data,
            recipe=recipe,
            seeds=seeds,
            noise=noise,
            losses=losses,
        )
        for (table, source, data, recipe, seeds, noise), losses in rows.items()
    ]
