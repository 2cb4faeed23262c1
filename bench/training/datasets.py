"""The data sets that fit on the training device, and how their pixels are normalized."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from torch import Tensor

from bench.data import Dataset, cifar10, cifar100, digits, mnist
from bench.data.augment import CIFAR10, CIFAR100, MNIST, Normalize
from bench.errors import UsageError
from bench.training.sources import split_off


@dataclass(frozen=True)
class Setting:
    """How to get a data set, and what makes its pixels zero mean and unit deviation."""

    load: Callable[[Path | None], Dataset]
    normalize: Normalize
    recipe: str = ""
    """The data set whose table of a recipe is used, if it is another one."""
    percentile: float | None = 97.0
    """Of `estimate_transition_from_anchors`."""


def _mnist(root: Path | None, name: str) -> Dataset:
    if root is None:
        raise UsageError(f"--data {name} needs --root with the four IDX files")
    return mnist.load(root, name)


SETTINGS = {
    "digits": Setting(lambda _: digits.load(), Normalize((0.0192,), (0.0236,))),
    "mnist": Setting(partial(_mnist, name="mnist"), MNIST.normalize),
    "fashion-mnist": Setting(
        partial(_mnist, name="fashion-mnist"), Normalize((0.2860,), (0.3530,)), recipe="mnist"
    ),
    "cifar10": Setting(cifar10.load, CIFAR10.normalize),
    "cifar100": Setting(cifar100.load, CIFAR100.normalize, percentile=None),
}


def held_out(data: Dataset, labels: Tensor, share: float, seed: int) -> tuple[Dataset, Tensor]:
    """A share of the training images in place of the test images, with their noisy labels.

    Returns:
        The data, and the labels of what is left to train on.
    """
    train, test = split_off(len(labels), share, seed)
    kept = replace(
        data,
        train_images=data.train_images[train],
        train_labels=data.train_labels[train],
        test_images=data.train_images[test],
        test_labels=labels[test],
    )
    return kept, labels[train]
