"""Accuracy of each class by epoch: figures 1 and 5 of the SCE paper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import plotly.graph_objects as go

from bench.training.figures.layout import COLORS, by_setting, panels, place
from bench.training.results import Group

MOST_CLASSES = 20
"""More lines cannot be told apart."""


def figures(groups: Sequence[Group]) -> Iterator[tuple[str, go.Figure]]:
    """A figure for each setting, with a panel for each loss."""
    for setting, together in by_setting(groups).items():
        if len(together[0].histories[0][0]["per_class"]) <= MOST_CLASSES:
            yield f"Accuracy of each class; {setting}", _figure(together)


def _figure(groups: Sequence[Group]) -> go.Figure:
    figure = panels([group.label for group in groups], shared_yaxes=True)
    for number, group in enumerate(groups):
        curves = np.mean(
            [[epoch["per_class"] for epoch in history] for history in group.histories], axis=0
        )
        overall = np.mean(
            [[epoch["accuracy"] for epoch in history] for history in group.histories], axis=0
        )
        lines = {f"class {k}": (curve, COLORS[k % 10], 1) for k, curve in enumerate(curves.T)}
        for name, (curve, color, width) in {**lines, "all": (overall, "#000", 3)}.items():
            figure.add_scatter(
                x=np.arange(1, len(curve) + 1),
                y=curve,
                name=name,
                legendgroup=name,
                showlegend=number == 0,
                line={"color": color, "width": width},
                mode="lines",
                **place(number),
            )
    figure.update_xaxes(title="epoch (mean of the seeds)")
    return figure.update_yaxes(title="accuracy, %", col=1)
