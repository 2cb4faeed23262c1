"""Which of a run's cases a table is about: forward and backward as a training step does them."""

from __future__ import annotations

from bench.cases import FAMILY_SHAPES, FLOOR, Case
from bench.record import Run


def steps(run: Run) -> list[Case]:
    """All cases of losses, forward and backward."""
    return [case for case in run.cases if case.loss != FLOOR and case.mode == "both"]


def thorough(run: Run, dtype: str = "float32") -> list[Case]:
    """The cases of losses that were measured at more than the family's shapes, by threads."""
    beyond = {case.loss for case in steps(run) if case.shape not in FAMILY_SHAPES}
    found = [case for case in steps(run) if case.loss in beyond and case.dtype == dtype]
    return sorted(found, key=lambda case: case.threads)


def family(run: Run) -> list[Case]:
    """The cases that every loss has: float32, on one thread."""
    return [
        case
        for case in steps(run)
        if case.shape in FAMILY_SHAPES and case.dtype == "float32" and case.threads == 1
    ]
