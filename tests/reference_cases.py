"""The reference losses with parameters that their tests are repeated over, and logits for them."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from noisykernels import reference


class Case(NamedTuple):
    """A loss with the parameters that are not its defaults; T is given as a function of C."""

    name: str
    changed: dict[str, Any]

    @property
    def function(self) -> Callable[..., Tensor]:
        return getattr(reference, f"{self.name}_loss")

    def parameters(self, classes: int) -> dict[str, Any]:
        signature = inspect.signature(self.function).parameters
        shared = {"input", "target", "weight", "ignore_index", "reduction"}
        values = {k: v.default for k, v in signature.items() if k not in shared}
        values |= self.changed
        if "T" in values:
            values["T"] = self.changed.get("T", transition_matrix)(classes)
        return values

    def __call__(self, input: Tensor, target: Tensor, **options: Any) -> Tensor:
        parameters = self.parameters(input.shape[input.dim() > 1])
        return self.function(input, target, **(parameters | options))


def transition_matrix(classes: int) -> Tensor:
    """Labels flip to the next class more often than to the others."""
    identity = torch.eye(classes, dtype=torch.float64)
    return 0.7 * identity + 0.2 * identity.roll(1, 1) + 0.1 / classes


def one_way_matrix(classes: int) -> Tensor:
    """Labels flip to the first class, which keeps its own."""
    identity = torch.eye(classes, dtype=torch.float64)
    return 0.7 * identity + 0.3 * identity[0]


def for_oracles(parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters, matrices as numpy's arrays."""
    return {k: v.numpy() if isinstance(v, Tensor) else v for k, v in parameters.items()}


NAMES = [function.removesuffix("_loss") for function in reference.__all__]
CASES = {name: Case(name, {}) for name in NAMES} | {
    label: Case(name, changed)
    for label, name, changed in [
        ("ce-smoothed", "ce", {"label_smoothing": 0.1}),
        ("rce-published", "rce", {"A": -9.21}),
        ("gce-small-q", "gce", {"q": 0.01}),
        ("truncated_gce-low", "truncated_gce", {"k": 0.01}),
        ("taylor_ce-1", "taylor_ce", {"order": 1}),
        ("taylor_ce-6", "taylor_ce", {"order": 6}),
        ("phuber_ce-2", "phuber_ce", {"tau": 2.0}),
        ("phuber_ce-near-1", "phuber_ce", {"tau": 1.01}),
        ("focal-0", "focal", {"gamma": 0.0}),
        ("focal-2", "focal", {"gamma": 2.0}),
        ("focal-detached", "focal", {"detach": True}),
        ("agce-published", "agce", {"a": 1e-5, "q": 0.5}),  # WebVision
        ("agce-convex", "agce", {"a": 1.8, "q": 3.0}),
        ("aul-sharp", "aul", {"a": 1.01, "q": 0.1}),
        ("eps_softmax_ce-0", "eps_softmax_ce", {"m": 0.0}),
        ("eps_softmax_ce-10", "eps_softmax_ce", {"m": 10.0}),
        ("nfl-2", "nfl", {"gamma": 2.0}),
        ("ngce-small-q", "ngce", {"q": 0.1}),
        ("nnce-clipping", "nnce", {"p_min": 0.05}),
        ("nnfl-clipping", "nnfl", {"p_min": 0.05}),
        ("muh-quadratic", "muh", {"quadratic": 0.5}),
        ("sgce-small-q", "sgce", {"q": 0.1}),
        ("alpha_mae-steep", "alpha_mae", {"alpha": 2.0}),
        ("alpha_mae-convex", "alpha_mae", {"alpha": 0.3, "form": "convex"}),
        ("amse-1", "amse", {"a": 1.0}),
        ("pnorm-2", "pnorm", {"s": 2.0}),
        ("forward-one-way", "forward", {"T": one_way_matrix}),
        ("backward-identity", "backward", {"T": partial(torch.eye, dtype=torch.float64)}),
        ("sce-other", "sce", {"alpha": 6.0, "beta": 0.1, "A": -6.0}),
    ]
}

NORMALIZED = {
    *("nce", "nfl", "nfl-2", "ngce", "ngce-small-q", "nnce", "nnce-clipping", "nnfl"),
    *("nnfl-clipping", "nce_mae", "nce_rce", "nfl_mae", "nfl_rce", "nce_agce", "nce_aul"),
    *("nce_ael", "anl_ce", "anl_fl", "jal_ce", "jal_fl"),
}
"""Losses that are 0 / 0 for one class, and inf / inf for a label whose logit is -inf."""

SMOOTHED = {"ce-smoothed", "lsr", "uniform_ce", "lsr_sce"}
"""Losses in which each class brings its own weight."""

DETACHED = {
    *("focal-detached", "nfl", "nfl-2", "nnfl", "nnfl-clipping", "nfl_mae", "nfl_rce", "anl_fl"),
    "jal_fl",
}
"""Losses whose gradient is by definition not that of their value."""


def cases_except(*names: str) -> pytest.MarkDecorator:
    assert set(names) <= set(CASES)
    kept = [pytest.param(case, id=name) for name, case in CASES.items() if name not in names]
    return pytest.mark.parametrize("case", kept)


all_cases = cases_except()


def batch(*shape: int, dtype: torch.dtype = torch.float64):
    """Random logits of the shape, with labels that cover the classes."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(shape, generator=generator, dtype=dtype)
    class_dim = min(1, len(shape) - 1)
    label_shape = shape[:class_dim] + shape[class_dim + 1 :]
    labels = torch.arange(math.prod(label_shape)) % shape[class_dim]
    return logits, labels.reshape(label_shape)


def value_and_grad(loss, logits, *args, **kwargs):
    """The loss and its gradient at an upstream gradient that is not all ones."""
    logits = logits.detach().clone().requires_grad_()
    value = loss(logits, *args, **kwargs)
    upstream = torch.linspace(0.5, 2, value.numel(), dtype=value.dtype).reshape(value.shape)
    (grad,) = torch.autograd.grad(value, logits, upstream)
    return value.detach(), grad


def without_reduction(name: str, **parameters: Any) -> Callable[..., Tensor]:
    return partial(getattr(reference, f"{name}_loss"), reduction="none", **parameters)
