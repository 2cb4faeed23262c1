"""The photos of a split as uint8 tensors of one size, read when they are asked for."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bench.data import DataError
from bench.data.augment import Normalize
from bench.data.clothing1m.layout import Clothing1M

IMAGENET = Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""What weights trained on ImageNet expect."""

JAL = Normalize((0.6959, 0.6537, 0.6371), (0.3113, 0.3192, 0.3214))
"""Of Clothing1M itself, as in the code of Wang et al. 2025 (JAL), arXiv:2507.17692."""


@dataclass(frozen=True)
class Crop:
    """Resizes a photo and takes a square of it, in the middle or anywhere."""

    anywhere: bool
    """Also flips half of the photos."""
    keep_ratio: bool = True
    """Whether ``resize`` is the shorter side, or both, which distorts."""
    resize: int = 256
    size: int = 224

    def __call__(self, photo: Image.Image, draw: random.Random) -> Image.Image:
        scale = self.resize / min(photo.size)
        size = (
            (round(photo.width * scale), round(photo.height * scale))
            if self.keep_ratio
            else (self.resize, self.resize)
        )
        photo = photo.resize(size, Image.Resampling.BILINEAR)
        room = photo.width - self.size, photo.height - self.size
        left, top = ((draw.randint(0, free) if self.anywhere else free // 2) for free in room)
        photo = photo.crop((left, top, left + self.size, top + self.size))
        if self.anywhere and draw.random() < 0.5:
            photo = photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return photo


CENTER = Crop(anywhere=False)
RANDOM = Crop(anywhere=True)


class Images(torch.utils.data.Dataset[tuple[Tensor, int]]):
    """Pairs of a photo, uint8 (3, size, size), and its label; normalize on the training device.

    What is random depends on ``seed``, ``epoch`` and the index alone: neither the number of workers
    nor a resumed run changes it. Set ``epoch`` before each pass over the data.
    """

    def __init__(self, data: Clothing1M, split: str, crop: Crop, seed: int = 0) -> None:
        self.data, self.crop, self.seed = data, crop, seed
        self.samples = data.split(split)
        # Shared: workers that outlive an epoch see the next one.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    @property
    def labels(self) -> Tensor:
        return self.samples.labels

    @property
    def epoch(self) -> int:
        return int(self._epoch)

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self.samples.keys)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        photo = _read(self.data.path(self.samples.keys[index]))
        crop = self.crop(photo, random.Random(f"{self.seed} {self.epoch} {index}"))
        return torch.from_numpy(np.array(crop)).permute(2, 0, 1).contiguous(), int(
            self.samples.labels[index]
        )


def _read(path: Path) -> Image.Image:
    try:
        with Image.open(path) as photo:
            return photo.convert("RGB")  # some are grayscale or CMYK
    except FileNotFoundError:
        raise DataError(f"{path} is missing") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} is not a complete image: {error}") from error
