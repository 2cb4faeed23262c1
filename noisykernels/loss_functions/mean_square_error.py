"""Asymmetric mean square error."""

from __future__ import annotations

from torch import Tensor

from noisykernels.evaluate import LossAndStats, evaluate
from noisykernels.loss_functions._registered import registered
from noisykernels.modules import RegisteredLoss
from noisykernels.plan import single
from noisykernels.reference._loss import loss
from noisykernels.reference._rows import Rows
from noisykernels.registry import Number, Range, Terms
from noisykernels.terms import WeightedTerm

__all__ = ["AMSELoss", "amse_loss"]


def amse(rows: Rows, a: float) -> Tensor:
    # a - p_y, which is 1 - p_y at a = 1
    distance = rows.p.scatter(1, rows.y, (a - 1) + rows.miss)
    return distance.square().mean(1, keepdim=True)


def amse_terms(a: float) -> Terms:
    return (WeightedTerm("amse", 1.0, 2.0, a),)


@registered(
    formula="1/C · Σ_k (a [k = y] − p_k)²",
    symmetric="no; asymmetric",
    bounded="yes",
    source="Wang et al. 2025, arXiv:2507.17692",
    terms=amse_terms,
    reference=loss(amse),
    a=Range(at_least=1),
)
def amse_loss(
    input: Tensor,
    target: Tensor,
    a: Number = 30.0,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Asymmetric mean square error, ``sum_k (a onehot_k - p_k)^2 / C``.

    Apart from a constant it is ``2 a / C (1 - p_y) + sum_k p_k^2 / C``, so with a large `a` it is a
    multiple of MAE with a small penalty on confidence. The gradients grow with `a`.

    Args:
        <tensors>
        a: Scale of the label, a >= 1.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> amse_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), a=30.0)
        tensor(284.4743)
    """
    plan = single("amse", a=a)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class AMSELoss(RegisteredLoss, function=amse_loss):
    """Asymmetric mean square error, see `noisykernels.functional.amse_loss`."""
