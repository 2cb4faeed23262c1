"""The reference's cross entropy is torch's own: labels, smoothed labels, probabilities."""

from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F
from reference_cases import batch, value_and_grad

from noisykernels import reference

NAN, INF = float("nan"), float("inf")

SHAPES = [
    pytest.param((4,), id="one-row"),
    pytest.param((7, 4), id="rows"),
    pytest.param((3, 4, 5), id="sequence"),
    pytest.param((2, 4, 3, 2), id="image"),
    pytest.param((5, 1), id="one-class"),
    pytest.param((0, 4), id="no-row"),
    pytest.param((2, 4, 0), id="empty-sequence"),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ce_is_torch_cross_entropy(shape, dtype):
    logits, target = batch(*shape, dtype=dtype)
    classes = logits.shape[min(1, logits.dim() - 1)]
    weights = torch.linspace(2.0, 0.0, classes, dtype=dtype)  # the last of several weighs 0
    for weight, ignore_index, smoothing, reduction in itertools.product(
        (None, weights), (-100, 0), (0.0, 0.2, 1.0), ("none", "mean", "sum")
    ):
        arguments = {
            "weight": weight,
            "ignore_index": ignore_index,
            "label_smoothing": smoothing,
            "reduction": reduction,
        }
        ours = value_and_grad(reference.ce_loss, logits, target, **arguments)
        torchs = value_and_grad(F.cross_entropy, logits, target, **arguments)
        torch.testing.assert_close(
            ours, torchs, equal_nan=True, msg=lambda m, a=arguments: f"{a}\n{m}"
        )


@pytest.mark.parametrize(
    ("row", "label"),
    [
        pytest.param([0.0, -INF, 1.0], 0, id="masked-class"),
        pytest.param([0.0, -INF, 1.0], 1, id="masked-label"),
        pytest.param([0.0, -INF, -INF], 0, id="only-the-label"),
        pytest.param([-INF, -INF, -INF], 0, id="nothing"),
        pytest.param([0.0, INF, 1.0], 1, id="inf-label"),
        pytest.param([0.0, INF, 1.0], 0, id="inf-class"),
        pytest.param([0.0, NAN, 1.0], 0, id="nan"),
        pytest.param([1e30, -1e30, 0.0], 2, id="huge"),
    ],
)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_ce_of_non_finite_rows_is_torch_cross_entropy(row, label, smoothing):
    logits = torch.tensor([row, [0.5, -1.0, 2.0]])
    target = torch.tensor([label, 2])
    for reduction in ("none", "mean"):
        arguments = {"label_smoothing": smoothing, "reduction": reduction}
        torch.testing.assert_close(
            value_and_grad(reference.ce_loss, logits, target, **arguments),
            value_and_grad(F.cross_entropy, logits, target, **arguments),
            equal_nan=True,
        )


def value_and_grads(loss, logits, probabilities, **options):
    """The loss and its gradients by logits and targets."""
    variables = logits.clone().requires_grad_(), probabilities.clone().requires_grad_()
    value = loss(*variables, **options)
    upstream = torch.linspace(0.5, 2, value.numel(), dtype=value.dtype).reshape(value.shape)
    return value.detach(), *torch.autograd.grad(value, variables, upstream)


@pytest.mark.parametrize("shape", SHAPES)
def test_probabilities_as_targets_are_those_of_torch(shape):
    logits, _ = batch(*shape)
    class_dim = min(1, logits.dim() - 1)
    probabilities = logits.flip(0).softmax(class_dim)
    weights = torch.linspace(2.0, 0.0, logits.shape[class_dim], dtype=torch.float64)
    for weight, smoothing, reduction in itertools.product(
        (None, weights), (0.0, 0.2), ("none", "mean", "sum")
    ):
        arguments = {"weight": weight, "label_smoothing": smoothing, "reduction": reduction}
        ours = value_and_grads(reference.ce_loss, logits, probabilities, **arguments)
        torchs = value_and_grads(F.cross_entropy, logits, probabilities, **arguments)
        torch.testing.assert_close(
            ours, torchs, equal_nan=True, msg=lambda m, a=arguments: f"{a}\n{m}"
        )


def test_probabilities_as_targets_have_second_derivatives():
    logits, _ = batch(4, 3)
    variables = logits.requires_grad_(), logits.detach().flip(0).softmax(1).requires_grad_()
    assert torch.autograd.gradcheck(reference.ce_loss, variables)
    assert torch.autograd.gradgradcheck(reference.ce_loss, variables)


def test_probabilities_of_one_class_are_its_label():
    """To the last digits: a confident row's gradient is no difference of numbers near 1."""
    logits = torch.tensor([[60.0, 0.0, 1.0], [-60.0, 0.0, 1.0]], dtype=torch.float64)
    target = torch.tensor([0, 0])
    torch.testing.assert_close(
        value_and_grad(reference.ce_loss, logits, F.one_hot(target, 3).double()),
        value_and_grad(reference.ce_loss, logits, target),
        rtol=1e-14,
        atol=0,
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_probabilities_in_half_precision(dtype):
    logits, _ = batch(6, 4, dtype=dtype)
    probabilities = logits.flip(0).softmax(1)
    value, *grads = value_and_grads(reference.ce_loss, logits, probabilities)
    expected = F.cross_entropy(logits.float(), probabilities.float())
    torch.testing.assert_close(value, expected)
    assert [g.dtype for g in grads] == [dtype, dtype]


def test_smoothed_labels_under_their_other_names():
    logits, target = batch(9, 4)
    weight = torch.tensor([0.5, 5.0, 1.0, 2.0], dtype=torch.float64)
    for smoothing, other in [
        (0.1, reference.lsr_loss(logits, target, weight=weight)),
        (0.3, reference.lsr_loss(logits, target, 0.3, weight=weight)),
        (0.0, reference.lsr_loss(logits, target, 0.0, weight=weight)),
        (1.0, reference.uniform_ce_loss(logits, target, weight=weight)),
    ]:
        torchs = F.cross_entropy(logits, target, weight, label_smoothing=smoothing)
        torch.testing.assert_close(other, torchs)
