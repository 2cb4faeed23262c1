"""MNIST and Fashion-MNIST from their four IDX files, plain or as .gz."""

from __future__ import annotations

import gzip
import hashlib
import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from bench.data import DataError, Dataset

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"

# Of the plain files: the same data are compressed in many ways.
MD5 = {
    "mnist": {
        TRAIN_IMAGES: "6bbc9ace898e44ae57da46a324031adb",
        TRAIN_LABELS: "a25bea736e30d166cdddb491f175f624",
        TEST_IMAGES: "2646ac647ad5339dbf082846283269ea",
        TEST_LABELS: "27ae3e4e09519cfbb04c329615203637",
    },
    "fashion-mnist": {
        TRAIN_IMAGES: "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        TRAIN_LABELS: "9018921c3c673c538a1fc5bad174d6f9",
        TEST_IMAGES: "8181f5470baa50b63fa0f6fddb340f0a",
        TEST_LABELS: "15d484375f8d13e6eb1aabb0c3f46965",
    },
}
CLASSES = 10
UNSIGNED_BYTES = 8  # the third byte of a file: the type of its numbers


def load(root: Path, name: Literal["mnist", "fashion-mnist"] = "mnist") -> Dataset:
    """Returns the 60,000 training and 10,000 test images (N, 1, 28, 28), verified.

    Args:
        root: The folder of the files.
        name: Which of the two is there: their files have the same names.
    """
    files = {file: _read(root, file) for file in MD5[name]}
    train_images, train_labels = _split(root, files, TRAIN_IMAGES, TRAIN_LABELS)
    test_images, test_labels = _split(root, files, TEST_IMAGES, TEST_LABELS)
    for file, expected in MD5[name].items():
        found = hashlib.md5(files[file], usedforsecurity=False).hexdigest()
        if found != expected:
            raise DataError(
                f"{root / file} is damaged or not that of {name} (MD5 of the plain file {found}, "
                f"official {expected})"
            )
    return Dataset(name, train_images, train_labels, test_images, test_labels, CLASSES)


def _split(
    root: Path, files: Mapping[str, bytes], images_file: str, labels_file: str
) -> tuple[Tensor, Tensor]:
    images = _parse(root / images_file, files[images_file], dimensions=3)
    labels = _parse(root / labels_file, files[labels_file], dimensions=1)
    if len(images) != len(labels):
        raise DataError(
            f"{root}: {len(images):,} images in {images_file}, but {len(labels):,} labels in "
            f"{labels_file}"
        )
    if len(labels) and labels.max() >= CLASSES:
        raise DataError(
            f"{root / labels_file}: labels must be in [0, {CLASSES}), got {int(labels.max())}"
        )
    return images.unsqueeze(1), labels.to(torch.int64)


def _read(root: Path, name: str) -> bytes:
    plain, packed = root / name, root / f"{name}.gz"
    if plain.is_file():
        return plain.read_bytes()
    if not packed.is_file():
        raise DataError(f"{plain} is missing, plain and as .gz")
    try:
        return gzip.decompress(packed.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{packed} is not a complete .gz file: {error}") from error


def _parse(path: Path, content: bytes, dimensions: int) -> Tensor:
    """An IDX file: 0, 0, type, number of dimensions, each size in four bytes, the numbers."""
    start = 4 + 4 * dimensions
    expected = bytes([0, 0, UNSIGNED_BYTES, dimensions])
    if content[:4] != expected or len(content) < start:
        raise DataError(
            f"{path} is not an IDX file of bytes in {dimensions} dimensions: it begins with "
            f"{content[:4].hex(' ')}, expected {expected.hex(' ')}"
        )
    sizes = [int.from_bytes(content[at : at + 4], "big") for at in range(4, start, 4)]
    if len(content) != start + math.prod(sizes):
        raise DataError(
            f"{path}: {len(content) - start:,} bytes of data, expected "
            f"{' x '.join(map(str, sizes))}"
        )
    return torch.frombuffer(bytearray(content), dtype=torch.uint8)[start:].reshape(sizes)
