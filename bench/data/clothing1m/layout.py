"""The lists of Clothing1M in each layout that copies of it have.

Lists lie in ROOT or in ROOT/annotations. Each split is a list of keys, whose labels are in one
file of all noisy and one of all clean labels; or, in merged copies, one file "KEY LABEL". A key is
``images/7/88/339645240,2782721788.jpg``, in some copies without the leading ``images/``. It holds
a comma, so nothing here is CSV.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bench.data import DataError
from bench.data.clothing1m.facts import CLASS_NAMES, SIZES

NAMES_FILE = "category_names_eng.txt"
NOISY_LABELS, CLEAN_LABELS = "noisy_label_kv.txt", "clean_label_kv.txt"
NEEDED = ("noisy_train", "clean_val", "clean_test")
"""The splits of the usual recipe; with the sizes of these a copy is complete."""

LABELS = {str(index): index for index in range(len(CLASS_NAMES))}

LOOKALIKE = b"lookalike"
"""Is in every key of generated data, so that no copying of lists hides what they are."""

UNKNOWN = -1


@dataclass(frozen=True)
class Samples:
    """A split: keys without ``images/``, labels, and for clean splits the noisy labels known."""

    # As bytes in one block: Python strings would be copied into every worker that counts them.
    keys: npt.NDArray[np.bytes_]
    labels: Tensor
    noisy_labels: Tensor
    """The noisy label of the same photo, or UNKNOWN; of a noisy split the labels themselves."""


@dataclass(frozen=True)
class Clothing1M:
    """The lists of a copy."""

    root: Path
    name: str
    """``clothing1m``, ``clothing1m-lookalike``, or ``clothing1m-partial`` for other sizes."""
    images: Path
    """What the keys are relative to: ROOT/images, or ROOT where there is no such folder."""
    classes: tuple[str, ...]
    splits: Mapping[str, Samples]

    def split(self, name: str) -> Samples:
        """Keys and labels of ``noisy_train``, ``clean_train``, ``clean_val`` or ``clean_test``."""
        if name not in self.splits:
            raise DataError(
                f"{self.root} has no {name}: expected {_key_list(name)} or {_merged(name)}"
            )
        return self.splits[name]

    def doubly_labeled(self, name: str) -> tuple[Tensor, Tensor]:
        """Clean and noisy labels of the samples of a clean split that have both."""
        samples = self.split(name)
        both = samples.noisy_labels != UNKNOWN
        return samples.labels[both], samples.noisy_labels[both]

    def path(self, key: bytes) -> Path:
        """The photo of a key."""
        return self.images / key.decode()


def open_root(root: Path) -> Clothing1M:
    """Reads all lists of a copy of Clothing1M; every key has a label in [0, 14)."""
    folder = _lists_folder(root)
    noisy, clean = _label_table(folder / NOISY_LABELS), _label_table(folder / CLEAN_LABELS)
    splits = {}
    for name in SIZES:
        if (folder / _key_list(name)).is_file():
            pairs = _join(folder, name, noisy if name == "noisy_train" else clean)
        elif (folder / _merged(name)).is_file():
            pairs = list(_read_labels(folder / _merged(name)))
        else:
            continue
        splits[name] = _samples(pairs, dict(pairs) if name == "noisy_train" else noisy)
    images = root / "images"
    return Clothing1M(
        root=root,
        name=_name(splits),
        images=images if images.is_dir() else root,
        classes=_class_names(folder / NAMES_FILE),
        splits=splits,
    )


def _lists_folder(root: Path) -> Path:
    for folder in (root, root / "annotations"):
        files = (folder / file for name in SIZES for file in (_key_list(name), _merged(name)))
        if any(file.is_file() for file in files):
            return folder
    raise DataError(
        f"no Clothing1M in {root}: expected {_key_list('noisy_train')} or {_merged('noisy_train')} "
        "there or in its folder annotations"
    )


def _key_list(split: str) -> str:
    return f"{split}_key_list.txt"


def _merged(split: str) -> str:
    return f"{split}.txt"


def _label_table(path: Path) -> dict[str, int]:
    return dict(_read_labels(path)) if path.is_file() else {}


def _join(folder: Path, split: str, labels: Mapping[str, int]) -> list[tuple[str, int]]:
    keys = folder / _key_list(split)
    pairs = []
    for number, line in _lines(keys):
        key = _key(keys, number, line)
        if key not in labels:
            file = NOISY_LABELS if split == "noisy_train" else CLEAN_LABELS
            raise DataError(f"{keys}, line {number}: {line} has no label in {file}")
        pairs.append((key, labels[key]))
    return pairs


def _read_labels(path: Path) -> Iterator[tuple[str, int]]:
    for number, line in _lines(path):
        key, _, label = line.rpartition(" ")
        if not key or label not in LABELS:
            raise DataError(
                f"{path}, line {number}: expected a key, a space and a label from 0 to "
                f"{len(LABELS) - 1}, got {line!r}"
            )
        yield _key(path, number, key), LABELS[label]


def _key(path: Path, number: int, line: str) -> str:
    if line.startswith("/") or ".." in line:
        raise DataError(f"{path}, line {number}: {line!r} leads out of the folder of the images")
    return line.removeprefix("images/")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that hold something, with their numbers."""
    try:
        # Not str.splitlines, which takes characters of a name for ends of lines.
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not text: {error}") from error
    return ((number, line) for number, text in enumerate(lines, 1) if (line := text.strip()))


def _samples(pairs: list[tuple[str, int]], noisy: Mapping[str, int]) -> Samples:
    return Samples(
        keys=np.array([key.encode() for key, _ in pairs], dtype=np.bytes_),
        labels=torch.tensor([label for _, label in pairs], dtype=torch.int64),
        noisy_labels=torch.tensor([noisy.get(key, UNKNOWN) for key, _ in pairs]).long(),
    )


def _name(splits: Mapping[str, Samples]) -> str:
    if any(LOOKALIKE in key for samples in splits.values() for key in samples.keys):
        return "clothing1m-lookalike"
    sizes = {name: len(samples.keys) for name, samples in splits.items()}
    complete = all(sizes.get(name) == SIZES[name] for name in NEEDED)
    return "clothing1m" if complete else "clothing1m-partial"


def _class_names(path: Path) -> tuple[str, ...]:
    if not path.is_file():  # merged copies often leave it out
        return CLASS_NAMES
    names = tuple(line for _, line in _lines(path))
    if len(names) != len(CLASS_NAMES):
        raise DataError(f"{path}: expected {len(CLASS_NAMES)} names of classes, got {len(names)}")
    return names
