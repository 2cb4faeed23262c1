"""What CIFAR-10 and CIFAR-100 share: a verified copy in a cache, tensors, and the command."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from bench.data import DataError, Dataset
from bench.data.cifar_download import Download, obtain
from bench.data.cifar_layouts import (
    Array,
    Published,
    find_batches,
    from_records,
    verified_records,
)


def cache(name: str) -> Path:
    """Where the verified batches are kept between runs."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "noisykernels" / name


def ensure(published: Published, further: Mapping[str, Download], root: Path) -> None:
    """Obtains the data set if ``root`` does not hold it."""
    try:
        find_batches(root, published)
    except DataError:
        obtain(published, further, root, say=lambda line: print(line, flush=True))


def verified(published: Published, root: Path) -> dict[str, tuple[Tensor, Tensor]]:
    """Images (N, 3, 32, 32) and labels (N, kinds) of each batch."""
    records = verified_records(find_batches(root, published), published, root)
    kinds = len(published.labels)
    return {name: _tensors(*from_records(batch, kinds)) for name, batch in records.items()}


def _tensors(images: Array, labels: Array) -> tuple[Tensor, Tensor]:
    # Records share their memory with bytes, which nothing may write to.
    return torch.tensor(images), torch.tensor(labels, dtype=torch.int64)


def command(
    name: str, description: str, ensure: Callable[[Path], None], load: Callable[[Path], Dataset]
) -> int:
    """``python -m bench.data.NAME``: fills the cache, or obtains and verifies what is in --root."""
    parser = argparse.ArgumentParser(prog=f"python -m bench.data.{name}", description=description)
    parser.add_argument("--root", type=Path, default=cache(name), metavar="DIR", help="%(default)s")
    root = parser.parse_args().root
    try:
        ensure(root)
        data = load(root)
    except (DataError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{root}: every batch has the official SHA-1")
    for split, labels in {"train": data.train_labels, "test": data.test_labels}.items():
        print(f"{split:>5}: {len(labels):,} images of {data.num_classes} classes")
    return 0
