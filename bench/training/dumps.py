"""Files with the outputs of a network after an epoch, NumPy arrays by name."""

from __future__ import annotations

import glob
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.errors import UsageError
from bench.files import write_atomically


@dataclass(frozen=True)
class Dump:
    """Of all images, in their order."""

    train_logits: Tensor
    train_labels: Tensor
    """Those of the training, some of them wrong."""
    test_logits: Tensor
    test_labels: Tensor
    test_features: Tensor
    """What the last linear layer gets."""
    train_clean_labels: Tensor | None = None
    """None if nobody knows them."""


def write(path: Path, dump: Dump) -> None:
    """Write the whole file or nothing."""
    arrays = {name: tensor.numpy() for name, tensor in vars(dump).items() if tensor is not None}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_atomically(path, buffer.getvalue())


def read(path: Path) -> Dump:
    """What `write` wrote.

    Raises:
        UsageError: If the file is something else.
    """
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            return Dump(**{name: torch.from_numpy(arrays[name]) for name in arrays.files})
    except (ValueError, TypeError, AttributeError, EOFError, zipfile.BadZipFile):
        raise UsageError(f"{path} is not what --dump writes, or is damaged") from None


def ending(epoch: int | str) -> str:
    """What follows the name of the run in that of a file."""
    return f".epoch{epoch}.npz"


def beside(record: Path) -> dict[int, Path]:
    """The files of a run by their epochs, given where its record is."""
    start, end = ending("*").split("*")
    found = record.parent.glob(f"{glob.escape(record.stem)}{start}*{end}")
    epochs = {path.name.removesuffix(end).rpartition(start)[2]: path for path in found}
    return {int(epoch): epochs[epoch] for epoch in sorted(epochs, key=int)}
