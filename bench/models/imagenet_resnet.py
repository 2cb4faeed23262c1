"""ResNet-50 for 224x224 images; its weights have torchvision's names, so that its files load."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.errors import UsageError
from bench.models.cifar_resnet import initialize, projection

STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))
EXPANSION = 4


def resnet50(classes: int) -> nn.Module:
    """ResNet-50 with the stride on the 3x3 convolutions, as torchvision has it."""
    return ResNet50(classes)


class ResNet50(nn.Module):
    """Four stages of bottleneck blocks (He et al. 2016, arXiv:1512.03385)."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        inputs = 64
        for stage, (width, count) in enumerate(STAGES):
            blocks: list[nn.Module] = []
            for block in range(count):
                blocks.append(Bottleneck(inputs, width, 2 if stage and not block else 1))
                inputs = EXPANSION * width
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(inputs, classes)
        self.apply(initialize)

    def forward(self, images: Tensor) -> Tensor:
        x = self.maxpool(F.relu(self.bn1(self.conv1(images))))
        for stage in range(len(STAGES)):
            x = self.get_submodule(f"layer{stage + 1}")(x)
        return self.fc(x.mean((2, 3)))


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = EXPANSION * width
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.downsample = projection(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = F.relu(self.bn2(self.conv2(out)))
        return F.relu(self.bn3(self.conv3(out)) + self.downsample(x))


def load_weights(model: nn.Module, path: Path) -> None:
    """Load a state dict saved by torch; a last layer for other classes stays as it was drawn.

    Raises:
        UsageError: If there is no such file, or it holds something else.
    """
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UsageError(f"--weights: there is no file {path}") from None
    except Exception as error:  # a damaged file raises nearly anything
        raise UsageError(f"--weights: {path} is not a file of weights: {error!r}") from error
    if not isinstance(weights, dict) or not all(isinstance(v, Tensor) for v in weights.values()):
        raise UsageError(f"--weights: {path} does not hold a state dict")
    own = model.state_dict()
    last_layer = {name: own[name] for name in ("fc.weight", "fc.bias")}
    if _shape(weights, "fc.weight") != _shape(own, "fc.weight"):
        weights = {**weights, **last_layer}
    for name in sorted({*own, *weights}):
        there, here = _shape(weights, name), _shape(own, name)
        if there != here:
            raise UsageError(
                f"--weights: {path} does not fit ResNet-50: {name} is {there} there, {here} here"
            )
    model.load_state_dict(weights)


def _shape(weights: Mapping[str, Tensor], name: str) -> str:
    return str(tuple(weights[name].shape)) if name in weights else "absent"
