"""The list of terms: formulas, coefficients, passes, and the kernels' copy of the list."""

from __future__ import annotations

import re
from functools import reduce
from operator import or_
from pathlib import Path

import pytest
import torch
from torch import Tensor

from noisykernels import backends, ops
from noisykernels.autograd import fused_loss
from noisykernels.ops import MEAN, NONE, pack, unpack
from noisykernels.terms import (
    MAX_POWERS,
    MAX_TERMS,
    NAMES,
    TERMS,
    Need,
    Row,
    WeightedTerm,
    exponents,
    gradient,
    passes,
)

CLASSES = 6
LABELS = torch.tensor([0, 5, -100, 2, 2])
WEIGHT = torch.tensor([0.5, 2.0, 0.0, 1.0, 0.25, 3.0], dtype=torch.float64)

# Terms without a parameter ignore it.
each_term = pytest.mark.parametrize(
    ("name", "parameter"), [(name, parameter) for name in NAMES for parameter in (0.3, 1.0, 1.7)]
)


def statistics(logits: Tensor, labels: Tensor, weight: Tensor) -> Row:
    is_label = labels[:, None] == torch.arange(CLASSES)
    label_weight = torch.where(is_label, weight, 0.0).sum(1)
    return Row(logits, is_label, logits.log_softmax(1), weight, label_weight)


@each_term
def test_coefficients_are_the_derivative_of_the_value(name: str, parameter: float) -> None:
    x = torch.randn(5, CLASSES, dtype=torch.float64, requires_grad=True)
    row = statistics(x, LABELS.clamp(min=0), WEIGHT)
    k = TERMS[name](row, parameter)
    (expected,) = torch.autograd.grad(k.value.sum(), x)
    found = gradient(
        torch.ones(5, dtype=torch.float64), x.detach(), LABELS.clamp(min=0), WEIGHT,
        [WeightedTerm(name, 1.0, parameter)], -100, mean=False,
    )  # fmt: skip
    scale = row.label_weight[:, None] if TERMS[name].by_label_weight else 1.0
    torch.testing.assert_close(found, scale * expected, rtol=1e-10, atol=1e-12)


@pytest.mark.usefixtures("simd_level")
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
@each_term
def test_kernels_compute_the_same_terms(name: str, parameter: float, weight: Tensor | None) -> None:
    x = torch.randn(5, CLASSES, dtype=torch.float64, requires_grad=True)
    term = WeightedTerm(name, 0.7, parameter)
    value = fused_loss(x, LABELS, weight, *pack([term]), -100, NONE, backends.CPU)
    kept = LABELS >= 0
    row = statistics(x[kept], LABELS[kept], torch.ones(CLASSES) if weight is None else weight)
    expected = 0.7 * TERMS[name](row, parameter).value
    expected = row.label_weight * expected if TERMS[name].by_label_weight else expected
    torch.testing.assert_close(value[kept], expected, rtol=1e-12, atol=1e-13)
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
    table = re.findall(
        r"^  X\((\w+), (.+), (true|false)\)", (sources / "terms.h").read_text(), re.M
    )
    words = {"kSoftmax": Need.SOFTMAX, "kPowerSum": Need.POWER, "kLinearSum": Need.LINEAR,
             "kSquareSum": Need.SQUARE, "kWeightedSum": Need.WEIGHTED}  # fmt: skip
    kernels = [
        (name, reduce(or_, (words[word] for word in needs.split(" | "))), weighted == "true")
        for name, needs, weighted in table
    ]
    assert kernels == [(name, term.needs, term.by_label_weight) for name, term in TERMS.items()]


@pytest.mark.parametrize(
    ("constant", "value"),
    [("kMaxPowers", MAX_POWERS), ("kMaxTerms", MAX_TERMS)],
)
def test_limits_are_those_of_the_kernels(constant: str, value: int, sources: Path) -> None:
    assert f"constexpr int {constant} = {value};" in (sources / "arguments.h").read_text()


@pytest.mark.usefixtures("kernels")
def test_row_coefficients_have_the_size_that_the_fake_kernel_says() -> None:
    x, y = torch.randn(5, CLASSES), LABELS
    _, rows, _ = torch.ops.noisykernels.forward(
        x, y, None, *pack([WeightedTerm("ce", 1.0)]), -100, MEAN, backends.CPU
    )
    assert rows.shape == (ops.ROW_COEFFICIENTS, 5)


def test_pack_and_unpack_are_inverse() -> None:
    terms = [WeightedTerm(name, 0.1 * i, 0.3 + i) for i, name in enumerate(NAMES)]
    assert unpack(*pack(terms)) == terms


MANY = {
    "one term": [WeightedTerm("ce", 2.0)],
    "all terms": [WeightedTerm(name, 0.1 + i, 0.4) for i, name in enumerate(NAMES)],
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
        assert len(set().union(*map(exponents, group))) <= MAX_POWERS
    fits = len(terms) <= MAX_TERMS and len(set().union(*map(exponents, terms))) <= MAX_POWERS
    assert (len(groups) == 1) == fits


@pytest.mark.usefixtures("simd_level")
@pytest.mark.parametrize("name", MANY)
def test_passes_add_up_to_the_unsplit_sum(name: str) -> None:
    x = torch.randn(5, CLASSES, dtype=torch.float64, requires_grad=True)
    groups = passes(MANY[name])
    losses = [fused_loss(x, LABELS, WEIGHT, *pack(g), -100, MEAN, backends.CPU) for g in groups]
    (found,) = torch.autograd.grad(torch.stack(losses).sum(), x)
    upstream = torch.ones((), dtype=torch.float64)
    unsplit = gradient(upstream, x, LABELS, WEIGHT, MANY[name], -100, mean=True)
    torch.testing.assert_close(found, unsplit, rtol=1e-10, atol=1e-12)
