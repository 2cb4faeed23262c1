"""The ratio of each loss to `F.cross_entropy` over the commits, as one HTML page without a network.

python -m bench.history [page]
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import plotly.graph_objects as go

from bench import html_page, rivals
from bench.cases import FLOOR, Case
from bench.html_page import charts
from bench.record import FOLDER, Record, Run, paths, read

PAGE = FOLDER / "history.html"

_TITLE = "Speed over commits"

_INTRODUCTION = f"""<h1>{_TITLE}</h1>
<p>Forward and backward of each fused loss over that of <code>F.cross_entropy</code>, both measured
in turns in one run: below 1 the loss is faster. Medians; the bars are quartiles over the rounds.
Lines join runs on the same kind of processor with the same allocator settings. Click on a name to
hide it, double-click to see it alone.</p>
"""


def page(runs: Sequence[Run]) -> str:
    """A page with one chart for each loss."""
    found = charts((loss, _chart(points)) for loss, points in _by_loss(runs).items())
    return html_page.page(_TITLE, [_INTRODUCTION, *found])


_Point = tuple[Run, Record]


def _by_loss(runs: Sequence[Run]) -> dict[str, list[_Point]]:
    losses: dict[str, list[_Point]] = defaultdict(list)
    for run in runs:
        for record in run.records:
            case = record.case
            if case.loss != FLOOR and case.mode == "both" and record.contender == rivals.YARDSTICK:
                losses[case.loss].append((run, record))
    return losses


def _chart(points: Sequence[_Point]) -> go.Figure:
    lines: dict[tuple[str, Case], list[_Point]] = defaultdict(list)
    for run, record in points:
        lines[_machine(run), record.case].append((run, record))
    figure = go.Figure(layout=_LAYOUT)
    for (machine, case), line in lines.items():
        ratios = [record.ratio for _, record in line]
        figure.add_scatter(
            x=[_label(run) for run, _ in line],
            y=[median for _, median, _ in ratios],
            error_y={
                "array": [high - median for _, median, high in ratios],
                "arrayminus": [median - low for low, median, _ in ratios],
                "thickness": 1,
            },
            name=f"{case.shape} {case.dtype}, {case.threads}t",
            text=[f"{machine}, torch {run.facts['torch']}" for run, _ in line],
            hovertemplate="%{y:.2f}<br>%{x}<br>%{text}",
            mode="lines+markers",
        )
    figure.add_hline(y=1, line_dash="dot", line_color="#999")
    # In the order of the runs, also where a line lacks some of them.
    order = list(dict.fromkeys(_label(run) for run, _ in points))
    figure.update_xaxes(categoryorder="array", categoryarray=order)
    return figure


def _machine(run: Run) -> str:
    # Early files do not say what became of freed memory: nothing had been done about it.
    memory = run.facts.get("memory", "as the allocator likes")
    return f"{run.facts['cpu']}, {run.facts['simd']}, memory {memory}"


def _label(run: Run) -> str:
    dirty = "+" if run.facts["dirty"] else ""
    return f"{run.facts['commit'][:7]}{dirty} {run.facts['time'][:16].replace('T', ' ')}"


_LAYOUT = {
    "template": "plotly_white",
    "height": 420,
    "margin": {"t": 40},
    "scattermode": "group",  # beside each other, also where there is one run
    "yaxis": {"title": "time / F.cross_entropy", "rangemode": "tozero"},
    "xaxis": {"type": "category"},
}


def main(output: str = str(PAGE)) -> None:
    Path(output).write_text(page([read(path) for path in paths()]), encoding="utf-8")
    print(output)


if __name__ == "__main__":
    main(*sys.argv[1:])
