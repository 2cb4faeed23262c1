"""Augmentation on tensors does to each image what Pillow and plain slicing do to one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats

from bench.data import augment

PLAIN = augment.Normalize((0.0,) * 3, (1 / 255,) * 3)  # leaves pixels as they are
CROP = augment.Augment(PLAIN, padding=2, flip=False)
FLIP = augment.Augment(PLAIN, padding=0, flip=True)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def images(generator):
    """No pixel is 0, as padding is."""
    return torch.randint(1, 256, (64, 3, 8, 6), generator=generator, dtype=torch.uint8)


def test_normalization():
    normalize = augment.Normalize((0.5, 0.25, 0.0), (0.5, 0.25, 2.0))
    images = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(1, 1, 1, 3).expand(2, 3, 1, 3)
    expected = torch.tensor([[-1, -0.6, 1], [-1, -0.2, 3], [0, 0.1, 0.5]])
    result = normalize(images)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, expected[:, None].expand(2, 3, 1, 3))


def test_crops_are_windows_of_the_padded_image(images, generator):
    padded = np.pad(images.numpy(), ((0, 0), (0, 0), (2, 2), (2, 2)))
    corners = [
        (top, left)
        for image, crop in zip(padded, CROP(images, generator).numpy(), strict=True)
        for top in range(5)
        for left in range(5)
        if np.array_equal(image[:, top : top + 8, left : left + 6], crop.round())
    ]
    assert len(corners) == len(images)
    assert len(set(corners)) > 5


def test_every_corner_is_equally_likely(generator):
    """One bright pixel shows where the window was."""
    images = torch.zeros(10_000, 3, 8, 6, dtype=torch.uint8)
    images[:, :, 4, 3] = 1
    crops = CROP(images, generator)
    counts = crops.sum((0, 1))[2:7, 1:6]
    assert counts.sum() == pytest.approx(30_000)
    assert stats.chisquare(counts.flatten().numpy() / 3).pvalue > 1e-3


def test_half_of_the_images_are_flipped(images, generator):
    many = images.repeat(100, 1, 1, 1)
    result = FLIP(many, generator).round().to(torch.uint8)
    kept = (result == many).flatten(1).all(1)
    assert torch.equal(result[~kept], many[~kept].flip(3))
    assert stats.binomtest(int(kept.sum()), len(many)).pvalue > 1e-3


def test_rotation_is_pillows(generator):
    """All but pixels whose source lies between two: those may differ by rounding."""
    images = torch.randint(1, 256, (8, 3, 32, 32), generator=generator, dtype=torch.uint8)
    rotate = augment.Augment(PLAIN, padding=0, flip=False, rotation=20.0)
    state = generator.get_state()
    result = rotate(images, generator).round().to(torch.uint8)
    generator.set_state(state)
    torch.randint(1, (2, 8, 1), generator=generator)  # the corners of the crop
    degrees = 20 * (2 * torch.rand(8, generator=generator) - 1)
    assert degrees.min() < -5
    assert degrees.max() > 5
    for image, rotated, angle in zip(images, result, degrees.tolist(), strict=True):
        expected = np.asarray(Image.fromarray(image.permute(1, 2, 0).numpy()).rotate(angle))
        same = (rotated.permute(1, 2, 0).numpy() == expected).all(2).mean()
        assert same > 0.98


def test_parts_are_applied_together(images, generator):
    """Normalized zeros, not zeros, fill what lies outside of the image: it is padded first."""
    both = augment.Augment(augment.Normalize((1.0,) * 3, (1.0,) * 3), padding=4)
    result = both(images, generator)
    assert result.shape == images.shape
    assert result.min() == -1


@pytest.mark.parametrize("preset", [augment.MNIST, augment.CIFAR10, augment.CIFAR100])
def test_presets(preset, generator):
    channels = len(preset.normalize.mean)
    images = torch.randint(256, (4, channels, 32, 32), generator=generator, dtype=torch.uint8)
    before = images.clone()
    first = preset(images, torch.Generator().manual_seed(1))
    again = preset(images, torch.Generator().manual_seed(1))
    other = preset(images, torch.Generator().manual_seed(2))
    assert first.dtype == torch.float32
    assert first.shape == images.shape
    assert torch.equal(images, before)
    assert torch.equal(first, again)
    # MNIST's recipe has no augmentation.
    assert torch.equal(first, other) == (preset is augment.MNIST)


def test_global_random_state_is_neither_read_nor_changed(images):
    state = torch.get_rng_state()
    replace(CROP, rotation=5.0)(images, torch.Generator().manual_seed(1))
    assert torch.equal(torch.get_rng_state(), state)
