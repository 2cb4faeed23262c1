"""ResNets for 32x32 images (He et al. 2016, arXiv:1512.03385)."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

Shortcut = Callable[[int, int, int], nn.Module]


def resnet34(classes: int) -> nn.Module:
    """ResNet-34 whose first layer is a 3x3 convolution without stride, as CIFAR-100 code has it."""
    stages = [(64, 3), (128, 4), (256, 6), (512, 3)]
    return CIFARResNet(stages, classes, projection)


def resnet44(classes: int) -> nn.Module:
    """ResNet-44 of the paper's section 4.2: three stages of 7 blocks, shortcuts without weights."""
    return CIFARResNet([(16, 7), (32, 7), (64, 7)], classes, padding)


class CIFARResNet(nn.Module):
    """Stages of basic blocks; each but the first halves the image."""

    def __init__(self, stages: list[tuple[int, int]], classes: int, shortcut: Shortcut) -> None:
        super().__init__()
        channels = stages[0][0]
        self.conv1 = _convolution(3, channels)
        self.bn1 = nn.BatchNorm2d(channels)
        blocks: list[nn.Module] = []
        for stage, (outputs, count) in enumerate(stages):
            for block in range(count):
                stride = 2 if stage and not block else 1
                blocks.append(BasicBlock(channels, outputs, stride, shortcut))
                channels = outputs
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(channels, classes)
        self.apply(initialize)

    def forward(self, images: Tensor) -> Tensor:
        x = self.blocks(F.relu(self.bn1(self.conv1(images))))
        return self.fc(x.mean((2, 3)))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int, shortcut: Shortcut) -> None:
        super().__init__()
        self.conv1 = _convolution(inputs, outputs, stride)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = _convolution(outputs, outputs)
        self.bn2 = nn.BatchNorm2d(outputs)
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x))


def projection(inputs: int, outputs: int, stride: int) -> nn.Module:
    """A 1x1 convolution, the paper's option B."""
    convolution = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs))


def padding(inputs: int, outputs: int, stride: int) -> nn.Module:
    """Every second pixel and channels of zeros, the paper's option A."""
    return _Padding(outputs - inputs, stride)


class _Padding(nn.Module):
    def __init__(self, added: int, stride: int) -> None:
        super().__init__()
        self.added, self.stride = added, stride

    def forward(self, x: Tensor) -> Tensor:
        below = self.added // 2
        kept = x[:, :, :: self.stride, :: self.stride]
        return F.pad(kept, (0, 0, 0, 0, below, self.added - below))


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)


def initialize(module: nn.Module) -> None:
    """He initialization, as the paper has it."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
