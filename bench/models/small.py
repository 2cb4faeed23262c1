"""The small networks of the demo."""

from __future__ import annotations

import torch
from torch import nn


def mlp(classes: int = 10) -> nn.Module:
    """64-256-classes with ReLU, for the 8x8 digits."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, classes))


def small_cnn(classes: int = 10) -> nn.Module:
    """Three convolutions with 32, 64 and 128 channels and a linear layer, for CIFAR.

    Without the normalization the bounded losses learn only some of the classes in 20 epochs.
    """
    layers: list[nn.Module] = []
    for inputs, outputs in ((3, 32), (32, 64), (64, 128)):
        layers += [
            nn.Conv2d(inputs, outputs, 3),
            nn.BatchNorm2d(outputs),
            nn.MaxPool2d(2),  # before the ReLU: they commute, and it has a quarter of the work
            nn.ReLU(),
        ]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 2 * 2, classes))
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # faster on a CPU
    return model
