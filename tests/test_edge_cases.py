"""Inputs at the edge of what a loss takes. Where cross entropy has an answer, it is torch's."""

from __future__ import annotations

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from cases import REPRESENTATIVES, Case, each_kind_of_pass, each_loss, each_of
from torch import Tensor

import noisykernels.functional as NF

NAN, INF = float("nan"), float("inf")
REDUCTIONS = ["none", "mean", "sum"]

pytestmark = pytest.mark.usefixtures("simd_level")

each_reduction = pytest.mark.parametrize("reduction", REDUCTIONS)
same = partial(torch.testing.assert_close, rtol=2e-6, atol=1e-7, equal_nan=True)


def value_and_gradient(loss, logits: Tensor, target: Tensor, **options) -> tuple[Tensor, Tensor]:
    x = logits.detach().clone().requires_grad_()
    value = loss(x, target, **options)
    value.backward(torch.linspace(0.5, 2, value.numel()).reshape(value.shape).to(value.dtype))
    assert x.grad is not None
    return value.detach(), x.grad


def assert_like_torch(logits: Tensor, target: Tensor, **options) -> None:
    (value, gradient), (expected, expected_gradient) = (
        value_and_gradient(loss, logits, target, **options)
        for loss in (NF.ce_loss, F.cross_entropy)
    )
    same(value, expected)
    same(gradient, expected_gradient)


@each_reduction
@each_loss
def test_no_rows(case: Case, reduction: str) -> None:
    value, gradient = value_and_gradient(
        case, torch.empty(0, 10), torch.empty(0).long(), reduction=reduction
    )
    expected = {"none": torch.empty(0), "mean": torch.tensor(NAN), "sum": torch.tensor(0.0)}
    same(value, expected[reduction])
    assert gradient.shape == (0, 10)
    empty_map = case(torch.empty(2, 10, 0), torch.empty(2, 0).long(), reduction=reduction)
    assert empty_map.shape == ((2, 0) if reduction == "none" else ())


@each_reduction
@each_loss
def test_all_rows_ignored(case: Case, reduction: str) -> None:
    logits, labels = torch.randn(20, 10), torch.full((20,), -100)
    value, gradient = value_and_gradient(case, logits, labels, reduction=reduction)
    assert torch.equal(gradient, torch.zeros(20, 10))
    if reduction == "mean":
        assert value.isnan()
    else:
        assert torch.equal(value, torch.zeros(20) if reduction == "none" else torch.tensor(0.0))
    assert_like_torch(logits, labels, reduction=reduction)


@each_of([case for case in REPRESENTATIVES if not case.normalized])
def test_one_class(case: Case) -> None:
    """p = 1 whatever the logit: a constant, and the penalty on the logit itself."""
    logits, labels = torch.randn(20, 1), torch.zeros(20).long()
    value, gradient = value_and_gradient(case, logits, labels, reduction="none")
    quadratic = 0.5 if case.name == "centered_square" else case.parameters.get("quadratic", 0.0)
    constant = case(torch.zeros(1, 1), torch.zeros(1).long())
    same(value, constant + quadratic * logits[:, 0] ** 2)
    upstream = torch.linspace(0.5, 2, 20)[:, None]
    same(gradient, 2 * quadratic * logits * upstream)


@each_reduction
@pytest.mark.parametrize("ignore_index", [-100, -1, 0, 3, 255, 10**9])
@each_kind_of_pass
def test_ignored_rows_are_as_if_absent(case: Case, ignore_index: int, reduction: str) -> None:
    logits, labels = torch.randn(50, 7), torch.randint(7, (50,))
    labels[::3] = ignore_index
    kept = labels != ignore_index
    weight = torch.rand(7)
    options = {"weight": weight, "reduction": reduction}
    x = logits.clone().requires_grad_()
    value = case(x, labels, ignore_index=ignore_index, **options)
    kept_x = logits[kept].requires_grad_()
    expected = case(kept_x, labels[kept], **options)
    value.sum().backward()
    expected.sum().backward()
    same(value[kept] if reduction == "none" else value, expected)
    same(x.grad[kept], kept_x.grad)
    assert not x.grad[~kept].any()
    if reduction == "none":
        assert not value[~kept].any()


@each_reduction
@pytest.mark.parametrize("poison", [NAN, INF, -INF])
@each_kind_of_pass
def test_an_ignored_row_may_hold_anything(case: Case, poison: float, reduction: str) -> None:
    """torch's gradient is NaN there; ours is exactly zero, and so is the second derivative."""
    clean, labels = torch.randn(37, 7), torch.randint(7, (37,))
    labels[::4] = -100
    spoiled = clean.clone()
    spoiled[::4] = poison
    found, expected = (
        value_and_gradient(case, x, labels, reduction=reduction) for x in (spoiled, clean)
    )
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[1])
    assert not found[1][::4].any()

    x = spoiled.double().requires_grad_()
    total = case(x, labels, reduction=reduction).sum()
    (gradient,) = torch.autograd.grad(total, x, create_graph=True)
    (second,) = torch.autograd.grad(gradient.square().sum(), x)
    assert not second[::4].any()
    assert second.isfinite().all()


ROWS_OF_INFINITIES = {
    "nan": [NAN, 0.0, 1.0],
    "+inf on another class": [0.0, INF, 1.0],
    "+inf on the label": [INF, 0.0, 1.0],
    "+inf twice": [INF, INF, 1.0],
    "-inf on another class": [0.0, -INF, 1.0],
    "-inf on the label": [-INF, 0.0, 1.0],
    "-inf everywhere else": [0.0, -INF, -INF],
    "-inf everywhere": [-INF, -INF, -INF],
    "+inf and -inf": [0.0, INF, -INF],
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("classes", [3, 40])
@pytest.mark.parametrize("kind", ROWS_OF_INFINITIES)
def test_infinities_as_in_torch(kind: str, classes: int, dtype: torch.dtype) -> None:
    logits = torch.randn(3, classes)
    if "everywhere" in kind:
        logits[1] = -INF
    logits[1, :3] = torch.tensor(ROWS_OF_INFINITIES[kind])
    labels = torch.tensor([1, 0, 2])
    for reduction in REDUCTIONS:
        ours, torchs = (
            value_and_gradient(loss, x, labels, reduction=reduction)
            for loss, x in (
                (NF.ce_loss, logits.to(dtype)),
                (F.cross_entropy, logits.to(dtype).double()),
            )
        )
        tolerance = {"rtol": 1e-2, "atol": 1e-3} if dtype == torch.bfloat16 else {}
        same(ours[0].double(), torchs[0], **tolerance)
        same(ours[1].double(), torchs[1], **tolerance)


@pytest.mark.parametrize("kind", ["nan", "+inf on another class", "-inf everywhere"])
@each_loss
def test_a_row_without_an_answer_is_nan_and_leaves_the_others_alone(case: Case, kind: str) -> None:
    logits, labels = torch.randn(20, 3), torch.randint(3, (20,))
    labels[5] = 0
    expected, expected_gradient = value_and_gradient(case, logits, labels, reduction="none")
    logits[5] = torch.tensor(ROWS_OF_INFINITIES[kind])
    value, gradient = value_and_gradient(case, logits, labels, reduction="none")
    others = torch.arange(20) != 5
    assert torch.equal(value[others], expected[others])
    assert torch.equal(gradient[others], expected_gradient[others])
    assert not value[5].isfinite()  # infinite for MUH alone, which has no softmax


@each_loss
def test_a_masked_class_gets_no_gradient(case: Case) -> None:
    """-inf on a class that is not the label, as in masking: MUH, whose mean takes it in, aside."""
    logits, labels = torch.randn(20, 6), torch.randint(5, (20,))
    logits[:, 5] = -INF
    value, gradient = value_and_gradient(case, logits, labels, reduction="none")
    # These lose -inf / C or an infinite square or logarithm; the others forget the class.
    if (
        case.name in ("muh", "centered_square", "backward")
        or "convex" in case.parameters.values()
        or case.smoothed
    ):
        assert not value.isfinite().any()
    else:
        assert value.isfinite().all()
        assert not gradient[:, 5].any()
        assert gradient.isfinite().all()


@each_reduction
def test_class_weights_as_in_torch(reduction: str) -> None:
    logits, labels = torch.randn(40, 6), torch.randint(6, (40,))
    labels[::5] = -100
    for smoothing in 0.0, 0.1:
        options = {"reduction": reduction, "label_smoothing": smoothing}
        assert_like_torch(logits, labels, **options)
        assert_like_torch(logits, labels, weight=torch.rand(6), **options)
        assert_like_torch(logits, labels, weight=torch.tensor([0.0, 1, 0, 2, 0, 0.5]), **options)
        assert_like_torch(logits, labels, weight=torch.zeros(6), **options)


@each_loss
def test_classes_of_weight_zero_have_no_loss(case: Case) -> None:
    logits, labels = torch.randn(40, 6), torch.arange(40) % 6
    weight = torch.tensor([0.0, 1, 0, 2, 0, 0.5])
    value, gradient = value_and_gradient(case, logits, labels, weight=weight, reduction="none")
    weightless = weight[labels] == 0
    if not case.smoothed:
        assert not value[weightless].any()
        assert not gradient[weightless].any()
    assert (value[~weightless] != 0).all()


LABELS_OUT_OF_RANGE = {
    "too large": (torch.tensor([0, 1, 7, 2]), r"target\[2\] is 7"),
    "negative": (torch.tensor([0, -1, 1, 2]), r"target\[1\] is -1"),
    "the first of two": (torch.tensor([0, 9, 8, 2]), r"target\[1\] is 9"),
    "huge": (torch.tensor([0, 1, 2, 2**62]), rf"target\[3\] is {2**62}"),
    "of a map": (torch.tensor([[0, 1, 2], [2, 1, 5]]), r"target\[1, 2\] is 5"),
    "of a strided map": (torch.tensor([[0, 2], [1, 1], [2, 5]]).T, r"target\[1, 2\] is 5"),
    "of a volume": (torch.tensor([[[0, 1]], [[4, 2]]]), r"target\[1, 0, 0\] is 4"),
    "of one row": (torch.tensor(3), "target is 3"),
    "of int32": (torch.tensor([0, 5], dtype=torch.int32), r"target\[1\] is 5"),
    "of uint8": (torch.tensor([0, 156], dtype=torch.uint8), r"target\[1\] is 156"),
}


@pytest.mark.parametrize("kind", LABELS_OUT_OF_RANGE)
@each_loss
def test_a_label_out_of_range_is_named(case: Case, kind: str) -> None:
    labels, message = LABELS_OUT_OF_RANGE[kind]
    shape = (3,) if labels.dim() == 0 else (labels.shape[0], 3, *labels.shape[1:])
    logits = torch.randn(shape)
    with pytest.raises(IndexError, match=message):
        case(logits, labels)
    good = torch.zeros_like(labels)  # and the next call is right
    zeros = torch.zeros(shape)
    same(case(zeros, good), case(zeros.double(), good).float())


@pytest.mark.parametrize("dtype", [torch.int32, torch.uint8], ids=str)
@each_loss
def test_dtypes_of_labels(case: Case, dtype: torch.dtype) -> None:
    logits, labels = torch.randn(40, 200), torch.randint(200, (40,))
    expected = value_and_gradient(case, logits, labels)
    found = value_and_gradient(case, logits, labels.to(dtype))
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[1])
    ignoring = value_and_gradient(case, logits, labels, ignore_index=int(labels[0]))
    found = value_and_gradient(case, logits, labels.to(dtype), ignore_index=int(labels[0]))
    assert torch.equal(found[1], ignoring[1])
    assert not found[1][0].any()
