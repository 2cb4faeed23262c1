"""What the demo can train on, and the recipe for each data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from bench import models
from bench.data import Dataset, cifar10, digits
from bench.train import Recipe


@dataclass(frozen=True)
class Setting:
    """A data set with the recipe and the number of seeds that suit it."""

    load: Callable[[Path | None], Dataset]
    recipe: Recipe
    seeds: int


def load_digits(root: Path | None) -> Dataset:
    """The digits, which need no root: they ship with scikit-learn."""
    return digits.load()


def load_cifar10(root: Path | None) -> Dataset:
    """The first 10,000 training images of CIFAR-10, its first batch, and all test images."""
    return cifar10.load(root).first(10_000)


SETTINGS = {
    "digits": Setting(
        load_digits,
        Recipe(
            name="MLP 64-256-10, SGD lr 0.05, momentum 0.9, cosine to 0, batch 64",
            model=models.mlp,
            optimizer=partial(torch.optim.SGD, lr=0.05, momentum=0.9),
            weight_decay=5e-4,
            epochs=100,
            batch_size=64,
            cosine=True,
        ),
        seeds=3,
    ),
    "cifar10": Setting(
        load_cifar10,
        Recipe(
            name="CNN 32-64-128 with batch normalization, Adam lr 1e-3, batch 128",
            model=models.small_cnn,
            optimizer=partial(torch.optim.Adam, lr=1e-3),
            weight_decay=0.0,
            epochs=20,
            batch_size=128,
            cosine=False,
        ),
        seeds=1,
    ),
}
