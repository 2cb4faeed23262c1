"""CIFAR-100 from any official layout, or obtained and verified by one command.

``python -m bench.data.cifar100`` fills the cache; ``--root DIR`` verifies what is in DIR, or
obtains it there.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

from bench.data import Dataset, cifar
from bench.data.cifar_layouts import Published

PUBLISHED = Published(
    title="CIFAR-100",
    binary_folder="cifar-100-binary",
    pickle_folder="cifar-100-python",
    archive_url="https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
    sha1={
        "train": "e207cd2e05b73b1393c74c7f5e7bea451d63e08e",
        "test": "8fb6623e830365ff53cf14adec797474f5478006",
    },
    labels=("coarse_labels", "fine_labels"),
)


def load(root: Path | None = None, labels: Literal["fine", "coarse"] = "fine") -> Dataset:
    """Returns the 50,000 training and 10,000 test images in the official order, verified.

    Args:
        root: Where CIFAR-100 is, in any official layout. By default the cache, which is filled at
            the first call.
        labels: The 100 classes, or their 20 superclasses, which name the data set
            ``cifar100-coarse``.
    """
    if root is None:
        root = cache()
        ensure(root)
    batches = cifar.verified(PUBLISHED, root)
    kind = PUBLISHED.labels.index(f"{labels}_labels")
    return Dataset(
        name="cifar100" if labels == "fine" else "cifar100-coarse",
        train_images=batches["train"][0],
        train_labels=batches["train"][1][:, kind].contiguous(),
        test_images=batches["test"][0],
        test_labels=batches["test"][1][:, kind].contiguous(),
        num_classes=100 if labels == "fine" else 20,
    )


def ensure(root: Path) -> None:
    """Obtains CIFAR-100 if ``root`` does not hold it."""
    cifar.ensure(PUBLISHED, {}, root)


def cache() -> Path:
    """Where the verified batches are kept between runs."""
    return cifar.cache("cifar100")


def main() -> int:
    return cifar.command("cifar100", __doc__, ensure, load)


if __name__ == "__main__":
    sys.exit(main())
