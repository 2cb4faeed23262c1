"""How cross entropy with a growing penalty turns into the unhinged loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import plotly.graph_objects as go

from bench.training.figures.layout import LAYOUT
from bench.training.results import Asymptotic

_LAYOUT = {
    **LAYOUT,
    "xaxis": {"title": "λ", "type": "log", "dtick": 1, "exponentformat": "power"},
    "yaxis": {"title": "gap", "type": "log", "dtick": 1, "exponentformat": "power"},
}


def figures(found: Sequence[Asymptotic]) -> Iterator[tuple[str, go.Figure]]:
    """A figure for each file."""
    for asymptotic in found:
        points, run = asymptotic.points, asymptotic.run
        figure = go.Figure(layout=_LAYOUT)
        weights = [point.weight for point in points]
        for name, gaps in (
            ("CE and MUH, both on noisy labels", [point.gap for point in points]),
            ("CE on noisy and on clean labels", [point.clean_gap for point in points]),
        ):
            figure.add_scatter(x=weights, y=gaps, name=name, mode="lines+markers")
        heading = "Gap between the minimizers with λ‖z‖²"
        yield f"{heading}; {run['data']}, noise {run['noise']}", figure
