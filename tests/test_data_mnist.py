"""IDX files as MNIST and Fashion-MNIST come in, and what is refused.

Stood in for by a few random images, whose hashes replace the official ones.
"""

from __future__ import annotations

import gzip
import hashlib
import re

import numpy as np
import pytest
import torch

from bench.data import DataError, mnist

COUNTS = {"train": 5, "t10k": 3}


def idx(numbers):
    sizes = b"".join(size.to_bytes(4, "big") for size in numbers.shape)
    return bytes([0, 0, 8, numbers.ndim]) + sizes + numbers.tobytes()


@pytest.fixture
def arrays():
    generator = np.random.default_rng(0)
    made = {}
    for split, count in COUNTS.items():
        images = generator.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        made[f"{split}-images-idx3-ubyte"] = images
        made[f"{split}-labels-idx1-ubyte"] = generator.integers(0, 10, count, dtype=np.uint8)
    return made


@pytest.fixture
def files(arrays, monkeypatch):
    """The content of each plain file, with hashes to match."""
    made = {name: idx(numbers) for name, numbers in arrays.items()}
    hashes = {name: hashlib.md5(content).hexdigest() for name, content in made.items()}
    monkeypatch.setitem(mnist.MD5, "fashion-mnist", hashes)
    return made


def write(root, files, packed=False):
    for name, content in files.items():
        if packed:
            (root / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (root / name).write_bytes(content)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
def test_images_and_labels(tmp_path, arrays, files, packed):
    write(tmp_path, files, packed)
    data = mnist.load(tmp_path, "fashion-mnist")
    assert data.name == "fashion-mnist"
    assert data.num_classes == 10
    train, test = arrays["train-images-idx3-ubyte"], arrays["t10k-images-idx3-ubyte"]
    assert torch.equal(data.train_images, torch.from_numpy(train)[:, None])
    assert torch.equal(data.test_images, torch.from_numpy(test)[:, None])
    assert data.train_labels.tolist() == arrays["train-labels-idx1-ubyte"].tolist()
    assert data.test_labels.tolist() == arrays["t10k-labels-idx1-ubyte"].tolist()
    assert data.train_labels.dtype == torch.int64


def test_the_other_data_set_is_refused(tmp_path, files):
    write(tmp_path, files)
    with pytest.raises(DataError, match="damaged or not that of mnist"):
        mnist.load(tmp_path, "mnist")


DAMAGES = {
    "missing": ("train-images-idx3-ubyte", None, "is missing, plain and as .gz"),
    "empty": ("train-images-idx3-ubyte", lambda content: b"", "is not an IDX file of bytes in 3"),
    "html": (
        "t10k-labels-idx1-ubyte",
        lambda content: b"<html>",
        "begins with 3c 68 74 6d, expected 00 00 08 01",
    ),
    "header alone": ("train-images-idx3-ubyte", lambda content: content[:8], "not an IDX file"),
    "cut": (
        "t10k-images-idx3-ubyte",
        lambda content: content[:-1],
        "2,351 bytes of data, expected 3 x 28 x 28",
    ),
    "pixel": (
        "t10k-images-idx3-ubyte",
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        "is damaged or not that of fashion-mnist",
    ),
    "label": (
        "train-labels-idx1-ubyte",
        lambda content: content[:-1] + b"\x0a",
        "labels must be in [0, 10), got 10",
    ),
    "count": (
        "train-labels-idx1-ubyte",
        lambda content: idx(np.zeros(4, np.uint8)),
        "5 images in train-images-idx3-ubyte, but 4 labels in train-labels-idx1-ubyte",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_refused(tmp_path, files, damage):
    name, change, message = DAMAGES[damage]
    if change is None:
        del files[name]
    else:
        files[name] = change(files[name])
    write(tmp_path, files)
    with pytest.raises(DataError, match=re.escape(message)):
        mnist.load(tmp_path, "fashion-mnist")


@pytest.mark.parametrize("end", [-1, 5])
def test_incomplete_gz_is_refused(tmp_path, files, end):
    write(tmp_path, files, packed=True)
    path = tmp_path / "train-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(DataError, match=r"is not a complete \.gz file"):
        mnist.load(tmp_path, "fashion-mnist")
