"""Where the loop gets its batches: from tensors on the device, or from files as they are needed.

What a batch looks like depends on the seed, the epoch and the step alone, so that a run which
continues sees what it would have seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from bench.data import DataError, Dataset, clothing1m
from bench.data.augment import Augment, Normalize

Batch = tuple[Tensor, Tensor]

EVALUATION_BATCH = 500


class Source(Protocol):
    """Training images with the labels to train on, and test images."""

    num_classes: int
    image_shape: Sequence[int]

    def __len__(self) -> int:
        """Number of training images."""

    def batches(self, parts: Sequence[Tensor], seeds: Seeds, first: int) -> Iterator[Batch]:
        """Augmented images and labels of each part of an epoch from step ``first`` on."""

    def plain_batches(self, split: str) -> Iterator[Batch]:
        """Images as they are, of the split "train" or "test", in order."""


@dataclass(frozen=True)
class Seeds:
    """Random numbers of an epoch of a run, a stream for each step and process."""

    seed: int
    epoch: int
    process: int = 0

    def at(self, step: int | str) -> int:
        """A seed for what is drawn at ``step``."""
        text = f"{self.seed} {self.epoch} {self.process} {step}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")

    def order(self, count: int) -> Tensor:
        """The order of the images in the epoch, the same in all processes."""
        generator = torch.Generator().manual_seed(replace(self, process=0).at("order"))
        return torch.randperm(count, generator=generator)


class Tensors:
    """uint8 images on the training device, augmented there: loading never hides the loss."""

    def __init__(self, data: Dataset, labels: Tensor, augment: Augment, device: torch.device):
        self.num_classes = data.num_classes
        self.image_shape = data.train_images.shape[1:]
        self._augment = augment
        self._splits = {
            "train": (data.train_images.to(device), labels.to(device)),
            "test": (data.test_images.to(device), data.test_labels.to(device)),
        }

    def __len__(self) -> int:
        return len(self._splits["train"][1])

    def batches(self, parts: Sequence[Tensor], seeds: Seeds, first: int) -> Iterator[Batch]:
        images, labels = self._splits["train"]
        generator = torch.Generator(images.device)
        for step in range(first, len(parts)):
            part = parts[step].to(images.device)
            generator.manual_seed(seeds.at(step))
            yield self._augment(images[part], generator), labels[part]

    def plain_batches(self, split: str) -> Iterator[Batch]:
        images, labels = self._splits[split]
        for part in torch.arange(len(labels), device=images.device).split(EVALUATION_BATCH):
            yield self._augment.normalize(images[part]), labels[part]


@dataclass(frozen=True)
class Part:
    """Some of the images of a split of Clothing1M."""

    images: clothing1m.Images
    chosen: Tensor
    """Their indices."""

    @classmethod
    def whole(cls, images: clothing1m.Images) -> Part:
        """All of them."""
        return cls(images, torch.arange(len(images)))


class Files:
    """Images of Clothing1M, read by worker processes while the device computes.

    Args:
        train: What to train on; how a photo is cropped depends on the epoch alone.
        test: What to evaluate on.
        num_classes: Number of classes.
        normalize: Done on the device.
        device: Where the network is.
        workers: Number of processes that read.
    """

    def __init__(
        self,
        train: Part,
        test: Part,
        num_classes: int,
        normalize: Normalize,
        device: torch.device,
        workers: int,
    ):
        self.num_classes = num_classes
        self.image_shape = train.images[0][0].shape
        self._parts = {"train": train, "test": test}
        self._normalize, self._device, self._workers = normalize, device, workers

    def __len__(self) -> int:
        return len(self._parts["train"].chosen)

    def batches(self, parts: Sequence[Tensor], seeds: Seeds, first: int) -> Iterator[Batch]:
        train = self._parts["train"]
        train.images.epoch = seeds.epoch
        return self._read(train.images, [train.chosen[part] for part in parts[first:]])

    def plain_batches(self, split: str) -> Iterator[Batch]:
        part = self._parts[split]
        return self._read(part.images, part.chosen.split(EVALUATION_BATCH))

    def _read(self, images: clothing1m.Images, parts: Sequence[Tensor]) -> Iterator[Batch]:
        loader = DataLoader(
            images,
            batch_sampler=[part.tolist() for part in parts],
            num_workers=self._workers,
            pin_memory=self._device.type == "cuda",
        )
        try:
            for batch, labels in loader:
                moved = batch.to(self._device, non_blocking=True)
                yield self._normalize(moved), labels.to(self._device, non_blocking=True)
        except DataError as error:
            # A worker's error brings its traceback, whose last line says what is wrong.
            raise DataError(str(error).splitlines()[-1].rpartition("DataError: ")[2]) from None


def split_off(count: int, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Indices from 0 to count in two random parts, the second with that share of them."""
    # A stream of its own: drawn from the noise's, it would be of the wrong labels alone.
    generator = torch.Generator().manual_seed(Seeds(seed, epoch=0).at("held out"))
    order = torch.randperm(count, generator=generator)
    last = round(share * count)
    return order[last:].sort().values, order[:last].sort().values
