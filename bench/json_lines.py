"""Files of JSON lines: an object on each, with a kind."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.files import write_atomically

SUFFIX = ".jsonl"

Line = Mapping[str, Any]


def write(path: Path, lines: Iterable[Line]) -> None:
    """Write the whole file anew; it is never seen with a part of it."""
    text = "".join(f"{json.dumps(_plain(line), allow_nan=False)}\n" for line in lines)
    write_atomically(path, text.encode())


def read(path: Path) -> list[Line]:
    """The lines of a file.

    Raises:
        UsageError: If it is something else.
    """
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except ValueError as error:
        raise UsageError(f"{path} is not made of JSON lines: {error}") from None
    if not lines or not all(isinstance(line, dict) and "kind" in line for line in lines):
        raise UsageError(f"{path} has lines without a kind")
    return lines


def _plain(value: Any) -> Any:
    """Six digits are enough; a number that JSON has no word for is null."""
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value
