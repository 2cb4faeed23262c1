"""Cross entropy against labels, smoothed labels, probabilities, and no labels."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from noisykernels.evaluate import LossAndStats, evaluate
from noisykernels.loss_functions._registered import registered
from noisykernels.modules import RegisteredLoss
from noisykernels.plan import single
from noisykernels.reference._loss import evaluate as in_plain_torch
from noisykernels.reference._loss import loss
from noisykernels.reference._rows import Rows, is_zero, log_softmax
from noisykernels.registry import Number, Range, Terms, weighted_sum
from noisykernels.terms import WeightedTerm

__all__ = ["CELoss", "LSRLoss", "UniformCELoss", "ce_loss", "lsr_loss", "uniform_ce_loss"]

_SZEGEDY = "Szegedy et al. 2016, arXiv:1512.00567"


def ce(rows: Rows) -> Tensor:
    return -rows.log_p_y


def _of_labels_or_probabilities(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    *,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
) -> Tensor:
    if target.is_floating_point():
        return _of_probabilities(input, target, weight, reduction, label_smoothing)
    formula = partial(lsr, epsilon=label_smoothing)
    return in_plain_torch(formula, input, target, weight, ignore_index, reduction)


def _of_probabilities(
    input: Tensor, target: Tensor, weight: Tensor | None, reduction: str, label_smoothing: float
) -> Tensor:
    z, t = (x if x.dim() > 1 else x.unsqueeze(0) for x in (input, target))
    z = z.to(torch.promote_types(z.dtype, torch.float32))
    t = (1 - label_smoothing) * t.to(z.dtype) + label_smoothing / z.shape[1]
    if weight is not None:
        t = t * weight.to(z.dtype).reshape(-1, *[1] * (z.dim() - 2))
    # Where no class is next to certain, torch's gradient adds up fewer roundings: for targets that
    # are spread over many classes it matters.
    certain = z.softmax(1).amax(1, keepdim=True) > 0.5
    losses = -(t * torch.where(certain, log_softmax(z), z.log_softmax(1))).sum(1)
    if reduction == "none":
        return losses if input.dim() > 1 else losses[0]
    return losses.sum() / losses.numel() if reduction == "mean" else losses.sum()


def ce_terms(label_smoothing: float = 0.0) -> Terms:
    return lsr_terms(label_smoothing)


@registered(
    formula="−log p_y",
    symmetric="no",
    bounded="no",
    source="label smoothing: Szegedy et al. 2016, arXiv:1512.00567",
    terms=ce_terms,
    reference=_of_labels_or_probabilities,
    label_smoothing=Range(at_least=0, at_most=1),
)
def ce_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
    label_smoothing: Number = 0.0,
) -> LossAndStats:
    """Cross entropy, ``-log p_y``: `torch.nn.functional.cross_entropy`, the non-robust yardstick.

    Args:
        <tensors>
            This loss also takes class probabilities, a floating-point tensor of input's shape: then
            no sample is ignored, the mean divides by their number, and gradients flow to target
            too. They come without return_stats.
        <options>
        label_smoothing: Share e of the label that is spread over all classes, 0 <= e <= 1:
            ``-(1 - e) log p_y - e / C sum_k log p_k``.

    <contract>

    Example:
        >>> import torch
        >>> ce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]))
        tensor(0.2395)
    """
    plan = single("ce", label_smoothing=label_smoothing)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class CELoss(RegisteredLoss, function=ce_loss):
    """Cross entropy, see `noisykernels.functional.ce_loss`."""


def lsr(rows: Rows, epsilon: float) -> Tensor:
    # The published code of symmetric cross entropy smooths for 10 classes whatever C is: its
    # targets do not sum to 1.
    labelled = (1 - epsilon) * rows.label_weight * ce(rows)
    # Without smoothing the second part is left out, not multiplied by 0: its logits may hold -inf.
    return labelled if is_zero(epsilon) else labelled + epsilon * uniform_ce(rows)


def lsr_terms(epsilon: float) -> Terms:
    labelled = (WeightedTerm("ce", 1.0),)
    return weighted_sum((1 - epsilon, labelled), (epsilon, uniform_ce_terms()))


@registered(
    formula="−(1 − ε) log p_y − ε/C · Σ_k log p_k",
    symmetric="no",
    bounded="no",
    source=_SZEGEDY,
    terms=lsr_terms,
    reference=loss(lsr, by_label_weight=False),
    epsilon=Range(at_least=0, at_most=1),
)
def lsr_loss(
    input: Tensor,
    target: Tensor,
    epsilon: Number = 0.1,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Label smoothing regularization, cross entropy with ``(1 - epsilon) onehot + epsilon / C``.

    It is `ce_loss` with ``label_smoothing=epsilon``, class weights included.

    Args:
        <tensors>
        epsilon: Share of the label that is spread over all classes, 0 <= epsilon <= 1.
        <options>

    <contract>

    Example:
        >>> import torch
        >>> lsr_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]), epsilon=0.1)
        tensor(0.3729)
    """
    plan = single("lsr", epsilon=epsilon)
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class LSRLoss(RegisteredLoss, function=lsr_loss):
    """Label smoothing regularization, see `noisykernels.functional.lsr_loss`."""


def uniform_ce(rows: Rows) -> Tensor:
    return -(rows.class_weight * rows.log_p).mean(1, keepdim=True)


def uniform_ce_terms() -> Terms:
    return (WeightedTerm("smoothing", 1.0),)


@registered(
    formula="−1/C · Σ_k log p_k",
    symmetric="no: the same for all labels",
    bounded="no",
    source=_SZEGEDY,
    terms=uniform_ce_terms,
    reference=loss(uniform_ce, by_label_weight=False),
)
def uniform_ce_loss(
    input: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    return_stats: bool = False,
) -> LossAndStats:
    """Cross entropy against uniform labels, ``-(1/C) sum_k log p_k``: a regularizer.

    It is what label smoothing adds to a loss. Class weights stand inside the sum, ``w_k log p_k``,
    and the mean divides by the sum of ``w_y`` all the same; the label matters for nothing else.

    Args:
        <tensors>
        <options>

    <contract>

    Example:
        >>> import torch
        >>> uniform_ce_loss(torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0]))
        tensor(1.5729)
    """
    plan = single("uniform_ce")
    return evaluate(
        plan, input, target, weight, ignore_index, reduction, sample_weight, return_stats
    )


class UniformCELoss(RegisteredLoss, function=uniform_ce_loss):
    """Cross entropy against uniform labels, see `noisykernels.functional.uniform_ce_loss`."""
