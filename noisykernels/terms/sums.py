"""Weighted sums of terms: what one pass of a kernel can carry, and what it leaves for a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from torch import Tensor

from noisykernels.terms.row import (
    MAX_ELEMENTS,
    MAX_POWERS,
    MAX_TERMS,
    TERMS,
    Element,
    Need,
    WeightedTerm,
)

STATISTICS = ("log_p", "p", "log_partition", "predicted")
"""What a pass leaves for each row beside the coefficients where the caller asks for statistics."""


class Resources(NamedTuple):
    """What terms share in one pass: the exponents of the softmax, elementwise functions, vectors.

    The exponent 1 comes first where it is there, the others in the order of the terms, not of their
    size: an annealed q may pass another power.
    """

    exponents: tuple[float, ...]
    elements: tuple[Element, ...]
    vectors: Tensor | None
    needs: int
    """The value of a `Need`: torch 2.11 compiles no operations on flags."""


def resources(terms: Sequence[WeightedTerm], softmax: bool = False) -> Resources:
    """What the terms need of a pass; `softmax` where it is wanted whatever they are."""
    needs = Need.SOFTMAX.value if softmax else 0
    exponents: dict[float, None] = {}
    elements: dict[Element, None] = {}
    vectors = None
    for term in terms:
        own = TERMS[term.name].needs.value
        needs |= own
        if own & Need.POWER.value:
            exponents[term.parameter] = None
        if own & Need.ELEMENT.value:
            elements[Element(term.parameter, term.second)] = None
        vectors = vectors if term.vectors is None else term.vectors
    if needs & Need.SOFTMAX.value:
        exponents = {1.0: None} | exponents
    return Resources(tuple(exponents), tuple(elements), vectors, needs)


def _one_pass(terms: Sequence[WeightedTerm]) -> bool:
    # Whether or not a term needs it there is room for the softmax, which statistics are made of.
    joint = resources(terms, softmax=True)
    return (
        len(joint.exponents) <= MAX_POWERS
        and len(joint.elements) <= MAX_ELEMENTS
        and len(terms) <= MAX_TERMS
        and all(term.vectors is None or term.vectors is joint.vectors for term in terms)
    )


def passes(terms: Sequence[WeightedTerm]) -> Iterator[tuple[WeightedTerm, ...]]:
    """Split a sum into groups of terms that one pass can carry; nearly always there is one."""
    group: list[WeightedTerm] = []
    for term in terms:
        if group and not _one_pass([*group, term]):
            yield tuple(group)
            group = []
        group.append(term)
    yield tuple(group)


def visits(terms: Sequence[WeightedTerm]) -> int:
    """How often a pass reads the row: twice where a function of each probability is summed."""
    return 2 if resources(terms).elements else 1


def columns(
    terms: Sequence[WeightedTerm],
    has_class_weight: bool,
    statistics: bool,
    bounded_scores: bool = False,
) -> tuple[str, ...]:
    """Names of the numbers that the forward leaves for each row, in the order of their columns.

    First the coefficients of the row's gradient

        dz_k = sum_i power_i e_k^{q_i} + entropy e_k d_k + vector_power v_k e_k + linear x_k
               + constant + class_weight w_k + vector v_k + sum_j element_j f_j(p_k)     (k != y)
        dz_y = label,   plus `top` at class `top_class`,

    with d_k = x_k - shift and e_k = exp(d_k). For the elementwise functions log p_k is
    d_k - log_sum, and 1 - p_k is top_miss where d_k = 0. The statistics come last.

    Of bounded scores u_k = r z_k all that is in terms of u in place of x; r is the sum of `ratio`
    and `ratio_rest`, so that r is not rounded twice, and `shift` is the logit whose score it is.
    The coefficients are those of the gradient with respect to z.
    """
    exponents, elements, _, bits = resources(terms, softmax=statistics)

    def summed(need: Need) -> bool:
        return bool(bits & need.value)

    weighted = summed(Need.WEIGHTED)
    present = {
        "label": True,
        "shift": bool(exponents),
        **{f"power{i}": True for i in range(len(exponents))},
        "entropy": summed(Need.ENTROPY),
        "vector_power": summed(Need.VECTOR_POWER),
        "linear": summed(Need.SQUARE) or bounded_scores,
        # Without class weights w_k = 1.
        "constant": summed(Need.LINEAR) or (weighted and not has_class_weight),
        "class_weight": weighted and has_class_weight,
        "vector": summed(Need.VECTOR),
        "top": summed(Need.TOP),
        "top_class": summed(Need.TOP),
        "log_sum": bool(elements),
        "top_miss": bool(elements),
        **{f"element{i}": True for i in range(len(elements))},
        **dict.fromkeys(("ratio", "ratio_rest"), bounded_scores),
        **dict.fromkeys(STATISTICS, statistics),
    }
    return tuple(name for name, there in present.items() if there)
