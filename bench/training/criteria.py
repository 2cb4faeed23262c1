"""Losses to train with: any expression of `nk.loss`, fused or as its rivals compute it."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

import noisykernels as nk
from bench.contenders import FORMULAS, Loss, compiled, tidy
from bench.errors import UsageError
from bench.published import PUBLISHED, published
from noisykernels.evaluate import Part

BACKENDS = ("fused", "tidy", "published", "compiled")
"""Our kernels, careful eager formulas, the authors' code, and torch.compile of the formulas."""


def criterion(text: str, backend: str, T: Tensor | None = None) -> Loss:
    """The mean loss of (N, C) logits and (N,) class indices.

    Args:
        text: A loss as `nk.loss` reads it.
        backend: One of `BACKENDS`.
        T: The transition matrix that the text calls so, if it does.

    Raises:
        UsageError: If the text is not understood, or the backend lacks one of its losses.
    """
    try:
        fused = nk.loss(text) if T is None else nk.loss(text, T=T)
    except ValueError as error:
        raise UsageError(f"--loss {text!r}: {str(error).splitlines()[0]}") from None
    if backend == "fused":
        return fused
    formula = _sum([_scaled(part.scale, _formula(part, backend)) for part in fused._parts])
    return compiled(formula) if backend == "compiled" else formula


def _formula(part: Part, backend: str) -> Loss:
    if backend == "published" and part.name != "ce":  # which nobody writes by hand
        if part.name not in PUBLISHED:
            raise UsageError(f"--backend published has ce, {', '.join(PUBLISHED)}, not {part.name}")
        scale = _PUBLISHED_SCALES.get(part.name, 1.0)
        return _scaled(scale, published(part.name, **part.parameters))
    if part.name not in FORMULAS:
        raise UsageError(f"--backend {backend} has {', '.join(FORMULAS)}, not {part.name}")
    return tidy(part.name, **part.parameters)


_PUBLISHED_SCALES = {"mae": 2.0}
"""What our losses are of those in the authors' code, whose MAE is 1 - p_y."""


def _scaled(scale: float, formula: Loss) -> Loss:
    if scale == 1:  # nobody multiplies by it
        return formula
    return lambda logits, target: scale * formula(logits, target)


def _sum(formulas: Sequence[Loss]) -> Loss:
    first, *others = formulas

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        total = first(logits, target)
        for formula in others:
            total = total + formula(logits, target)
        return total

    return loss
