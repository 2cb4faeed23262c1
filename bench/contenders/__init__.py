"""The rivals every benchmark compares with: tidy eager formulas and torch.compile of them.

Each registered loss as a careful user writes it for speed, with operators that torch has and no
guard against logits that training does not meet. Named sums share their softmax. Of the ways to
write a formula the fastest at 128x10, 128x100 and 1024x1000 is taken, for example `nll_loss` of
probabilities where only p_y counts.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from bench.contenders import (
    combinations,
    cross_entropy,
    label_probability,
    normalized,
    transition,
    whole_row,
)

Loss = Callable[[Tensor, Tensor], Tensor]

FORMULAS: dict[str, Callable[..., Tensor]] = {
    **cross_entropy.FORMULAS,
    **label_probability.FORMULAS,
    **normalized.FORMULAS,
    **whole_row.FORMULAS,
    **combinations.FORMULAS,
    **transition.FORMULAS,
}
"""By the short name of the loss: functions of logits, labels and parameters to the mean loss.

Parameters and defaults are those of the fused functions. A matrix is what `PREPARED` makes of it.
"""


def tidy(name: str, **parameters: Any) -> Loss:
    """The loss as a careful user writes it in eager PyTorch.

    Args:
        name: Short name of the loss, as in ``FORMULAS``.
        **parameters: Parameters of the loss; the defaults are those of the fused function. What
            depends on a transition matrix alone is computed here, once.

    Returns:
        A function from (N, C) logits and (N,) class indices to the mean loss.
    """
    formula = FORMULAS[name]
    if name in transition.PREPARED:
        parameters["T"] = transition.PREPARED[name](parameters["T"])

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        return formula(logits, target, **parameters)

    return loss


def compiled(loss: Loss) -> Loss:
    """``torch.compile(dynamic=False)`` of ``loss``, compiled afresh: call it once per shape.

    Dynamo caches by code object. A fresh one keeps contenders apart: no recompilation limit is
    reached, and no shape or parameter turns dynamic because another contender had a different one.
    """
    assert isinstance(loss, types.FunctionType), "only a plain function has code of its own"
    code = loss.__code__.replace()
    fresh = types.FunctionType(code, loss.__globals__, closure=loss.__closure__)
    return torch.compile(fresh, dynamic=False)
