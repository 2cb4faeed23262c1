"""The losses as their authors' code computes them, clamps, one-hot labels and all.

Typed from the repositories' formulas, one operation for one. The other losses were published
without code, or with code that computes something else, which `docs/migration.md` says. Cross
entropy is torch's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from bench.contenders import Loss
from bench.published import (
    active_negative,
    active_passive,
    asymmetric,
    joint_asymmetric,
    loss_correction,
)

PUBLISHED: dict[str, Callable[..., Tensor]] = {
    **active_passive.FORMULAS,
    **asymmetric.FORMULAS,
    **active_negative.FORMULAS,
    **joint_asymmetric.FORMULAS,
    **loss_correction.FORMULAS,
}
"""By the short name of the loss; defaults are the constants of the code, as A = ln 1e-4 of RCE."""


def published(name: str, **parameters: Any) -> Loss:
    """The authors' loss, from (N, C) logits and (N,) class indices to the mean.

    Args:
        name: Short name of the loss, as in ``PUBLISHED``.
        **parameters: Parameters of the loss; a transition matrix is inverted here, once.
    """
    formula = PUBLISHED[name]
    if name == "backward":
        formula = loss_correction.backward_by_inverse
        parameters = {"inverse": torch.linalg.inv(parameters["T"])}

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        return formula(logits, target, **parameters)

    return loss
