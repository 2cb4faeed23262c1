"""Augmentation and normalization of uint8 images where they lie, a batch at a time.

Data sets that fit the memory of the training device stay there as uint8, so that no loading hides
what the loss costs.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, pad


@dataclass(frozen=True)
class Normalize:
    """uint8 images (N, channels, H, W) to float32 ``(image / 255 - mean) / std``."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, images: Tensor) -> Tensor:
        scale, shift = _scale_and_shift(self.mean, self.std, images.device)
        return images * scale + shift


@functools.cache  # a copy to a GPU would wait for the GPU in every step
def _scale_and_shift(
    mean: tuple[float, ...], std: tuple[float, ...], device: torch.device
) -> Tensor:
    deviation = torch.tensor(std, dtype=torch.float64)[:, None, None]
    average = torch.tensor(mean, dtype=torch.float64)[:, None, None]
    return torch.stack([1 / (255 * deviation), -average / deviation]).to(device, torch.float32)


@dataclass(frozen=True)
class Augment:
    """Random crop of the zero-padded image, horizontal flip, rotation; then normalization.

    The draws come from the generator alone. One on the CPU draws the same for every device; one on
    the images' device saves the transfer of a few numbers per image.
    """

    normalize: Normalize
    padding: int = 4
    flip: bool = True
    rotation: float = 0.0
    """Largest angle in degrees, to either side; the nearest pixel is taken, as published."""

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        images = self._crop(images, generator)
        if self.rotation:
            images = self._rotate(images, generator)
        return self.normalize(images)

    def _crop(self, images: Tensor, generator: torch.Generator) -> Tensor:
        samples, channels, height, width = images.shape
        device = generator.device
        top, left = torch.randint(
            2 * self.padding + 1, (2, samples, 1), generator=generator, device=device
        )
        columns = torch.arange(width, device=device).expand(samples, -1)
        if self.flip:
            flipped = torch.rand(samples, 1, generator=generator, device=device) < 0.5
            columns = torch.where(flipped, columns.flip(1), columns)
        rows = (top + torch.arange(height, device=device)).to(images.device)
        columns = (left + columns).to(images.device)
        padded = pad(images, (self.padding,) * 4)
        sample = torch.arange(samples, device=images.device)[:, None, None, None]
        channel = torch.arange(channels, device=images.device)[None, :, None, None]
        return padded[sample, channel, rows[:, None, :, None], columns[:, None, None, :]]

    def _rotate(self, images: Tensor, generator: torch.Generator) -> Tensor:
        uniform = torch.rand(len(images), generator=generator, device=generator.device)
        angles = (2 * uniform - 1) * math.radians(self.rotation)
        cosine, sine, zero = angles.cos(), angles.sin(), torch.zeros_like(angles)
        rotations = torch.stack([cosine, -sine, zero, sine, cosine, zero], 1).reshape(-1, 2, 3)
        grid = affine_grid(rotations.to(images.device), list(images.shape), align_corners=False)
        return grid_sample(images.float(), grid, mode="nearest", align_corners=False)


MNIST = Augment(Normalize((0.1307,), (0.3081,)), padding=0, flip=False)
CIFAR10 = Augment(Normalize((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)))
CIFAR100 = Augment(Normalize((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)), rotation=20.0)
