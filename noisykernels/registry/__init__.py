"""The one list of losses. Tests, modules, expressions, the self-check and the docs table follow it.

A loss is a weighted sum of terms (`noisykernels.terms`), so an entry says which terms with which
weights, what its parameters may be, and the facts that the table of losses shows. The entries
themselves are in `noisykernels.loss_functions`, each beside its function and its formula.
"""

from noisykernels.registry.domains import (
    Choice,
    Domain,
    Flag,
    Integer,
    Matrix,
    Number,
    Parameter,
    Range,
    RangeBy,
)
from noisykernels.registry.loss import LOSSES, Loss, Terms, add, losses, weighted_sum

__all__ = [
    "LOSSES",
    "Choice",
    "Domain",
    "Flag",
    "Integer",
    "Loss",
    "Matrix",
    "Number",
    "Parameter",
    "Range",
    "RangeBy",
    "Terms",
    "add",
    "losses",
    "weighted_sum",
]
