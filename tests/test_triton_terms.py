"""Each term of the Triton kernels, in the interpreter, against the same term in torch.

Torch's float64 loses what is below one unit in the last place of 1; how exact the losses are beyond
that, test_triton.py asks for those that are registered.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from cases import PARAMETERS_OF_TERMS
from torch import Tensor

from noisykernels import backends, statistics
from noisykernels.autograd import FusedLoss
from noisykernels.ops import MEAN, NONE, pack
from noisykernels.terms import (
    NAMES,
    STATISTICS,
    TERMS,
    Need,
    Row,
    WeightedTerm,
    columns,
    gradient,
    resources,
)

if backends.available()["triton"] is not True:
    pytest.skip(f"{backends.available()['triton']}", allow_module_level=True)

INF, NAN = float("inf"), float("nan")
ROWS, IGNORED = 8, 7
CLASSES = 65  # a padded block; split, two steps in the first part and one class in the second
READS_VECTORS = Need.VECTOR | Need.VECTOR_POWER

PARAMETERS: dict[str, tuple[tuple[float, float], ...]] = {
    name: (pair,) for name, pair in PARAMETERS_OF_TERMS.items()
} | {
    "focal": ((2.0, 0.0), (0.5, 1.0), (0.0, 0.0)),
    "truncated_gce": ((0.7, -0.7), (0.3, -3.0)),
    "taylor_ce": ((1.0, 0.0), (6.0, 0.0), (16.0, 0.0)),
    "agce": ((1.0, 0.5), (0.1, 3.0)),
    "aul": ((1.1, 5.0), (6.0, 0.5)),
    "eps_softmax_ce": ((0.1, 0.0), (1000.0, 0.0)),
    "sgce": ((0.7, 0.0), (1.0, 0.0)),
    "amse": ((2.0, 1.0), (2.0, 30.0)),
    "power_sum": ((0.5, 0.0), (1.7, 0.0)),
    "nfl": ((0.5, -INF), (0.0, -INF), (2.0, -INF)),
    "nnfl": ((0.5, -16.1), (0.0, -3.0), (2.0, -4.0)),
}
"""More than one pair for a term where they choose another branch."""

VARIANTS = [(name, *pair) for name in NAMES for pair in PARAMETERS.get(name, ((0.0, 0.0),))]
each_variant = pytest.mark.parametrize(("name", "parameter", "second"), VARIANTS)
each_term = pytest.mark.parametrize(
    ("name", "parameter", "second"), [(n, *PARAMETERS.get(n, ((0.0, 0.0),))[0]) for n in NAMES]
)


def batch() -> tuple[Tensor, Tensor]:
    """Margins of the label from -200 to 80, ties, masked classes, and an ignored row of NaN."""
    x, y = 2 * torch.randn(ROWS, CLASSES, dtype=torch.float64), torch.randint(CLASSES, (ROWS,))
    is_label = y[:, None] == torch.arange(CLASSES)
    largest = x.masked_fill(is_label, -INF).amax(1)
    margins = torch.tensor([-200.0, -17.0, 0.0, 5.0, 80.0]).double()
    x[:5] = torch.where(is_label[:5], (largest[:5] + margins)[:, None], x[:5])
    x[5] = x[5].sign()  # many share the first place
    x[6, (y[6] + torch.arange(1, 30)) % CLASSES] = -INF
    x[IGNORED], y[IGNORED] = NAN, -100
    return x, y


def without_masks(x: Tensor) -> Tensor:
    """To some losses a masked class is an infinite loss, which no upstream gradient survives."""
    return x.masked_fill(x == -INF, 0.0)


def vectors_for(name: str, rows: int, classes: int) -> Tensor | None:
    """Distributions over the classes: one for each label, or for each sample."""
    if not TERMS[name].needs & READS_VECTORS:
        return None
    lines = rows if Need.BY_SAMPLE in TERMS[name].needs else classes
    return 0.9 * torch.rand(lines, classes).double().softmax(1)


def weighted_term(name: str, parameter: float, second: float, rows: int = ROWS) -> WeightedTerm:
    return WeightedTerm(name, 0.7, parameter, second, vectors_for(name, rows, CLASSES))


def operator(
    x: Tensor,
    y: Tensor,
    terms: Sequence[WeightedTerm],
    weight: Tensor | None = None,
    reduction: int = NONE,
    statistics: bool = False,
) -> tuple[Tensor, Tensor]:
    """The loss and the numbers of rows."""
    loss, rows, _ = FusedLoss.apply(
        x, y, weight, resources(terms).vectors,
        *pack(terms), -100, reduction, statistics, backends.TRITON,
    )  # fmt: skip
    return loss, rows


def value_of(term: WeightedTerm, x: Tensor, y: Tensor, weight: Tensor | None) -> Tensor:
    """The weighted term's formula in float64, zero where the row is ignored."""
    kept = y != -100
    x, label = x.double().masked_fill(~kept[:, None], 0.0), torch.where(kept, y, 0)
    w = torch.ones(CLASSES).double() if weight is None else weight.double()
    by_sample = Need.BY_SAMPLE in TERMS[term.name].needs
    v = term.vectors if term.vectors is None or by_sample else term.vectors[label]
    is_label = label[:, None] == torch.arange(CLASSES)
    row = Row(x, is_label, x.log_softmax(1), w, w[label], v)
    value = term.weight * TERMS[term.name](row, term.parameter, term.second).value
    return torch.where(kept, value * (w[label] if TERMS[term.name].by_label_weight else 1.0), 0.0)


def assert_like_torch(
    x: Tensor,
    y: Tensor,
    terms: Sequence[WeightedTerm],
    weight: Tensor | None = None,
    *,
    bar: float,
    rounding: float = 0.0,
    reduction: int = NONE,
) -> None:
    x = x.clone().requires_grad_()
    loss, rows = operator(x, y, terms, weight, reduction)
    assert len(rows) == len(columns(terms, weight is not None, statistics=False))
    assert not rows[:, y == -100].any()
    upstream = torch.randn_like(loss)
    loss.backward(upstream)
    value = torch.stack([value_of(term, x.detach(), y, weight) for term in terms]).sum(0)
    if reduction == MEAN:
        kept = y[y != -100]
        value = value.sum() / (len(kept) if weight is None else weight[kept].sum())
    same = {"rtol": bar, "atol": bar, "equal_nan": True}
    torch.testing.assert_close(loss.detach().double(), value, **same)
    slope = gradient(
        upstream.double(), x.detach().double(), y, weight, terms, -100, reduction == MEAN
    )
    assert x.grad is not None
    same["rtol"] += rounding
    torch.testing.assert_close(x.grad.double(), slope, **same)
    assert not x.grad[y == -100].any()


@each_variant
def test_terms(name: str, parameter: float, second: float) -> None:
    x, y = batch()
    term = weighted_term(name, parameter, second)
    assert_like_torch(x.float(), y, [term], bar=5e-6)
    assert_like_torch(x, y, [term], bar=1e-13)


@pytest.mark.usefixtures("split")
@each_term
def test_terms_of_long_rows(name: str, parameter: float, second: float) -> None:
    x, y = batch()
    assert_like_torch(x.float(), y, [weighted_term(name, parameter, second)], bar=5e-6)


@each_term
def test_half_precision(name: str, parameter: float, second: float) -> None:
    """The exact gradient of the logits as they are, rounded once."""
    x, y = batch()
    term = weighted_term(name, parameter, second)
    assert_like_torch(x.half(), y, [term], bar=1e-5, rounding=2.0**-11)


SUMS = {
    "nce + amse": [("nce", 0.0, 0.0), ("amse", 2.0, 30.0)],
    "nfl + nnfl": [("nfl", 0.5, -INF), ("nnfl", 0.5, -16.1)],
    "what leads apart": [("entropy", 0.0, 0.0), ("top_ce", 0.0, 0.0), ("nnfl", 0.5, -5.0)],
    "power 1 with ties": [("entropy", 0.0, 0.0), ("power_sum", 1.0, 0.0)],
    "with vectors": [("forward", 0.0, 0.0), ("ce", 0.0, 0.0), ("amse", 2.0, 1.0)],
    "every sum": [
        ("smoothing", 0.0, 0.0),
        ("muh", 0.0, 0.0),
        ("entropy", 0.0, 0.0),
        ("top_ce", 0.0, 0.0),
        ("backward", 0.0, 0.0),
        ("nfl", 0.5, -INF),
        ("nnfl", 2.0, -5.0),
        ("alpha_mae", 0.5, 0.0),
        ("sgce", 0.7, 0.0),
        ("square", 0.0, 0.0),
    ],
}


@pytest.mark.parametrize(
    ("weighted", "reduction"), [(True, NONE), (False, MEAN)], ids=["weighted", "mean"]
)
@pytest.mark.parametrize("terms", SUMS)
def test_sums_of_terms(terms: str, weighted: bool, reduction: int, regime: str) -> None:
    x, y = batch()
    weight = torch.rand(CLASSES).double() if weighted else None
    assert_like_torch(
        without_masks(x), y, [weighted_term(*term) for term in SUMS[terms]], weight,
        bar=1e-12, reduction=reduction,
    )  # fmt: skip


def test_cross_entropy_leaves_three_numbers() -> None:
    _, rows = operator(*batch(), [WeightedTerm("ce", 1.0)])
    assert len(rows) == 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", ["muh", "entropy"])
def test_statistics(name: str, dtype: torch.dtype, regime: str) -> None:
    """Of every loss, also of one without a softmax."""
    x, y = batch()
    x = x.to(dtype).requires_grad_()
    terms = [WeightedTerm(name, 1.0)]
    loss, rows = operator(x, y, terms, statistics=True)
    found, expected = statistics.of_rows(rows, y), statistics.of_logits(x.double(), y, -100)
    for mine, exact in zip(found, expected, strict=True):
        if mine.is_floating_point():
            mine, exact = mine.double(), exact.double()
        bar = 1e-13 if dtype == torch.float64 else 5e-6
        torch.testing.assert_close(mine, exact, rtol=bar, atol=1e-38, equal_nan=True)
    assert found.predicted[IGNORED] == -1

    plain, fewer = operator(x, y, terms)
    assert len(rows) - len(fewer) >= len(STATISTICS)
    torch.testing.assert_close(loss, plain, rtol=2e-6, atol=0, equal_nan=True)
    (slope,) = torch.autograd.grad(loss.nansum(), x, retain_graph=True)
    (plain_slope,) = torch.autograd.grad(plain.nansum(), x)
    assert torch.equal(slope, plain_slope)


@pytest.mark.parametrize("label", [-1, CLASSES])
@pytest.mark.parametrize("terms", ["with vectors", "every sum"])
def test_a_label_out_of_range_makes_its_row_nan(terms: str, label: int, regime: str) -> None:
    x, y = batch()
    y[2] = label
    x = without_masks(x).requires_grad_()
    loss, rows = operator(x, y, [weighted_term(*term) for term in SUMS[terms]], statistics=True)
    loss.backward(torch.ones_like(loss))
    others = torch.arange(ROWS) != 2
    assert loss[2].isnan()
    assert x.grad[2].isnan().all()
    assert loss[others].isfinite().all()
    assert x.grad[others].isfinite().all()
    stats = statistics.of_rows(rows, y)
    assert stats.p_y[2].isnan()
    assert stats.predicted[2] == -1


@pytest.mark.parametrize("name", ["forward", "elr"])
def test_vectors_of_any_type_and_stride(name: str, regime: str) -> None:
    """Of each pixel, in the order of the labels, for a term that has one for each sample."""
    x = torch.randn(2, CLASSES, 3, 2)
    y = torch.randint(CLASSES, (2, 3, 2))
    y[0, 1, 1] = -100
    vectors = vectors_for(name, y.numel(), CLASSES)
    assert vectors is not None
    rows = x.permute(0, 2, 3, 1).reshape(-1, CLASSES)
    expected, _ = operator(rows, y.flatten(), [WeightedTerm(name, 1.0, vectors=vectors)])
    strided = vectors.repeat_interleave(2, dim=1)[:, ::2]
    for given in vectors.float(), strided:
        loss, _ = operator(x, y, [WeightedTerm(name, 1.0, vectors=given)])
        torch.testing.assert_close(loss.flatten(), expected, rtol=1e-6, atol=0)


def test_a_vector_of_zeros_and_ones() -> None:
    """The identity for a transition matrix is no correction: cross entropy, -inf entries or not."""
    x, y = batch()
    identity = torch.eye(CLASSES).double()
    plain, _ = operator(x, y, [WeightedTerm("ce", 1.0)])
    for name in "forward", "backward":
        loss, _ = operator(x, y, [WeightedTerm(name, 1.0, vectors=identity)])
        torch.testing.assert_close(loss, plain, rtol=1e-13, atol=0)


def test_what_the_leading_class_lacks_of_one_is_exact(regime: str) -> None:
    """Of two classes it decides the label's gradient; as 1 - p_k it would be off by a fifth."""
    x, y = torch.tensor([[0.0, 15.0]], requires_grad=True), torch.tensor([0])
    term = WeightedTerm("nfl", 1.0, 0.5, -INF)
    loss, _ = operator(x, y, [term])
    (slope,) = torch.autograd.grad(loss, x, torch.ones(1))
    exact = gradient(torch.ones(1).double(), x.detach().double(), y, None, [term], -100, False)
    torch.testing.assert_close(slope[0, 0].double(), exact[0, 0], rtol=3e-6, atol=0)


@pytest.mark.parametrize("gamma", [0.0, 0.5])
def test_no_focus_is_a_term_without_it(gamma: float) -> None:
    """With gamma = 0 the normalized focal loss is the normalized cross entropy."""
    x, y = batch()
    x = without_masks(x)
    focal, _ = operator(x, y, [WeightedTerm("nfl", 1.0, gamma, -INF)])
    normalized, _ = operator(x, y, [WeightedTerm("nce", 1.0)])
    if gamma:
        assert not torch.allclose(focal, normalized, rtol=1e-3)
    else:
        torch.testing.assert_close(focal, normalized, rtol=1e-13, atol=0)
