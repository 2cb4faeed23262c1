"""What a run says in a few sentences.

python -m bench.summary [result file]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import bars, groups, rivals
from bench.cases import FAMILY_SHAPES, Case
from bench.record import Run, latest, read

_FAMILY = f"at {', '.join(FAMILY_SHAPES[:-1])} and {FAMILY_SHAPES[-1]} on one core"


def sentences(run: Run) -> Iterator[str]:
    """How the fused losses compare with each kind of rival, as far as it was measured."""
    thorough, family = groups.thorough(run), groups.family(run)
    if speedup := _speedup(run, thorough):
        yield f"They are {speedup}."
    if speedup := _speedup(run, family):
        count = len({case.function[0] for case in family})
        yield f"All {count} losses, {_FAMILY}, are {speedup}."
    dearest = [bars.dearest_term(run, case) for case in family]
    sums = [record.ratio[1] for record in dearest if record]
    if sums:
        yield f"Sums cost {_range(sums)} times their dearest term there."
    yardstick = [record for case in family if (record := run.get(case, rivals.YARDSTICK))]
    slower = [record for record in yardstick if record.ratio[1] > 1]
    if slower:
        names = dict.fromkeys(f"`{record.case.loss}`" for record in slower)
        worst = max(slower, key=lambda record: record.ratio[1])
        yield (
            f"Slower than `F.cross_entropy` at one of these shapes or more: {', '.join(names)}; "
            f"the slowest is `{worst.case.loss}`, {worst.ratio[1]:.2f} at {worst.case.shape}."
        )


def _speedup(run: Run, cases: Sequence[Case]) -> str:
    """How many times as fast as the rivals that every loss has, or nothing."""
    rival_names = {
        rivals.EAGER: "tidy eager PyTorch",
        rivals.COMPILED: "`torch.compile` of it",
    }
    found = {
        name: [1 / record.ratio[1] for case in cases if (record := run.get(case, rival))]
        for rival, name in rival_names.items()
    }
    return " and ".join(
        f"{_range(ratios)} times as fast as {name}" for name, ratios in found.items() if ratios
    )


def _range(values: Sequence[float]) -> str:
    return f"{min(values):.3g} to {max(values):.3g}"


def main(result: str | None = None) -> None:
    run = read(Path(result) if result else latest())
    print(*sentences(run), sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
