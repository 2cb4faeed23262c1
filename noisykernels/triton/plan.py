"""A weighted sum of terms, made into what the kernels are compiled and called with."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from noisykernels.ops import MEAN, NONE, unpack
from noisykernels.terms import STATISTICS, TERMS, Element, Need, columns, resources
from noisykernels.triton import terms as jit_terms
from noisykernels.triton.exponential import Exponent, exponent, pair
from noisykernels.triton.sums import Sums

Positions = TypeVar("Positions", bound=NamedTuple)


class Visit(NamedTuple):
    """What a kernel does with the elements of a row; many losses share it, and so a kernel."""

    linear: bool
    square: bool
    weighted: bool
    entropy: bool
    top: bool  # which class has the largest logit
    apart: bool  # the largest logits apart: a leading class of any label is exact
    vector: bool
    vector_power: bool
    by_sample: bool  # the vector is the row's own, not its label's
    half: bool  # half precision logits
    scores: int  # the kind of bounded scores, or 0
    element_sums: int  # how many numbers are summed for each elementwise function


class Columns(NamedTuple):
    """Where the coefficients of rows are, as `noisykernels.terms.columns` says, or -1."""

    label: int
    shift: int
    power0: int
    power1: int
    power2: int
    entropy: int
    vector_power: int
    linear: int
    constant: int
    class_weight: int
    vector: int
    top: int
    top_class: int
    log_sum: int
    top_miss: int
    element0: int
    element1: int
    ratio: int
    ratio_rest: int


class Plan(NamedTuple):
    """What a kernel does with a row's sums."""

    power_of: tuple[int, ...]  # for each term the index of the power it sums, or -1
    element_of: tuple[int, ...]  # for each term the index of its elementwise function, or -1
    by_label_weight: tuple[bool, ...]  # for each term whether the row's class weight multiplies it
    softmax: bool  # then power 0 is 1
    statistics: int  # their first column, or -1
    per_row: bool
    mean: bool


class ElementNumbers(NamedTuple):
    """An elementwise function's constants."""

    gamma: Exponent | tuple[()]  # empty: one half, which is what has been published
    floor: tuple[float, float]
    offset: tuple[float, float]


class Launch(NamedTuple):
    """What kernels are compiled for, and the run-time numbers: these may be annealed."""

    plan: Plan
    visit: Visit
    parts: Sums  # where the sums of a part of a row are, or -1
    part_count: int
    columns: Columns
    column_count: int
    exponents: tuple[Exponent | tuple[()], ...]
    """One for each row sum of exp(q (x_k - m)); empty where it is the square of the first."""
    elements: tuple[ElementNumbers, ...]
    terms: tuple[Any, ...]
    values: tuple[tuple[float, float], ...]
    length: tuple[float, float] | None  # of bounded scores


def positions(kind: type[Positions], names: Iterable[str]) -> Positions:
    """The position of each field in the list of names, -1 where it is not there."""
    order = {name: i for i, name in enumerate(names)}
    return kind._make(order.get(field, -1) for field in kind._fields)


@lru_cache(maxsize=256)  # bounded: an annealed q is new at every step
def make_launch(
    ids: tuple[int, ...],
    values: tuple[float, ...],
    has_class_weight: bool,
    half: bool,
    statistics: bool,
    reduction: int,
    scores: int = 0,
    length: float = 0.0,
) -> Launch:
    """What to compile and call for the operator's `terms` and `values`."""
    weighted_terms = unpack(ids, values)
    terms = [TERMS[term.name] for term in weighted_terms]
    exponents, elements, _, bits = resources(weighted_terms, softmax=statistics)
    needs = Need(bits)
    names = columns(weighted_terms, has_class_weight, statistics, scores != 0)
    weighted = Need.WEIGHTED in needs
    visit = Visit(
        # Without class weights the weighted sum is the plain one.
        linear=Need.LINEAR in needs or (weighted and not has_class_weight),
        square=Need.SQUARE in needs and not scores,  # of scores it is known from their moments
        weighted=weighted and has_class_weight,
        entropy=Need.ENTROPY in needs,
        top=Need.TOP in needs or statistics,
        apart=bool(needs & (Need.ENTROPY | Need.TOP | Need.ELEMENT)),
        vector=Need.VECTOR in needs,
        vector_power=Need.VECTOR_POWER in needs,
        by_sample=Need.BY_SAMPLE in needs,
        half=half,
        scores=scores,
        element_sums=3 if scores else 2,
    )
    plan = Plan(
        power_of=tuple(
            exponents.index(weighted_term.parameter) if Need.POWER in term.needs else -1
            for weighted_term, term in zip(weighted_terms, terms, strict=True)
        ),
        element_of=tuple(
            elements.index(Element(weighted_term.parameter, weighted_term.second))
            if Need.ELEMENT in term.needs
            else -1
            for weighted_term, term in zip(weighted_terms, terms, strict=True)
        ),
        by_label_weight=tuple(term.by_label_weight for term in terms),
        softmax=Need.SOFTMAX in needs,
        statistics=names.index(STATISTICS[0]) if statistics else -1,
        per_row=reduction == NONE,
        mean=reduction == MEAN,
    )
    parts = _parts(visit, len(exponents))
    return Launch(
        plan,
        visit,
        positions(Sums, parts),
        len(parts),
        positions(Columns, names),
        len(names),
        tuple(() if q == 2 and exponents[0] == 1 else exponent(q) for q in exponents),
        tuple(
            ElementNumbers(
                () if element.gamma == 0.5 else exponent(element.gamma),
                pair(element.floor),
                pair(element.offset),
            )
            for element in elements
        ),
        tuple(
            term.triton or jit_terms.TERMS[weighted_term.name]
            for weighted_term, term in zip(weighted_terms, terms, strict=True)
        ),
        tuple(map(pair, values)),
        pair(length) if scores else None,
    )


def _parts(visit: Visit, powers: int) -> list[str]:
    """The names of what `sum_rows` leaves for a part of a row."""
    return [
        "shift",
        "top",
        *(f"power{i}" for i in range(powers)),
        *["ties"] * visit.apart,
        *["entropy"] * visit.entropy,
        *["vector_power", "vector_rest"] * visit.vector_power,
        *["linear"] * visit.linear,
        *["square"] * visit.square,
        *["weighted", "class_weights"] * visit.weighted,
        *["vector", "vectors"] * visit.vector,
        *[f"moment{i}" for i in range(powers) if visit.scores],
        *["entropy_moment"] * (visit.entropy and visit.scores > 0),
        *["vector_power_moment"] * (visit.vector_power and visit.scores > 0),
        *["square_moment", "linear_moment"] * (visit.scores > 0),
        *["weighted_moment"] * (visit.weighted and visit.scores > 0),
        *["vector_moment"] * (visit.vector and visit.scores > 0),
    ]
