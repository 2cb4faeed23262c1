"""The transition matrix that the text of a loss calls T: T_ij = P(noisy label j | true label i)."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.errors import UsageError

KINDS = ("true", "estimated")
"""What T may be, if it is not in a file."""

SUFFIX = ".npy"

Rows = tuple[tuple[float, ...], ...]

_NAME = re.compile(r"\bT\b")


def named(loss: str) -> bool:
    """Whether the text of a loss has a T."""
    return bool(_NAME.search(loss))


def choice(text: str) -> str:
    """The value of --transition."""
    if text in KINDS or text.endswith(SUFFIX):
        return text
    raise argparse.ArgumentTypeError(f"takes {', '.join(KINDS)} or FILE{SUFFIX}, got {text}")


def read(path: Path) -> Tensor:
    """The matrix that numpy.save wrote.

    Raises:
        UsageError: If there is none.
    """
    try:
        matrix = torch.from_numpy(np.load(path, allow_pickle=False)).double()
    except (ValueError, TypeError, EOFError, AttributeError):
        raise UsageError(f"--transition {path}: numpy.save wrote no matrix there") from None
    if matrix.dim() != 2 or matrix.shape[0] != matrix.shape[1]:
        raise UsageError(f"--transition {path}: not square, but of shape {tuple(matrix.shape)}")
    return matrix


def uniform(wrong: float, classes: int) -> Tensor:
    """Of noise that makes a share of the labels wrong, each of the other classes as often."""
    off_diagonal = torch.full((classes, classes), wrong / (classes - 1), dtype=torch.float64)
    return off_diagonal.fill_diagonal_(1 - wrong)


def rows(matrix: Tensor) -> Rows:
    """The matrix as a run holds it."""
    return tuple(map(tuple, matrix.tolist()))
