"""Dimensionality-driven learning."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from noisykernels import functional, validation


def local_intrinsic_dimensionality(features: Tensor, neighbors: int = 20) -> Tensor:
    """Mean local intrinsic dimensionality of a batch, by maximum likelihood.

    For a sample with distances r_1 <= ... <= r_k to its nearest neighbors in the batch it is
    ``-1 / mean_i log(r_i / r_k)``.

    Args:
        features: Representations of shape (N, D), floating point; the papers take batches of 128.
        neighbors: Neighbors k, 2 <= k < N.

    Returns:
        A scalar float64 tensor.

    Raises:
        ValueError: If features is not (N, D) or has too few rows for the neighbors.

    Source:
        Amsaleg et al. 2015; within mini-batches: Ma et al. 2018, arXiv:1806.02612.

    Example:
        >>> features = torch.rand(500, 2, generator=torch.Generator().manual_seed(0))
        >>> local_intrinsic_dimensionality(features)
        tensor(2.1418, dtype=torch.float64)
    """
    neighbors = validation.integer("neighbors", neighbors)
    if features.dim() != 2:
        raise ValueError(f"features must have shape (N, D), got {tuple(features.shape)}")
    if not 2 <= neighbors < len(features):
        raise ValueError(
            f"neighbors must be at least 2 and below the {len(features)} rows of features, got "
            f"{neighbors}"
        )
    distances = torch.cdist(features.double(), features.double())
    distances.fill_diagonal_(math.inf)  # a sample is not its own neighbor
    nearest = distances.topk(neighbors, largest=False).values
    # The last of them contributes log 1; equal samples have distance 0 and say nothing.
    ratios = (nearest / nearest[:, -1:]).clamp(min=torch.finfo(torch.float64).tiny).log()
    return (-1 / ratios.mean(1)).mean()


class D2L(nn.Module):
    """Cross entropy until the representation starts to grow, then labels give way to predictions.

    The local intrinsic dimensionality (LID) of the representation falls while a model generalizes
    and rises when it starts to memorize. From that epoch on the loss is hard bootstrapping,

        -(alpha log p_y + (1 - alpha) log max_k p_k),
        alpha = exp(-(epoch / epochs) * LID_epoch / min LID before).

    Call `end_epoch` with features of some training batches after each epoch.

    Args:
        epochs: Epochs of the whole training, at least 1.
        window: Epochs whose LIDs are compared, at least 2; the turning point is where the newest is
            more than two standard deviations above their mean.
        reduction: "none", "mean" or "sum".

    Source:
        Ma et al. 2018, arXiv:1806.02612.

    Example:
        >>> criterion = D2L(epochs=120)
        >>> criterion(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]))
        tensor(0.2395)
        >>> criterion.alpha
        1.0
    """

    def __init__(self, epochs: int, *, window: int = 5, reduction: str = "mean") -> None:
        """Check the arguments; no epoch has been seen."""
        super().__init__()
        for name, value, least in (("epochs", epochs, 1), ("window", window, 2)):
            if validation.integer(name, value) < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")
        validation.reduction_code(reduction)
        self.epochs = epochs
        self.window = window
        self.reduction = reduction
        self.alpha = 1.0
        """Share of the label in the target."""
        self.lids: list[float] = []
        """The LID after each epoch."""
        self.turned = False

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of logits for class indices."""
        loss: Tensor
        if not self.turned:
            loss = functional.ce_loss(input, target, reduction=self.reduction)
        else:
            loss = functional.bootstrap_hard_loss(
                input, target, beta=self.alpha, reduction=self.reduction
            )
        return loss

    def end_epoch(self, features: Tensor, neighbors: int = 20) -> float:
        """Take note of an epoch's representation; returns its LID.

        Args:
            features: (N, D) of one batch, or (batches, N, D).
            neighbors: See `local_intrinsic_dimensionality`.
        """
        batches = features.unsqueeze(0) if features.dim() == 2 else features
        lid = torch.stack([local_intrinsic_dimensionality(b, neighbors) for b in batches])
        newest = float(lid.mean())
        before = torch.tensor(self.lids[-self.window :], dtype=torch.float64)
        if len(before) == self.window and newest > before.mean() + 2 * before.std(correction=0):
            self.turned = True
        if self.turned:
            progress = (len(self.lids) + 1) / self.epochs
            self.alpha = math.exp(-progress * newest / min(self.lids))
        self.lids.append(newest)
        return newest

    def get_extra_state(self) -> dict[str, Any]:
        """What a checkpoint has to hold."""
        return {"alpha": self.alpha, "lids": self.lids, "turned": self.turned}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Continue from a checkpoint."""
        self.alpha, self.lids, self.turned = state["alpha"], list(state["lids"]), state["turned"]
