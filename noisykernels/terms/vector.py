"""Terms with a vector v over the classes: a column or row of a matrix, or the row's own targets."""

from __future__ import annotations

import torch
from torch import Tensor

from noisykernels.terms.row import Coefficients, Need, Row, term


def _vector(row: Row) -> Tensor:
    assert row.vector is not None
    return row.vector


@term(Need.SOFTMAX | Need.VECTOR_POWER)
def forward(row: Row, _: float, __: float) -> Coefficients:
    """-log sum_k v_k p_k, v_k the probability that class k is labeled as y, 0 <= v_k <= 1."""
    v, p = _vector(row), row.log_probs.exp()
    of_label = row.at_label(v)
    total = (v * p).sum(-1)
    return Coefficients(
        value=torch.log1p(((1 - v) * p).sum(-1) / total),
        label=row.p * (row.elsewhere(v * p) - of_label * row.miss) / total,
        powers=((1.0, 1.0),),
        vector_power=-1 / total,
    )


@term(Need.SOFTMAX | Need.VECTOR)
def backward(row: Row, _: float, __: float) -> Coefficients:
    """-sum_k v_k log p_k, v the label's row of the inverse of a transition matrix."""
    v = _vector(row)
    total = v.sum(-1)
    return Coefficients(
        value=-torch.where(v != 0, v * row.log_probs, 0.0).sum(-1),
        label=total * row.p - row.at_label(v),
        powers=((1.0, total),),
        vector=-1.0,
    )


@term(Need.SOFTMAX | Need.VECTOR_POWER | Need.BY_SAMPLE)
def elr(row: Row, _: float, __: float) -> Coefficients:
    """log(1 - sum_k v_k p_k), v the row's own target, 0 <= v_k <= 1."""
    v, p = _vector(row), row.log_probs.exp()
    total, rest = (v * p).sum(-1), ((1 - v) * p).sum(-1)
    return Coefficients(
        value=-torch.log1p(total / rest),
        label=row.p * (row.elsewhere(v * p) - row.at_label(v) * row.miss) / rest,
        powers=((1.0, total / rest),),
        vector_power=-1 / rest,
    )
