"""A weighted sum of terms, made into what the kernels are compiled and called with."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from noisykernels.ops import MEAN, NONE, unpack
from noisykernels.terms import TERMS, Need
from noisykernels.triton import terms as jit_terms
from noisykernels.triton.exponential import Exponent, exponent, pair


class Visit(NamedTuple):
    """What a kernel does with the elements of a row; many losses share it, and so a kernel."""

    linear: bool
    square: bool
    weighted: bool
    half: bool  # half precision logits


class Plan(NamedTuple):
    """What a kernel does with a row's sums."""

    power_of: tuple[int, ...]  # for each term the index of the power it sums, or -1
    by_label_weight: tuple[bool, ...]  # for each term whether the row's class weight multiplies it
    softmax: bool  # then power 0 is 1
    per_row: bool
    mean: bool


class Launch(NamedTuple):
    """What kernels are compiled for, and the run-time numbers: these may be annealed."""

    plan: Plan
    visit: Visit
    exponents: tuple[Exponent, ...]  # one for each row sum of exp(q (x_k - m))
    terms: tuple[Any, ...]
    values: tuple[tuple[float, float], ...]


@lru_cache(maxsize=256)  # bounded: an annealed q is new at every step
def make_launch(
    ids: tuple[int, ...],
    values: tuple[float, ...],
    has_class_weight: bool,
    half: bool,
    reduction: int,
) -> Launch:
    """What to compile and call for the operator's `terms` and `values`."""
    weighted_terms = unpack(ids, values)
    terms = [TERMS[term.name] for term in weighted_terms]
    needs = Need(0)
    for term in terms:
        needs |= term.needs
    softmax = Need.SOFTMAX in needs
    # In the order of the terms, not of their size: q may pass another power while it is annealed.
    powers = dict.fromkeys(
        [1.0] * softmax
        + [
            weighted_term.parameter
            for weighted_term, term in zip(weighted_terms, terms, strict=True)
            if Need.POWER in term.needs
        ]
    )
    weighted = Need.WEIGHTED in needs
    plan = Plan(
        power_of=tuple(
            list(powers).index(weighted_term.parameter) if Need.POWER in term.needs else -1
            for weighted_term, term in zip(weighted_terms, terms, strict=True)
        ),
        by_label_weight=tuple(term.by_label_weight for term in terms),
        softmax=softmax,
        per_row=reduction == NONE,
        mean=reduction == MEAN,
    )
    visit = Visit(
        # Without class weights the weighted sum is the plain one.
        linear=Need.LINEAR in needs or (weighted and not has_class_weight),
        square=Need.SQUARE in needs,
        weighted=weighted and has_class_weight,
        half=half,
    )
    return Launch(
        plan,
        visit,
        tuple(map(exponent, powers)),
        tuple(jit_terms.TERMS[term.name] for term in weighted_terms),
        tuple(map(pair, values)),
    )
