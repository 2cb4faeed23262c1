"""CIFAR-10N and CIFAR-100N: what people, often wrongly, called the training images of CIFAR.

The official files are ``CIFAR-10_human.pt`` and ``CIFAR-100_human.pt``; an ``.npz`` with the same
keys will do. Source: Wei et al. 2022, arXiv:2110.12088.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.data import DataError, Dataset
from noisykernels.noise import NoisyLabels, transition_matrix

TOLERANCE = 0.005  # percent: what two decimals leave open


@dataclass(frozen=True)
class Annotations:
    """A clean label and the human ones of the same images."""

    clean: str
    wrong_percent: Mapping[str, float]
    """Of the official files. The paper rounds aggre_label to 9.03 and has 25.60 for coarse ones."""


ANNOTATIONS = {
    "cifar10": Annotations(
        "clean_label",
        {
            "aggre_label": 9.01,
            "worse_label": 40.21,
            "random_label1": 17.23,
            "random_label2": 18.12,
            "random_label3": 17.64,
        },
    ),
    "cifar100": Annotations("clean_label", {"noisy_label": 40.20}),
    "cifar100-coarse": Annotations("clean_coarse_label", {"noisy_coarse_label": 26.40}),
}


def keys(name: str) -> list[str]:
    """The human labels there are for the data set of that name."""
    return list(ANNOTATIONS[name].wrong_percent) if name in ANNOTATIONS else []


def load(path: Path, data: Dataset, key: str) -> NoisyLabels:
    """Human labels of the training images of ``data``, verified to be those and in their order.

    Args:
        path: The ``.pt`` or ``.npz`` file.
        data: CIFAR-10 or CIFAR-100 with all training images.
        key: One of :func:`keys`, such as ``worse_label``.
    """
    if key not in keys(data.name):
        expected = ", ".join(keys(data.name)) or "no human labels"
        raise DataError(f"there is no {key} for {data.name}: expected {expected}")
    annotations = ANNOTATIONS[data.name]
    content = _read(path)
    clean = _labels(path, content, annotations.clean, data)
    noisy = _labels(path, content, key, data)

    moved = (clean != data.train_labels).nonzero()
    if len(moved):
        raise DataError(
            f"{path}: {annotations.clean} is not the label of the image at {len(moved):,} of "
            f"{len(clean):,} positions, the first {int(moved[0])}: the images have another order"
        )
    found = 100 * (noisy != clean).double().mean().item()
    published = annotations.wrong_percent[key]
    if abs(found - published) > TOLERANCE:
        raise DataError(
            f"{path}: {found:.2f} % of {key} are wrong, {published:.2f} % of the official ones"
        )
    return NoisyLabels(noisy, transition_matrix(clean, noisy, data.num_classes))


def _read(path: Path) -> Mapping[str, Any]:
    try:
        content = _read_archive(path) if path.suffix == ".npz" else _read_pickle(path)
    except FileNotFoundError:
        raise DataError(f"{path} is missing") from None
    except Exception as error:  # a damaged file raises nearly anything
        raise DataError(
            f"{path} is not a file of CIFAR-N labels: it is damaged or holds something else than "
            "arrays of integers"
        ) from error
    if not isinstance(content, Mapping):
        raise DataError(f"{path} is not a file of CIFAR-N labels: it holds no dict")
    return content


def _read_archive(path: Path) -> dict[str, Any]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        return dict(archive)


def _read_pickle(path: Path) -> Any:
    # A pickle can run any code, so only arrays of integers are built. NumPy 2 renamed the module
    # that old files name, so take the function from an array.
    reconstruct = np.empty(0).__reduce__()[0]
    allowed = [
        np.ndarray,
        np.dtype,
        *(type(np.dtype(kind)) for kind in np.typecodes["AllInteger"]),
        (reconstruct, "numpy.core.multiarray._reconstruct"),
        (reconstruct, "numpy._core.multiarray._reconstruct"),
    ]
    with torch.serialization.safe_globals(allowed):
        return torch.load(path, map_location="cpu", weights_only=True)


def _labels(path: Path, content: Mapping[str, Any], key: str, data: Dataset) -> Tensor:
    if key not in content:
        raise DataError(f"{path} has no {key}, but {', '.join(map(str, content)) or 'nothing'}")
    labels = np.asarray(content[key])
    if not np.issubdtype(labels.dtype, np.integer) or labels.shape != data.train_labels.shape:
        raise DataError(
            f"{path}: {key} must be {len(data.train_labels):,} integers, one for each training "
            f"image, got {labels.dtype} of shape {labels.shape}"
        )
    outside = np.flatnonzero((labels < 0) | (labels >= data.num_classes))
    if len(outside):
        raise DataError(
            f"{path}: {key} must be in [0, {data.num_classes}), got {labels[outside[0]]} at "
            f"position {outside[0]}"
        )
    return torch.tensor(labels, dtype=torch.int64)
