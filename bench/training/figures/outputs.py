"""What a network makes of single images after an epoch: figures 2, 4, 6 and 7 of the SCE paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import plotly.graph_objects as go

from bench.training import analysis, dumps
from bench.training.dumps import Dump
from bench.training.figures.layout import COLORS, by_setting, panels, place
from bench.training.results import Group

Dumps = Mapping[str, Dump]
"""By what a panel is named by."""


def figures(groups: Sequence[Group]) -> Iterator[tuple[str, go.Figure]]:
    """Three figures for each setting, from the first seed that has outputs."""
    for setting, together in by_setting(groups).items():
        files = {group.label: _files(group) for group in together if _files(group)}
        if not files:
            continue
        every = {
            f"{loss}, epoch {epoch}": dumps.read(path)
            for loss, of_loss in files.items()
            for epoch, path in of_loss.items()
        }
        known = {name: d for name, d in every.items() if d.train_clean_labels is not None}
        if known:
            yield f"Confidence on correctly labeled training images; {setting}", _confidence(known)
            yield f"Predictions for the training images; {setting}", _predictions(known)
        last = {loss: dumps.read(list(of_loss.values())[-1]) for loss, of_loss in files.items()}
        yield f"Features of test images by t-SNE, last outputs; {setting}", _embeddings(last)


def _files(group: Group) -> Mapping[int, Path]:
    return next((of_seed for of_seed in group.dumps if of_seed), {})


def _confidence(found: Dumps) -> go.Figure:
    """Mean probabilities: a row is a class, whose mean the paper draws for class 3."""
    figure = panels(list(found), horizontal_spacing=0.06)
    for number, dump in enumerate(found.values()):
        figure.add_heatmap(
            z=analysis.clean_confidence(dump).numpy(),
            coloraxis="coloraxis",
            hovertemplate="class %{y} seen as %{x}: %{z:.3f}<extra></extra>",
            **place(number),
        )
    bar = {"lenmode": "pixels", "len": 250, "y": 1, "yanchor": "top"}
    figure.update_layout(coloraxis={"colorscale": "Blues", "cmin": 0, "cmax": 1, "colorbar": bar})
    figure.update_xaxes(title="class that the probability is of")
    figure.update_yaxes(title="true class", col=1)
    return figure.update_yaxes(autorange="reversed")


def _predictions(found: Dumps) -> go.Figure:
    """Predictions of each class, and the right ones among them."""
    figure = panels(list(found), shared_yaxes=True)
    for number, dump in enumerate(found.values()):
        predicted, right = analysis.predictions(dump)
        for name, counts, color in (
            ("predicted", predicted, "#c6dbef"),
            ("correct", right, "#2171b5"),
        ):
            figure.add_bar(
                y=counts.numpy(),
                name=name,
                legendgroup=name,
                showlegend=number == 0,
                marker_color=color,
                **place(number),
            )
    figure.update_layout(barmode="overlay")
    figure.update_xaxes(title="class")
    return figure.update_yaxes(title="training images", col=1)


def _embeddings(found: Dumps) -> go.Figure:
    figure = panels(list(found))
    for number, dump in enumerate(found.values()):
        points = analysis.embedding(dump)
        labels = dump.test_labels[: len(points)].numpy()
        figure.add_scatter(
            x=points[:, 0],
            y=points[:, 1],
            mode="markers",
            marker={"size": 4, "color": [COLORS[label % len(COLORS)] for label in labels]},
            text=[f"class {label}" for label in labels],
            hoverinfo="text",
            showlegend=False,
            **place(number),
        )
    return figure.update_xaxes(visible=False).update_yaxes(visible=False)
