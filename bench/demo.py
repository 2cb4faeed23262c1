"""Trains with 60 % wrong labels: which losses still find the right classes, and what they cost.

The numbers are real: images of scikit-learn's digits or of CIFAR-10, a fresh network per loss and
seed, accuracy on test images with clean labels, and each loss timed on this machine.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from rich.console import Console
from torch import nn

import noisykernels as nk
from bench import plot, report
from bench.contenders import Loss, tidy
from bench.cost import measure
from bench.data import DataError
from bench.experiment import Task, run_all
from bench.settings import SETTINGS


@dataclass(frozen=True)
class Row:
    """A loss of the table, the eager rival it is timed against, and the labels it trains on."""

    label: str
    criterion: nn.Module
    eager: Loss
    clean: bool = False


ROWS = (
    Row("CE", nk.CELoss(), tidy("ce")),
    Row("SCE α=0.01", nk.SCELoss(alpha=0.01), tidy("sce", alpha=0.01)),
    Row("GCE q=0.7", nk.GCELoss(q=0.7), tidy("gce", q=0.7)),
    Row("SGCE q=0.7", nk.SGCELoss(q=0.7), tidy("sgce", q=0.7)),
    Row("α-MAE α=0.5", nk.AlphaMAELoss(alpha=0.5), tidy("alpha_mae", alpha=0.5)),
    Row("MUH + 0.1‖z‖²", nk.MUHLoss(quadratic=0.1), tidy("muh", quadratic=0.1)),
    Row("CE, clean labels", nk.CELoss(), tidy("ce"), clean=True),
)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    console = report.console()
    try:
        demo(options, console)
    except (DataError, OSError) as error:
        console.print(f"error: {error}", style="red", markup=False)
        return 2
    except KeyboardInterrupt:
        console.print("interrupted")
        return 130
    return 0


def demo(options: argparse.Namespace, console: Console) -> None:
    setting = SETTINGS[options.data]
    given = {"weight_decay": options.wd, "epochs": options.epochs}
    recipe = replace(setting.recipe, **{k: v for k, v in given.items() if v is not None})
    seeds = options.seeds or setting.seeds
    load = partial(setting.load, options.root)
    data = load()
    torch.set_num_threads(1)

    title, subtitle = report.headline(data, recipe, seeds)
    console.print(f"[bold]{title}[/bold]\n{subtitle}", soft_wrap=True)
    tasks = [
        Task(number, row.criterion, row.clean, seed)
        for number, row in enumerate(ROWS)
        for seed in range(seeds)
    ]
    labels = [row.label for row in ROWS]
    with report.progress(console, labels, seeds * recipe.epochs) as after_epoch:
        runs = run_all(tasks, load, recipe, after_epoch)
    results = {label: runs[i * seeds : (i + 1) * seeds] for i, label in enumerate(labels)}

    # Plain text: a live spinner would share the interpreter with what is being timed.
    console.print("timing the losses; torch.compile takes a while at first ...")
    rivals = {row.label: (row.criterion, row.eager) for row in ROWS if not row.clean}
    costs = measure(rivals, (recipe.batch_size, data.num_classes))
    backend = nk.backends.NAMES[nk.backends.choose("cpu")]
    console.print(report.table(results, costs, backend))
    console.print(report.remarks(data, costs, backend), soft_wrap=True)
    plot.save(results, title, subtitle, options.output)
    console.print(f"Accuracy by epoch: {options.output}")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.demo", description=__doc__)
    parser.add_argument("--data", choices=SETTINGS, default="digits", help="%(default)s")
    parser.add_argument(
        "--root", type=Path, help="folder with CIFAR-10 in an official layout, else it is obtained"
    )
    parser.add_argument("--wd", type=float, help="weight decay instead of the recipe's")
    parser.add_argument("--seeds", type=int, help="number of seeds instead of the recipe's")
    parser.add_argument("--epochs", type=int, help="number of epochs instead of the recipe's")
    parser.add_argument("--output", type=Path, default=Path("demo.png"), help="%(default)s")
    options = parser.parse_args(arguments)
    if options.wd is not None and not 0 <= options.wd < math.inf:
        parser.error(f"--wd takes a number from 0, got {options.wd}")
    for name in ("seeds", "epochs"):
        if (count := getattr(options, name)) is not None and count < 1:
            parser.error(f"--{name} takes a number from 1, got {count}")
    if not options.output.parent.is_dir():  # now, not after minutes of training
        parser.error(f"--output: there is no folder {options.output.parent}")
    return options


if __name__ == "__main__":
    sys.exit(main())
