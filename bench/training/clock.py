"""How long the steps take, and the loss in them."""

from __future__ import annotations

import time
from typing import Any

import torch


class StepClock:
    """Seconds of all steps since the start, and of the loss in them.

    On a GPU it is the GPU's own clock, and nothing waits for it until the seconds are asked for.
    """

    def __init__(self, device: torch.device) -> None:
        self._gpu = device.type == "cuda"
        self._marks: list[Any] = []
        self._loss_seconds = self._step_seconds = 0.0

    def mark(self) -> None:
        """Called four times a step: at its beginning, before and after the loss, at its end."""
        if self._gpu:
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self._marks.append(event)
        else:
            self._marks.append(time.perf_counter())

    @property
    def seconds(self) -> tuple[float, float]:
        """Of the loss, forward and backward, and of the steps."""
        if self._gpu:
            torch.cuda.synchronize()
        complete = len(self._marks) // 4 * 4
        for i in range(0, complete, 4):
            begin, before, after, end = self._marks[i : i + 4]
            self._loss_seconds += self._between(before, after)
            self._step_seconds += self._between(begin, end)
        del self._marks[:complete]
        return self._loss_seconds, self._step_seconds

    def _between(self, first: Any, second: Any) -> float:
        return first.elapsed_time(second) / 1e3 if self._gpu else second - first
