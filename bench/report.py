"""What the demo prints: progress, the table and what to make of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import isnan
from statistics import mean, stdev
from textwrap import shorten

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench.cost import Costs
from bench.data import Dataset
from bench.experiment import NOISE_RATE, Run
from bench.timing import Sample
from bench.train import Recipe

WIDTH = 100
"""Columns where the output goes to a file."""


def console() -> Console:
    """A console that keeps the table whole when piped."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)


@contextmanager
def progress(
    console: Console, labels: Sequence[str], epochs: int
) -> Iterator[Callable[[int, float], None]]:
    """Live bars, a line per loss; nothing where the output is no terminal.

    Yields:
        The function that moves the bar of a row on by an epoch and shows its accuracy.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[accuracy]:5.1f} %", justify="right"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        rows = [bars.add_task(f"{label:<16}", total=epochs, accuracy=0.0) for label in labels]
        yield lambda row, accuracy: bars.update(rows[row], advance=1, accuracy=accuracy)


def headline(data: Dataset, recipe: Recipe, seeds: int) -> tuple[str, str]:
    """What was trained, on what, and how."""
    title = (
        f"{data.name}: {len(data.train_labels):,} training images with {NOISE_RATE:.0%} wrong "
        f"labels, {len(data.test_labels):,} clean test images"
    )
    subtitle = (
        f"{recipe.name}, weight decay {recipe.weight_decay:g}, {recipe.epochs} epochs, "
        f"{seeds} {'seed' if seeds == 1 else 'seeds'}"
    )
    return title, subtitle


def table(results: Mapping[str, Sequence[Run]], costs: Costs, backend: str) -> Table:
    """One row per loss: accuracy, memorized labels, time."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("trained with", no_wrap=True)
    ours = "reference" if backend == "reference" else "fused"
    compiled = costs.why_not_compiled and f": {shorten(costs.why_not_compiled, 60)}"
    for header in (
        "best\n%",
        "last epoch\n%",
        "memorized\n%",
        f"{ours}\nµs",
        "tidy eager\nµs",
        f"torch.compile{compiled}\nµs",
    ):
        table.add_column(header, justify="right", max_width=15)
    for label, runs in results.items():
        own = costs.fused.get(label)
        table.add_row(
            label,
            _mean_and_deviation([max(run.accuracy) for run in runs]),
            _mean_and_deviation([run.accuracy[-1] for run in runs]),
            _mean([run.memorized for run in runs]),
            _time(own),
            _time(costs.eager.get(label), own),
            _time(costs.compiled.get(label), own),
        )
    return table


def remarks(data: Dataset, costs: Costs, backend: str) -> str:
    """How to read the table, and what it does not prove."""
    samples, classes = costs.shape
    yardstick = f"{1e6 * costs.cross_entropy.median:.1f} µs"
    lines = [
        "best, last epoch: accuracy on the clean test images, mean ± sd of the seeds",
        "memorized: share of the wrongly labeled training images predicted as labeled",
        f"µs: forward + backward at {samples}x{classes}, float32, one thread, medians of "
        "interleaved runs;",
        f"    (2x) is twice our time; F.cross_entropy takes {yardstick}",
        f"backend of our losses: {backend}",
        "Weight decay decides much of this ranking, and WD= changes it"
        + (": with WD=2e-2 plain CE ends at about 90." if data.name == "digits" else "."),
    ]
    return "\n".join(lines)


def _mean_and_deviation(values: Sequence[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.1f}"
    return f"{mean(values):.1f} ± {stdev(values):4.1f}"


def _mean(values: Sequence[float]) -> str:
    return "–" if isnan(mean(values)) else f"{mean(values):.1f}"


def _time(sample: Sample | None, fused: Sample | None = None) -> str:
    if sample is None:
        return "–"
    microseconds = f"{1e6 * sample.median:.1f}"
    return f"{microseconds} ({sample / fused:.1f}x)" if fused else microseconds


if __name__ == "__main__":
    # The report that is a program is the one on training.
    from bench.training_report import main

    sys.exit(main())
