"""What a copy of Clothing1M holds, and what is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np

from bench.data.clothing1m.facts import BOTH_LABELS, SIZES
from bench.data.clothing1m.layout import Clothing1M


def summary(data: Clothing1M) -> Iterator[str]:
    """Name, classes, and the size of each split overall and per class."""
    yield f"{data.root}: {data.name}"
    yield "classes: " + ", ".join(f"{index} {name}" for index, name in enumerate(data.classes))
    for name, official in SIZES.items():
        if name not in data.splits:
            yield f"{name}: absent, officially {official:,}"
            continue
        labels = data.split(name).labels
        per_class = " ".join(map(str, labels.bincount(minlength=len(data.classes)).tolist()))
        yield f"{name}: {len(labels):,} keys, officially {official:,}; per class {per_class}"


def overlap(data: Clothing1M) -> Iterator[str]:
    """How many samples of each clean split have a noisy label too, and how many of those agree."""
    for name, official in BOTH_LABELS.items():
        if name not in data.splits:
            continue
        clean, noisy = data.doubly_labeled(name)
        agree = f", {100 * (clean == noisy).double().mean():.2f} % agree" if len(clean) else ""
        yield f"{name}: {len(clean):,} keys have both labels, officially {official:,}{agree}"


def problems(data: Clothing1M) -> Iterator[str]:
    """What makes the copy unfit: keys that come twice or in two splits, photos that are missing."""
    for name, samples in data.splits.items():
        if twice := len(samples.keys) - len(np.unique(samples.keys)):
            yield f"{twice:,} keys come twice in {name}"
    for one, other in combinations(data.splits, 2):
        shared = np.intersect1d(data.split(one).keys, data.split(other).keys)
        if len(shared):
            first = shared[0].decode()
            yield f"{len(shared):,} keys are in both {one} and {other}, the first {first}"
    for name, samples in data.splits.items():
        if missing := [key for key, found in _found(data, samples.keys) if not found]:
            yield f"{len(missing):,} photos of {name} are missing, the first {missing[0].decode()}"


def _found(data: Clothing1M, keys: np.ndarray) -> Iterator[tuple[bytes, bool]]:
    # A folder is listed once: a million single questions take minutes on a network disk.
    listed: dict[str, set[str]] = {}
    for key in keys:
        folder, _, name = key.decode().rpartition("/")
        if folder not in listed:
            listed[folder] = _names(data.images / folder)
        yield key, name in listed[folder]


def _names(folder: Path) -> set[str]:
    return set(os.listdir(folder)) if folder.is_dir() else set()
