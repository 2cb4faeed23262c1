"""The papers' accuracies, and which of them a run of ours is to be held against."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import tomllib
import torch
from torch import Tensor

import noisykernels as nk
from bench.training import transition

CLOTHING1M = "clothing1m"
"""The data that have a training program of their own."""

PATH = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True)
class Published:
    """An accuracy in a paper's table."""

    table: str
    """Short name of the table."""
    source: str
    seeds: int
    """Number of runs that the accuracy is the mean of."""
    recipe: str
    data: str
    noise: str
    loss: str
    accuracy: float
    row: str
    """The loss that the row of the table is named by here; a noise may have other parameters."""
    transition: str
    """What a loss of the table calls T: "true" or "estimated"."""


@lru_cache(maxsize=1)
def published() -> list[Published]:
    """All of them."""
    return [
        Published(
            table=table["name"],
            source=table["source"],
            seeds=table["seeds"],
            recipe=table["recipe"],
            data=table["data"],
            noise=noise,
            loss=row.get("at", {}).get(noise, row["loss"]),
            accuracy=accuracy,
            row=row["loss"],
            transition=table.get("transition", ""),
        )
        for table in tomllib.loads(PATH.read_text(encoding="utf-8"))["table"]
        for row in table["row"]
        for noise, accuracy in zip(table["noise"], row["accuracy"], strict=True)
    ]


def find(recipe: str, data: str, noise: str, loss: str, matrix: str = "") -> Published | None:
    """What the paper has for a run; ways to draw symmetric noise that differ in detail are one.

    Args:
        recipe: Name of the recipe.
        data: Name of the data.
        noise: The noise as a run has it.
        loss: The loss as a run has it.
        matrix: What the loss calls T.
    """
    kind, _, rate = noise.partition(":")
    if kind in ("symmetric-per-class", "symmetric-per-pair"):
        noise = f"symmetric:{rate}"
    if kind == "asymmetric-sequential":
        noise = f"asymmetric:{rate}"
    for entry in published():
        if (entry.recipe, entry.data, entry.noise) == (recipe, data, noise) and same_loss(
            entry.loss, loss
        ):
            return entry if matrix in ("", entry.transition) else None
    return None


def same_loss(one: str, other: str) -> bool:
    """Whether two expressions are one loss, however they are written: to four digits."""
    if one == other:
        return True
    first, second = _values(one), _values(other)
    return first is not None and second is not None and torch.allclose(first, second, rtol=1e-4)


@lru_cache(maxsize=256)
def _values(text: str) -> Tensor | None:
    """What a loss and its gradient are at some logits, or None if it is not known here."""
    generator = torch.Generator().manual_seed(0)
    matrix = torch.rand(10, 10, generator=generator, dtype=torch.float64).softmax(1)
    tensors = {"T": matrix} if transition.named(text) else {}
    try:
        loss = nk.loss(text, reduction="none", **tensors)
    except ValueError:
        return None
    logits = 3 * torch.randn(20, 10, generator=generator, dtype=torch.float64)
    logits.requires_grad_()
    values = loss(logits, torch.arange(20) % 10)
    (gradient,) = torch.autograd.grad(values.sum(), logits)
    return torch.cat([values.detach().unsqueeze(1), gradient], 1)
