"""Draws how the time of a step grows with the rows and with the classes.

python -m bench.scaling [picture]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import bench.steady  # noqa: F401, for its settings
from bench import rivals, timing
from bench.cases import FLOOR, Case

PICTURE = "docs/scaling.png"
ROWS = 16
CLASSES = 100
GROWING_ROWS = [2**n for n in range(0, 19, 2)]
GROWING_CLASSES = [2**n for n in range(1, 19)]
BUDGET_SECONDS = 0.5

INK = "#333333"


@dataclass(frozen=True)
class Line:
    """What is timed and how its line looks."""

    label: str
    loss: str
    contender: str
    color: str


LINES = (
    Line("F.cross_entropy", "gce", rivals.YARDSTICK, "#666666"),
    Line("sgce", "sgce", rivals.FUSED, "#D55E00"),
    Line("gce", "gce", rivals.FUSED, "#0072B2"),
    Line("alpha_mae", "alpha_mae", rivals.FUSED, "#009E73"),
    Line("muh", "muh", rivals.FUSED, "#CC79A7"),
    Line("a copy", FLOOR, rivals.CLONE, "#BBBBBB"),
)


def measure(shapes: Sequence[tuple[int, int]]) -> dict[str, list[float]]:
    """Median seconds of a step, for each line at each shape; at a shape the lines take turns.

    Each shape has two visits, some time apart, and the faster counts: neighbors come and go.
    """
    medians: dict[tuple[str, tuple[int, int]], float] = {}
    for rows, classes in (*shapes, *reversed(shapes)):
        case = Case("", "both", rows, classes, "float32", 1)
        clocked = {
            line.label: rivals.clocked(replace(case, loss=line.loss), line.contender)
            for line in LINES
        }
        found = timing.take_turns(clocked, rounds=25, budget_seconds=BUDGET_SECONDS)
        for label, values in found.items():
            key, median = (label, (rows, classes)), timing.summary(values).median
            medians[key] = min(median, medians.get(key, median))
    return {line.label: [medians[line.label, shape] for shape in shapes] for line in LINES}


def draw(axes: Axes, sizes: Sequence[int], seconds: dict[str, list[float]]) -> None:
    for line in LINES:
        found = [s * 1e6 for s in seconds[line.label]]
        axes.plot(sizes, found, ".-", color=line.color, label=line.label, lw=1.3)
    last = min(found[-1] for found in seconds.values()) * 1e6
    axes.plot(sizes, [0.2 * last * n / sizes[-1] for n in sizes], ":", color=INK, lw=1)
    axes.annotate(
        "linear",
        (sizes[-2], 0.2 * last * sizes[-2] / sizes[-1]),
        color=INK,
        xytext=(4, -12),
        textcoords="offset points",
    )
    axes.set(xscale="log", yscale="log")
    axes.set_ylim(bottom=0.5)
    axes.grid(color="#e6e6e6", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)


def main(picture: str = PICTURE) -> None:
    torch.set_num_threads(1)
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    draw(left, GROWING_ROWS, measure([(n, CLASSES) for n in GROWING_ROWS]))
    left.set(xlabel=f"rows N, {CLASSES} classes", ylabel="forward + backward, µs")
    draw(right, GROWING_CLASSES, measure([(ROWS, c) for c in GROWING_CLASSES]))
    right.set(xlabel=f"classes C, {ROWS} rows")
    figure.savefig(picture, dpi=140)
    print(picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
