"""Methods with state: against their papers' code retyped, and through a checkpoint."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from noisykernels.methods import D2L, ELR, local_intrinsic_dimensionality

SAMPLES, CLASSES, BATCH = 20, 5, 8


class PublishedELR:
    """`elr_loss` of the authors' code, with lists and clamps as there."""

    def __init__(self, strength: float, beta: float) -> None:
        self.target = torch.zeros(SAMPLES, CLASSES)
        self.strength, self.beta = strength, beta

    def __call__(self, index: Tensor, output: Tensor, label: Tensor) -> Tensor:
        y_pred = torch.clamp(F.softmax(output, dim=1), 1e-4, 1.0 - 1e-4)
        y = y_pred.data.detach()
        normalized = y / y.sum(dim=1, keepdim=True)
        self.target[index] = self.beta * self.target[index] + (1 - self.beta) * normalized
        ce = F.cross_entropy(output, label)
        regularizer = ((1 - (self.target[index] * y_pred).sum(dim=1)).log()).mean()
        return ce + self.strength * regularizer


@pytest.mark.usefixtures("backend")
def test_elr_trains_as_the_published_code() -> None:
    ours = ELR(SAMPLES, CLASSES, strength=3.0, beta=0.7)
    theirs = PublishedELR(3.0, 0.7)
    for _ in range(5):
        index = torch.randperm(SAMPLES)[:BATCH]
        x, y = torch.randn(BATCH, CLASSES, requires_grad=True), torch.randint(CLASSES, (BATCH,))
        loss, expected = ours(x, y, index), theirs(index, x, y)
        torch.testing.assert_close(loss, expected)
        (mine,), (other,) = torch.autograd.grad(loss, x), torch.autograd.grad(expected, x)
        torch.testing.assert_close(mine, other)
        torch.testing.assert_close(ours.targets, theirs.target)


def test_elr_continues_from_a_checkpoint() -> None:
    x, y = torch.randn(BATCH, CLASSES), torch.randint(CLASSES, (BATCH,))
    index = torch.arange(BATCH)
    first = ELR(SAMPLES, CLASSES)
    first(x, y, index)
    second = ELR(SAMPLES, CLASSES)
    second.load_state_dict(first.state_dict())
    assert torch.equal(second(x, y, index), first(x, y, index))


def test_elr_has_derivatives_of_second_order() -> None:
    index, y = torch.arange(3), torch.tensor([0, 4, 2])
    x = torch.randn(3, CLASSES, dtype=torch.float64, requires_grad=True)

    def loss(x: Tensor) -> Tensor:
        criterion = ELR(SAMPLES, CLASSES, beta=0.0).double()
        criterion._updated = lambda *_: torch.full((3, CLASSES), 0.2, dtype=torch.float64)
        return criterion(x, y, index)

    assert torch.autograd.gradcheck(loss, (x,))
    assert torch.autograd.gradgradcheck(loss, (x,))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"num_samples": 0}, ValueError, "num_samples must be at least 1, got 0"),
        ({"num_classes": 1}, ValueError, "num_classes must be at least 2, got 1"),
        ({"strength": -1.0}, ValueError, "strength must satisfy strength >= 0"),
        ({"beta": 1.0}, ValueError, "beta must satisfy 0 <= beta < 1"),
        ({"reduction": "avg"}, ValueError, "reduction must be"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_elr_names_the_argument(change: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ELR(**{"num_samples": SAMPLES, "num_classes": CLASSES} | change)


@pytest.mark.parametrize(
    ("logits", "index", "error", "message"),
    [
        (torch.zeros(2, 4), torch.tensor([0, 1]), ValueError, r"input must have shape \(N, 5\)"),
        (torch.zeros(2, 5), torch.tensor([0]), ValueError, "index must have the shape of target"),
        (torch.zeros(2, 5), torch.tensor([0, 20]), IndexError, r"index must be in \[0, 20\)"),
    ],
    ids=["classes", "shape", "range"],
)
def test_elr_names_what_is_wrong_with_a_call(
    logits: Tensor, index: Tensor, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        ELR(SAMPLES, CLASSES)(logits, torch.tensor([0, 1]), index)


@pytest.mark.parametrize("dimension", [1, 2, 4])
def test_lid_finds_the_dimension_of_a_plane_in_a_larger_space(dimension: int) -> None:
    """Within a quarter: with k of 1,000 neighbors the cube's border biases it."""
    plane = torch.rand(1000, dimension, dtype=torch.float64)
    features = torch.cat([plane, torch.zeros(1000, 10)], dim=1)
    assert local_intrinsic_dimensionality(features) == pytest.approx(dimension, rel=0.25)


def features_of_dimension(dimension: int) -> Tensor:
    generator = torch.Generator().manual_seed(dimension)
    return torch.rand(200, dimension, generator=generator)


def test_d2l_turns_where_the_dimension_rises() -> None:
    criterion = D2L(epochs=10, window=3)
    x, y = torch.randn(4, 5), torch.tensor([0, 1, 2, 3])
    for dimension in (8, 6, 4):
        criterion.end_epoch(features_of_dimension(dimension))
        assert torch.equal(criterion(x, y), F.cross_entropy(x, y)) or not criterion.turned
    newest = criterion.end_epoch(features_of_dimension(12))
    assert criterion.turned
    assert criterion.alpha == pytest.approx(math.exp(-4 / 10 * newest / min(criterion.lids[:3])))
    adapted = criterion.alpha * F.one_hot(y, 5) + (1 - criterion.alpha) * F.one_hot(x.argmax(1), 5)
    torch.testing.assert_close(criterion(x, y), F.cross_entropy(x, adapted))


def test_d2l_continues_from_a_checkpoint() -> None:
    first = D2L(epochs=10, window=2)
    for dimension in (6, 4, 12):
        first.end_epoch(features_of_dimension(dimension))
    second = D2L(epochs=10, window=2)
    second.load_state_dict(first.state_dict())
    assert (second.alpha, second.lids, second.turned) == (first.alpha, first.lids, True)


def test_d2l_names_the_argument() -> None:
    with pytest.raises(ValueError, match="epochs must be at least 1, got 0"):
        D2L(epochs=0)
    with pytest.raises(ValueError, match="neighbors must be at least 2 and below the 10 rows"):
        local_intrinsic_dimensionality(torch.rand(10, 3), neighbors=10)
    with pytest.raises(ValueError, match=r"features must have shape \(N, D\), got \(10,\)"):
        local_intrinsic_dimensionality(torch.rand(10))
