"""The tables of docs/performance.md, from a result file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from textwrap import fill

from bench import bars, groups, rivals, summary
from bench.cases import FLOOR, Case
from bench.record import Quartiles, Run

EXPONENTIALS = {"muh": 0, "muh_quadratic": 0, "sgce": 4}
"""Exponentials an element, forward and backward; 2 for all others."""


def machine(run: Run) -> str:
    """What it was measured with."""
    f = run.facts
    dirty = " with changes" if f["dirty"] else ""
    return (
        f"{f['cpu']}, {f['cores']} cores, {f['simd']}; torch {f['torch']}, Python {f['python']}, "
        f"{f['compiler']}; commit {f['commit'][:7]}{dirty}, {f['time'][:10]}. Processes that "
        f"wanted a core when it began: {f['load']}, when it ended: {f['load_at_end']}."
    )


def floor(run: Run) -> str:
    """What the machine can do at each shape."""
    header = ("shape", "dtype", "threads", "copy GB/s", "10⁹ exp/s", "autograd µs", "CE µs")
    rows = []
    for case in run.cases:
        if case.loss == FLOOR:
            copy, exp = _median(run, case, rivals.COPY), _median(run, case, rivals.EXP)
            elements = case.rows * case.classes
            rows.append(
                (
                    case.shape,
                    case.dtype,
                    str(case.threads),
                    f"{2 * elements * case.torch_dtype.itemsize / copy / 1e9:.1f}",
                    f"{elements / exp / 1e9:.2f}",
                    f"{_median(run, case, rivals.AUTOGRAD) * 1e6:.1f}",
                    f"{_median(run, case, rivals.YARDSTICK) * 1e6:.1f}",
                )
            )
    return _markdown(header, rows)


def yardstick(run: Run) -> str:
    """The fused losses against `F.cross_entropy`, float32."""
    cases = groups.thorough(run)
    return _by_shape(cases, lambda case: _spread(run, case, rivals.YARDSTICK), **LOSS_AND_THREADS)


def speedup(run: Run) -> str:
    """How many times as fast as tidy eager, published eager and torch.compile, float32."""

    def cell(case: Case) -> str:
        found = (
            run.get(case, name) for name in (rivals.EAGER, rivals.PUBLISHED_CODE, rivals.COMPILED)
        )
        return " · ".join(f"{1 / record.ratio[1]:.1f}" if record else "–" for record in found)

    return _by_shape(groups.thorough(run), cell, **LOSS_AND_THREADS)


def half(run: Run) -> str:
    """Half precision against float32, where there are bars for it."""
    cases = groups.thorough(run, "bfloat16")
    return _by_shape(cases, lambda case: _spread(run, case, rivals.SINGLE), **LOSS_AND_THREADS)


def distance(run: Run) -> str:
    """The time of the fused loss over that of its bytes, and over that of its exponentials."""

    def cell(case: Case) -> str:
        fused = _median(run, case, rivals.FUSED)
        exps = exp_seconds(run, case)
        in_exps = f"{fused / exps:.2f}" if exps else "–"
        return f"{fused / byte_seconds(run, case):.1f} · {in_exps}"

    return _by_shape(groups.thorough(run), cell, **LOSS_AND_THREADS)


def memory(run: Run) -> str:
    """Peak bytes a row beyond logits, gradient and autograd's own; fused, eager and compiled."""

    def cell(case: Case) -> str:
        found = (
            bars.bytes_per_row(run, case, name)
            for name in (rivals.FUSED, rivals.EAGER, rivals.COMPILED)
        )
        return " · ".join("–" if value is None else f"{value:,.0f}" for value in found)

    cases = [case for case in groups.thorough(run) if case.threads == 1]
    return _by_shape(cases, cell, loss=_loss)


def speed(run: Run) -> str:
    """Against `F.cross_entropy`, float32, without the spread: one thread and, in brackets, two."""

    def cell(case: Case) -> str:
        one, two = (run.get(replace(case, threads=count), rivals.YARDSTICK) for count in (1, 2))
        assert one is not None
        return f"{one.ratio[1]:.2f}" + (f" ({two.ratio[1]:.2f})" if two else "")

    cases = [case for case in groups.thorough(run) if case.threads == 1]
    return _by_shape(cases, cell, loss=_loss)


def family(run: Run) -> str:
    """Every loss over `F.cross_entropy`, tidy eager and torch.compile."""

    def cell(case: Case) -> str:
        found = (run.get(case, name) for name in (rivals.YARDSTICK, rivals.EAGER, rivals.COMPILED))
        return " · ".join(f"{record.ratio[1]:.2f}" if record else "–" for record in found)

    return _by_shape(groups.family(run), cell, loss=_loss)


def sums(run: Run) -> str:
    """Losses that are sums, over the dearest of their terms, which is named."""

    def cell(case: Case) -> str:
        dearest = bars.dearest_term(run, case)
        assert dearest is not None
        return f"{_format(dearest.ratio)} {dearest.contender.removeprefix('term ')}"

    cases = [case for case in groups.family(run) if bars.dearest_term(run, case)]
    return _by_shape(cases, cell, loss=_loss, terms=lambda case: ", ".join(rivals.parts(case)))


def in_words(run: Run) -> str:
    """The run in a few sentences."""
    return fill(" ".join(summary.sentences(run)), 120)


def missed(run: Run) -> str:
    """The bars that were missed."""
    header = ("bar", "case", "limit", "measured", "")
    rows = [
        (bar.rule, str(bar.case), f"{bar.limit:.2f}", bar.value, "disturbed" * bar.disturbed)
        for bar in bars.bars(run)
        if not bar.met
    ]
    return _markdown(header, rows) if rows else "None."


def lost(run: Run) -> str:
    """Every rival that was faster than the fused loss."""
    others = (rivals.YARDSTICK, rivals.EAGER, rivals.PUBLISHED_CODE, rivals.COMPILED)
    header = ("case", "faster", "fused / it")
    rows = [
        (str(record.case), record.contender, _format(record.ratio))
        for record in run.records
        if record.case.loss != FLOOR and record.contender in others and record.ratio[1] > 1
    ]
    return _markdown(header, rows) if rows else "Nowhere among the cases measured."


TABLES: dict[str, Callable[[Run], str]] = {
    table.__name__: table
    for table in (
        *(machine, floor, yardstick, speedup, half, distance, memory, missed, lost),
        *(speed, family, sums, in_words),
    )
}


def byte_seconds(run: Run, case: Case) -> float:
    """What moving a loss's bytes takes, at the speed of copies in the same run.

    The logits are read twice and a new gradient is written: half a copy, and a clone. MUH's
    backward does not read them.
    """
    machine = replace(case, loss=FLOOR, mode="both")
    reading = 0.0 if case.loss == "muh" else _median(run, machine, rivals.COPY) / 2
    return reading + _median(run, machine, rivals.CLONE)


def exp_seconds(run: Run, case: Case) -> float:
    """What torch takes for a loss's exponentials, in the same run."""
    machine = replace(case, loss=FLOOR, mode="both")
    return EXPONENTIALS.get(case.loss, 2) * _median(run, machine, rivals.EXP)


def _loss(case: Case) -> str:
    return f"`{case.loss}`"


LOSS_AND_THREADS = {"loss": _loss, "threads": lambda case: str(case.threads)}


def _by_shape(
    cases: Sequence[Case], cell: Callable[[Case], str], **columns: Callable[[Case], str]
) -> str:
    """A cell for each case, below its shape; the columns named tell the lines apart."""
    shapes = list(dict.fromkeys(case.shape for case in cases))
    lines: dict[tuple[str, ...], dict[str, str]] = {}
    for case in cases:
        line = tuple(column(case) for column in columns.values())
        lines.setdefault(line, {})[case.shape] = cell(case)
    rows = [(*line, *(cells.get(shape, "") for shape in shapes)) for line, cells in lines.items()]
    return _markdown((*columns, *shapes), rows)


def _median(run: Run, case: Case, contender: str) -> float:
    found = run.get(case, contender)
    return found.seconds[1] if found else float("nan")


def _spread(run: Run, case: Case, rival: str) -> str:
    found = run.get(case, rival)
    return _format(found.ratio) if found else ""


def _format(ratio: Quartiles) -> str:
    low, median, high = ratio
    return f"{median:.2f} ({low:.2f}–{high:.2f})"


def _markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
