"""Estimated transition matrices: the true one is found, outliers are passed over."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from noisykernels import noise

MATRIX = torch.tensor([[0.8, 0.2, 0.0], [0.1, 0.6, 0.3], [0.0, 0.5, 0.5]], dtype=torch.float64)


def test_doubly_labeled_samples_give_the_matrix():
    """5 standard deviations of a share of 20,000 samples."""
    clean = torch.arange(3).repeat(20_000)
    estimate = noise.estimate_transition(clean, noise.from_matrix(clean, MATRIX).labels, 3)
    torch.testing.assert_close(estimate, MATRIX, rtol=0, atol=5 * (0.25 / 20_000) ** 0.5)


def test_pseudocounts_are_added_to_every_pair():
    estimate = noise.estimate_transition([0, 0, 0, 1], [0, 0, 1, 2], 3, pseudocount=0.5)
    counts = torch.tensor([[2.5, 1.5, 0.5], [0.5, 0.5, 1.5], [0.5, 0.5, 0.5]]).double()
    torch.testing.assert_close(estimate, counts / counts.sum(1, keepdim=True))


def test_a_class_without_samples_has_no_estimate():
    with pytest.raises(ValueError, match=r"sample of each class.* got none of class 2"):
        noise.estimate_transition([0, 1], [1, 0], 3)


@pytest.mark.parametrize("pseudocount", [-1, float("inf"), float("nan")])
def test_pseudocount_out_of_range(pseudocount):
    with pytest.raises(ValueError, match="pseudocount must be a finite number from 0, got"):
        noise.estimate_transition([0], [0], 1, pseudocount=pseudocount)


@pytest.mark.parametrize("percentile", [None, 97.0, 50])
def test_perfect_predictions_give_the_matrix(percentile):
    """Posterior of the noisy label of samples whose clean class is certain for every second one."""
    generator = torch.Generator().manual_seed(0)
    certain = torch.eye(3, dtype=torch.float64).repeat(100, 1)
    unsure = torch.rand(300, 3, generator=generator, dtype=torch.float64)
    clean = torch.cat([certain, unsure / unsure.sum(1, keepdim=True)])
    estimate = noise.estimate_transition_from_anchors(clean @ MATRIX, percentile=percentile)
    if percentile is None:
        torch.testing.assert_close(estimate, MATRIX)
    else:  # Anchors of the same certainty are all above the percentile: the next surest is taken.
        assert (estimate.diagonal() < MATRIX.diagonal()).all()
        torch.testing.assert_close(estimate.sum(1), torch.ones(3, dtype=torch.float64))


@pytest.mark.parametrize("samples", [10, 101, 1000])
def test_anchor_is_the_surest_below_numpys_percentile(samples):
    generator = torch.Generator().manual_seed(samples)
    probabilities = torch.rand(samples, 4, generator=generator).softmax(1)
    estimate = noise.estimate_transition_from_anchors(probabilities).numpy()
    for index in range(4):
        column = probabilities[:, index].numpy()
        threshold = np.percentile(column, 97, method="higher")
        anchor = probabilities[int(np.where(column < threshold, column, 0).argmax())]
        np.testing.assert_allclose(estimate[index], anchor.numpy(), rtol=1e-6)


def test_outliers_are_passed_over():
    """One of 100 samples is wrongly sure; without the percentile it would be the anchor."""
    usual = torch.tensor([0.7, 0.3]).repeat(99, 1) + torch.linspace(0, 0.01, 99)[
        :, None
    ] * torch.tensor([1.0, -1.0])
    probabilities = torch.cat([usual, torch.tensor([[1.0, 0.0]])])
    assert noise.estimate_transition_from_anchors(probabilities)[0, 0] < 0.72
    assert noise.estimate_transition_from_anchors(probabilities, percentile=None)[0, 0] == 1


def test_equal_predictions_take_the_first():
    estimate = noise.estimate_transition_from_anchors([[0.25, 0.75]] * 5)
    assert estimate.tolist() == [[0.25, 0.75]] * 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"probabilities": torch.empty(0, 3)}, "probabilities must have at least one row"),
        ({"probabilities": [[2.0, -1.0]]}, "got probabilities[0] with minimum -1 and sum 1"),
        ({"percentile": 0}, "percentile must be in (0, 100] or None, got 0"),
        ({"percentile": 101}, "percentile must be in (0, 100] or None, got 101"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        noise.estimate_transition_from_anchors(**{"probabilities": [[0.5, 0.5]], **arguments})
