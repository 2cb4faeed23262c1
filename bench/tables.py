"""The tables of docs/performance.md, from a result file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from bench import bars, rivals
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
    return _by_shape(run, ("float32",), lambda case: _spread(run, case, rivals.YARDSTICK))


def speedup(run: Run) -> str:
    """How many times as fast as tidy eager, published eager and torch.compile, float32."""

    def cell(case: Case) -> str:
        found = (
            run.get(case, name) for name in (rivals.EAGER, rivals.PUBLISHED_CODE, rivals.COMPILED)
        )
        return " · ".join(f"{1 / record.ratio[1]:.1f}" if record else "–" for record in found)

    return _by_shape(run, ("float32",), cell)


def half(run: Run) -> str:
    """Half precision against float32, where there are bars for it."""
    return _by_shape(run, ("bfloat16",), lambda case: _spread(run, case, rivals.SINGLE))


def distance(run: Run) -> str:
    """The time of the fused loss over that of its bytes, and over that of its exponentials."""

    def cell(case: Case) -> str:
        fused = _median(run, case, rivals.FUSED)
        exps = exp_seconds(run, case)
        in_exps = f"{fused / exps:.2f}" if exps else "–"
        return f"{fused / byte_seconds(run, case):.1f} · {in_exps}"

    return _by_shape(run, ("float32",), cell)


def memory(run: Run) -> str:
    """Peak bytes a row beyond logits, gradient and autograd's own; fused, eager and compiled."""

    def cell(case: Case) -> str:
        found = (
            bars.bytes_per_row(run, case, name)
            for name in (rivals.FUSED, rivals.EAGER, rivals.COMPILED)
        )
        return " · ".join("–" if value is None else f"{value:,.0f}" for value in found)

    return _by_shape(run, ("float32",), cell, threads=(1,))


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
    for table in (machine, floor, yardstick, speedup, half, distance, memory, missed, lost)
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


def _by_shape(
    run: Run,
    dtypes: Sequence[str],
    cell: Callable[[Case], str],
    threads: Sequence[int] = (1, 2),
) -> str:
    cases = [
        case
        for case in run.cases
        if case.loss != FLOOR
        and case.mode == "both"
        and case.dtype in dtypes
        and case.threads in threads
    ]
    shapes = list(dict.fromkeys(case.shape for case in cases))
    cells: dict[tuple[str, int], dict[str, str]] = {}
    for case in cases:
        cells.setdefault((case.loss, case.threads), {})[case.shape] = cell(case)
    rows = [
        (f"`{loss}`", str(count), *(row.get(shape, "") for shape in shapes))
        for (loss, count), row in sorted(cells.items(), key=lambda item: item[0][1])
    ]
    return _markdown(("loss", "threads", *shapes), rows)


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
