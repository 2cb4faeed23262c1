"""The demo's picture: clean-test accuracy over the epochs, a curve per loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bench.experiment import Run

# Okabe and Ito's palette, which people with color-blindness can tell apart; the ceiling is gray.
COLORS = ("#D55E00", "#0072B2", "#56B4E9", "#009E73", "#CC79A7", "#E69F00", "#666666")
INK = "#333333"


def save(results: Mapping[str, Sequence[Run]], title: str, subtitle: str, path: Path) -> None:
    """Draws mean and range over the seeds to a PNG; each curve is labeled where it ends."""
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.add_subplot()
    ends = {}
    for (label, runs), color in zip(results.items(), COLORS, strict=True):
        curves = np.array([run.accuracy for run in runs])
        epochs = np.arange(1, curves.shape[1] + 1)
        mean = curves.mean(0)
        ceiling = color == COLORS[-1]
        axes.plot(epochs, mean, color=color, linewidth=1.8, linestyle="--" if ceiling else "-")
        axes.fill_between(
            epochs, curves.min(0), curves.max(0), color=color, alpha=0.13, linewidth=0
        )
        ends[label] = (mean[-1], color)
    _decorate(axes, title, subtitle, epochs[-1])
    _label_ends(axes, ends)
    figure.savefig(path, format="png", dpi=160)


def _label_ends(axes: Axes, ends: Mapping[str, tuple[float, str]]) -> None:
    low, high = axes.get_ylim()
    gap = 0.045 * (high - low)
    level = high + gap
    right_of_axes = axes.get_yaxis_transform()
    # From the top down: each label level with its curve's end, or just below the previous label.
    for label, (accuracy, color) in sorted(ends.items(), key=lambda item: -item[1][0]):
        level = min(accuracy, level - gap)
        axes.plot(
            (1.0, 1.01, 1.035, 1.05),
            (accuracy, accuracy, level, level),
            color=color,
            linewidth=1,
            transform=right_of_axes,
            clip_on=False,
        )
        text = f"{label}  {accuracy:.1f}"
        axes.text(1.06, level, text, color=INK, va="center", transform=right_of_axes)


def _decorate(axes: Axes, title: str, subtitle: str, last: int) -> None:
    axes.set_title(f"{title}\n", loc="left", fontsize=12, fontweight="bold", color=INK)
    axes.text(0, 1.03, subtitle, fontsize=9.5, color=INK, transform=axes.transAxes)
    axes.set_xlabel("epoch (line: mean of the seeds, band: their range)", color=INK)
    axes.set_ylabel("accuracy on clean test images (%)", color=INK)
    axes.set_xlim(1, max(2, last))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK)
