"""Label noise: exact rates, transition matrices, reproducible draws, errors that name the cause."""

from __future__ import annotations

import doctest
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

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
def test_properties_of_symmetric_noise(labels_classes, rate, exclude_true, seed):
    clean, classes = labels_classes
    before = clean.clone()
    noisy, transition = noise.symmetric(clean, rate, classes, exclude_true=exclude_true, seed=seed)
    assert torch.equal(clean, before)
    assert noisy.shape == clean.shape
    assert noisy.dtype == torch.int64
    assert ((noisy >= 0) & (noisy < classes)).all()

    wrong = int((noisy != clean).sum())
    redrawn = round(rate * len(clean))
    assert wrong == redrawn if exclude_true else wrong <= redrawn

    torch.testing.assert_close(transition.sum(1), torch.ones(classes, dtype=torch.float64))
    assert torch.equal(transition, noise.transition_matrix(clean, noisy, classes))


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.4, 0.8, 1.0])
def test_rate_is_exact_without_the_true_class(rate):
    noisy, _ = noise.symmetric(CLEAN, rate, CLASSES)
    assert int((noisy != CLEAN).sum()) == round(rate * len(CLEAN))


@pytest.mark.parametrize("rate", [0.2, 0.8, 1.0])
def test_rate_with_the_true_class_is_lower(rate):
    """5 standard deviations of the number of redrawn labels that stay."""
    noisy, _ = noise.symmetric(CLEAN, rate, CLASSES, exclude_true=False)
    redrawn = round(rate * len(CLEAN))
    stayed = redrawn - int((noisy != CLEAN).sum())
    deviation = (redrawn * 0.1 * 0.9) ** 0.5
    assert abs(stayed - redrawn / CLASSES) < 5 * deviation


@pytest.mark.parametrize("exclude_true", [True, False])
def test_redrawn_labels_are_uniform(exclude_true):
    """At rate 1 each row of the matrix is the distribution of a redrawn label."""
    clean = CLEAN.repeat(10)
    _, transition = noise.symmetric(clean, 1.0, CLASSES, exclude_true=exclude_true)
    expected = torch.full((CLASSES, CLASSES), 1 / (CLASSES - exclude_true), dtype=torch.float64)
    if exclude_true:
        expected.fill_diagonal_(0)
    samples_of_a_class = len(clean) / CLASSES
    deviation = (0.1 * 0.9 / samples_of_a_class) ** 0.5
    torch.testing.assert_close(transition, expected, rtol=0, atol=5 * deviation)
    if exclude_true:
        assert transition.diagonal().eq(0).all()


def test_two_classes_swap():
    clean = torch.tensor([0, 1, 1, 0])
    assert noise.symmetric(clean, 1.0, 2).labels.tolist() == [1, 0, 0, 1]


def test_one_class_can_only_be_redrawn_as_itself():
    clean = torch.zeros(4, dtype=torch.int64)
    assert noise.symmetric(clean, 1.0, 1, exclude_true=False).labels.tolist() == [0] * 4


def test_known_draw():
    """Fixed by the seed: a change here changes everybody's experiments."""
    noisy = noise.symmetric(range(10), 0.5, 10, seed=0).labels
    assert noisy.tolist() == [0, 0, 2, 7, 5, 2, 6, 0, 8, 9]


def test_seeds():
    first, again, other = (noise.symmetric(CLEAN, 0.4, CLASSES, seed=s).labels for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_higher_rate_redraws_the_same_labels_and_more():
    low, high = (noise.symmetric(CLEAN, rate, CLASSES, seed=3).labels for rate in (0.2, 0.6))
    assert (high != CLEAN)[low != CLEAN].all()


def test_global_random_state_is_neither_read_nor_changed():
    torch.manual_seed(0)
    first = noise.symmetric(CLEAN, 0.4, CLASSES).labels
    state = torch.get_rng_state()
    torch.manual_seed(1)
    assert torch.equal(noise.symmetric(CLEAN, 0.4, CLASSES).labels, first)
    torch.manual_seed(0)
    assert torch.equal(torch.get_rng_state(), state)


def test_default_device_does_not_matter():
    expected = noise.symmetric(CLEAN, 0.4, CLASSES)
    with torch.device("meta"):
        noisy, transition = noise.symmetric(CLEAN, 0.4, CLASSES)
    assert torch.equal(noisy, expected.labels)
    assert torch.equal(transition, expected.transition)


@pytest.mark.parametrize(
    "convert",
    [
        pytest.param(lambda labels: labels.to(torch.int32), id="int32"),
        pytest.param(lambda labels: labels.to(torch.uint8), id="uint8"),
        pytest.param(lambda labels: labels.tolist(), id="list"),
        pytest.param(lambda labels: labels.numpy().astype(np.int16), id="numpy"),
        pytest.param(lambda labels: labels.repeat_interleave(2)[::2], id="strided"),
    ],
)
def test_kinds_of_labels(convert):
    expected = noise.symmetric(CLEAN, 0.4, CLASSES).labels
    noisy = noise.symmetric(convert(CLEAN), 0.4, CLASSES).labels
    assert noisy.dtype == torch.int64
    assert torch.equal(noisy, expected)


def test_transition_matrix_counts():
    clean = torch.tensor([0, 0, 0, 0, 1, 1, 3])
    noisy = torch.tensor([0, 1, 1, 3, 1, 0, 2])
    expected = torch.tensor(
        [[0.25, 0.5, 0, 0.25], [0.5, 0.5, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0]], dtype=torch.float64
    )  # class 2 has no sample: the row of the identity
    assert torch.equal(noise.transition_matrix(clean, noisy, 4), expected)


def test_transition_matrix_of_nothing_is_the_identity():
    nothing = torch.empty(0, dtype=torch.int64)
    assert torch.equal(noise.transition_matrix(nothing, nothing, 3), torch.eye(3).double())


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"rate": 1.5}, ValueError, "rate must be in [0, 1], got 1.5"),
        ({"rate": -0.1}, ValueError, "rate must be in [0, 1], got -0.1"),
        ({"rate": float("nan")}, ValueError, "rate must be in [0, 1], got nan"),
        ({"rate": "0.4"}, TypeError, "rate must be a number, got str"),
        ({"rate": True}, TypeError, "rate must be a number, got bool"),
        ({"labels": [0, 1, 3, 4]}, ValueError, "labels must be in [0, 3), got labels[2] = 3"),
        ({"labels": [0, -1]}, ValueError, "labels must be in [0, 3), got labels[1] = -1"),
        ({"labels": [[0], [1]]}, ValueError, "got shape (2, 1)"),
        ({"labels": [0.0, 1.0]}, TypeError, "got dtype torch.float32"),
        ({"labels": [True, False]}, TypeError, "got dtype torch.bool"),
        ({"labels": ["cat", "dog"]}, TypeError, "labels must be a 1-D tensor or sequence"),
        ({"num_classes": 1, "labels": [0]}, ValueError, "num_classes must be at least 2"),
        (
            {"num_classes": 0, "labels": [], "exclude_true": False},
            ValueError,
            "num_classes must be at least 1 with exclude_true=False, got 0",
        ),
        ({"num_classes": 3.0}, TypeError, "num_classes must be an integer, got float"),
        ({"seed": -1}, ValueError, "seed must be in [0, 2^64), got -1"),
        ({"seed": 2**64}, ValueError, "seed must be in [0, 2^64)"),
        ({"seed": None}, TypeError, "seed must be an integer, got NoneType"),
    ],
    ids=lambda value: repr(value) if isinstance(value, dict) else "",
)
def test_errors_name_argument_value_and_expectation(arguments, error, message):
    arguments = {"labels": [0, 1, 2], "rate": 0.5, "num_classes": 3, **arguments}
    with pytest.raises(error, match=re.escape(message)):
        noise.symmetric(**arguments)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"noisy": [0, 1]}, ValueError, "as many labels as clean, got 2 and 3"),
        ({"noisy": [0, 1, 3]}, ValueError, "noisy must be in [0, 3), got noisy[2] = 3"),
        ({"clean": [0.5, 1, 2]}, TypeError, "clean must be"),
        ({"num_classes": 0}, ValueError, "num_classes must be at least 1, got 0"),
    ],
)
def test_errors_of_transition_matrix(arguments, error, message):
    arguments = {"clean": [0, 1, 2], "noisy": [0, 1, 2], "num_classes": 3, **arguments}
    with pytest.raises(error, match=re.escape(message)):
        noise.transition_matrix(**arguments)


def test_examples_in_docstrings():
    results = doctest.testmod(noise)
    assert results.attempted > 0
    assert results.failed == 0
