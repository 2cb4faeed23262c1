"""Files that are complete or not there: a kill or a full disk leaves what was there before."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Write to a partial file beside ``path`` and give it the name once it is on the disk."""
    os.replace(write_partial(path, content), path)
    sync_folder(path.parent)


def write_partial(path: Path, content: bytes) -> Path:
    """The partial file of ``path``, complete and on the disk; it is gone if that fails."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OSError(error.errno, f"cannot write {path}: {error.strerror}") from error
    return partial


def sync_folder(folder: Path) -> None:
    """Put renamings in ``folder`` on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def owned(path: Path) -> Iterator[None]:
    """Keep all other processes from owning ``path`` too, until this one is done or dead.

    Raises:
        OSError: If another one owns it.
    """
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OSError(error.errno, f"another process is at work on {path.stem}") from error
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
