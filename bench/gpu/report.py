"""The files of a report: JSON with all numbers, a Markdown page, and a picture of the ratios."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from math import nan
from pathlib import Path

from bench.gpu.correctness import Check
from bench.gpu.facts import Facts
from bench.gpu.losses import (
    COMPILED,
    EAGER,
    LIGER,
    OURS,
    PUBLISHED_CODE,
    QUACK,
    TIMED,
    YARDSTICK,
)
from bench.gpu.timing import Time

RIVALS = (YARDSTICK, PUBLISHED_CODE, EAGER, COMPILED, LIGER, QUACK)

WORST = 5
"""Lines of each kind in a summary."""


@dataclass
class Report:
    """All that was found."""

    facts: Facts
    checks: list[Check] = field(default_factory=list)
    graphs: dict[str, bool | str] = field(default_factory=dict)
    """For each backend and loss whether a captured step replays with other data, or why not."""
    bandwidth: float = 0.0
    """Bytes a second of a copy, reading and writing."""
    times: list[Time] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    """What was not checked, timed or drawn, and why."""

    @property
    def correct(self) -> bool:
        """Whether every check passed; a graph that was not tried is no failure."""
        return all(check.passed for check in self.checks) and all(
            replayed is True for replayed in self.graphs.values()
        )


def write(report: Report, folder: Path) -> list[Path]:
    """Write numbers and page; their name is the device's."""
    paths = [_path(report, folder, suffix) for suffix in ("json", "md")]
    folder.mkdir(parents=True, exist_ok=True)
    paths[0].write_text(json.dumps(asdict(report) | {"correct": report.correct}, indent=1) + "\n")
    paths[1].write_text(page(report))
    return paths


def _path(report: Report, folder: Path, suffix: str) -> Path:
    name = re.sub(r"[^a-z0-9]+", "-", str(report.facts["device"]).lower()).strip("-")
    return folder / f"{name}.{suffix}"


def summary(report: Report) -> Iterator[str]:
    """The largest errors and the slowest ratios, a line each."""
    failed = sum(not check.passed for check in report.checks)
    yield f"{len(report.checks)} checks, {failed} failed"
    by_error = sorted(report.checks, key=lambda check: -max(check.value, check.gradient))
    for check in by_error[:WORST]:
        error = max(check.value, check.gradient)
        case = f"{check.backend} {check.loss} {check.dtype} {check.shape} ({check.options})"
        yield f"error {error:.2g} of what is allowed: {case}"
    ratios = [
        (ratio, time, rival)
        for time in report.times
        if time.contender in OURS and time.device
        for rival in RIVALS
        if (ratio := _ratio(time, _find(report, time, rival)))
    ]
    for ratio, time, rival in sorted(ratios, key=lambda found: -found[0])[:WORST]:
        case = f"{time.contender} {time.loss} {time.dtype} {time.shape}"
        yield f"{ratio:.2f} times as long as {rival}: {case}"
    for name, why in report.skipped.items():
        yield f"skipped: {name}: {why}"


def page(report: Report) -> str:
    """The report as Markdown."""
    f = report.facts
    failed = [check for check in report.checks if not check.passed]
    lines = [
        f"# {f['device']}",
        "",
        f"noisykernels {f['noisykernels']}, torch {f['torch']}, triton {f['triton']}, CUDA "
        f"{f['cuda']}, Liger {f['liger-kernel']}, quack {f['quack-kernels']}, "
        f"Python {f['python']}; {f['multiprocessors']} "
        f"multiprocessors, {f['memory_gib']} GiB, L2 {f['l2_mib']} MiB; {str(f['time'])[:10]}.",
        "",
        "## Correctness",
        "",
        f"{len(report.checks) - len(failed)} of {len(report.checks)} checks against the reference "
        "in float64 passed: losses, gradients at random upstream, repeats bit for bit.",
        f"{sum(r is True for r in report.graphs.values())} of {len(report.graphs)} losses replay "
        "from a CUDA graph with other data.",
        "",
        *(f"- {line}" for line in summary(report)),
    ]
    if failed:
        header = (
            "backend", "loss", "dtype", "shape", "options", "loss error", "gradient error",
            "repeats",
        )  # fmt: skip
        rows = [
            (
                c.backend,
                c.loss,
                c.dtype,
                c.shape,
                c.options,
                f"{c.value:.2g}",
                f"{c.gradient:.2g}",
                c.repeats,
            )
            for c in failed
        ]
        lines += ["", "Failed; errors are in units of what is allowed:", "", _table(header, rows)]
    bad = {name: why for name, why in report.graphs.items() if why is not True}
    lines += [f"- {name}: {why or 'replays another result'}" for name, why in bad.items()]
    if report.times:
        lines += ["", "## Speed", "", _speed_text(report)]
        for dtype in dict.fromkeys(time.dtype for time in report.times):
            lines += ["", f"### {dtype}", "", _speed(report, dtype)]
        lines += ["", "### Small batches", "", _small(report)]
    absent = {(t.contender, t.absent) for t in report.times if t.absent}
    lines += [f"- {contender}: {why}" for contender, why in sorted(absent)]
    return "\n".join(lines) + "\n"


def _speed_text(report: Report) -> str:
    return (
        f"A copy moves {report.bandwidth / 1e12:.2f} TB/s, reading and writing. Times are the "
        "GPU's, of a forward and backward, in microseconds; a batch is not in the L2 cache before. "
        "Ratios are our time over that of the rival: below 1 we are faster. "
        "The share of copy is what the least bytes (logits read twice, gradient written once; MUH "
        "without quadratic term: read once, written once) would take at the speed of copies, "
        "over the time taken."
    )


def _speed(report: Report, dtype: str) -> str:
    rivals = [r for r in RIVALS if any(t.contender == r for t in report.times)]
    header = (
        "shape", "loss", "ours", "µs", "forward", "backward", "share of copy",
        *(f"/ {r}" for r in rivals), "kernels", "peak / logits",
    )  # fmt: skip
    rows = []
    for time in report.times:
        if time.contender in OURS and time.dtype == dtype and time.device:
            ratios = (_ratio(time, _find(report, time, rival)) for rival in rivals)
            least = least_seconds(report, time)
            rows.append(
                (
                    time.shape,
                    f"`{time.loss}`",
                    time.contender,
                    f"{_median(time):.1f}",
                    f"{time.device['forward'][1]:.1f}",
                    f"{time.device['backward'][1]:.1f}",
                    f"{100e6 * least / _median(time):.0f} %",
                    *(f"{ratio:.2f}" if ratio else "–" for ratio in ratios),
                    time.kernels or "–",
                    f"{time.peak_bytes / logits_bytes(time):.2f}",
                )
            )
    return _table(header, rows)


def _small(report: Report) -> str:
    """Where the host decides: its own time, and the GPU's when a graph spares it."""
    shapes = list(dict.fromkeys(t.shape for t in report.times if logits_bytes(t) < 2**20))
    header = (
        "shape",
        "dtype",
        "loss",
        "contender",
        "host µs",
        "wall µs",
        "in a graph µs",
        "kernels",
    )
    rows = [
        (
            t.shape, t.dtype, f"`{t.loss}`", t.contender, _number(t.host), _number(t.wall),
            _number(t.graph), t.kernels or "–",
        )
        for t in report.times
        if t.shape in shapes and t.device
    ]  # fmt: skip
    return _table(header, rows)


def draw(report: Report, folder: Path) -> Path:
    """The time of each loss over that of `F.cross_entropy`, by shape.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    from matplotlib.figure import Figure

    from bench.plot import COLORS, INK

    timed = [time for time in report.times if time.contender in OURS and time.device]
    panels = sorted({(time.dtype, time.contender) for time in timed})
    figure = Figure(figsize=(9, 3.2 * len(panels)), layout="constrained")
    grid = figure.subplots(len(panels), squeeze=False)[:, 0]
    for axes, (dtype, backend) in zip(grid, panels, strict=True):
        ours = [time for time in timed if (time.dtype, time.contender) == (dtype, backend)]
        shapes = list(dict.fromkeys(time.shape for time in ours))
        losses = list(dict.fromkeys(time.loss for time in ours))
        width = 0.8 / max(1, len(losses))
        for i, loss in enumerate(losses):
            heights = [
                next(
                    (_ratio(t, _find(report, t, YARDSTICK)) or nan
                     for t in ours if (t.shape, t.loss) == (shape, loss)),
                    nan,
                )
                for shape in shapes
            ]  # fmt: skip
            places = [k + (i - (len(losses) - 1) / 2) * width for k in range(len(shapes))]
            axes.bar(places, heights, width, label=loss, color=COLORS[i % len(COLORS)])
        axes.axhline(1, color=INK, linewidth=0.8)
        axes.set_xticks(range(len(shapes)), shapes)
        axes.set_ylabel(f"{backend}, {dtype}: time / F.cross_entropy", color=INK)
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].legend(frameon=False, ncols=4, fontsize=8)
    figure.suptitle(f"Forward + backward on {report.facts['device']}", color=INK)
    path = _path(report, folder, "png")
    figure.savefig(path, dpi=160)
    return path


def least_seconds(report: Report, time: Time) -> float:
    """What the least bytes take at the speed of copies."""
    moved = {str(loss): loss.bytes_per_element for loss in TIMED}[time.loss]
    return moved * logits_bytes(time) / report.bandwidth


def logits_bytes(time: Time) -> int:
    """The size of the batch."""
    rows, classes = map(int, time.shape.split("x"))
    return rows * classes * {"float32": 4, "bfloat16": 2}[time.dtype]


def _find(report: Report, ours: Time, rival: str) -> Time | None:
    key = (ours.shape, ours.dtype, ours.loss, rival)
    return next(
        (t for t in report.times if (t.shape, t.dtype, t.loss, t.contender) == key and t.device),
        None,
    )


def _median(time: Time) -> float:
    return time.device["both"][1]


def _ratio(time: Time, rival: Time | None) -> float | None:
    return _median(time) / _median(rival) if rival else None


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
