"""Trains on CIFAR-10, CIFAR-100, MNIST or the digits with noisy labels, as a recipe says.

A run that was interrupted, however that happened, continues where the last checkpoint was when the
same command is given again. Several GPUs: torchrun --nproc-per-node=N -m bench.train_cifar ...
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import bench.steady  # noqa: F401, before torch
from bench.data import Dataset
from bench.data.augment import Augment
from bench.errors import exit_status
from bench.training import command, labels, parallel
from bench.training.datasets import SETTINGS, Setting, held_out
from bench.training.run import Run
from bench.training.sources import Source, Tensors
from noisykernels.noise import NoisyLabels, estimate_transition_from_anchors

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class Task:
    """A data set that has been loaded."""

    dataset: Dataset
    setting: Setting
    images: int
    noise: str
    human: Path | None
    weights: None = None

    @property
    def data(self) -> str:
        return command.data_name(self.dataset.name, self.images, len(self.dataset.train_labels))

    def prepare(self, run: Run, device: torch.device) -> tuple[Source, Tensor]:
        data, noisy = self.dataset, self._noisy(run).labels
        # The noise is that of all images, so that a part of them has a part of it.
        data, noisy = data.first(run.images), noisy[: run.images]
        if run.held_out:
            data, noisy = held_out(data, noisy, run.held_out, run.seed)
        recipe = run.recipe
        augment = Augment(
            self.setting.normalize,
            padding=recipe.padding,
            flip=recipe.flip,
            rotation=recipe.rotation,
        )
        return Tensors(data, noisy, augment, device), data.train_labels

    def transition(self, run: Run, predicted: Callable[[], Tensor]) -> Tensor:
        if run.transition == "true":
            return self._noisy(run).transition
        return estimate_transition_from_anchors(predicted(), percentile=self.setting.percentile)

    def _noisy(self, run: Run) -> NoisyLabels:
        data, normalize = self.dataset, self.setting.normalize
        return labels.noisy_labels(run.noise, data, normalize, run.seed, self.human)


def main(arguments: list[str] | None = None) -> int:
    return exit_status(lambda: program(parse(arguments)))


def program(options: argparse.Namespace) -> None:
    setting = SETTINGS[options.data]

    def load() -> Task:
        data = setting.load(options.root)
        count = len(data.train_labels)
        images = min(options.images or count, count)
        return Task(data, setting, images, options.noise, options.human)

    command.train(options, setting.recipe or options.data, load)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = command.parser("bench.train_cifar", __doc__)
    add = parser.add_argument
    add("--data", choices=SETTINGS, default="cifar10", help="%(default)s")
    add("--root", type=Path, metavar="DIR", help="where the data are, else they are obtained")
    names = ", ".join(labels.NAMES)
    add("--noise", default="none", help=f"NAME:RATE with {names}; human:KEY; %(default)s")
    add("--human", type=Path, metavar="FILE", help="labels of CIFAR-10N or CIFAR-100N")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    parallel.leave(main())
