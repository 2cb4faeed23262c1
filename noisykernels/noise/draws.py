"""Random choices that the noise models share; each takes the generator it draws from."""

from __future__ import annotations

import torch
from torch import Tensor


def choose(samples: int, rate: float, generator: torch.Generator) -> Tensor:
    """Positions of ``round(rate * samples)`` samples, each sample at most once."""
    return torch.randperm(samples, generator=generator, device="cpu")[: round(rate * samples)]


def members(labels: Tensor, index: int, generator: torch.Generator) -> Tensor:
    """Positions of the samples of class ``index`` in random order."""
    positions = (labels == index).nonzero().squeeze(1)
    return positions[torch.randperm(len(positions), generator=generator, device="cpu")]


def other_class(clean: Tensor, num_classes: int, generator: torch.Generator) -> Tensor:
    """For each label one of the other classes, each with equal probability."""
    # A shift by 1 ... C-1 reaches each other class from exactly one draw.
    shift = torch.randint(1, num_classes, clean.shape, generator=generator, device="cpu")
    return (clean + shift) % num_classes


def draw(distributions: Tensor, generator: torch.Generator) -> Tensor:
    """One class from each row of ``distributions``, float64 (N, C); never one of probability 0."""
    upper = distributions.cumsum(1)
    upper = upper / upper[:, -1:]  # rounding must not leave a gap below 1
    uniform = torch.rand(len(upper), 1, dtype=torch.float64, generator=generator, device="cpu")
    return torch.searchsorted(upper, uniform, right=True).squeeze(1)
