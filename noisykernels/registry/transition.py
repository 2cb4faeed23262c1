"""Corrections by a transition matrix T, T[i, j] = P(noisy label j | clean label i)."""

from __future__ import annotations

import torch
from torch import Tensor

from noisykernels.registry.domains import Matrix, Range
from noisykernels.registry.label_probability import rce
from noisykernels.registry.loss import Terms, register, weighted_sum
from noisykernels.terms import WeightedTerm

_PATRINI = "Patrini et al. 2017, arXiv:1609.03683"


@register(
    formula="−log Σ_k T_ky p_k",
    symmetric="no",
    bounded="if all T_ky > 0",
    source=_PATRINI,
    T=Matrix(),
)
def forward(T: Tensor) -> Terms:
    """Forward correction."""
    return (WeightedTerm("forward", 1.0, vectors=T.T.contiguous()),)


@register(
    formula="−Σ_k (T⁻¹)_yk log p_k",
    symmetric="no",
    bounded="no",
    source=_PATRINI,
    T=Matrix(invertible=True),
)
def backward(T: Tensor) -> Terms:
    """Backward correction."""
    return (WeightedTerm("backward", 1.0, vectors=torch.linalg.inv(T.double())),)


@register(
    formula="Forward + β · RCE",
    symmetric="no",
    bounded="if all T_ky > 0",
    source="Wang et al. 2019, arXiv:1908.06112",
    T=Matrix(),
    beta=Range(at_least=0),
    A=Range(below=0),
)
def forward_rce(T: Tensor, beta: float, A: float) -> Terms:
    """Forward correction and RCE."""
    return weighted_sum((1.0, forward(T)), (beta, rce(A)))
