"""Accuracy by epoch: all losses of a setting, and those that an experiment compares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import mean

import plotly.graph_objects as go

from bench.training import experiments, papers
from bench.training.figures.layout import LAYOUT, by_setting
from bench.training.results import Group

_LAYOUT = {
    **LAYOUT,
    "xaxis": {"title": "epoch (mean of the seeds)"},
    "yaxis": {"title": "accuracy, %"},
}

_COLORS = 10
"""Of plotly, before it begins anew."""

_DASHES = ("solid", "dot", "dash")


def figures(groups: Sequence[Group]) -> Iterator[tuple[str, go.Figure]]:
    """A figure for each setting, then one for each experiment with two of its losses there."""
    for setting, together in by_setting(groups).items():
        yield f"Accuracy by epoch; {setting}", _curves({group.label: group for group in together})
    for experiment in experiments.comparisons():
        for setting, together in by_setting(groups).items():
            found = {
                f"{label}: {group.label}": group
                for label, loss in experiment.losses.items()
                for group in together
                if papers.same_loss(loss, group.run["loss"])
            }
            if len(found) > 1:
                yield f"{experiment.title}; {setting}", _curves(found)


def _curves(groups: Mapping[str, Group]) -> go.Figure:
    figure = go.Figure(layout=_LAYOUT)
    for number, (name, group) in enumerate(groups.items()):
        curves = [[epoch["accuracy"] for epoch in history] for history in group.histories]
        figure.add_scatter(
            x=list(range(1, len(curves[0]) + 1)),
            y=[mean(values) for values in zip(*curves, strict=True)],
            name=name,
            mode="lines+markers",
            line_dash=_DASHES[number // _COLORS % len(_DASHES)],
        )
    return figure
