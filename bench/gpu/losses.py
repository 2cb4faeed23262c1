"""The losses that take part, and their rivals."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

import noisykernels.functional as NF
from bench.cases import HEADLINE
from bench.contenders import compiled, tidy
from bench.published import PUBLISHED
from noisykernels import backends
from noisykernels.registry import LOSSES

Step = Callable[[Tensor, Tensor], Tensor]
"""From logits and labels to the mean loss."""

OURS = ("cuda", "triton")
YARDSTICK = "F.cross_entropy"
PUBLISHED_CODE, EAGER, COMPILED = "published eager", "tidy eager", "torch.compile"
LIGER, QUACK = "Liger", "quack"


class Contender(NamedTuple):
    """Who is timed: a step, and for ours the backend that it is to take."""

    name: str
    step: Step
    backend: str = ""

    def in_use(self) -> AbstractContextManager[None]:
        """Around all calls of the step: choosing a backend is no part of its time."""
        return backends.use(self.backend) if self.backend else nullcontext()


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
        matrices = {}
        if self.takes_matrix:
            classes = logits.shape[min(1, logits.dim() - 1)]
            identity = torch.eye(classes, dtype=torch.float64, device=logits.device)
            matrices = LOSSES[self.name].matrices(0.75 * identity + 0.25 / classes)
        loss: Tensor = getattr(NF, f"{self.name}_loss")(
            logits, target, **self.parameters, **matrices, **options
        )
        return loss

    @property
    def takes_matrix(self) -> bool:
        """Whether it takes the probabilities of labels to be others, a number for each pair."""
        return bool(LOSSES[self.name].matrices(torch.empty(0)))

    @property
    def bytes_per_element(self) -> int:
        """Elements moved at least: read forward, read backward, gradient written.

        The backward of MUH without its quadratic term depends on no logit.
        """
        return 2 if str(self) == "muh" else 3


CHECKED = [
    *(Loss(name) for name in LOSSES),
    Loss("ce", {"label_smoothing": 0.1}),
    Loss("gce", {"q": 0.1}),
    Loss("muh", {"quadratic": 0.1}),
    Loss("alpha_mae", {"form": "convex"}),
    Loss("nfl", {"gamma": 2.0}),
]
"""Every loss with its defaults, and what the defaults leave out."""

# MUH alone cannot be trained: its regularizer belongs to what is timed.
TIMED = [Loss(name, {"quadratic": 0.1} if name == "muh" else {}) for name in HEADLINE]


def contenders(loss: Loss) -> Iterator[Contender]:
    """Who is timed at one shape, ours first.

    A compiled rival is compiled at its first call.
    """
    for backend in OURS:
        yield Contender(backend, loss, backend)
    yield Contender(YARDSTICK, F.cross_entropy)
    if loss.name in PUBLISHED:
        yield Contender(PUBLISHED_CODE, PUBLISHED[loss.name])
    formula = tidy(loss.name, **loss.parameters)
    yield Contender(EAGER, formula)
    yield Contender(COMPILED, compiled(formula))
    if loss.name == "ce":
        yield Contender(LIGER, liger)
        yield Contender(QUACK, quack)


def liger(logits: Tensor, target: Tensor) -> Tensor:
    """Liger's cross entropy, which leaves its gradient where the logits have been."""
    loss: Tensor = _liger()(logits, target)
    return loss


def quack(logits: Tensor, target: Tensor) -> Tensor:
    """quack's cross entropy."""
    loss: Tensor = _quack()(logits, target, reduction="mean")
    return loss


@lru_cache
def _liger() -> Step:
    return importlib.import_module("liger_kernel.transformers").LigerCrossEntropyLoss()


@lru_cache
def _quack() -> Callable[..., Tensor]:
    return importlib.import_module("quack.cross_entropy").cross_entropy
