"""CIFAR-10 from any official layout, or obtained and verified by one command.

``python -m bench.data.cifar10`` fills the cache; ``--root DIR`` verifies what is in DIR, or
obtains it there.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.data import DataError, Dataset
from bench.data.cifar10_download import obtain
from bench.data.cifar_layouts import find_batches, from_records, verified_records

FOLDERS = ("cifar-10-batches-bin", "cifar-10-batches-py")

TRAIN_SHA1 = {
    "data_batch_1": "aadd24acce27caa71bf4b10992e9e7b2d74c2540",
    "data_batch_2": "c0ba65cce70568cd57b4e03e9ac8d2a5367c1795",
    "data_batch_3": "1dd00a74ab1d17a6e7d73e185b69dbf31242f295",
    "data_batch_4": "aab85764eb3584312d3c7f65fd2fd016e36a258e",
    "data_batch_5": "26e2849e66a845b7f1e4614ae70f4889ae604628",
}
TEST_SHA1 = {"test_batch": "67eb016db431130d61cd03c7ad570b013799c88c"}


def load(root: Path | None = None) -> Dataset:
    """Returns the 50,000 training and 10,000 test images in the official order, verified.

    Args:
        root: Where CIFAR-10 is, in any official layout. By default the cache, which is filled at
            the first call.
    """
    if root is None:
        root = cache()
        ensure(root)
    official = TRAIN_SHA1 | TEST_SHA1
    records = verified_records(find_batches(root, FOLDERS, official), official, root)
    train_images, train_labels = _tensors([records[name] for name in TRAIN_SHA1])
    test_images, test_labels = _tensors([records[name] for name in TEST_SHA1])
    return Dataset("cifar10", train_images, train_labels, test_images, test_labels, num_classes=10)


def ensure(root: Path) -> None:
    """Obtains CIFAR-10 if ``root`` does not hold it."""
    try:
        find_batches(root, FOLDERS, TRAIN_SHA1 | TEST_SHA1)
    except DataError:
        obtain(root, FOLDERS[0], TRAIN_SHA1 | TEST_SHA1, say=lambda line: print(line, flush=True))


def cache() -> Path:
    """Where the verified batches are kept between runs."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "noisykernels" / "cifar10"


def _tensors(batches: list[bytes]) -> tuple[Tensor, Tensor]:
    images, labels = zip(*map(from_records, batches), strict=True)
    return (
        torch.from_numpy(np.concatenate(images)),
        torch.from_numpy(np.concatenate(labels)).to(torch.int64),
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.data.cifar10", description=__doc__)
    parser.add_argument("--root", type=Path, default=cache(), metavar="DIR", help="%(default)s")
    root = parser.parse_args().root
    try:
        ensure(root)
        data = load(root)
    except (DataError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{root}: all six batches have the official SHA-1")
    for split, labels in {"train": data.train_labels, "test": data.test_labels}.items():
        per_class = ", ".join(f"{count:,}" for count in labels.bincount().tolist())
        print(f"{split:>5}: {len(labels):,} images; per class {per_class}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
