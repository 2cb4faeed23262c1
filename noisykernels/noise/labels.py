"""What a noise model returns, and the matrix that sums it up."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from noisykernels.noise.arguments import class_count, class_indices


class NoisyLabels(NamedTuple):
    """Labels after corruption, and what the corruption did.

    Attributes:
        labels: Noisy labels, int64, shape (N,), on the device of the clean ones.
        transition: The matrix of :func:`transition_matrix` from the clean to the noisy labels.
    """

    labels: Tensor
    transition: Tensor


def transition_matrix(clean: Any, noisy: Any, num_classes: int) -> Tensor:
    """Empirical transition matrix, ``T_ij`` = share of samples of clean class i with noisy label j.

    Args:
        clean: Clean class indices, N integers in [0, num_classes).
        noisy: Noisy class indices, same shape.
        num_classes: Number of classes C, at least 1.

    Returns:
        A float64 tensor (C, C) on the CPU whose rows sum to 1. A class without samples has the row
        of the identity.

    Raises:
        TypeError: An argument has the wrong type, such as labels that are bool or float.
        ValueError: A label is outside [0, num_classes), or the lengths differ.

    Example:
        >>> from noisykernels import noise
        >>> noise.transition_matrix(clean=[0, 0, 1], noisy=[0, 1, 1], num_classes=3)
        tensor([[0.5000, 0.5000, 0.0000],
                [0.0000, 1.0000, 0.0000],
                [0.0000, 0.0000, 1.0000]], dtype=torch.float64)
    """
    counts = pair_counts(clean, noisy, num_classes)
    samples = counts.sum(1, keepdim=True)
    identity = torch.eye(num_classes, dtype=torch.float64, device="cpu")
    return torch.where(samples > 0, counts / samples, identity)


def pair_counts(clean: Any, noisy: Any, num_classes: int) -> Tensor:
    """How many samples have each pair of clean and noisy label: float64 (C, C) on the CPU."""
    num_classes = class_count(num_classes)
    clean = class_indices("clean", clean, num_classes).cpu()
    noisy = class_indices("noisy", noisy, num_classes).cpu()
    if clean.shape != noisy.shape:
        raise ValueError(
            f"noisy must have as many labels as clean, got {len(noisy)} and {len(clean)}"
        )
    pairs = torch.bincount(clean * num_classes + noisy, minlength=num_classes**2)
    return pairs.reshape(num_classes, num_classes).to(torch.float64)


def corrupted(labels: Tensor, noisy: Tensor, num_classes: int) -> NoisyLabels:
    """The result of a noise model: ``noisy``, which is on the CPU, for the clean ``labels``."""
    return NoisyLabels(noisy.to(labels.device), transition_matrix(labels, noisy, num_classes))
