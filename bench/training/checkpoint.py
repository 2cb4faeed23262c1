"""Checkpoints that survive a kill at any moment, a damaged disk and a full one.

A file is a line with a SHA-256 and a length, then what torch.save wrote. The one before is kept.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from bench.errors import UsageError
from bench.files import sync_folder, write_partial

MAGIC = b"noisykernels checkpoint 1"

State = dict[str, Any]


class DamagedError(Exception):
    """A file is not a complete checkpoint."""


def save(path: Path, state: State) -> None:
    """Write a checkpoint; the last one becomes the previous one.

    Raises:
        OSError: If it cannot be written; both checkpoints are then as they were.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    header = b"%s %s %d\n" % (MAGIC, hashlib.sha256(content).hexdigest().encode(), len(content))
    partial = write_partial(path, header + content)
    if path.exists():
        os.replace(path, previous(path))
    os.replace(partial, path)
    sync_folder(path.parent)


def load(path: Path, warn: Callable[[str], None]) -> State | None:
    """The last complete checkpoint, or None if there never was one.

    Args:
        path: Where `save` wrote.
        warn: Is told the name of a damaged checkpoint that was put aside.

    Raises:
        UsageError: If there are checkpoints and all of them are damaged.
    """
    damaged = []
    for candidate in (path, previous(path)):
        if not candidate.exists():
            continue
        try:
            state = read(candidate)
        except DamagedError as error:
            damaged.append(f"{candidate} is damaged: {error}")
            continue
        for problem in damaged:
            warn(f"{problem}; going on from {candidate}")
            # Out of the way, or the next checkpoint would make it the previous one.
            os.replace(path, path.with_name(f"{path.name}.damaged"))
        return state
    if damaged:
        raise UsageError(f"{'; '.join(damaged)}; remove them to start anew")
    return None


def read(path: Path) -> State:
    """The state in a checkpoint.

    Raises:
        DamagedError: If the file is not a complete checkpoint.
    """
    header, _, content = path.read_bytes().partition(b"\n")
    magic, _, facts = header.rpartition(MAGIC)
    expected = facts.split()
    if magic or len(expected) != 2 or not expected[1].isdigit():
        raise DamagedError("it does not begin as a checkpoint does")
    if len(content) != int(expected[1]):
        raise DamagedError(f"{len(content):,} bytes of {int(expected[1]):,}")
    if hashlib.sha256(content).hexdigest().encode() != expected[0]:
        raise DamagedError("its SHA-256 is not the one it names")
    state: State = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return state


def previous(path: Path) -> Path:
    """Where the checkpoint before the last one is."""
    return path.with_name(f"{path.name}.previous")
