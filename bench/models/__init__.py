"""The networks of the papers, without torchvision, and the small ones of the demo."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from bench.models.cifar_resnet import resnet34, resnet44
from bench.models.cnn import cnn4, cnn8
from bench.models.imagenet_resnet import resnet50
from bench.models.small import mlp, small_cnn

__all__ = ["MODELS", "cnn4", "cnn8", "mlp", "resnet34", "resnet44", "resnet50", "small_cnn"]

MODELS: dict[str, Callable[[int], nn.Module]] = {
    "mlp": mlp,
    "small-cnn": small_cnn,
    "cnn4": cnn4,
    "cnn8": cnn8,
    "resnet34": resnet34,
    "resnet44": resnet44,
    "resnet50": resnet50,
}
"""By the name a recipe uses; each takes the number of classes. The last layer of each is linear."""
