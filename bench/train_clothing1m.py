"""Trains ResNet-50 on the million noisy labels of Clothing1M, as a recipe says.

ROOT is the folder of the data set or of the look-alike (python -m bench.data.clothing1m_lookalike),
whose name then stands in every result. A run that was interrupted, however that happened, continues
where the last checkpoint was when the same command is given again. Several GPUs: torchrun
--nproc-per-node=N -m bench.train_clothing1m ...
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import bench.steady  # noqa: F401, before torch
from bench.data import clothing1m
from bench.errors import UsageError, exit_status
from bench.options import natural
from bench.training import command, parallel
from bench.training.run import Run
from bench.training.sources import Files, Part, Source, split_off
from noisykernels.noise import estimate_transition

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class Task:
    """The data set or its look-alike."""

    dataset: clothing1m.Clothing1M
    data: str
    images: int
    workers: int
    weights: Path | None
    noise: str = "real"

    def prepare(self, run: Run, device: torch.device) -> tuple[Source, Tensor | None]:
        # All recipes resize to 256x256, whatever the shape.
        center = clothing1m.Crop(anywhere=False, keep_ratio=False)
        crop = clothing1m.Crop(anywhere=run.recipe.crop == "random", keep_ratio=False)
        chosen, held_out = split_off(self.images, run.held_out, run.seed)
        train = Part(clothing1m.Images(self.dataset, "noisy_train", crop, run.seed), chosen)
        if run.held_out:
            test = Part(clothing1m.Images(self.dataset, "noisy_train", center), held_out)
        else:
            test = Part.whole(clothing1m.Images(self.dataset, "clean_test", center))
        classes = len(self.dataset.classes)
        return Files(train, test, classes, clothing1m.JAL, device, self.workers), None

    def transition(self, run: Run, predicted: Callable[[], Tensor]) -> Tensor:
        """From the clean training photos that have a noisy label too."""
        if run.transition == "true":
            raise UsageError("--transition true: that of Clothing1M is not known, take estimated")
        clean, noisy = self.dataset.doubly_labeled("clean_train")
        missing = set(range(len(self.dataset.classes))) - set(clean.tolist())
        if missing:
            name = self.dataset.classes[min(missing)]
            raise UsageError(f"--transition estimated: no {name} of clean_train has both labels")
        return estimate_transition(clean, noisy, len(self.dataset.classes))


def main(arguments: list[str] | None = None) -> int:
    return exit_status(lambda: program(parse(arguments)))


def program(options: argparse.Namespace) -> None:
    def load() -> Task:
        data = clothing1m.open_root(options.root)
        count = len(data.split("noisy_train").labels)
        images = min(options.images or count, count)
        name = command.data_name(data.name, images, count)
        return Task(data, name, images, options.workers, options.weights)

    command.train(options, "clothing1m", load)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = command.parser("bench.train_clothing1m", __doc__)
    add = parser.add_argument
    add("root", type=Path, metavar="ROOT", help="the folder of the data")
    add("--weights", type=Path, metavar="FILE", help="ResNet-50 as torchvision stores it")
    workers = os.cpu_count() or 1
    add(
        "--workers", type=natural, default=workers, help="processes that decode images; %(default)s"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    parallel.leave(main())
