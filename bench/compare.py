"""Times the fused losses of this checkout against those of another revision.

    python -m bench.compare <git ref> [--losses "gce sgce"] [--shapes "128x10 1024x100"]

Each has a process of its own, and they take turns round by round, so that a busy neighbor slows
both. `F.cross_entropy` is timed in both as a control: its ratio should be 1, and a difference that
is not larger than the control's means nothing.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from bench import rivals, timing
from bench.cases import FLOOR, Case, select
from bench.measure import BUDGET_SECONDS, ROUNDS
from bench.revision import Refused, built
from bench.worker import ROOT, Worker, fields


@dataclass(frozen=True)
class Comparison:
    """A contender of a case in both revisions."""

    case: Case
    contender: str
    base: timing.Sample
    here: timing.Sample
    ratio: timing.Sample
    """Here over base, of each round."""


def compare(case: Case, base: Worker, here: Worker, rounds: int = ROUNDS) -> list[Comparison]:
    """Times a case in both processes in turns."""
    names = [rivals.FUSED, rivals.YARDSTICK]
    request = {"case": fields(case), "contenders": names, "sample_seconds": timing.SAMPLE_SECONDS}
    workers = {"base": base, "here": here}
    repeats = {side: worker("prepare", **request) for side, worker in workers.items()}
    turns = [(side, name) for side in workers for name in names]
    seconds: dict[tuple[str, str], list[float]] = {turn: [] for turn in turns}
    shuffle = random.Random(0).shuffle
    start = time.perf_counter()
    for done in range(rounds):
        if done >= timing.LEAST_ROUNDS and time.perf_counter() - start > BUDGET_SECONDS:
            break
        shuffle(turns)
        for side, name in turns:
            found = workers[side]("time", contender=name, repeats=repeats[side][name])
            seconds[side, name].append(found)
    return [
        Comparison(
            case,
            name,
            timing.summary(seconds["base", name]),
            timing.summary(seconds["here", name]),
            timing.ratio(seconds["here", name], seconds["base", name]),
        )
        for name in names
    ]


def table(found: Sequence[Comparison], ref: str) -> Table:
    """Both columns and their ratio, the control below each loss."""
    rows = Table("case", "", f"{ref} µs", "here µs", "here / base", "quartiles")
    for column in rows.columns:
        column.no_wrap = True
    for one in found:
        rows.add_row(
            str(one.case) if one.contender == rivals.FUSED else "",
            one.contender,
            f"{one.base.median * 1e6:.1f}",
            f"{one.here.median * 1e6:.1f}",
            f"{one.ratio.median:.3f}",
            f"{one.ratio.low:.3f} to {one.ratio.high:.3f}",
        )
    return rows


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench.compare", description=__doc__.partition("\n")[0])
    parser.add_argument("ref")
    parser.add_argument("--losses", default="")
    parser.add_argument("--shapes", default="")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args(arguments)
    cases = [
        case
        for case in select(options.losses.split(), options.shapes.split())
        if case.loss != FLOOR
    ]
    console = Console(width=None if sys.stdout.isatty() else 140)
    try:
        with built(options.ref, ROOT) as tree, Worker(tree) as base, Worker() as here:
            assert base("where") == str(tree / "noisykernels")
            known = set(base("losses"))
            found = [
                one
                for case in cases
                if case.function[0] in known
                for one in compare(case, base, here, options.rounds)
            ]
    except Refused as refusal:
        console.print(f"not compared: {refusal}", markup=False, highlight=False)
        return 1
    console.print(table(found, options.ref))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
