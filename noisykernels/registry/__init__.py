"""The one list of losses. Tests, modules, expressions, the self-check and the docs table follow it.

A loss is a weighted sum of terms (`noisykernels.terms`), so an entry says which terms with which
weights, what its parameters may be, and the facts that the table of losses shows. Defaults are
those of the function in `noisykernels.functional`. To add a loss made of existing terms, write an
entry here, its formula in `noisykernels.reference`, its function, and its module, each in the file
of its kind.
"""

from noisykernels.registry import (  # noqa: I001 -- the order of the table of losses
    cross_entropy,
    label_probability,
    normalized,
    whole_row,
    combinations,
    transition,
)
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
from noisykernels.registry.loss import LOSSES, Loss, Terms, losses

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
    "combinations",
    "cross_entropy",
    "label_probability",
    "losses",
    "normalized",
    "transition",
    "whole_row",
]
