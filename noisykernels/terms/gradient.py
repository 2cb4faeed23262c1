"""The row gradient of a weighted sum in plain torch: what double backward differentiates."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import embedding

from noisykernels.terms.row import TERMS, Coefficients, Need, Row, WeightedTerm


def gradient(
    upstream: Tensor,
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None,
    terms: Sequence[WeightedTerm],
    ignore_index: int,
    mean: bool,
) -> Tensor:
    """The gradient of a weighted sum of terms with respect to the logits, itself differentiable.

    Args:
        upstream: gradient of the reduced loss, () or the shape of `target`.
        logits: (C,), (N, C) or (N, C, d1, ...).
        target: class indices, the shape of `logits` without its class axis.
        weight: (C,) class weights or None.
        terms: the sum.
        ignore_index: rows with this label get gradient zero.
        mean: whether the reduction divides by the weight of the kept rows.
    """
    axis = 0 if logits.dim() == 1 else 1
    target = target.long()  # a smaller type would compare modulo its range
    kept = (target != ignore_index).unsqueeze(-1)
    x = torch.where(kept, logits.movedim(axis, -1), 0.0)
    x = x.to(torch.promote_types(x.dtype, torch.float32))  # half precision is computed in float32
    classes = x.shape[-1]
    w = x.new_ones(classes) if weight is None else weight.to(x.dtype)
    is_label = kept & (target.unsqueeze(-1) == torch.arange(classes, device=x.device))
    label_weight = torch.where(is_label, w, 0.0).sum(-1)
    log_probs = torch.log_softmax(x, -1)

    # Zeros that depend on x: the second derivative of a linear loss is zero, not an error.
    result = torch.where(torch.zeros_like(is_label), x, 0.0)
    for term in terms:
        v = _vector(term, target, kept, x)
        row = Row(x, is_label, log_probs, w, label_weight, v)
        k = TERMS[term.name](row, term.parameter, term.second)
        part = term.weight * torch.where(is_label, _per_row(k.label), _elsewhere(row, k))
        by_label_weight = TERMS[term.name].by_label_weight
        result = result + (part * label_weight.unsqueeze(-1) if by_label_weight else part)
    if mean:
        upstream = upstream / label_weight.sum()
    result = torch.where(kept, result * upstream.to(x.dtype).unsqueeze(-1), 0.0)
    return result.movedim(-1, axis).to(logits.dtype)


def _vector(term: WeightedTerm, target: Tensor, kept: Tensor, x: Tensor) -> Tensor | None:
    if term.vectors is None:
        return None
    vectors = term.vectors.to(x.dtype)
    if Need.BY_SAMPLE in TERMS[term.name].needs:
        return vectors.reshape(x.shape)
    return embedding(torch.where(kept.squeeze(-1), target, 0), vectors)  # unlike [], under vmap too


def _per_row(coefficient: Tensor | float) -> Tensor | float:
    if isinstance(coefficient, Tensor) and coefficient.dim():
        return coefficient.unsqueeze(-1)
    return coefficient


def _elsewhere(row: Row, k: Coefficients) -> Tensor:
    """The gradient at the classes that are not the label."""
    p = row.log_probs.exp()
    result = _per_row(k.constant) + k.class_weight * row.class_weight
    if k.linear:  # 0 times a masked class, -inf, is NaN
        result = result + k.linear * row.logits
    for q, coefficient in k.powers:
        result = result + _per_row(coefficient) * (q * row.log_probs).exp()
    if isinstance(k.entropy, Tensor) or k.entropy:
        result = result + _per_row(k.entropy) * torch.where(p > 0, p * row.log_probs, 0.0)
    if row.vector is not None:
        result = result + k.vector * row.vector + _per_row(k.vector_power) * row.vector * p
    if k.top:
        result = result + torch.where(row.is_top, k.top, 0.0)
    for element, coefficient in k.elements:
        result = result + _per_row(coefficient) * row.element(element)
    return result
