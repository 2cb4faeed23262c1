r"""The terms a loss is made of, each as a scalar function of a row's statistics.

A term maps the statistics of a row of logits `x` with label `y` to its value and to the few numbers
that give the gradient of the whole row,

    dz_k = sum_i d_i p_k^{q_i} + h p_k log p_k + u v_k p_k + b x_k + c + a w_k + f v_k    (k != y),
    dz_y = g_y,

with `g_y` written out, never found by cancellation; `w` are the class weights, and `v` is a vector
that belongs to the row or to its label. Only the softmax is O(C), so a weighted sum of terms adds
its coefficients and costs one pass. This package is the list of terms, in plain, differentiable
torch: the order of `TERMS` gives the ids that the kernels know (`csrc/terms/table.h`), and
`gradient` is what double backward differentiates.
"""

from noisykernels.terms import probability, logits, softmax, vector, elementwise  # noqa: I001
from noisykernels.terms.gradient import gradient
from noisykernels.terms.row import (
    MAX_ELEMENTS,
    MAX_POWERS,
    MAX_TERMS,
    TERMS,
    Coefficients,
    Element,
    Need,
    Row,
    Term,
    WeightedTerm,
)
from noisykernels.terms.sums import STATISTICS, Resources, columns, passes, resources, visits

NAMES: tuple[str, ...] = tuple(TERMS)
"""Names of the terms, in the order of their ids."""

__all__ = [
    "MAX_ELEMENTS",
    "MAX_POWERS",
    "MAX_TERMS",
    "NAMES",
    "STATISTICS",
    "TERMS",
    "Coefficients",
    "Element",
    "Need",
    "Resources",
    "Row",
    "Term",
    "WeightedTerm",
    "columns",
    "elementwise",
    "gradient",
    "logits",
    "passes",
    "probability",
    "resources",
    "softmax",
    "vector",
    "visits",
]
