"""Sums over the steps of an epoch."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.training.clock import StepClock


@dataclass(frozen=True)
class Totals:
    """Of the steps so far, in this process."""

    steps: int = 0
    images: int = 0
    correct: int = 0
    """Predictions that are the training label."""
    loss: float = 0.0
    seconds: float = 0.0
    """As a clock on the wall shows them, batches and checkpoints included."""
    step_seconds: float = 0.0
    loss_seconds: float = 0.0


class Tally:
    """Counts on the device, which nothing waits for until the totals are asked for."""

    def __init__(self, device: torch.device, before: Totals | None = None) -> None:
        self.clock = StepClock(device)
        self._before = before or Totals()
        self.start()
        self._loss = torch.zeros((), dtype=torch.float64, device=device)
        self._correct = torch.zeros((), dtype=torch.int64, device=device)
        self._images = self._steps = 0

    def start(self) -> None:
        """Start the clock on the wall, once there is nothing else to do before the next step."""
        self._start = time.perf_counter()

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Count a step."""
        self._loss += loss
        self._correct += (logits.argmax(1) == labels).sum()
        self._images += len(labels)
        self._steps += 1

    @property
    def totals(self) -> Totals:
        """Those of the steps counted here, and those before."""
        loss_seconds, step_seconds = self.clock.seconds
        before = self._before
        return Totals(
            steps=before.steps + self._steps,
            images=before.images + self._images,
            correct=before.correct + int(self._correct),
            loss=before.loss + self._loss.item(),
            seconds=before.seconds + time.perf_counter() - self._start,
            step_seconds=before.step_seconds + step_seconds,
            loss_seconds=before.loss_seconds + loss_seconds,
        )
