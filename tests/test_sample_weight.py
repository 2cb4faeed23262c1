"""Weights of samples: they multiply the losses of samples and count in the mean's divisor."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from cases import Case, each_core_loss, each_loss
from criteria import INF, NAN, value_and_gradient
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

import noisykernels as nk

REDUCTIONS = ["none", "mean", "sum"]
CLASSES = 5
IGNORED = 3
CLASS_WEIGHT = torch.tensor([0.5, 2.0, 0.25, 1.0, 1.5], dtype=torch.float64)

each_reduction = pytest.mark.parametrize("reduction", REDUCTIONS)
close = partial(torch.testing.assert_close, rtol=1e-12, atol=1e-13)

SHAPES = {"(C,)": (5,), "(N, C)": (7, 5), "(N, C, d1, d2)": (3, 5, 3, 2)}


def batch(shape: tuple[int, ...] = (7, 5)) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, labels, and weights of samples, one of which is zero and one goes to an ignored."""
    logits = 3 * torch.randn(shape, dtype=torch.float64)
    labels = torch.randint(5, logits.select(int(len(shape) > 1), 0).shape)
    weights = torch.rand(labels.shape, dtype=torch.float64)
    if labels.dim():
        labels[:2] = torch.tensor([IGNORED, 0]).reshape(-1, *[1] * (labels.dim() - 1))
        weights[-1] = 0
    return logits, labels, weights


def assert_the_rule(case: Case, shape: str, weight: Tensor | None, reduction: str) -> None:
    """Mean: sum_i s_i l_i over sum_i s_i w_yi, of the samples that are not ignored."""
    logits, labels, s = batch(SHAPES[shape])
    options = {"weight": weight, "ignore_index": IGNORED}

    def expected(x: Tensor) -> Tensor:
        losses = s * case.module(CLASSES, **options, reduction="none")(x, labels)
        if reduction == "none":
            return losses
        w_y = torch.ones(5).double()[labels] if weight is None else weight[labels]
        return losses.sum() / (1 if reduction == "sum" else (s * w_y * (labels != IGNORED)).sum())

    loss = case.module(CLASSES, **options, reduction=reduction)
    found = value_and_gradient(lambda x: loss(x, labels, sample_weight=s), logits)
    for mine, other in zip(found, value_and_gradient(expected, logits), strict=True):
        close(mine, other)


@each_reduction
@pytest.mark.parametrize("weight", [None, CLASS_WEIGHT], ids=["plain", "class weights"])
@pytest.mark.parametrize("shape", SHAPES)
@each_core_loss
def test_the_rule(case: Case, shape: str, weight: Tensor | None, reduction: str) -> None:
    assert_the_rule(case, shape, weight, reduction)


@each_loss
def test_the_rule_for_every_loss(case: Case) -> None:
    assert_the_rule(case, "(N, C)", CLASS_WEIGHT, "mean")


@each_core_loss
def test_the_rule_on_every_backend(case: Case, backend: str) -> None:
    assert_the_rule(case, "(N, C, d1, d2)", CLASS_WEIGHT, "mean")


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@each_core_loss
def test_a_whole_weight_repeats_the_sample(case: Case, reduction: str) -> None:
    logits, labels, _ = batch()
    times = torch.tensor([1, 3, 0, 2, 1, 1, 5])
    loss = case.module(CLASSES, weight=CLASS_WEIGHT, ignore_index=IGNORED, reduction=reduction)
    found = value_and_gradient(lambda x: loss(x, labels, sample_weight=times.double()), logits)
    repeated = labels.repeat_interleave(times)
    expected = value_and_gradient(lambda x: loss(x.repeat_interleave(times, 0), repeated), logits)
    close(found[0], expected[0])
    close(found[1], expected[1])


@each_reduction
@each_core_loss
def test_derivatives_by_logits_and_weights(case: Case, reduction: str) -> None:
    logits, labels, s = batch((4, 5))
    loss = case.module(CLASSES, weight=CLASS_WEIGHT, ignore_index=IGNORED, reduction=reduction)

    def of_both(x: Tensor, s: Tensor) -> Tensor:
        return loss(x, labels, sample_weight=s)

    inputs = logits.requires_grad_(), (s + 0.1).requires_grad_()
    assert gradcheck(of_both, inputs, check_forward_ad=True)
    assert gradgradcheck(of_both, inputs)


@each_reduction
@pytest.mark.parametrize("poison", [NAN, INF])
@each_core_loss
def test_an_ignored_sample_may_hold_anything(case: Case, poison: float, reduction: str) -> None:
    """Its logits and its weight are not read; both get gradient zero."""
    logits, labels, s = batch()
    ignored = labels == IGNORED
    assert ignored.any()
    loss = case.module(CLASSES, ignore_index=IGNORED, reduction=reduction)
    results = []
    for spoil in (False, True):
        x, weights = logits.clone(), s.clone()
        if spoil:
            x[ignored], weights[ignored] = poison, poison
        x.requires_grad_(), weights.requires_grad_()
        value = loss(x, labels, sample_weight=weights)
        value.sum().backward()
        assert not x.grad[ignored].any()
        assert not weights.grad[ignored].any()
        results.append((value.detach(), x.grad, weights.grad))
    for clean, spoiled in zip(*results, strict=True):
        assert torch.equal(clean, spoiled)


@each_core_loss
def test_no_weight_left_is_nan_as_no_sample_left(case: Case) -> None:
    logits, labels, s = batch()
    for weights, target in [(0 * s, labels), (s, torch.full_like(labels, IGNORED))]:
        loss = case.module(CLASSES, ignore_index=IGNORED)(logits, target, sample_weight=weights)
        assert loss.isnan()
    empty = case.module(CLASSES)(logits[:0], labels[:0], sample_weight=s[:0])
    assert empty.isnan()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32], ids=str)
@each_core_loss
def test_weights_of_another_precision(case: Case, dtype: torch.dtype, backend: str) -> None:
    """Half precision logits have a loss in float32; a weight keeps its own dtype's gradient."""
    logits, labels = torch.randn(7, 5), torch.randint(5, (7,))
    s = torch.rand(7).to(dtype).requires_grad_()
    half = logits.bfloat16().requires_grad_()
    loss = case.module(CLASSES)(half, labels, sample_weight=s)
    loss.backward()
    assert loss.dtype == torch.float32
    assert (half.grad.dtype, s.grad.dtype) == (torch.bfloat16, dtype)
    expected = case.module(CLASSES)(
        half.detach().double(), labels, sample_weight=s.detach().double()
    )
    torch.testing.assert_close(loss.double(), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", ["int32", "uint8"])
@each_reduction
def test_labels_of_other_types_are_not_compared_modulo_their_range(
    kind: str, reduction: str
) -> None:
    """156 is -100 modulo 256."""
    logits, labels, s = torch.randn(6, 200), torch.tensor([156, 0, 156, 199, 3, 4]), torch.rand(6)
    loss = nk.CELoss(weight=torch.rand(200), reduction=reduction)
    other = labels.to(getattr(torch, kind))
    assert torch.equal(loss(logits, other, sample_weight=s), loss(logits, labels, sample_weight=s))


@each_reduction
def test_probabilities_as_targets(reduction: str) -> None:
    logits, labels, s = batch((7, 5))
    probabilities = torch.nn.functional.one_hot(labels, 5).double()
    found = nk.CELoss(reduction=reduction)(logits, probabilities, sample_weight=s)
    close(found, nk.CELoss(reduction=reduction)(logits, labels, sample_weight=s))


@pytest.mark.parametrize(
    "parts",
    [
        [nk.CELoss, nk.MAELoss, nk.MUHLoss],
        [partial(nk.SGCELoss, q=q) for q in (0.1, 0.3, 0.5, 0.7, 0.9)],
    ],
    ids=["one pass", "several passes"],
)
def test_sums_of_losses_take_them_too(parts: list[Any]) -> None:
    logits, labels, s = batch()
    losses = [part(ignore_index=IGNORED) for part in parts]
    close(
        sum(losses)(logits, labels, sample_weight=s),
        sum(loss(logits, labels, sample_weight=s) for loss in losses),
    )


@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])
def test_compiled(dynamic: bool) -> None:
    torch.compiler.reset()
    loss = nk.GCELoss(ignore_index=IGNORED)
    compiled = torch.compile(loss, fullgraph=True, dynamic=dynamic, backend="aot_eager")
    for rows in (7, 9) if dynamic else (7,):
        logits, labels, s = batch((rows, 5))
        found, expected = (
            value_and_gradient(partial(f, target=labels, sample_weight=s), logits)
            for f in (compiled, loss)
        )
        assert torch.equal(found[0], expected[0])
        assert torch.equal(found[1], expected[1])


@each_reduction
def test_gradients_of_single_samples_under_vmap(reduction: str) -> None:
    """Logits of shape (C,) and labels of shape (): an index of no dimension is read otherwise."""
    x, y, s = batch()
    loss = nk.GCELoss(weight=CLASS_WEIGHT, ignore_index=IGNORED, reduction=reduction)
    kept = (y != IGNORED) & (s > 0)  # of a sample that does not count the mean is 0/0

    def one(x: Tensor, y: Tensor, s: Tensor) -> Tensor:
        return loss(x, y, sample_weight=s)

    x, y, s = x[kept], y[kept], s[kept]
    close(
        torch.func.vmap(torch.func.grad(one))(x, y, s),
        torch.stack([torch.func.grad(one)(*row) for row in zip(x, y, s, strict=True)]),
    )


@each_reduction
@each_core_loss
def test_under_vmap(case: Case, reduction: str) -> None:
    """Batches of batches, and as in learned reweighting one gradient of the weights for each."""
    batches = [batch() for _ in range(3)]
    loss = case.module(CLASSES, weight=CLASS_WEIGHT, ignore_index=IGNORED, reduction=reduction)

    def total(s: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return loss(x, y, sample_weight=s).sum()

    logits, labels, s = map(torch.stack, zip(*batches, strict=True))
    close(
        torch.func.vmap(torch.func.grad(total))(s, logits, labels),
        torch.stack([torch.func.grad(total)(s, x, y) for x, y, s in batches]),
    )


WRONG = {
    "a list": ([1.0] * 7, TypeError, "sample_weight must be a tensor, got an object of type list"),
    "integers": (torch.ones(7).int(), TypeError, "sample_weight must be .*, got a int32"),
    "too few": (torch.ones(6), ValueError, r"sample_weight must have shape \(7,\), .* got \(6,\)"),
    "a column": (torch.ones(7, 1), ValueError, r"sample_weight must have .* got \(7, 1\)"),
    "one number": (torch.tensor(1.0), ValueError, r"sample_weight must have .* got \(\)"),
    "elsewhere": (torch.ones(7, device="meta"), RuntimeError, "sample_weight must be on"),
    "sparse": (torch.ones(7).to_sparse(), TypeError, "sample_weight must be a dense tensor"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_named(wrong: str) -> None:
    weights, error, message = WRONG[wrong]
    logits, labels, _ = batch()
    with pytest.raises(error, match=message):
        nk.CELoss()(logits, labels, sample_weight=weights)
    with pytest.raises(error, match=message):
        nk.CELoss()(logits, logits.softmax(1), sample_weight=weights)
