"""The speed and memory that the losses must reach, and what a result file says about each bar.

    python -m bench.bars [result file]

It informs: a timing on somebody's machine never fails a build.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import groups, rivals
from bench.cases import HEADLINE, Case
from bench.measure import MOST_SLOWDOWN
from bench.record import Quartiles, Record, Run, latest, read

BYTES_PER_ROW = 64


@dataclass(frozen=True)
class Bar:
    """What was measured against what it has to be, the less the better."""

    rule: str
    case: Case
    limit: float
    measured: Quartiles
    disturbed: bool = False
    """Whether neighbors slowed the machine all the while, in spite of attempts."""

    @property
    def met(self) -> bool:
        return self.measured[1] <= self.limit

    @property
    def value(self) -> str:
        """The median, and the quartiles where there are any."""
        low, median, high = self.measured
        return f"{median:.2f}" if low == high else f"{median:.2f} ({low:.2f} to {high:.2f})"


def bars(run: Run) -> list[Bar]:
    """All bars that apply to what was measured."""
    rules = (_yardstick, _eager, _compiled, _half, _combination, _memory)
    return [bar for rule in rules for case in groups.steps(run) for bar in rule(run, case)]


def _yardstick(run: Run, case: Case) -> Iterator[Bar]:
    limit = yardstick_limit(case)
    if run.facts["simd"] == "avx512" and case.dtype == "float32" and limit is not None:
        yield from _ratio(run, case, "fused / F.cross_entropy", rivals.YARDSTICK, limit)


def yardstick_limit(case: Case) -> float | None:
    """The bar for float32 against `F.cross_entropy`, for a machine with AVX-512."""
    name, _ = case.function
    if name not in HEADLINE:
        return None
    if case.classes <= 14:
        limits = (0.5, 0.6, 0.6)
    elif case.shape == "128x100":
        limits = (0.7, 0.9, 1.0) if case.threads == 1 else (0.6, 0.65, 0.75)
    elif case.shape == "1024x100":
        limits = (0.45, 0.75, 0.9)
    elif case.classes >= 1000:
        limits = (0.3, 0.6, 0.8)
    else:
        return None
    no_exp, one_exp, two_exps = limits
    return {"muh": no_exp, "sgce": two_exps}.get(name, one_exp)


def _eager(run: Run, case: Case) -> Iterator[Bar]:
    if case.loss in ("sgce", "sce", "alpha_mae"):
        yield from _ratio(run, case, "fused / tidy eager", rivals.EAGER, 1 / 3)


def _compiled(run: Run, case: Case) -> Iterator[Bar]:
    yield from _ratio(run, case, "fused / torch.compile", rivals.COMPILED, 1)


def _half(run: Run, case: Case) -> Iterator[Bar]:
    if case.classes >= 1000:
        yield from _ratio(run, case, f"{case.dtype} / float32", rivals.SINGLE, 1)


def _combination(run: Run, case: Case) -> Iterator[Bar]:
    dearest = dearest_term(run, case)
    if dearest:
        yield _bar("sum / its dearest term", 1.2, dearest)


def dearest_term(run: Run, case: Case) -> Record | None:
    """The record of the slowest of a sum's terms, each alone; None of what is no sum."""
    found = (run.get(case, rivals.term(name)) for name in rivals.parts(case))
    return max(filter(None, found), key=lambda record: record.seconds[1], default=None)


def _memory(run: Run, case: Case) -> Iterator[Bar]:
    value = bytes_per_row(run, case)
    if value is not None:
        yield Bar("peak bytes a row", case, BYTES_PER_ROW, (value,) * 3)


def bytes_per_row(run: Run, case: Case, contender: str = rivals.FUSED) -> float | None:
    """Peak memory a row beyond logits and gradient, and beyond what autograd takes for itself."""
    found, autograd = run.get(case, contender), run.get(case, rivals.AUTOGRAD)
    if found is None or autograd is None or found.memory is None or autograd.memory is None:
        return None
    return (found.memory - autograd.memory) / case.rows


def _ratio(run: Run, case: Case, rule: str, rival: str, limit: float) -> Iterator[Bar]:
    found: Record | None = run.get(case, rival)
    if found:
        yield _bar(rule, limit, found)


def _bar(rule: str, limit: float, found: Record) -> Bar:
    return Bar(rule, found.case, limit, found.ratio, found.slowdown > MOST_SLOWDOWN)


def table(found: list[Bar]) -> Table:
    """One line for each bar."""
    rows = Table("bar", "case", "limit", "measured", "")
    for column in rows.columns:
        column.no_wrap = True
    for bar in found:
        verdict = ("[green]met[/]" if bar.met else "[red]missed[/]") + " ?" * bar.disturbed
        rows.add_row(bar.rule, str(bar.case), f"{bar.limit:.2f}", bar.value, verdict)
    return rows


def main(arguments: list[str]) -> None:
    path = Path(arguments[0]) if arguments else latest()
    found = bars(read(path))
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table(found))
    met = sum(bar.met for bar in found)
    disturbed = sum(bar.disturbed for bar in found)
    console.print(
        f"{met} of {len(found)} met, {len(found) - met} missed; median (quartiles). "
        f"? the machine was disturbed: {disturbed}"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
