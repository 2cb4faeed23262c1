"""The table of losses as Markdown; `python -m noisykernels.docs README.md` updates a page."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

from noisykernels import functional, theory
from noisykernels.registry import LOSSES, Loss

BEGIN, END = "<!-- losses:begin -->", "<!-- losses:end -->"

CLASSES = (10, 100)
"""Numbers of classes for which the table shows the gain."""


def loss_table() -> str:
    """One row for each registered loss, with the defaults of its function."""
    gain = f"gain at C = {' and '.join(map(str, CLASSES))}"
    header = ("name", "loss", "formula", "parameters", "symmetric", "bounded", gain, "source")
    rows = [header, ("---",) * len(header), *map(_row, LOSSES.values())]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def with_table(page: str) -> str:
    """The page with the current table between its markers."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"the page has no {BEGIN} followed by {END}")
    return f"{before}{begin}\n{loss_table()}\n{end}{after}"


def _row(loss: Loss) -> tuple[str, ...]:
    function = getattr(functional, f"{loss.name}_loss")
    defaults = inspect.signature(function).parameters
    parameters = "<br>".join(
        f"`{allowed.describe(name)}`, default {defaults[name].default}"
        for name, allowed in loss.parameters.items()
    )
    return (
        f"`{loss.name}`",
        loss.title,
        f"`{loss.formula}`",
        parameters,
        loss.symmetric,
        loss.bounded,
        ", ".join(f"{theory.gain(function, classes):.2g}" for classes in CLASSES),
        loss.source,
    )


if __name__ == "__main__":
    for name in sys.argv[1:]:
        path = Path(name)
        path.write_text(with_table(path.read_text(encoding="utf-8")), encoding="utf-8")
