"""What a network makes of images: accuracy, and the outputs that figures are drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import torch
from torch import Tensor, nn

from bench.training.sources import Source


@dataclass(frozen=True)
class Accuracy:
    """In percent."""

    overall: float
    per_class: list[float]
    """Share of the images of each class that are predicted as it; a class without images has 0."""


@torch.no_grad()
def accuracy(model: nn.Module, source: Source) -> Accuracy:
    """Accuracy on the test images of the source."""
    model.eval()
    right, count = (torch.zeros(source.num_classes, dtype=torch.int64) for _ in range(2))
    for images, labels in source.plain_batches("test"):
        hits = labels[model(images).argmax(1) == labels]
        right += hits.bincount(minlength=source.num_classes).cpu()
        count += labels.bincount(minlength=source.num_classes).cpu()
    per_class = 100 * right / count.clamp(min=1)
    return Accuracy(100 * right.sum().item() / count.sum().item(), per_class.tolist())


@dataclass(frozen=True)
class Outputs:
    """Of every image of a split, in its order, on the CPU."""

    logits: Tensor
    features: Tensor
    """What the last linear layer gets."""
    labels: Tensor


@torch.no_grad()
def outputs(model: nn.Module, source: Source, split: str, first: float = inf) -> Outputs:
    """Logits, features of the last layer but one, and labels.

    Args:
        model: The network.
        source: The images.
        split: "train" or "test".
        first: Number of images that are enough; there are more if a batch has more.
    """
    model.eval()
    features: list[Tensor] = []
    last = [module for module in model.modules() if isinstance(module, nn.Linear)][-1]
    hook = last.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0].cpu()))
    try:
        pairs, count = [], 0
        for images, labels in source.plain_batches(split):
            pairs.append((model(images).float().cpu(), labels.cpu()))
            count += len(labels)
            if count >= first:
                break
    finally:
        hook.remove()
    logits, labels = map(torch.cat, zip(*pairs, strict=True))
    return Outputs(logits, torch.cat(features).float(), labels)
