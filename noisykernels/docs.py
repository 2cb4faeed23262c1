"""The table of losses as Markdown; `python -m noisykernels.docs docs/losses.md` writes it."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from noisykernels import functional, theory
from noisykernels.registry import LOSSES, Loss
from noisykernels.terms import visits

BEGIN, END = "<!-- losses:begin -->", "<!-- losses:end -->"

CLASSES = (10, 100)
"""Numbers of classes for which the table shows the gain."""


def loss_table() -> str:
    """One row for each registered loss, with the defaults of its function."""
    header = (
        *("name", "loss", "formula", "parameters", "symmetric", "bounded"),
        f"gain at C = {' and '.join(map(str, CLASSES))}",
        *("visits", "source"),
    )
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
    return (
        f"`{loss.name}`",
        loss.title,
        f"`{loss.formula}`",
        "<br>".join(_parameter(loss, name) for name in loss.parameters),
        loss.symmetric,
        loss.bounded,
        _gain(loss),
        str(visits(loss.terms(**_defaults(loss, CLASSES[0])))),
        loss.source,
    )


def _parameter(loss: Loss, name: str) -> str:
    default = inspect.signature(_function(loss)).parameters[name].default
    text = f"`{loss.parameters[name].describe(name)}`"
    return text if default is inspect.Parameter.empty else f"{text}, default {default}"


def _gain(loss: Loss) -> str:
    gains = [
        theory.gain(partial(_function(loss), **_defaults(loss, classes)), classes)
        for classes in CLASSES
    ]
    text = ", ".join(f"{gain:.2g}" for gain in gains)
    return text + "".join(f" at {name} = I" for name in loss.matrices(torch.eye(1)))


def _defaults(loss: Loss, classes: int) -> dict[str, Any]:
    """The parameters of a loss, with the identity for a matrix."""
    signature = inspect.signature(_function(loss)).parameters
    return {name: signature[name].default for name in loss.parameters} | loss.matrices(
        torch.eye(classes)
    )


def _function(loss: Loss) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(functional, f"{loss.name}_loss")
    return function


if __name__ == "__main__":
    for name in sys.argv[1:]:
        path = Path(name)
        path.write_text(with_table(path.read_text(encoding="utf-8")), encoding="utf-8")
