"""The plain convolutional networks of SCE and of the papers that follow it.

After arXiv:1908.06112 and github.com/HanxunH/Active-Passive-Losses (model.py), which later code
copies: convolutions with bias, batch normalization, Kaiming and Xavier initialization.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn


def cnn4(classes: int) -> nn.Module:
    """32-64 convolutions, a dense layer of 128 and the linear one, for 28x28 images of one channel.

    The 4-layer CNN of the MNIST rows.
    """
    return _network([(1, 32), (32, 64)], dense=(64 * 7 * 7, 128), classes=classes)


def cnn8(classes: int) -> nn.Module:
    """64-64, 128-128, 196-196 convolutions, a dense layer of 256 and the linear one, for CIFAR.

    The 8-layer CNN of the CIFAR-10 rows.
    """
    blocks = [(3, 64, 64), (64, 128, 128), (128, 196, 196)]
    return _network(blocks, dense=(196 * 4 * 4, 256), classes=classes)


def _network(blocks: Sequence[Sequence[int]], dense: tuple[int, int], classes: int) -> nn.Module:
    """A halving of the image after each block of convolutions."""
    layers: list[nn.Module] = []
    for channels in blocks:
        for inputs, outputs in pairwise(channels):
            convolution = nn.Conv2d(inputs, outputs, 3, padding=1)
            layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
        layers.append(nn.MaxPool2d(2))
    model = nn.Sequential()
    model.add_module("features", nn.Sequential(*layers, nn.Flatten()))
    model.add_module("fc1", nn.Linear(*dense))
    model.add_module("bn", nn.BatchNorm1d(dense[1]))
    model.add_module("relu", nn.ReLU())
    model.add_module("fc2", nn.Linear(dense[1], classes))
    model.apply(_initialize)
    return model


def _initialize(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
