"""Cross entropy of the ε-softmax."""

from __future__ import annotations

import torch
from torch import Tensor

from noisykernels.evaluate import LossAndStats, evaluate
from noisykernels.loss_functions._registered import registered
from noisykernels.loss_functions.cross_entropy import ce
from noisykernels.modules import RegisteredLoss
from noisykernels.plan import single
from noisykernels.reference._loss import loss
from noisykernels.reference._rows import Rows
from noisykernels.registry import Number, Range
from noisykernels.terms import WeightedTerm

__all__ = ["EpsSoftmaxCELoss", "eps_softmax_ce_loss"]


def eps_softmax_ce(rows: Rows, m: float) -> Tensor:
    hit = rows.at_label(rows.z) == rows.z.amax(1, keepdim=True)
    # Where it is no hit, 1 - p_y is kept away from the logarithm's infinite slope.
    of_hit = -torch.log1p(-torch.where(hit, rows.miss, 0.0) / (m + 1))
    log_m_1 = torch.log1p(torch.as_tensor(m, dtype=rows.z.dtype, device=rows.z.device))
    return torch.where(hit, of_hit, ce(rows) + log_m_1)


@registered(
    formula="−log((p_y + m [z_y = max z]) / (m + 1))",
    symmetric="no",
    bounded="no",
    source="Wang et al. 2024, ε-softmax: approximating one-hot vectors for mitigating label noise, "
    "NeurIPS",
    terms=lambda m: (WeightedTerm("eps_softmax_ce", 1.0, m),),
    reference=loss(eps_softmax_ce),
    m=Range(at_least=0),
)
def eps_softmax_ce_loss(
    input: Tensor,
    target: Tensor,
    m: Number = 100000.0,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Cross entropy of the ε-softmax, ``-log((p_y + m hit) / (m + 1))``.

    ``hit`` is 1 where no logit of the sample is larger than the label's, else 0, without gradient.

    Args:
        <tensors>
        m: How much is added to the leading probability, m >= 0; 0 is cross entropy.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> eps_softmax_ce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), m=10.0)
        tensor(0.0196)
    """
    plan = single("eps_softmax_ce", m=m)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class EpsSoftmaxCELoss(RegisteredLoss, function=eps_softmax_ce_loss):
    """Cross entropy of the ε-softmax, see `noisykernels.functional.eps_softmax_ce_loss`."""
