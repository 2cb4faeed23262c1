"""The figures of a report on training: those of the SCE paper from our runs, and a few beyond."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import plotly.graph_objects as go

from bench.training.figures import accuracy, asymptotic, classes, outputs
from bench.training.results import Results


def figures(found: Results) -> Iterator[tuple[str, go.Figure]]:
    """All of them with their headings."""
    return chain(
        accuracy.figures(found.groups),
        classes.figures(found.groups),
        outputs.figures(found.groups),
        asymptotic.figures(found.asymptotic),
    )
