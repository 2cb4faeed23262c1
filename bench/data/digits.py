"""The 1,797 handwritten 8x8 digits of scikit-learn: real images that need no download."""

from __future__ import annotations

import torch
from sklearn.datasets import load_digits  # type: ignore[import-untyped]
from sklearn.model_selection import train_test_split  # type: ignore[import-untyped]

from bench.data import Dataset

TEST_SIZE = 450


def load() -> Dataset:
    """Returns 1,347 training and 450 test digits as uint8 (N, 1, 8, 8), pixels 0 to 16.

    The split is stratified and always the same.
    """
    digits = load_digits()
    images = torch.from_numpy(digits.images).to(torch.uint8).unsqueeze(1)
    labels = torch.from_numpy(digits.target).to(torch.int64)
    train, test = train_test_split(
        torch.arange(len(labels)), test_size=TEST_SIZE, stratify=labels, random_state=0
    )
    return Dataset(
        name="digits",
        train_images=images[train],
        train_labels=labels[train],
        test_images=images[test],
        test_labels=labels[test],
        num_classes=10,
    )
