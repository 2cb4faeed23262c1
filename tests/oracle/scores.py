"""Losses of bounded scores u = r z, where r makes the length of u, in longdouble."""

from __future__ import annotations

import numpy as np

from oracle.losses import Parameters, exact
from oracle.rows import Array, Exact


def exact_of_scores(
    name: str,
    parameters: Parameters,
    logits: Array,
    labels: Array,
    length: float,
    grow: bool,
    weight: Array | None = None,
) -> tuple[Exact, Array]:
    """The losses of scores of one length, or without `grow` of at most that; and the scores.

    With respect to the logits the gradient is r (g - u (g u) / ||u||^2), whose two parts subtract.
    """
    z = logits.astype(np.longdouble)
    norm = np.sqrt((z**2).sum(1, keepdims=True))
    rescaled = (norm > 0) & (grow | (norm > length))
    r = np.where(rescaled, length / np.where(norm > 0, norm, 1), ~(grow & (norm == 0)))
    u = r * z
    of_scores = exact(name, parameters, u, labels, weight)
    g = of_scores.gradient
    along = np.where(rescaled, (g * u).sum(1, keepdims=True) * u / np.longdouble(length) ** 2, 0)
    result = Exact(of_scores.value, r * (g - along))
    result.value_scale = of_scores.value_scale
    result.gradient_scale = r[:, 0] * np.maximum(of_scores.gradient_scale, abs(along).max(1))
    return result, u
