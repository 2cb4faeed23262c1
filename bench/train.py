"""The training loop of the demo: nothing in it knows which loss it trains with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LRScheduler

from bench.data import Dataset


@dataclass(frozen=True)
class Recipe:
    """Everything of a training run but the data, the loss and the seed."""

    name: str
    model: Callable[[], nn.Module]
    optimizer: Callable[..., torch.optim.Optimizer]
    weight_decay: float
    epochs: int
    batch_size: int
    cosine: bool

    def schedule(self, optimizer: torch.optim.Optimizer) -> LRScheduler:
        """Cosine from the optimizer's learning rate to 0, or that rate throughout."""
        if self.cosine:
            return CosineAnnealingLR(optimizer, self.epochs)
        return ConstantLR(optimizer, factor=1.0)


def train(
    criterion: nn.Module,
    data: Dataset,
    labels: Tensor,
    recipe: Recipe,
    seed: int,
    after_epoch: Callable[[float], None],
) -> nn.Module:
    """Trains a fresh model on ``labels``; reports the clean-test accuracy after each epoch."""
    torch.manual_seed(seed)
    model = recipe.model()
    optimizer = recipe.optimizer(model.parameters(), weight_decay=recipe.weight_decay)
    schedule = recipe.schedule(optimizer)
    for _ in range(recipe.epochs):
        model.train()
        for batch in torch.randperm(len(labels)).split(recipe.batch_size):
            loss = criterion(model(data.train_images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
        after_epoch(agreement(model, data.test_images, data.test_labels))
    return model


@torch.no_grad()
def agreement(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Percentage of ``images`` for which ``model`` predicts ``labels``."""
    model.eval()
    predictions = torch.cat([model(part).argmax(1) for part in images.split(250)])
    return 100 * (predictions == labels).float().mean().item()
