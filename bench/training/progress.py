"""What is seen of a run while it goes on."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from bench.training.trainer import Trainer

REFRESH_SECONDS = 0.5


class Watch:
    """A live line on a terminal, and a line for each epoch.

    Args:
        console: Where to; a silent one in all processes but the first.
        trainer: The run.
    """

    def __init__(self, console: Console, trainer: Trainer) -> None:
        self._trainer = trainer
        columns = (BarColumn(8), TextColumn("{task.description}"), TimeRemainingColumn())
        live = console.is_terminal and not console.quiet
        self._bars = Progress(*columns, console=console, disable=not live, transient=True)
        self._epochs = trainer.run.recipe.epochs
        self._bar = self._bars.add_task("", total=self._epochs * trainer.steps)
        self._shown = 0.0

    def __enter__(self) -> Watch:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def say(self, line: str) -> None:
        """Print a line above the live one."""
        self._bars.console.print(line, soft_wrap=True, markup=False)

    def step(self) -> None:
        """Show how far the run is, every now and then: the numbers cost a wait for the GPU."""
        if self._bars.disable or time.monotonic() < self._shown + REFRESH_SECONDS:
            return
        trainer, totals = self._trainer, self._trainer.totals
        self._shown = time.monotonic()
        numbers = (
            f"{trainer.epoch + 1}/{self._epochs}  loss {totals.loss / totals.steps:.3f}  "
            f"train {100 * totals.correct / totals.images:.1f} %  "
            f"{trainer.images_per_second(totals):,.0f} images/s  "
            f"loss takes {100 * totals.loss_seconds / totals.step_seconds:.1f} %"
        )
        done = trainer.epoch * trainer.steps + trainer.step
        self._bars.update(self._bar, completed=done, description=numbers)

    def epoch(self) -> None:
        """A line on the epoch that is complete."""
        last = self._trainer.history[-1]
        self.say(
            f"epoch {last.epoch:>{len(str(self._epochs))}}/{self._epochs}  "
            f"lr {last.lr:.2g}  loss {last.train_loss:.4f}  train {last.train_accuracy:.2f} %  "
            f"accuracy {last.accuracy:.2f} %  {last.images_per_second:,.0f} images/s  "
            f"loss takes {last.loss_share:.2f} % of a step"
        )
