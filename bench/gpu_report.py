"""A GPU's report: are the kernels right there, and how fast are they?

    python -m bench.gpu_report [--backend cuda] [--quick] [--losses ce sgce] [--shapes 4096x1000]
                               [--out FOLDER]

Needs a GPU, and nothing else that is not installed. Writes <device>.json, .md and .png.

Exit status: 0 all is right, 1 something is wrong (the files say what), 2 there is no GPU.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from bench.gpu import correctness, facts, timing
from bench.gpu.losses import CHECKED, TIMED, Loss, contenders
from bench.gpu.report import Report, write
from noisykernels import backends

DEVICE = "cuda"
BACKENDS = ("cuda", "triton")
FOLDER = Path(__file__).parent / "results" / "gpu"

SHAPES = ("64x14", "128x10", "128x100", "4096x1000", "8192x32000", "4096x128256")
DTYPES = (torch.float32, torch.bfloat16)

QUICK_LOSSES = ("ce", "sce", "sgce")
QUICK_SAMPLES = 20
QUICK_SHAPES: tuple[correctness.Shape, ...] = ((64, 14), (33, 1000), (1, 50257), (4, 19, 6, 5))

GRAPH_SHAPES: tuple[correctness.Shape, ...] = ((128, 10), (5000, 10), (4, 50257))
"""One program does all; many and one that adds up; rows that are split."""


def main(arguments: Sequence[str]) -> int:
    """Run all, write the files, return the exit status."""
    options = _parse(arguments)
    if not torch.cuda.is_available():
        print("bench.gpu_report: there is no GPU here, so there is nothing to report.")
        return 2
    report = Report(facts.facts(DEVICE))
    _check(report, options)
    if not options.no_times:
        _time(report, options)
    for path in write(report, options.out):
        print(path)
    failed = sum(not check.passed for check in report.checks)
    print(f"{len(report.checks)} checks, {failed} failed" + "; all is right" * report.correct)
    return 0 if report.correct else 1


def _check(report: Report, options: argparse.Namespace) -> None:
    losses = [loss for loss in CHECKED if loss.name in options.losses]
    for check in correctness.checks(
        DEVICE,
        options.backend,
        shapes=QUICK_SHAPES if options.quick else correctness.SHAPES,
        losses=losses,
        dtypes=DTYPES if options.quick else correctness.DTYPES,
    ):
        report.checks.append(check)
        if not check.passed:
            print(f"failed: {check}", file=sys.stderr)
    with backends.use(options.backend):
        for loss in losses:
            report.graphs[str(loss)] = _replays(loss)


def _replays(loss: Loss) -> bool | str:
    try:
        return all(
            correctness.replays(loss, shape, dtype) for shape in GRAPH_SHAPES for dtype in DTYPES
        )
    except Exception as error:  # a step that cannot be captured is what this is to find out
        return timing.reason(error)


def _time(report: Report, options: argparse.Namespace) -> None:
    report.bandwidth = timing.copy_bandwidth(DEVICE)
    samples = QUICK_SAMPLES if options.quick else timing.SAMPLES
    losses = [loss for loss in TIMED if loss.name in options.losses]
    for text in options.shapes:
        rows, classes = map(int, text.split("x"))
        for dtype in DTYPES:
            try:
                inputs = timing.rotation(rows, classes, dtype, DEVICE)
                with backends.use(options.backend):
                    for loss in losses:
                        print(f"{text} {dtype} {loss}", file=sys.stderr)
                        report.times += timing.times(
                            dict(contenders(loss)), inputs, str(loss), samples=samples
                        )
            except Exception as error:  # the other shapes go on
                report.skipped[f"{text} {dtype}"] = timing.reason(error)
            inputs = []
            gc.collect()
            torch.cuda.empty_cache()
            torch.compiler.reset()


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench.gpu_report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = list(dict.fromkeys(loss.name for loss in TIMED))
    parser.add_argument("--backend", choices=BACKENDS, default="triton")
    parser.add_argument("--quick", action="store_true", help="a part of it, in a few minutes")
    parser.add_argument("--losses", nargs="+", choices=names)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=SHAPES)
    parser.add_argument("--no-times", action="store_true", help="correctness only")
    parser.add_argument("--out", type=Path, default=FOLDER)
    options = parser.parse_args(arguments)
    options.losses = options.losses or (QUICK_LOSSES if options.quick else names)
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
