"""Instance-dependent noise: how many labels are wrong, and that images decide which."""

from __future__ import annotations

import re

import pytest
import torch
from scipy import stats

from noisykernels import noise

CLASSES = 4
SAMPLES = 4000
CLEAN = torch.arange(CLASSES).repeat(SAMPLES // CLASSES)
FEATURES = torch.randn(SAMPLES, 6, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("rate", [0.0, 0.25, 0.6, 1.0])
def test_jal_counts_are_exact(rate):
    noisy, _ = noise.instance_dependent(CLEAN, rate, CLASSES, FEATURES, method="jal")
    assert int((noisy != CLEAN).sum()) == rate * SAMPLES


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.4, 1.0])
def test_xia_counts_follow_the_truncated_normal(rate):
    """Its mean, here from SciPy, is the share of wrong labels: 5 standard deviations."""
    noisy, _ = noise.instance_dependent(CLEAN, rate, CLASSES, FEATURES, method="xia")
    share = stats.truncnorm((0 - rate) / 0.1, (1 - rate) / 0.1, loc=rate, scale=0.1).mean()
    deviation = (share * (1 - share) / SAMPLES) ** 0.5
    assert float((noisy != CLEAN).double().mean()) == pytest.approx(share, abs=5 * deviation)


@pytest.mark.parametrize("method", ["xia", "jal"])
def test_like_images_of_a_class_get_like_labels(method):
    """Images far from 0, two kinds of each class: the softmax is sure, so one wrong label each."""
    kinds = 1000 * torch.randn(2, 6, generator=torch.Generator().manual_seed(1))
    kind = torch.arange(SAMPLES) // CLASSES % 2
    noisy, _ = noise.instance_dependent(CLEAN, 0.5, CLASSES, kinds[kind], method=method)
    wrong = {
        (y, k): noisy[CLEAN.eq(y) & (kind == k) & (noisy != CLEAN)].unique().tolist()
        for y in range(CLASSES)
        for k in range(2)
    }
    assert all(len(labels) == 1 for labels in wrong.values())
    # Somewhere the two kinds of a class are called differently, or images would not matter.
    assert any(wrong[y, 0] != wrong[y, 1] for y in range(CLASSES))


@pytest.mark.parametrize("method", ["xia", "jal"])
def test_images_without_content_give_symmetric_noise(method):
    """All scores are 0, so the wrong classes are equally likely."""
    nothing = torch.zeros(SAMPLES, 2, 3)
    noisy, transition = noise.instance_dependent(CLEAN, 0.6, CLASSES, nothing, method=method)
    counts = (transition * (SAMPLES // CLASSES)).numpy()
    wrong = counts[~torch.eye(CLASSES, dtype=torch.bool).numpy()].reshape(CLASSES, -1)
    assert stats.chi2_contingency(wrong).pvalue > 1e-3
    assert stats.chisquare(noisy[noisy != CLEAN].bincount().numpy()).pvalue > 1e-3


def test_half_precision_images():
    noisy = noise.instance_dependent(CLEAN, 0.5, CLASSES, FEATURES.half(), method="jal").labels
    same = noise.instance_dependent(CLEAN, 0.5, CLASSES, FEATURES.half().double(), method="jal")
    assert torch.equal(noisy, same.labels)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"features": FEATURES[:2]}, ValueError, "must have shape (3, ...), a row for each label"),
        ({"features": torch.zeros(3)}, ValueError, "got shape (3,)"),
        ({"features": torch.zeros(3, 2).byte()}, TypeError, "floating point numbers, got torch.u"),
        ({"features": [[0.0]] * 3}, TypeError, "features must be a tensor of floating point"),
        ({"features": torch.full((3, 1), torch.inf)}, ValueError, "features must be finite"),
        ({"method": "pmd"}, ValueError, "method must be 'xia' or 'jal', got 'pmd'"),
        ({"num_classes": 1}, ValueError, "num_classes must be at least 2, got 1"),
    ],
    ids=range(7),
)
def test_errors(arguments, error, message):
    arguments = {"features": FEATURES[:3], "num_classes": 4, **arguments}
    with pytest.raises(error, match=re.escape(message)):
        noise.instance_dependent([0, 1, 2], 0.5, **arguments)
