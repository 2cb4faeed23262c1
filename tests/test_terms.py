"""The list of terms: formulas, coefficients, passes, and the kernels' copy of the list."""

from __future__ import annotations

import math
import re
from functools import reduce
from operator import or_
from pathlib import Path

import pytest
import torch
from cases import PARAMETERS_OF_TERMS
from torch import Tensor

from noisykernels import backends
from noisykernels.autograd import fused_loss
from noisykernels.ops import MEAN, NONE, pack, unpack
from noisykernels.terms import (
    MAX_ELEMENTS,
    MAX_POWERS,
    MAX_TERMS,
    NAMES,
    TERMS,
    Need,
    Row,
    WeightedTerm,
    columns,
    gradient,
    passes,
    resources,
)
from noisykernels.terms.probability import MAX_ORDER

CLASSES = 6
LABELS = torch.tensor([0, 5, -100, 2, 2])
WEIGHT = torch.tensor([0.5, 2.0, 0.0, 1.0, 0.25, 3.0], dtype=torch.float64)

PARAMETERS: dict[str, list[tuple[float, float]]] = {
    name: [pair] for name, pair in PARAMETERS_OF_TERMS.items()
} | {
    "gce": [(0.3, 0.0), (1.0, 0.0)],
    "focal": [(0.0, 0.0), (0.5, 0.0), (2.0, 0.0), (0.5, 1.0)],
    "truncated_gce": [(0.7, math.log(0.01)), (0.7, math.log(0.5))],
    "taylor_ce": [(1.0, 0.0), (2.0, 0.0), (MAX_ORDER, 0.0)],
    "agce": [(0.6, 0.6), (4.0, 0.2), (1e-5, 0.5)],
    "aul": [(5.5, 3.0), (1.1, 0.1)],
    "ael": [(2.5, 0.0), (0.1, 0.0)],
    "eps_softmax_ce": [(0.0, 0.0), (1e5, 0.0)],
    "sgce": [(0.3, 0.0), (1.0, 0.0)],
    "alpha_mae": [(0.3, 0.0), (1.0, 0.0), (1.7, 0.0)],
    "ngce": [(0.3, 0.0), (1.0, 0.0)],
    "amse": [(2.0, 1.0), (2.0, 30.0)],
    "power_sum": [(0.3, 0.0), (1.7, 0.0)],
    "nfl": [(0.0, -math.inf), (0.5, -math.inf), (2.0, -math.inf)],
    "nnfl": [(0.0, math.log(1e-7)), (0.0, math.log(0.1)), (0.5, math.log(0.1))],
}
"""More than one pair for a term where another branch, or an end of the range, is worth a test."""

DETACHED = {("nfl", 0.5), ("nfl", 2.0), ("nnfl", 0.5), ("focal", 0.5, 1.0)}
"""Terms whose gradient is by definition not that of the value."""

each_term = pytest.mark.parametrize(
    ("name", "parameter", "second"),
    [(name, *pair) for name in NAMES for pair in PARAMETERS.get(name, [(0.0, 0.0)])],
)


def weighted_term(name: str, parameter: float, second: float) -> WeightedTerm:
    """With vectors of probabilities where the term reads some."""
    needs, vectors = TERMS[name].needs, None
    if needs & (Need.VECTOR | Need.VECTOR_POWER):
        rows = len(LABELS) if Need.BY_SAMPLE in needs else CLASSES
        vectors = torch.rand(rows, CLASSES, dtype=torch.float64).softmax(1)
    return WeightedTerm(name, 0.7, parameter, second, vectors)


def values(term: WeightedTerm, logits: Tensor, weight: Tensor | None) -> Tensor:
    """What the formula says, row by row, class weights included."""
    labels = LABELS.clamp(min=0)
    w = torch.ones(CLASSES, dtype=logits.dtype) if weight is None else weight
    is_label = labels[:, None] == torch.arange(CLASSES)
    label_weight = torch.where(is_label, w, 0.0).sum(1)
    vectors = term.vectors
    if vectors is not None and Need.BY_SAMPLE not in TERMS[term.name].needs:
        vectors = vectors[labels]
    row = Row(logits, is_label, logits.log_softmax(1), w, label_weight, vectors)
    value = term.weight * TERMS[term.name](row, term.parameter, term.second).value
    return row.label_weight * value if TERMS[term.name].by_label_weight else value


def fused(
    term: WeightedTerm, logits: Tensor, weight: Tensor | None, statistics: bool = False
) -> tuple[Tensor, Tensor]:
    return fused_loss(
        logits, LABELS, weight, term.vectors, *pack([term]), -100, NONE, statistics, backends.CPU
    )


@each_term
def test_coefficients_are_the_derivative_of_the_value(
    name: str, parameter: float, second: float
) -> None:
    if DETACHED & {(name, parameter), (name, parameter, second)}:
        pytest.skip("a factor of the gradient counts as constant by definition")
    term = weighted_term(name, parameter, second)
    x = torch.randn(5, CLASSES, dtype=torch.float64, requires_grad=True)
    (expected,) = torch.autograd.grad(values(term, x, WEIGHT).sum(), x)
    upstream = torch.ones(5, dtype=torch.float64)
    found = gradient(upstream, x.detach(), LABELS.clamp(min=0), WEIGHT, [term], -100, mean=False)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.usefixtures("simd_level")
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
@each_term
def test_kernels_compute_the_same_terms(
    name: str, parameter: float, second: float, weight: Tensor | None
) -> None:
    term = weighted_term(name, parameter, second)
    x = torch.randn(5, CLASSES, dtype=torch.float64, requires_grad=True)
    value, _ = fused(term, x, weight)
    kept = LABELS >= 0
    expected = values(term, x, weight)
    torch.testing.assert_close(value[kept], expected[kept], rtol=1e-12, atol=1e-13)
    assert not value[~kept].any()

    upstream = torch.randn(5, dtype=torch.float64)
    (found,) = torch.autograd.grad(value, x, upstream)
    formula = gradient(upstream, x, LABELS, weight, [term], -100, mean=False)
    torch.testing.assert_close(found, formula, rtol=1e-12, atol=1e-13)


@pytest.mark.usefixtures("kernels")
def test_the_kernels_have_the_same_list() -> None:
    assert tuple(backends.extension.terms()) == NAMES


@pytest.fixture
def sources() -> Path:
    folder = Path(__file__).parents[1] / "csrc"
    if not folder.exists():
        pytest.skip("the sources of the kernels are not at hand")
    return folder


def test_the_tables_of_terms_agree(sources: Path) -> None:
    """Names in their order, what each term needs, and whether w_y multiplies it."""
    joint = (sources / "terms" / "table.h").read_text()
    table = [
        line
        for kind in re.findall(r"^  NOISYKERNELS_(\w+)_TERMS\(X\)", joint, re.M)
        for line in re.findall(
            r"^  X\((\w+), (.+), (true|false)\)",
            (sources / "terms" / f"{kind.lower()}.h").read_text(),
            re.M,
        )
    ]
    words = {
        "kSoftmax": Need.SOFTMAX,
        "kPowerSum": Need.POWER,
        "kLinearSum": Need.LINEAR,
        "kSquareSum": Need.SQUARE,
        "kWeightedSum": Need.WEIGHTED,
        "kEntropySum": Need.ENTROPY,
        "kTop": Need.TOP,
        "kVectorSum": Need.VECTOR,
        "kVectorPowerSum": Need.VECTOR_POWER,
        "kElementSum": Need.ELEMENT,
        "kBySample": Need.BY_SAMPLE,
    }
    kernels = [
        (name, reduce(or_, (words[word] for word in needs.split(" | "))), weighted == "true")
        for name, needs, weighted in table
    ]
    assert kernels == [(name, term.needs, term.by_label_weight) for name, term in TERMS.items()]


@pytest.mark.parametrize(
    ("constant", "value"),
    [
        ("kMaxPowers", MAX_POWERS),
        ("kMaxElements", MAX_ELEMENTS),
        ("kMaxTerms", MAX_TERMS),
        ("kMaxOrder", MAX_ORDER),
    ],
)
def test_limits_are_those_of_the_kernels(constant: str, value: int, sources: Path) -> None:
    assert f"constexpr int {constant} = {value};" in (sources / "arguments.h").read_text()


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("statistics", [False, True], ids=["plain", "statistics"])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
@each_term
def test_a_row_has_the_columns_that_have_names(
    name: str, parameter: float, second: float, weight: Tensor | None, statistics: bool
) -> None:
    term = weighted_term(name, parameter, second)
    _, rows = fused(term, torch.randn(5, CLASSES), weight, statistics)
    assert rows.shape == (len(columns([term], weight is not None, statistics)), 5)


def test_pack_and_unpack_are_inverse() -> None:
    plain = [name for name in NAMES if not TERMS[name].needs & (Need.VECTOR | Need.VECTOR_POWER)]
    terms = [WeightedTerm(name, 0.1 * i, 0.3 + i, 2.0 * i) for i, name in enumerate(plain)]
    assert unpack(*pack(terms)) == terms


MANY = {
    "one term": [WeightedTerm("ce", 2.0)],
    "more terms than fit": [
        WeightedTerm(name, 0.1 + i, *PARAMETERS.get(name, [(0.0, 0.0)])[0])
        for i, name in enumerate(NAMES)
        if not TERMS[name].needs & (Need.VECTOR | Need.VECTOR_POWER)
    ],
    "two elementwise functions": [
        WeightedTerm("nfl", 1.0, 0.5, -math.inf),
        WeightedTerm("nnfl", 1.0, 0.5, math.log(0.1)),
    ],
    "three of them": [WeightedTerm("nfl", 1.0, gamma, -math.inf) for gamma in (0.5, 1.0, 2.0)],
    "three powers without 1": [WeightedTerm("alpha_mae", 1.0, q) for q in (0.2, 0.4, 0.6)],
    "two powers and 1": [WeightedTerm("sgce", 1.0, q) for q in (0.2, 0.4)],
    "three powers and 1": [WeightedTerm("sgce", 1.0, q) for q in (0.2, 0.4, 0.6)],
    "power 1 twice": [WeightedTerm("sgce", 1.0, 1.0), WeightedTerm("ce", 1.0)],
    "many powers": [WeightedTerm("sgce", (-1.0) ** k, k / 20) for k in range(1, 20)],
    "many terms": [WeightedTerm("gce", 1.0, k / 50) for k in range(1, 41)],
}


@pytest.mark.parametrize("name", MANY)
def test_passes_fit_and_lose_nothing(name: str) -> None:
    terms = MANY[name]
    groups = list(passes(terms))
    assert [term for group in groups for term in group] == terms
    for group in groups:
        assert 0 < len(group) <= MAX_TERMS
        # There is room for the softmax, whether or not a term needs it.
        assert len(resources(group, softmax=True).exponents) <= MAX_POWERS
        assert len(resources(group).elements) <= MAX_ELEMENTS
    joint = resources(terms, softmax=True)
    fits = (
        len(terms) <= MAX_TERMS
        and len(joint.exponents) <= MAX_POWERS
        and len(joint.elements) <= MAX_ELEMENTS
    )
    assert (len(groups) == 1) == fits


def test_terms_with_different_vectors_take_a_pass_each() -> None:
    first, second = torch.eye(3), torch.eye(3)
    terms = [
        WeightedTerm("forward", 1.0, vectors=first),
        WeightedTerm("mae", 1.0),
        WeightedTerm("backward", 1.0, vectors=first),
        WeightedTerm("forward", 1.0, vectors=second),
    ]
    assert [len(group) for group in passes(terms)] == [3, 1]


@pytest.mark.usefixtures("simd_level")
@pytest.mark.parametrize("name", MANY)
def test_passes_add_up_to_the_unsplit_sum(name: str) -> None:
    x = torch.randn(5, CLASSES, dtype=torch.float64, requires_grad=True)
    groups = passes(MANY[name])
    losses = [
        fused_loss(x, LABELS, WEIGHT, None, *pack(group), -100, MEAN, False, backends.CPU)[0]
        for group in groups
    ]
    (found,) = torch.autograd.grad(torch.stack(losses).sum(), x)
    upstream = torch.ones((), dtype=torch.float64)
    unsplit = gradient(upstream, x, LABELS, WEIGHT, MANY[name], -100, mean=True)
    torch.testing.assert_close(found, unsplit, rtol=1e-10, atol=1e-12)
