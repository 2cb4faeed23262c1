"""What a run leaves: a line for the run, one for each epoch, and one for the result.

The file is written anew after each epoch, so that a run that is continued from an earlier step
repeats nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import json_lines
from bench.training.run import Run
from bench.training.trainer import Epoch


def write(
    path: Path, run: Run, facts: Mapping[str, Any], history: Sequence[Epoch], *, complete: bool
) -> None:
    """Write the record of a run as far as it has come."""
    lines: list[json_lines.Line] = [{"kind": "run", **asdict(run), "facts": facts}]
    lines += [{"kind": "epoch", **asdict(epoch)} for epoch in history]
    if complete:
        accuracies = [epoch.accuracy for epoch in history]
        best = max(accuracies)
        result = {"last": accuracies[-1], "best": best, "best_epoch": 1 + accuracies.index(best)}
        lines.append({"kind": "result", **result})
    json_lines.write(path, lines)
