"""A GPU's report: are the kernels right there, and how fast are they?

    python -m bench.gpu_report [--backends cuda triton] [--quick] [--losses ce sgce]
                               [--shapes 4096x1000] [--jobs 12] [--seconds 300] [--out FOLDER]

Needs a GPU, and nothing else that is not installed. Writes <device>.json, .md and .png, the first
two again and again: a run that is cut off leaves what it has found.

Exit status: 0 all is right, 1 something is wrong (the files say what), 2 there is no GPU.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import NamedTuple

import torch

from bench.gpu import correctness, facts, timing
from bench.gpu.correctness import Check
from bench.gpu.losses import CHECKED, OURS, TIMED, Loss, contenders
from bench.gpu.report import Report, draw, summary, write
from noisykernels import backends

DEVICE = "cuda"
FOLDER = Path(__file__).parent / "results" / "gpu"

SHAPES = ("64x14", "128x10", "128x100", "512x100", "4096x1000", "8192x32000", "4096x128256")
DTYPES = (torch.float32, torch.bfloat16)

QUICK_LOSSES = ("ce", "sgce", "sce")
QUICK_SAMPLES = 20
QUICK_SHAPES: tuple[correctness.Shape, ...] = ((64, 14), (33, 1000), (2, 50257), (4, 19, 6, 5))

GRAPH_SHAPES: tuple[correctness.Shape, ...] = ((128, 10), (5000, 10), (4, 50257))
"""One program does all; many and one that adds up; rows that are split."""

SHARE_OF_CHECKS = 0.45
"""Of the seconds that there are."""


class Task(NamedTuple):
    """What one process checks at once."""

    backend: str
    loss: Loss
    quick: bool


class Found(NamedTuple):
    """What came of it."""

    checks: list[Check]
    name: str
    replays: bool | str


def main(arguments: Sequence[str]) -> int:
    """Run all, write the files, return the exit status."""
    options = _parse(arguments)
    if not torch.cuda.is_available():
        print("bench.gpu_report: there is no GPU here, so there is nothing to report.")
        return 2
    start = time.monotonic()
    report = Report(facts.facts(DEVICE))
    for backend in options.backends:
        if (state := backends.available()[backend]) is not True:
            report.skipped[f"backend {backend}"] = str(state)
    _check(report, options, start + SHARE_OF_CHECKS * options.seconds)
    write(report, options.out)
    if not options.no_times:
        _time(report, options, start + options.seconds)
        try:
            if any(time.device for time in report.times):
                draw(report, options.out)
        except ImportError:
            report.skipped["picture"] = "matplotlib is not installed"
    for path in write(report, options.out):
        print(path)
    print("\nSummary", *summary(report), sep="\n")
    print("all is right" if report.correct else "something is wrong")
    return 0 if report.correct and report.checks else 1


def _check(report: Report, options: argparse.Namespace, end: float) -> None:
    tasks = [
        Task(backend, loss, options.quick)
        for loss in CHECKED
        if options.losses is None or loss.name in options.losses
        for backend in options.backends
        if f"backend {backend}" not in report.skipped
    ]
    done = 0
    with _results(tasks, options.jobs) as results:
        for done in range(len(tasks)):
            try:
                found = results.next(timeout=max(1, end - time.monotonic()))
            except multiprocessing.TimeoutError:
                why = "out of time; a process may have died"
                report.skipped[f"checks of {len(tasks) - done} of {len(tasks)} losses"] = why
                break
            report.checks += found.checks
            report.graphs[found.name] = found.replays
            for check in found.checks:
                if not check.passed:
                    print(f"failed: {check}", file=sys.stderr)


class _InTurn:
    """As what a pool's imap returns, without a pool."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.found = map(check, tasks)

    def next(self, timeout: float) -> Found:
        return next(self.found)


@contextmanager
def _results(tasks: Sequence[Task], jobs: int) -> Iterator[_InTurn]:
    """What is found, in any order. Triton compiles most of the time, so processes share the GPU."""
    if jobs == 1:
        yield _InTurn(tasks)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield pool.imap_unordered(check, tasks)  # leaving ends its processes, busy or not


def check(task: Task) -> Found:
    """Is a loss right, and can a step be captured?"""
    found = list(
        correctness.checks(
            DEVICE,
            task.backend,
            shapes=QUICK_SHAPES if task.quick else correctness.SHAPES,
            losses=[task.loss],
            dtypes=correctness.DTYPES,
        )
    )
    with backends.use(task.backend):
        return Found(found, f"{task.backend} {task.loss}", _replays(task))


def _replays(task: Task) -> bool | str:
    try:
        return all(
            correctness.replays(task.loss, shape, dtype)
            for shape, dtype in product(GRAPH_SHAPES, DTYPES[: 1 if task.quick else None])
            if shape[1] <= correctness.MOST_OF_A_MATRIX or not task.loss.takes_matrix
        )
    except Exception as error:  # a step that cannot be captured is what this is to find out
        return timing.reason(error)


def _time(report: Report, options: argparse.Namespace, end: float) -> None:
    report.bandwidth = timing.copy_bandwidth(DEVICE)
    names = options.losses or (QUICK_LOSSES if options.quick else [str(loss) for loss in TIMED])
    losses = [loss for loss in TIMED if loss.name in names or str(loss) in names]
    losses.sort(key=lambda loss: loss.name not in QUICK_LOSSES)
    for loss, shape, dtype in product(losses, options.shapes, DTYPES):
        name = f"times of {loss} at {shape}, {str(dtype).removeprefix('torch.')}"
        if time.monotonic() > end:
            report.skipped[name] = "out of time"
            continue
        print(name, file=sys.stderr, flush=True)
        try:
            inputs = timing.rotation(*map(int, shape.split("x")), dtype, DEVICE)
            taking_part = [
                contender
                for contender in contenders(loss)
                if f"backend {contender.backend}" not in report.skipped
                and (not contender.backend or contender.backend in options.backends)
            ]
            report.times += timing.times(
                taking_part,
                inputs,
                str(loss),
                samples=QUICK_SAMPLES if options.quick else timing.SAMPLES,
            )
        except Exception as error:  # the others go on
            report.skipped[name] = timing.reason(error)
        inputs = []
        gc.collect()
        torch.cuda.empty_cache()
        torch.compiler.reset()
        write(report, options.out)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench.gpu_report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = list(dict.fromkeys(loss.name for loss in CHECKED))
    parser.add_argument("--backends", nargs="+", choices=OURS, default=OURS)
    parser.add_argument("--quick", action="store_true", help="fewer shapes, losses and samples")
    parser.add_argument("--losses", nargs="+", choices=names)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=SHAPES)
    parser.add_argument("--no-times", action="store_true", help="correctness only")
    parser.add_argument("--jobs", type=int, default=1, help="processes that check")
    parser.add_argument("--seconds", type=float, default=86400, help="until it ends")
    parser.add_argument("--out", type=Path, default=FOLDER)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
