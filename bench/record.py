"""Result files: facts of the run, and a record for each contender of each case."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import timing
from bench.cases import Case
from bench.measure import Measured

FOLDER = Path(__file__).parent / "results"

Quartiles = tuple[float, float, float]


@dataclass(frozen=True)
class Record:
    """One bar: a contender of a case."""

    case: Case
    contender: str
    seconds: Quartiles
    """Lower quartile, median, upper quartile over the rounds."""
    ratio: Quartiles
    """The time of the case's first contender, the fused loss, over that of this one, by rounds."""
    rounds: int
    slowdown: float
    """How much slower the machine was than at its best in this run."""
    memory: int | None
    """Peak bytes beyond logits and gradient."""


@dataclass(frozen=True)
class Run:
    """A result file."""

    facts: Mapping[str, Any]
    records: Sequence[Record]

    def get(self, case: Case, contender: str) -> Record | None:
        """The record of a contender, or None if it was not measured."""
        return self._index.get((case, contender))

    @property
    def cases(self) -> list[Case]:
        """The cases measured, in their order."""
        return list(dict.fromkeys(record.case for record in self.records))

    @property
    def _index(self) -> dict[tuple[Case, str], Record]:
        return {(record.case, record.contender): record for record in self.records}


def records(measured: Measured, memory: Mapping[str, int]) -> list[Record]:
    """Records of a case; ``memory`` holds the contenders whose peak was measured."""
    first = next(iter(measured.seconds.values()))
    return [
        Record(
            measured.case,
            contender,
            _quartiles(timing.summary(seconds)),
            _quartiles(timing.ratio(first, seconds)),
            len(seconds),
            float(f"{measured.slowdown:.3g}"),
            memory.get(contender),
        )
        for contender, seconds in measured.seconds.items()
    ]


def write(facts: Mapping[str, Any], found: Iterable[Record], folder: Path = FOLDER) -> Path:
    """Write a result file, a line for each record, named by time and commit."""
    stamp = str(facts["time"]).replace(":", "")[:17]
    path = folder / f"{stamp}Z-{str(facts['commit'])[:7]}{'-dirty' * bool(facts['dirty'])}.json"
    lines = [json.dumps(_flat(record)) for record in found]
    text = ",\n".join(["", *lines])[2:]
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{{"facts": {json.dumps(dict(facts), indent=1)},\n"records": [\n{text}\n]}}\n')
    return path


def read(path: Path) -> Run:
    """Read a result file."""
    content = json.loads(path.read_text())
    return Run(content["facts"], [_record(**flat) for flat in content["records"]])


def paths(folder: Path = FOLDER) -> list[Path]:
    """All result files, oldest first."""
    return sorted(folder.glob("*.json"))


def latest(folder: Path = FOLDER) -> Path:
    """The newest result file."""
    found = paths(folder)
    if not found:
        raise SystemExit("no results yet: run make bench")
    return found[-1]


def _quartiles(sample: timing.Sample) -> Quartiles:
    low, median, high = (float(f"{x:.4g}") for x in (sample.low, sample.median, sample.high))
    return low, median, high


def _flat(record: Record) -> dict[str, Any]:
    return {**asdict(record.case), **{k: v for k, v in vars(record).items() if k != "case"}}


def _record(
    loss: str, mode: str, rows: int, classes: int, dtype: str, threads: int, **rest: Any
) -> Record:
    case = Case(loss, mode, rows, classes, dtype, threads)
    seconds, ratio = tuple(rest.pop("seconds")), tuple(rest.pop("ratio"))
    return Record(case=case, seconds=seconds, ratio=ratio, **rest)
