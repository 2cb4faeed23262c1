"""Kinds of options that several programs of the benchmarks take, as argparse wants them."""

from __future__ import annotations

import argparse
import math
from pathlib import Path


def positive(text: str) -> int:
    """A whole number from 1."""
    return _whole(text, 1)


def natural(text: str) -> int:
    """A whole number from 0."""
    return _whole(text, 0)


def seconds(text: str) -> float:
    """A number from 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not number >= 0:
        raise argparse.ArgumentTypeError(f"takes a number from 0, got {text}")
    return number


def output_file(text: str) -> Path:
    """A file to write, in a folder that is there: asked now, not after minutes of work."""
    path = Path(text)
    if not path.name:
        raise argparse.ArgumentTypeError(f"takes the name of a file, got {text!r}")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.parent}")
    return path


def _whole(text: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"takes a number from {least}, got {text}")
    return int(text)
