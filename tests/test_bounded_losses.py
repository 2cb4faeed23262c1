"""Losses of bounded scores in one pass: against the exact ones, and through every door."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from cases import Case, each_attached_loss, each_core_loss, each_kind_of_pass, each_loss
from criteria import assert_same_bits, value_and_gradient
from oracle import exact_of_scores
from reference_cases import for_oracles
from test_accuracy import FAMILIES, errors_against, extreme_levels
from test_layouts import LAYOUTS, SHAPES, as_rows, labels_for
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck

import noisykernels as nk
from noisykernels import backends, evaluate, scores
from noisykernels.autograd import FusedLoss
from noisykernels.modules import Loss
from noisykernels.ops import pack, unpack
from noisykernels.scores import Clipped, Normalized
from noisykernels.terms import WeightedTerm, columns

Bound = Callable[[Loss, float], Loss]

BOUNDS: dict[str, Bound] = {"normalized": Normalized, "clipped": Clipped}
SEPARATE = {Normalized: scores.normalize, Clipped: scores.clip}
each_bound = pytest.mark.parametrize("bound", BOUNDS.values(), ids=BOUNDS)

LOGITS = torch.tensor([[3.0, 0.0, -4.0, 0.1], [0.3, 0.4, 0.0, -0.1], [0.0, -0.5, 1.2, 0.5]])
LABELS = torch.tensor([2, 0, 1])
"""Rows of length 5, 0.5 and 1.4: a length of 1 is between, so one row is not clipped."""


def errors(
    case: Case, bound: Bound, length: float, logits: Tensor, labels: Tensor, **options: Tensor
) -> tuple[float, float]:
    """The largest errors of loss and gradient in units of what the project allows."""
    criterion = bound(case.module(logits.shape[1], reduction="none", **options), length)
    truth, u = exact_of_scores(
        case.name,
        for_oracles(case.all_parameters(logits.shape[1])),
        logits.double().numpy(),
        labels.numpy(),
        length,
        bound is Normalized,
        *(w.double().numpy().astype("g") for w in options.values()),
    )
    return errors_against(truth, lambda x: criterion(x, labels), logits, u)


def check_families(case: Case, bound: Bound, *families: str) -> None:
    for family in families:
        for length, classes in itertools.product((0.5, 5.0, 40.0), (10, 101)):
            logits, labels = FAMILIES[family](48, classes)
            assert max(errors(case, bound, length, logits.float(), labels)) <= 1


@extreme_levels
@each_bound
@each_loss
def test_accuracy(case: Case, bound: Bound, simd_level: str) -> None:
    check_families(case, bound, "normal", "ties")
    # Of logits as they are these two miss the bar too, where the label leads by up to 20.
    if case.name not in ("nnfl", "anl_fl"):
        check_families(case, bound, "right")


@pytest.mark.parametrize("family", ["confident", "offset+1e4", "wrong"])
@each_bound
@each_kind_of_pass
def test_families_of_logits(case: Case, bound: Bound, family: str, simd_level: str) -> None:
    check_families(case, bound, family)


@extreme_levels
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16], ids=str)
@each_bound
@each_loss
def test_precisions(case: Case, bound: Bound, dtype: torch.dtype, simd_level: str) -> None:
    for family in "normal", "wrong", "right":
        logits, labels = FAMILIES[family](48, 21)
        assert max(errors(case, bound, 5.0, logits.to(dtype), labels)) <= 1


@each_bound
@each_loss
def test_triton(case: Case, bound: Bound, regime: str) -> None:
    """On chip, and streamed in two parts."""
    with backends.use("triton"):
        logits, labels = FAMILIES["normal"](4, 65)
        assert max(errors(case, bound, 5.0, logits.float(), labels)) <= 1


@pytest.mark.parametrize("family", ["offset+1e4", "wrong", "right", "ties"])
@each_bound
@each_kind_of_pass
def test_triton_on_families_of_logits(case: Case, bound: Bound, family: str, regime: str) -> None:
    with backends.use("triton"):
        logits, labels = FAMILIES[family](4, 65)
        assert max(errors(case, bound, 20.0, logits.float(), labels)) <= 1


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16], ids=str)
@each_bound
@each_kind_of_pass
def test_triton_in_other_precisions(
    case: Case, bound: Bound, dtype: torch.dtype, regime: str
) -> None:
    with backends.use("triton"):
        for length in 0.5, 40.0:
            logits, labels = FAMILIES["normal"](4, 65)
            assert max(errors(case, bound, length, logits.to(dtype), labels)) <= 1


@pytest.mark.parametrize("size", [1e-30, 1e30])
@each_bound
def test_triton_with_huge_and_tiny_logits(bound: Bound, size: float, regime: str) -> None:
    case = Case("sgce", {"q": 0.7})
    logits, labels = FAMILIES["normal"](4, 65)
    with backends.use("triton"):
        assert max(errors(case, bound, 5.0, (size * logits).float(), labels)) <= 1


@pytest.mark.parametrize("classes", [1, 2, 3, 14, 128, 257, 1001, 4096])
@each_bound
@each_core_loss
def test_numbers_of_classes(case: Case, bound: Bound, classes: int, simd_level: str) -> None:
    logits, labels = FAMILIES["normal"](17, classes)
    assert max(errors(case, bound, 5.0, logits.float(), labels)) <= 1


@pytest.mark.parametrize("size", [1e-30, 1e-18, 1e18, 1e30])
@each_bound
@each_kind_of_pass
def test_huge_and_tiny_logits(case: Case, bound: Bound, size: float, backend: str) -> None:
    logits, labels = FAMILIES["normal"](17, 10)
    logits = (size * logits).float()
    if backend == "reference":
        pytest.skip("test_scores.py tests its scores")
    assert max(errors(case, bound, 5.0, logits, labels)) <= 1


@each_bound
@each_kind_of_pass
def test_class_weights(case: Case, bound: Bound) -> None:
    logits, labels = FAMILIES["normal"](40, 19)
    assert max(errors(case, bound, 5.0, logits.float(), labels, weight=torch.rand(19))) <= 1


@pytest.mark.parametrize("layout", SHAPES)
@each_bound
def test_layouts(bound: Bound, layout: str, backend: str) -> None:
    shape, view = LAYOUTS[layout]
    x = view(3 * torch.randn(shape))
    labels = labels_for(x)
    loss = bound(nk.SGCELoss(reduction="none") + nk.MUHLoss(reduction="none"), 2.0)
    value, gradient = value_and_gradient(lambda z: loss(z, labels), x)
    rows = value_and_gradient(lambda z: loss(z, labels.reshape(-1)), as_rows(x))
    torch.testing.assert_close((value.reshape(-1), as_rows(gradient)), rows)


@each_bound
@each_attached_loss
def test_derivatives_of_two_orders(case: Case, bound: Bound) -> None:
    labels = torch.tensor([2, 0, -100])
    criterion = bound(case.module(4, weight=torch.rand(4).double(), ignore_index=-100), 1.0)
    x = LOGITS.double().requires_grad_()
    assert gradcheck(lambda z: criterion(z, labels), x, check_forward_ad=True)
    assert gradgradcheck(lambda z: criterion(z, labels), x)


@each_bound
@each_loss
def test_second_derivatives_are_those_of_separate_passes(case: Case, bound: Bound) -> None:
    """Where a factor counts as constant, too."""
    loss = case.module(4)
    x, direction = LOGITS.double(), torch.randn(3, 4, dtype=torch.float64)

    def product(criterion: Callable[[Tensor], Tensor]) -> Tensor:
        z = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(criterion(z), z, create_graph=True)
        return torch.autograd.grad((gradient * direction).sum(), z)[0]

    found = product(lambda z: bound(loss, 1.0)(z, LABELS))
    expected = product(lambda z: loss(SEPARATE[bound](z, 1.0), LABELS))
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-10)


@each_bound
@each_kind_of_pass
def test_vmap_is_a_loop(case: Case, bound: Bound) -> None:
    criterion = bound(case.module(5), 1.0)
    x, labels = torch.randn(3, 4, 5), torch.randint(5, (3, 4))
    step = torch.func.grad_and_value(criterion)
    found = torch.func.vmap(step)(x, labels)
    alone = [step(*sample) for sample in zip(x, labels, strict=True)]
    for mine, other in zip(found, zip(*alone, strict=True), strict=True):
        torch.testing.assert_close(mine, torch.stack(other))


@each_bound
def test_through_the_python_function(bound: Bound, monkeypatch: pytest.MonkeyPatch) -> None:
    """What serves where there is no extension: the same bits, and second derivatives."""
    criterion = bound(nk.CELoss() + nk.MUHLoss(), 1.0)
    expected = value_and_gradient(lambda z: criterion(z, LABELS), LOGITS)
    monkeypatch.setattr(evaluate, "extension", None)
    monkeypatch.setattr(evaluate, "fused_loss", lambda *a: FusedLoss.apply(*a)[:2])
    assert_same_bits(value_and_gradient(lambda z: criterion(z, LABELS), LOGITS), expected)
    assert gradgradcheck(lambda z: criterion(z, LABELS), LOGITS.double().requires_grad_())


@each_bound
@each_kind_of_pass
def test_compiled_equals_eager(case: Case, bound: Bound) -> None:
    torch.compiler.reset()
    criterion = bound(case.module(5), 1.0)
    x, labels = torch.randn(4, 5), torch.randint(5, (4,))
    compiled = torch.compile(criterion, fullgraph=True)
    assert_same_bits(
        value_and_gradient(lambda z: compiled(z, labels), x),
        value_and_gradient(lambda z: criterion(z, labels), x),
    )


@pytest.mark.parametrize("kind", [1, 2])
@pytest.mark.usefixtures("kernels")
def test_opcheck(kind: int) -> None:
    ops = torch.ops.noisykernels
    spec = (*pack([WeightedTerm("ce", 0.5), WeightedTerm("sgce", 1.0, 0.7)]), -100, 1, False, 1)
    arguments = (LOGITS.clone().requires_grad_(), LABELS, None, None, *spec, kind, 1.0)
    torch.library.opcheck(ops.forward.default, arguments)
    _loss, rows, divisor = ops.forward.default(*arguments)
    arguments = (torch.tensor(2.0), LOGITS, LABELS, None, None, rows.detach(), divisor, *spec)
    torch.library.opcheck(ops.backward.default, (*arguments, kind, 1.0))


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize(("kind", "length"), [(3, 1.0), (-1, 1.0), (1, 0.0), (2, math.nan)])
def test_the_operator_refuses_nonsense(kind: int, length: float) -> None:
    spec = (*pack([WeightedTerm("ce", 1.0)]), -100, 1, False, 1)
    with pytest.raises(ValueError, match="scores"):
        torch.ops.noisykernels.forward(LOGITS, LABELS, None, None, *spec, kind, length)


@each_bound
@pytest.mark.usefixtures("kernels")
def test_one_call_each_way(bound: Bound) -> None:
    x = LOGITS.clone().requires_grad_()
    with torch.profiler.profile() as profile:
        bound(0.1 * nk.CELoss() + nk.RCELoss() + 0.5 * nk.SGCELoss(), 1.0)(x, LABELS).backward()
    calls = [event.name for event in profile.events() if event.name.startswith("noisykernels::")]
    assert calls == ["noisykernels::forward", "noisykernels::backward"]
    assert not any("aten::mul" in event.name for event in profile.events())


@pytest.mark.parametrize("statistics", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@each_kind_of_pass
def test_the_columns_that_are_stored_are_those_named(
    case: Case, weighted: bool, statistics: bool, backend: str
) -> None:
    if backend == "reference":
        pytest.skip("it stores none")
    (only,) = case.module(4)._plan.passes
    spec = only.terms, only.values, -100, 1, statistics, backends.NAMES.index(backend), 1, 2.0
    weight = torch.rand(4) if weighted else None
    _, rows, _ = torch.ops.noisykernels.forward(LOGITS, LABELS, weight, only.vectors, *spec)

    terms = unpack(only.terms, only.values)
    assert len(rows) == len(columns(terms, weighted, statistics, bounded_scores=True))


@each_bound
@each_loss
def test_rows_of_zeros_have_scores_of_zero(case: Case, bound: Bound, backend: str) -> None:
    if case.normalized:
        pytest.skip("equal logits")
    x, labels = torch.randn(3, 5), torch.tensor([1, 2, 3])
    x[1] = 0
    loss = case.module(5, reduction="none")
    value, gradient = value_and_gradient(lambda z: bound(loss, 2.0)(z, labels), x)
    plain, plain_gradient = value_and_gradient(lambda z: loss(z, labels), x)
    torch.testing.assert_close(value[1], plain[1])
    # What has no direction gets none; what is short is left alone.
    expected = plain_gradient[1] if bound is Clipped else torch.zeros(5)
    torch.testing.assert_close(gradient[1], expected)


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
@each_bound
@each_kind_of_pass
def test_a_row_that_is_not_finite(case: Case, bound: Bound, odd: float, backend: str) -> None:
    check_a_row_that_is_not_finite(case, bound, odd)


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
@each_bound
@each_kind_of_pass
@pytest.mark.usefixtures("split")
def test_a_long_row_that_is_not_finite(case: Case, bound: Bound, odd: float) -> None:
    with backends.use("triton"):
        check_a_row_that_is_not_finite(case, bound, odd)


def check_a_row_that_is_not_finite(case: Case, bound: Bound, odd: float) -> None:
    """It is NaN, unless its label is ignored; the others do not notice."""
    x, labels = torch.randn(3, 5), torch.tensor([0, 2, 4])
    loss = bound(case.module(5, reduction="none"), 2.0)
    expected = value_and_gradient(lambda z: loss(z, labels), x)
    x[1, 3] = odd
    value, gradient = value_and_gradient(lambda z: loss(z, labels), x)
    assert value[1].isnan()
    assert gradient[1].isnan().all()
    keep = torch.tensor([0, 2])
    assert_same_bits((value[keep], gradient[keep]), tuple(t[keep] for t in expected))
    labels[1] = -100
    value, gradient = value_and_gradient(lambda z: loss(z, labels), x)
    assert value[1] == 0
    assert not gradient[1].any()


@each_bound
def test_options(bound: Bound, backend: str) -> None:
    """Class weights, ignored samples, sample weights, reductions, statistics of the scores."""
    x, labels = 3 * torch.randn(6, 5), torch.tensor([0, 1, -100, 3, 4, 0])
    sample_weight = torch.rand(6)
    for reduction in "none", "mean", "sum":
        loss = nk.loss("ce + 0.5*nce + 0.1*muh", weight=torch.rand(5), reduction=reduction)
        found, stats = bound(loss, 2.0)(x, labels, sample_weight=sample_weight, return_stats=True)
        expected, of_scores = loss(
            SEPARATE[bound](x, 2.0), labels, sample_weight=sample_weight, return_stats=True
        )
        torch.testing.assert_close(found, expected)
        torch.testing.assert_close(tuple(stats), tuple(of_scores), equal_nan=True)


@each_bound
def test_sums_of_several_passes(bound: Bound) -> None:
    """More exponents than one pass carries."""
    loss = sum(nk.SGCELoss(q=q) for q in (0.2, 0.4, 0.6, 0.8))
    assert len(bound(loss, 2.0)._plan.passes) == 2
    torch.testing.assert_close(
        value_and_gradient(lambda z: bound(loss, 2.0)(z, LABELS), LOGITS),
        value_and_gradient(lambda z: loss(SEPARATE[bound](z, 2.0), LABELS), LOGITS),
    )


@each_bound
def test_what_the_reference_computes(bound: Bound) -> None:
    """Learned numbers, what authors have published, probabilities: with gradients of all."""
    q = nn.Parameter(torch.tensor(0.7))
    probabilities = torch.randn(3, 4).softmax(1)
    for loss, target in (
        (nk.GCELoss(q=q), LABELS),
        (nk.BootstrapHardLoss(published=True), LABELS),
        (nk.CELoss(), probabilities),
    ):
        step = partial(value_and_gradient, logits=LOGITS)
        torch.testing.assert_close(
            step(partial(bound(loss, 2.0), target=target)),
            step(lambda z, c=loss, t=target: c(SEPARATE[bound](z, 2.0), t)),
        )
    criterion = bound(nk.GCELoss(q=q), 2.0)
    assert list(criterion.parameters()) == [q]
    criterion(LOGITS, LABELS).backward()
    assert q.grad is not None


@each_bound
@each_kind_of_pass
def test_passes_of_their_own(case: Case, bound: Bound) -> None:
    """What the reference does, statistics included."""
    loss = bound(case.module(4), 1.0)
    expected = value_and_gradient(lambda z: loss(z, LABELS), LOGITS)
    _, stats = loss(LOGITS, LABELS, return_stats=True)
    with backends.use("reference"):
        torch.testing.assert_close(value_and_gradient(lambda z: loss(z, LABELS), LOGITS), expected)
        torch.testing.assert_close(tuple(loss(LOGITS, LABELS, return_stats=True)[1]), tuple(stats))


def test_modules_add_where_their_scores_are_the_same() -> None:
    both = 2 * Normalized(nk.CELoss(), 3.0) - Normalized(nk.MAELoss(), 3)
    assert str(both) == "SumLoss(2.0*ce - mae, scale=3.0)"
    expected = Normalized(2 * nk.CELoss() - nk.MAELoss(), 3.0)
    assert both(LOGITS, LABELS) == expected(LOGITS, LABELS)
    assert copy.deepcopy(both)(LOGITS, LABELS) == expected(LOGITS, LABELS)
    for other in nk.MAELoss(), Normalized(nk.MAELoss(), 2.0), Clipped(nk.MAELoss(), 3.0):
        with pytest.raises(ValueError, match=r"only if their scores is the same, got 'scale=3.0'"):
            both + other


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (partial(Normalized, scale=0.0), ValueError, "scale must satisfy scale > 0, got 0.0"),
        (partial(Clipped, delta=-1), ValueError, "delta must satisfy delta > 0, got -1"),
        (partial(Clipped, delta="1"), TypeError, "delta must be a real number, got '1'"),
        (partial(Clipped, delta=LOGITS[0]), TypeError, "delta must be a number, got a float32 t"),
        (
            lambda loss: Clipped(Normalized(loss), 1.0),
            ValueError,
            r"loss must be of logits as they are, got Normalized\(mae, scale=1.0\)",
        ),
        (
            lambda _: Normalized(nn.CrossEntropyLoss()),
            TypeError,
            "loss must be a loss of noisykernels, got an object of type CrossEntropyLoss",
        ),
    ],
)
def test_what_is_refused(
    make: Callable[[Loss], Loss], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make(nk.MAELoss())
