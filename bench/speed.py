"""Forward + backward of every loss against ``F.cross_entropy``, tidy eager and ``torch.compile``.

    python -m bench.speed [--threads 1 2] [--shapes 128x10 1024x100] [--losses ce sgce]

Contenders take turns in one process; the table holds ratios of medians to ``F.cross_entropy`` at
the same shape. A second thread is measured with OMP_WAIT_POLICY=PASSIVE: otherwise one busy
neighbor makes each parallel region wait for milliseconds.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch starts its threads

import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table

import noisykernels as nk
import noisykernels.functional as NF
from bench.contenders import compiled, tidy
from bench.timing import Sample, interleaved, step

SHAPES = ("64x14", "128x10", "128x100", "1024x100", "1024x1000", "256x32000")
LOSSES = tuple(nk.losses())

Shape = tuple[int, int]


def measure(shape: Shape, losses: Sequence[str], rounds: int) -> dict[tuple[str, str], Sample]:
    """Samples of (contender, loss) at one shape; the yardstick is ("F.cross_entropy", "")."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(shape, generator=generator).requires_grad_()
    target = torch.randint(shape[1], shape[:1], generator=generator)
    contenders = {("F.cross_entropy", ""): step(F.cross_entropy, logits, target)}
    for name in losses:
        # MUH alone cannot be trained: its regularizer belongs to what is timed.
        parameters = {"quadratic": 0.1} if name == "muh" else {}
        formula = tidy(name, **parameters)
        fused = getattr(NF, f"{name}_loss")
        contenders["fused", name] = step(
            lambda x, y, fused=fused, kw=parameters: fused(x, y, **kw), logits, target
        )
        contenders["eager", name] = step(formula, logits, target)
        contenders["compiled", name] = step(compiled(formula), logits, target)
    return interleaved(contenders, rounds=rounds)


def table(
    shape: Shape, threads: int, losses: Sequence[str], samples: dict[tuple[str, str], Sample]
) -> Table:
    """One row per loss: each contender's time over that of ``F.cross_entropy``."""
    yardstick = samples["F.cross_entropy", ""]
    title = (
        f"{shape[0]}x{shape[1]}, {threads} thread{'s' * (threads > 1)}: ratio to "
        f"F.cross_entropy ({yardstick.median * 1e6:.1f} µs)"
    )
    rows = Table("loss", title=title, title_justify="left")
    for contender in ("fused", "eager", "compiled", "fused / compiled"):
        rows.add_column(contender, justify="right")
    for name in losses:
        fused, eager, graph = (samples[kind, name] for kind in ("fused", "eager", "compiled"))
        ratios = (fused / yardstick, eager / yardstick, graph / yardstick, fused / graph)
        rows.add_row(name, *(f"{ratio:.2f}" for ratio in ratios))
    return rows


def parse_shape(text: str) -> Shape:
    rows, classes = map(int, text.split("x"))
    return rows, classes


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench.speed", description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument(
        "--shapes", nargs="+", type=parse_shape, default=[*map(parse_shape, SHAPES)]
    )
    parser.add_argument("--losses", nargs="+", choices=LOSSES, default=LOSSES)
    parser.add_argument("--rounds", type=int, default=50)
    options = parser.parse_args(arguments)
    console = Console()
    console.print(
        f"noisykernels {nk.__version__}, torch {torch.__version__}, "
        f"{', '.join(name for name, ok in nk.backends.available().items() if ok is True)}"
    )
    for threads in options.threads:
        torch.set_num_threads(threads)
        for shape in options.shapes:
            samples = measure(shape, options.losses, options.rounds)
            console.print(table(shape, threads, options.losses, samples))


if __name__ == "__main__":
    main(sys.argv[1:])
