"""The data of the demo that need no download: the fixed split of the digits."""

from __future__ import annotations

import pytest
import torch

from bench.data import digits


def test_digits_split_is_fixed_and_stratified():
    data, again = digits.load(), digits.load()
    assert data.train_images.shape == (1347, 1, 8, 8)
    assert data.test_images.shape == (450, 1, 8, 8)
    assert data.train_images.dtype == torch.uint8
    assert data.train_labels.dtype == torch.int64
    assert torch.equal(data.train_images, again.train_images)
    assert torch.equal(data.test_labels, again.test_labels)
    share = data.test_labels.bincount() / (
        data.test_labels.bincount() + data.train_labels.bincount()
    )
    torch.testing.assert_close(share, torch.full((10,), 450 / 1797), rtol=0, atol=0.005)


def test_standardized_uses_the_training_split_only():
    data = digits.load()
    images = data.standardized().train_images
    assert images.dtype == torch.float32
    assert abs(images.mean().item()) < 1e-6
    assert images.std().item() == pytest.approx(1)
    zero = data.test_images[:, :, 0, 0] == 0
    level = data.standardized().test_images[:, :, 0, 0][zero]
    assert level.unique().tolist() == [images.min().item()]
