"""The losses that take part, and their rivals."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch.nn.functional as F
from torch import Tensor

import noisykernels.functional as NF
from bench.cases import HEADLINE
from bench.contenders import compiled, tidy

Step = Callable[[Tensor, Tensor], Tensor]
"""From logits and labels to the mean loss."""

FUSED, EAGER, COMPILED, LIGER = "fused", "tidy eager", "torch.compile", "Liger"
YARDSTICK = "F.cross_entropy"


@dataclass(frozen=True)
class Loss:
    """A registered loss with parameters."""

    name: str
    parameters: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        shown = ", ".join(f"{key}={value}" for key, value in self.parameters.items())
        return f"{self.name}({shown})" if shown else self.name

    def __call__(self, logits: Tensor, target: Tensor, **options: Any) -> Tensor:
        """The fused loss, by the backend in use."""
        loss: Tensor = getattr(NF, f"{self.name}_loss")(
            logits, target, **self.parameters, **options
        )
        return loss

    @property
    def bytes_per_element(self) -> int:
        """Elements moved at least: read forward, read backward, gradient written.

        The backward of MUH without its quadratic term depends on no logit.
        """
        return 2 if str(self) == "muh" else 3


CHECKED = [
    *(Loss(name) for name in HEADLINE),
    Loss("ce", {"label_smoothing": 0.1}),
    Loss("gce", {"q": 0.1}),
    Loss("muh", {"quadratic": 0.1}),
    Loss("alpha_mae", {"form": "convex"}),
]
"""The headline losses with their defaults, and what the defaults leave out."""

# MUH alone cannot be trained: its regularizer belongs to what is timed.
TIMED = [Loss(name, {"quadratic": 0.1} if name == "muh" else {}) for name in HEADLINE]


def contenders(loss: Loss) -> Iterator[tuple[str, Step]]:
    """Who is timed at one shape, the fused loss first.

    A compiled rival is compiled at its first call.
    """
    formula = tidy(loss.name, **loss.parameters)
    yield FUSED, loss
    yield YARDSTICK, F.cross_entropy
    yield EAGER, formula
    yield COMPILED, compiled(formula)
    if loss.name == "ce" and (liger := _liger()):
        yield LIGER, liger


def _liger() -> Step | None:
    try:
        module = importlib.import_module("liger_kernel.transformers")
    except ImportError:
        return None
    loss: Step = module.LigerCrossEntropyLoss()
    return loss
