"""Carries a run out: from its last checkpoint, with records, checkpoints and dumps, to its end."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from torch import Tensor

from bench import json_lines
from bench.files import owned
from bench.training import checkpoint, dumps, records
from bench.training.dumps import Dump
from bench.training.evaluation import outputs
from bench.training.parallel import Group
from bench.training.progress import Watch
from bench.training.run import Run
from bench.training.sources import Source
from bench.training.trainer import Epoch, Trainer


@dataclass(frozen=True)
class Session:
    """What all runs of a command share."""

    folder: Path
    """Where records, checkpoints and dumps go."""
    group: Group
    console: Console
    facts: Mapping[str, Any]
    """Versions and device, for the records."""
    checkpoint_seconds: float
    """A checkpoint is written when the last one is this old, and at the end."""
    dumps: Sequence[int] = ()
    """Epochs after which the outputs for all images are written."""
    weights: Path | None = None

    def carry_out(self, run: Run, source: Source, clean_labels: Tensor | None) -> list[Epoch]:
        """Train to the end, wherever the run was left; a complete run is not trained again.

        Args:
            run: What to train.
            source: Its images.
            clean_labels: The true labels of the training images, for the dumps; None if nobody
                knows them.
        """
        trainer = Trainer(run, source, self.group, self.weights)
        path = self._path(run, ".checkpoint")
        leads = self.group.leads
        alone = owned(self._path(run, ".lock")) if leads else nullcontext()
        with alone, Watch(self.console, trainer) as watch:
            state = self.group.shared(checkpoint.load(path, watch.say) if leads else None)
            if state is not None:
                trainer.restore(state)
                where = f"epoch {trainer.epoch}, step {trainer.step}"
                watch.say("complete" if trainer.complete else f"continuing after {where}")
                self._dump_late(trainer, source, clean_labels, watch)
            self._record(trainer)
            saved = time.monotonic()
            while not trainer.complete:
                for _ in trainer.run_epoch():
                    watch.step()
                    if leads and time.monotonic() - saved >= self.checkpoint_seconds:
                        checkpoint.save(path, trainer.state())
                        saved = time.monotonic()
                watch.epoch()
                if trainer.epoch in self.dumps:
                    self._dump(trainer, source, clean_labels)
                if leads and trainer.complete:
                    checkpoint.save(path, trainer.state())
                    checkpoint.previous(path).unlink(missing_ok=True)
                self._record(trainer)
        return trainer.history

    def _path(self, run: Run, ending: str) -> Path:
        return self.folder / f"{run.name}{ending}"

    def _record(self, trainer: Trainer) -> None:
        if not self.group.leads:
            return
        path = self._path(trainer.run, json_lines.SUFFIX)
        complete = trainer.complete
        records.write(path, trainer.run, self.facts, trainer.history, complete=complete)

    def _dump_late(
        self, trainer: Trainer, source: Source, clean_labels: Tensor | None, watch: Watch
    ) -> None:
        """The outputs that nobody asked for when their epoch ended, if they are to be had."""
        for epoch in self.dumps:
            if epoch > trainer.epoch or self.dump_path(trainer.run, epoch).exists():
                continue
            if (epoch, 0) == (trainer.epoch, trainer.step):
                self._dump(trainer, source, clean_labels)
            else:
                watch.say(f"--dump {epoch}: that epoch is over; another --output begins anew")

    def _dump(self, trainer: Trainer, source: Source, clean_labels: Tensor | None) -> None:
        """Logits and labels of all images, and the test images' features."""
        if not self.group.leads:
            return
        train, test = (outputs(trainer.model, source, split) for split in ("train", "test"))
        dump = Dump(
            train_logits=train.logits,
            train_labels=train.labels,
            train_clean_labels=None if clean_labels is None else clean_labels.cpu(),
            test_logits=test.logits,
            test_labels=test.labels,
            test_features=test.features,
        )
        dumps.write(self.dump_path(trainer.run, trainer.epoch), dump)

    def dump_path(self, run: Run, epoch: int) -> Path:
        """Where the outputs after an epoch are."""
        return self._path(run, dumps.ending(epoch))
