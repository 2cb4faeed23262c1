"""Cross entropy with a growing penalty on the logits becomes a noise-robust loss.

The robustness that the paper on the multi-category unhinged loss (MUH) proves, on the digits with
uniformly wrong labels and a linear classifier: how far the logits that minimize CE + lambda ||z||^2
point from those that minimize MUH + lambda ||z||^2, which point the same way for every lambda.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from rich import box
from rich.console import Console
from rich.table import Table
from torch import Tensor

import noisykernels.functional as NF
from bench import json_lines
from bench.contenders import Loss
from bench.data import digits
from bench.errors import Parser, UsageError, exit_status
from bench.facts import facts
from bench.options import natural, output_file
from bench.training.parallel import use_threads
from noisykernels import noise

LAMBDAS = tuple(float(f"{10 ** (half / 2):.3g}") for half in range(-8, 3))
"""From 1e-4 to 10. Beyond, the gap goes on shrinking as lambda^-2, below what rounding hides."""

RELATIVE_TO_LARGEST = 1e-10
"""Singular values below are those of pixels that never vary."""


@dataclass(frozen=True)
class Point:
    """What minimizers for one lambda are like."""

    weight: float
    """Lambda."""
    gap: float
    """Between the logits of CE and MUH on the training images, each over their norm: 0 to 2."""
    accuracy: float
    """Of CE on the clean test images, in percent."""
    muh_accuracy: float
    """Of MUH, for every lambda."""
    clean_accuracy: float
    """Of CE trained on the true labels."""
    clean_gap: float
    """Between CE trained on noisy and on true labels."""


def main(arguments: list[str] | None = None) -> int:
    return exit_status(lambda: program(parse(arguments)))


def program(options: argparse.Namespace) -> None:
    data = digits.load()
    try:
        noisy = noise.symmetric(data.train_labels, options.rate, 10, seed=options.seed).labels
    except ValueError as error:
        raise UsageError(f"--rate: {error}") from None
    use_threads(1)  # the matrices are small
    classifier = Linear(data.train_images, data.test_images, data.num_classes)
    points = list(experiment(classifier, noisy, data.train_labels, data.test_labels))
    Console(highlight=False, soft_wrap=True).print(table(points))
    run = {"data": data.name, "noise": f"symmetric:{options.rate:g}", "seed": options.seed}
    lines: list[json_lines.Line] = [{"kind": "asymptotic", **run, "facts": facts()}]
    json_lines.write(options.output, lines + [{"kind": "point", **asdict(p)} for p in points])


class Linear:
    """Linear classifiers of images, with a constant, as coefficients of an orthonormal basis.

    These are the same functions as with coefficients of the pixels, and the squared norm of the
    coefficients is the mean of ||z||^2, which makes them easy to minimize over.
    """

    def __init__(self, train: Tensor, test: Tensor, classes: int) -> None:
        pixels, count = _with_constant(train), len(train)
        left, sizes, right = torch.linalg.svd(pixels, full_matrices=False)
        used = sizes > RELATIVE_TO_LARGEST * sizes[0]
        self.train = left[:, used] * math.sqrt(count)
        self.test = _with_constant(test) @ (right[used].T / sizes[used]) * math.sqrt(count)
        self.classes = classes

    def minimize(self, loss: Loss, weight: float, labels: Tensor) -> Tensor:
        """Coefficients that minimize the mean of loss + weight ||z||^2 over the training images.

        They are multiplied by 2 * weight, which keeps them near 1 for large weights.
        """
        scale = 2 * weight
        coefficients = self.train.new_zeros(self.train.shape[1], self.classes, requires_grad=True)
        optimizer = torch.optim.LBFGS(
            [coefficients],
            max_iter=2000,
            tolerance_grad=1e-10,
            tolerance_change=0.0,
            history_size=20,
            line_search_fn="strong_wolfe",
        )

        def objective() -> Tensor:
            optimizer.zero_grad()
            value = scale * loss(self.train @ coefficients / scale, labels)
            value = value + coefficients.square().sum() / 2
            value.backward()
            return value

        optimizer.step(objective)
        return coefficients.detach()


def experiment(
    classifier: Linear, noisy: Tensor, clean: Tensor, test_labels: Tensor
) -> Iterator[Point]:
    """A point for each lambda."""

    def accuracy(coefficients: Tensor) -> float:
        predicted = (classifier.test @ coefficients).argmax(1)
        return 100 * (predicted == test_labels).double().mean().item()

    muh = classifier.minimize(NF.muh_loss, 1.0, noisy)
    for weight in LAMBDAS:
        ce = classifier.minimize(NF.ce_loss, weight, noisy)
        of_clean = classifier.minimize(NF.ce_loss, weight, clean)
        yield Point(
            weight=weight,
            gap=gap(ce, muh),
            accuracy=accuracy(ce),
            muh_accuracy=accuracy(muh),
            clean_accuracy=accuracy(of_clean),
            clean_gap=gap(ce, of_clean),
        )


def gap(one: Tensor, other: Tensor) -> float:
    """Distance of the logits, each over their norm, from coefficients of an orthonormal basis."""
    return (one / one.norm() - other / other.norm()).norm().item()


def table(points: list[Point]) -> Table:
    """A row for each lambda."""
    rows = Table(title="minimizers on noisy labels", title_justify="left", box=box.SIMPLE_HEAD)
    for header in ("lambda", "gap CE, MUH", "CE %", "MUH %", "CE, clean labels %", "gap to clean"):
        rows.add_column(header, justify="right")
    for p in points:
        accuracies = (p.accuracy, p.muh_accuracy, p.clean_accuracy)
        shown = [f"{percent:.2f}" for percent in accuracies]
        rows.add_row(f"{p.weight:g}", f"{p.gap:.2e}", *shown, f"{p.clean_gap:.3f}")
    return rows


def _with_constant(images: Tensor) -> Tensor:
    pixels = images.flatten(1).double()
    return torch.cat([pixels, torch.ones_like(pixels[:, :1])], dim=1)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = Parser(prog="python -m bench.asymptotic", description=__doc__)
    add = parser.add_argument
    add("--rate", type=float, default=0.6, help="share of wrong labels; %(default)s")
    add("--seed", type=natural, default=0, help="of the noise; %(default)s")
    output = Path("asymptotic.jsonl")
    add("--output", type=output_file, default=output, metavar="FILE", help="%(default)s")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
