"""Symmetric noise: exact counts, uniform wrong labels, and the counts of published code."""

from __future__ import annotations

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from noisykernels import noise

CLASSES = 10
CLEAN = torch.arange(CLASSES).repeat(500)


@st.composite
def labels_and_classes(draw):
    classes = draw(st.integers(2, 12))
    labels = draw(st.lists(st.integers(0, classes - 1), max_size=60))
    return torch.tensor(labels, dtype=torch.int64), classes


@settings(deadline=None)
@given(labels_and_classes(), st.floats(0, 1), st.booleans(), st.integers(0, 2**64 - 1))
def test_count_of_wrong_labels(labels_classes, rate, exclude_true, seed):
    clean, classes = labels_classes
    noisy, _ = noise.symmetric(clean, rate, classes, exclude_true=exclude_true, seed=seed)
    assert ((noisy >= 0) & (noisy < classes)).all()
    wrong = int((noisy != clean).sum())
    redrawn = round(rate * len(clean))
    assert wrong == redrawn if exclude_true else wrong <= redrawn


@pytest.mark.parametrize("rate", [0.2, 0.8, 1.0])
def test_rate_with_the_true_class_is_lower(rate):
    """5 standard deviations of the number of redrawn labels that stay."""
    noisy, _ = noise.symmetric(CLEAN, rate, CLASSES, exclude_true=False)
    redrawn = round(rate * len(CLEAN))
    stayed = redrawn - int((noisy != CLEAN).sum())
    deviation = (redrawn * 0.1 * 0.9) ** 0.5
    assert abs(stayed - redrawn / CLASSES) < 5 * deviation


@pytest.mark.parametrize(
    ("draw", "possible"),
    [
        pytest.param(lambda labels: noise.symmetric(labels, 1.0, CLASSES), 9, id="symmetric"),
        pytest.param(
            lambda labels: noise.symmetric(labels, 1.0, CLASSES, exclude_true=False),
            10,
            id="with the true class",
        ),
        pytest.param(
            lambda labels: noise.symmetric_per_class(labels, 1.0, CLASSES), 9, id="per class"
        ),
    ],
)
def test_redrawn_labels_are_uniform(draw, possible):
    """At rate 1 each row of the matrix is the distribution of a redrawn label."""
    samples = 5000
    _, transition = draw(torch.arange(CLASSES).repeat(samples))
    if possible == CLASSES - 1:
        assert transition.diagonal().eq(0).all()
    counts = (transition * samples).numpy()
    drawn = counts[counts > 0].reshape(CLASSES, possible)
    assert stats.chisquare(drawn, axis=None, ddof=CLASSES - 1).pvalue > 1e-3


def test_two_classes_swap():
    clean = torch.tensor([0, 1, 1, 0])
    for swap in (noise.symmetric, noise.symmetric_per_class, noise.symmetric_per_pair):
        assert swap(clean, 1.0, 2).labels.tolist() == [1, 0, 0, 1]


def test_one_class_can_only_be_redrawn_as_itself():
    clean = torch.zeros(4, dtype=torch.int64)
    assert noise.symmetric(clean, 1.0, 1, exclude_true=False).labels.tolist() == [0] * 4


def test_known_draw():
    """Fixed by the seed: a change here changes everybody's experiments."""
    noisy = noise.symmetric(range(10), 0.5, 10, seed=0).labels
    assert noisy.tolist() == [0, 0, 2, 7, 5, 2, 6, 0, 8, 9]


def test_a_higher_rate_redraws_the_same_labels_and_more():
    low, high = (noise.symmetric(CLEAN, rate, CLASSES, seed=3).labels for rate in (0.2, 0.6))
    assert (high != CLEAN)[low != CLEAN].all()


@pytest.mark.parametrize(("rate", "count"), [(0.3, 128), (0.0, 0), (0.999, 428)])
def test_per_class_counts_are_truncated_and_equal(rate, count):
    """3,000 samples of 7 classes of unequal size: 900 / 7 is 128.6, and so on."""
    clean = torch.cat([torch.arange(7).repeat(428), torch.tensor([0, 0, 0, 6])])
    noisy, _ = noise.symmetric_per_class(clean, rate, 7)
    assert clean[noisy != clean].bincount(minlength=7).tolist() == [count] * 7


def test_per_class_needs_enough_samples_of_each():
    message = "rate must leave no class with fewer samples than labels to redraw, got 0.8: 2 of "
    with pytest.raises(ValueError, match=re.escape(message + "each class, and class 1 has 1")):
        noise.symmetric_per_class([0, 0, 0, 0, 1], 0.8, 2)


@pytest.mark.parametrize("rate", [0.2, 0.4, 0.6, 0.8])
def test_per_pair_on_cifar100_is_one_percent_short(rate):
    """int(rate * 500 / 99) of each of 99 other classes: 0.198 instead of 0.2."""
    clean = torch.arange(100).repeat(500)
    _, transition = noise.symmetric_per_pair(clean, rate, 100)
    per_pair = {0.2: 1, 0.4: 2, 0.6: 3, 0.8: 4}[rate]
    expected = torch.full((100, 100), per_pair / 500, dtype=torch.float64)
    expected.fill_diagonal_(1 - 99 * per_pair / 500)
    torch.testing.assert_close(transition, expected)


@pytest.mark.parametrize(
    ("model", "arguments", "message"),
    [
        (noise.symmetric, {}, "num_classes must be at least 2 with exclude_true=True, got 1"),
        (
            noise.symmetric,
            {"exclude_true": False, "num_classes": 0},
            "num_classes must be at least 1 with exclude_true=False, got 0",
        ),
        (noise.symmetric_per_class, {}, "num_classes must be at least 2, got 1"),
        (noise.symmetric_per_pair, {}, "num_classes must be at least 2, got 1"),
        (noise.pair_flip, {}, "num_classes must be at least 2, got 1"),
    ],
)
def test_too_few_classes(model, arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        model(**{"labels": [0], "rate": 0.5, "num_classes": 1, **arguments})


def test_number_of_classes_is_an_integer():
    with pytest.raises(TypeError, match="num_classes must be an integer, got float"):
        noise.symmetric([0, 1], 0.5, 3.0)
