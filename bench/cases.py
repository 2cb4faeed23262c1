"""What the suite measures: a loss at a shape, and the choice of them that a run makes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import torch

from bench.contenders import FORMULAS

VARIANTS: dict[str, tuple[str, dict[str, float]]] = {
    # MUH alone cannot be trained: this is what one trains with.
    "muh_quadratic": ("muh", {"quadratic": 0.1}),
}
"""Losses with other parameters than the defaults, by the name the suite gives them."""

FLOOR = "floor"
"""The group that measures the machine instead of a loss: copies, exponentials, autograd."""

HEADLINE = ("ce", "rce", "mae", "gce", "muh", "sgce", "alpha_mae", "sce")
"""Losses that a full run measures in every way, as it does the variants; see also FAMILY_SHAPES."""

LOSSES = (*FORMULAS, *VARIANTS)
MODES = ("both", "forward", "backward")
SHAPES = ("64x14", "128x10", "128x100", "1024x100", "1024x1000", "256x32000", "64x128256")
DTYPES = ("float32", "bfloat16")
THREADS = tuple(threads for threads in (1, 2) if threads <= (os.cpu_count() or 1))

# One loss for each kernel (CE, RCE and MAE run GCE's), one shape for each bar.
MUST_HOLD_LOSSES = ("gce", "sce", "sgce", "alpha_mae", "muh")
MUST_HOLD_SHAPES = ("128x10", "128x100", "1024x100", "1024x1000", "256x32000")

FAMILY_SHAPES = ("128x10", "128x100", "1024x1000")
"""Where every loss is measured: in float32, forward and backward, on one thread."""

Shape = tuple[int, int]


@dataclass(frozen=True)
class Case:
    """A loss measured at a shape; its contenders take turns."""

    loss: str
    mode: str
    rows: int
    classes: int
    dtype: str
    threads: int

    def __str__(self) -> str:
        threads = f"{self.threads} thread{'s' * (self.threads > 1)}"
        return f"{self.loss}/{self.mode}/{self.shape}/{self.dtype}/{threads}"

    @property
    def shape(self) -> str:
        return f"{self.rows}x{self.classes}"

    @property
    def torch_dtype(self) -> torch.dtype:
        dtype: torch.dtype = getattr(torch, self.dtype)
        return dtype

    @property
    def function(self) -> tuple[str, dict[str, float]]:
        """Name of the loss in the registry, and the parameters that are not its defaults."""
        return VARIANTS.get(self.loss, (self.loss, {}))


def parse_shape(text: str) -> Shape:
    rows, classes = map(int, text.split("x"))
    return rows, classes


def select(
    losses: Sequence[str] = (),
    shapes: Sequence[str] = (),
    *,
    threads: Sequence[int] = (),
    full: bool = False,
) -> Iterator[Case]:
    """The cases of a run: everything, or what the bars need; what is named narrows it."""
    unknown = set(losses) - set(LOSSES)
    if unknown:
        raise ValueError(f"no loss {', '.join(sorted(unknown))}; there are {', '.join(LOSSES)}")
    thorough = {*HEADLINE, *VARIANTS} if full or losses else {*MUST_HOLD_LOSSES}

    def belongs(case: Case) -> bool:
        single = case.dtype == "float32"
        if case.loss not in thorough:
            at_shape = bool(shapes) or case.shape in FAMILY_SHAPES
            on_threads = bool(threads) or case.threads == 1
            return at_shape and on_threads and single and case.mode == "both"
        if full:
            return True
        at_shape = bool(shapes) or case.shape in MUST_HOLD_SHAPES
        # Half precision has a bar for many classes only.
        return at_shape and (single or case.classes >= 1000) and case.mode == "both"

    for shape, dtype, count in product(shapes or SHAPES, DTYPES, threads or THREADS):
        machine = Case(FLOOR, "both", *parse_shape(shape), dtype, count)
        # Modes last: they share a compiled graph.
        cases = [
            replace(machine, loss=loss, mode=mode)
            for loss, mode in product(losses or LOSSES, MODES)
        ]
        chosen = [case for case in cases if belongs(case)]
        if chosen:
            yield from (machine, *chosen)
