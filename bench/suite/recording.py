"""Hands times that were measured elsewhere to pytest-benchmark.

pytest-benchmark times one contender after the other, minutes apart, and on a machine with neighbors
the ratio of two such numbers means little. So a case is measured with its contenders in turns, and
each is then played back: `RECORDING` is the clock that pytest-benchmark reads, and the function
that it times moves that clock on by what was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence


class Recording:
    """A clock that moves only when a measurement is played back."""

    def __init__(self) -> None:
        self._now = 0.0

    def __call__(self) -> float:
        return self._now

    def play(self, seconds: Sequence[float]) -> Callable[[], None]:
        """A function whose i-th call lasts, on this clock, the i-th of ``seconds``."""
        remaining = iter(seconds)

        def call() -> None:
            self._now += next(remaining)

        return call


RECORDING = Recording()
