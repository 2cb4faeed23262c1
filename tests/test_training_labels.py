"""Noise by name: each name is the noise it says, with the rate that was asked for."""

from __future__ import annotations

import pytest
import torch

from bench.data import Dataset
from bench.data.augment import Normalize
from bench.errors import UsageError
from bench.training import transition
from bench.training.labels import NAMES, noisy_labels
from noisykernels import noise

CLASSES = {"mnist": 10, "cifar10": 10, "cifar100": 100}

SHARES = {
    # Of ten classes the drawn one is the true one in a tenth of the cases.
    "symmetric-inclusive": 0.9,
    # int(0.4 * 100 / 9) = 4 of the 100 images of a class for each other class.
    "symmetric-per-pair": 0.9,
    # Five classes of ten are mistaken for others.
    "asymmetric": 0.5,
    # The same, but cats flip at 0.4 - 0.4^2.
    "asymmetric-sequential": 0.46,
    # Two classes of each five.
    "asymmetric-pair": 0.4,
    "asymmetric-index-pair": 0.4,
}
"""Of the rate that was asked for, where it is not all of it."""

ONLY_CIFAR100 = ("asymmetric-pair", "asymmetric-index", "asymmetric-index-pair")


def dataset(name: str) -> Dataset:
    """100 images of each class."""
    labels = torch.arange(CLASSES[name]).repeat(100)
    images = torch.randint(256, (len(labels), 1, 4, 4), dtype=torch.uint8)
    return Dataset(name, images, labels, images, labels, CLASSES[name])


def corrupted(text: str, data: Dataset, seed: int = 0) -> noise.NoisyLabels:
    return noisy_labels(text, data, Normalize((0.5,), (0.25,)), seed, None)


@pytest.mark.parametrize("name", NAMES)
def test_share_of_wrong_labels(name):
    data = dataset("cifar100" if name in ONLY_CIFAR100 else "cifar10")
    noisy = corrupted(f"{name}:0.4", data).labels
    wrong = (noisy != data.train_labels).float().mean().item()
    assert wrong == pytest.approx(0.4 * SHARES.get(name, 1.0), abs=0.02)


def test_name_is_the_function():
    data = dataset("cifar10")
    expected = noise.asymmetric_cifar10(data.train_labels, 0.4, sequential=True, seed=3)
    assert all(map(torch.equal, corrupted("asymmetric-sequential:0.4", data, seed=3), expected))
    clean = noise.NoisyLabels(data.train_labels, torch.eye(10, dtype=torch.float64))
    assert all(map(torch.equal, corrupted("none", data), clean))


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("symmetric")])
def test_matrix_of_symmetric_noise_knows_the_rate_alone(name):
    noisy, matrix = corrupted(f"{name}:0.4", data := dataset("cifar10"))
    wrong = (noisy != data.train_labels).double().mean().item()
    torch.testing.assert_close(matrix, transition.uniform(wrong, 10))
    torch.testing.assert_close(matrix.diagonal().mean().item(), 1 - wrong)
    torch.testing.assert_close(matrix.sum(1), torch.ones(10, dtype=torch.float64))


@pytest.mark.parametrize("name", ["pair-flip", "asymmetric", "instance"])
def test_matrix_of_other_noise_is_counted(name):
    noisy, matrix = corrupted(f"{name}:0.4", data := dataset("cifar10"))
    assert torch.equal(matrix, noise.transition_matrix(data.train_labels, noisy, 10))


def test_noise_of_other_data_is_refused():
    with pytest.raises(UsageError, match="asymmetric-index is defined for cifar100, not mnist"):
        corrupted("asymmetric-index:0.4", dataset("mnist"))
