"""What all figures look like."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from bench.training.results import Group

LAYOUT: dict[str, Any] = {"template": "plotly_white", "height": 420, "margin": {"t": 30}}

COLUMNS = 3

COLORS = (
    *("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd"),
    *("#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"),
)
"""Of the classes."""


def panels(titles: Sequence[str], **options: Any) -> go.Figure:
    """A figure of panels, row by row; `place` says where the next one is."""
    columns = min(COLUMNS, len(titles))
    rows = -(-len(titles) // columns)
    narrow = [title.replace("; ", "<br>") for title in titles]
    figure = make_subplots(rows, columns, subplot_titles=narrow, **options)
    figure.update_annotations(font_size=11)
    figure.update_layout(**LAYOUT | {"height": 340 * rows + 80, "margin": {"t": 70}})
    return figure.update_layout(legend={"tracegroupgap": 0})


def place(number: int) -> dict[str, int]:
    """Row and column of a panel, from 0."""
    row, column = divmod(number, COLUMNS)
    return {"row": row + 1, "col": column + 1}


def by_setting(groups: Iterable[Group]) -> dict[str, list[Group]]:
    """The groups that differ in the loss alone, by what they have in common."""
    together: dict[str, list[Group]] = defaultdict(list)
    for group in groups:
        together[group.setting].append(group)
    return dict(sorted(together.items()))
