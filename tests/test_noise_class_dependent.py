"""Class-dependent noise: who is mistaken for whom, how often, and published code's ways."""

from __future__ import annotations

import re

import pytest
import torch
from scipy import stats

from noisykernels import noise

CIFAR10 = torch.arange(10).repeat(500)
CIFAR100 = torch.arange(100).repeat(50)

MNIST_PAIRS = [(2, 7), (3, 8), (5, 6), (6, 5), (7, 1)]
CIFAR10_NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse"]
CIFAR10_NAMES += ["ship", "truck"]
CIFAR10_PAIRS = ["bird airplane", "cat dog", "deer horse", "dog cat", "truck automobile"]


def wrong_pairs(transition):
    """Pairs of clean and wrong label that occur."""
    return [(i, j) for i, j in transition.nonzero().tolist() if i != j]


def test_mnist_pairs():
    assert wrong_pairs(noise.asymmetric_mnist(CIFAR10, 0.2).transition) == MNIST_PAIRS


def test_cifar10_pairs():
    pairs = wrong_pairs(noise.asymmetric_cifar10(CIFAR10, 0.2).transition)
    assert [f"{CIFAR10_NAMES[i]} {CIFAR10_NAMES[j]}" for i, j in pairs] == CIFAR10_PAIRS


@pytest.mark.parametrize("rate", [0.1, 0.4, 1.0])
def test_counts_are_exact_in_every_source_class(rate):
    """Classes of 500, rounded: half of the classes are sources, so half the rate is wrong."""
    noisy, transition = noise.asymmetric_cifar10(CIFAR10, rate)
    sources = sorted(noise.CIFAR10_FLIPS)
    assert transition.diagonal()[sources].tolist() == pytest.approx([1 - rate] * 5)
    assert int((noisy != CIFAR10).sum()) == round(rate * 2500)


def test_count_is_rounded():
    noisy, _ = noise.asymmetric([0] * 7, 0.4, {0: 1}, 2)
    assert int(noisy.sum()) == 3  # 2.8


@pytest.mark.parametrize("rate", [0.2, 0.4])
def test_sequential_flips_return_cats(rate):
    """Of the cats that became dogs, a share of rate is flipped back: 5 standard deviations."""
    clean = CIFAR10.repeat(10)
    noisy, transition = noise.asymmetric_cifar10(clean, rate, sequential=True)
    deviation = (rate * (1 - rate) / 5000) ** 0.5
    assert float(transition[3, 5]) == pytest.approx(rate - rate**2, abs=5 * deviation)
    assert float(transition[5, 3]) == pytest.approx(rate, abs=5 * deviation)
    assert float((noisy != clean).double().mean()) == pytest.approx(
        rate / 2 - rate**2 / 10, abs=deviation
    )  # at rate 0.4 the known 18.4 %
    # The count of the second flip is exact, though: of the dogs and what became one.
    returned = rate * 5000 - transition[3, 5] * 5000
    flipped = transition[5, 3] * 5000
    assert round(float(returned + flipped)) == round(rate * (5000 + rate * 5000))


def test_a_higher_rate_flips_the_same_labels_and_more():
    low, high = (noise.asymmetric_cifar10(CIFAR10, rate, seed=3).labels for rate in (0.1, 0.4))
    assert (high != CIFAR10)[low != CIFAR10].all()


def test_superclasses_have_five_classes_each():
    assert torch.tensor(noise.CIFAR100_SUPERCLASSES).bincount().tolist() == [5] * 20


def test_flips_stay_in_the_superclass_and_reach_every_class():
    """In circles: each class is left for one class and reached from one."""
    _, transition = noise.asymmetric_cifar100(CIFAR100, 0.4)
    pairs = wrong_pairs(transition)
    superclass = noise.CIFAR100_SUPERCLASSES
    assert all(superclass[i] == superclass[j] for i, j in pairs)
    assert sorted(i for i, _ in pairs) == sorted(j for _, j in pairs) == list(range(100))
    # Trees: 47 maple, 52 oak, 56 palm, 59 pine, 96 willow.
    assert [pair for pair in pairs if superclass[pair[0]] == 17] == [
        (47, 52),
        (52, 56),
        (56, 59),
        (59, 96),
        (96, 47),
    ]
    assert transition.diagonal().tolist() == pytest.approx([0.6] * 100)


def test_index_blocks_are_consecutive_classes():
    pairs = wrong_pairs(noise.asymmetric_cifar100(CIFAR100, 0.4, blocks="index").transition)
    assert pairs[:5] == [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)]
    assert all(i // 5 == j // 5 for i, j in pairs)


@pytest.mark.parametrize(
    ("blocks", "block"),
    [("superclass", noise.CIFAR100_SUPERCLASSES), ("index", [i // 5 for i in range(100)])],
)
def test_one_pair_of_each_block_is_swapped(blocks, block):
    noisy, transition = noise.asymmetric_cifar100(CIFAR100, 0.4, blocks=blocks, flip="pair")
    pairs = wrong_pairs(transition)
    assert sorted(block[i] for i, _ in pairs) == sorted([*range(20)] * 2)
    assert all(block[i] == block[j] and (j, i) in pairs for i, j in pairs)
    assert float((noisy != CIFAR100).double().mean()) == pytest.approx(0.4 * 0.4)


def test_pairs_of_a_block_are_equally_likely():
    """Ten pairs of five classes, 20 blocks, 25 seeds."""
    counts = torch.zeros(5, 5)
    one_of_each = torch.arange(100)
    for seed in range(25):
        drawn = noise.asymmetric_cifar100(one_of_each, 1.0, blocks="index", flip="pair", seed=seed)
        for i, j in wrong_pairs(drawn.transition):
            counts[i % 5, j % 5] += i < j
    assert stats.chisquare(counts[counts > 0].numpy(), f_exp=[50] * 10).pvalue > 1e-3


def test_pair_flip_goes_to_the_next_class():
    _, transition = noise.pair_flip(CIFAR10, 0.45, 10)
    expected = torch.zeros(10, 10, dtype=torch.float64)
    expected[range(10), range(10)] = 0.55
    expected[range(10), [*range(1, 10), 0]] = 0.45
    torch.testing.assert_close(transition, expected)


MATRIX = torch.tensor([[0.7, 0.3, 0.0], [0.0, 0.1, 0.9], [0.25, 0.25, 0.5]])


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_draws_follow_the_matrix(dtype):
    samples = 10_000
    _, transition = noise.from_matrix(torch.arange(3).repeat(samples), MATRIX.to(dtype))
    possible = MATRIX > 0
    assert transition[~possible].eq(0).all()
    observed = (transition * samples)[possible].numpy()
    expected = (MATRIX * samples)[possible].numpy()
    # Three rows have a fixed sum each.
    assert stats.chisquare(observed, expected, ddof=2, sum_check=False).pvalue > 1e-3


def test_the_smallest_draw_misses_classes_of_probability_zero(monkeypatch):
    """A uniform number can be exactly 0, where the first class begins and ends."""
    monkeypatch.setattr(torch, "rand", lambda *size, **_: torch.zeros(size, dtype=torch.float64))
    assert noise.from_matrix([1], MATRIX).labels.tolist() == [1]


def test_draws_are_independent_of_their_neighbors():
    """Halves of the samples, split by the label of the one before, see the same distribution."""
    noisy = noise.from_matrix([2] * 20_000, MATRIX).labels
    table = noise.transition_matrix(noisy[:-1], noisy[1:], 3) * noisy[:-1].bincount()[:, None]
    assert stats.chi2_contingency(table.numpy()).pvalue > 1e-3


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"flips": {0: 3}}, ValueError, "flips must be in [0, 3), got 0: 3"),
        ({"flips": {-1: 1}}, ValueError, "flips must be in [0, 3), got -1: 1"),
        ({"flips": {1: 1}}, ValueError, "flips must change the class, got 1: 1"),
        ({"flips": {0: 1.5}}, TypeError, "flips must be an integer, got float"),
        ({"flips": [1, 2, 0]}, TypeError, "flips must be a mapping"),
    ],
    ids=lambda value: repr(value) if isinstance(value, dict) else "",
)
def test_errors_about_flips(arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        noise.asymmetric(labels=[0, 1, 2], rate=0.5, num_classes=3, **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"blocks": "name"}, "blocks must be 'superclass' or 'index', got 'name'"),
        ({"flip": "random"}, "flip must be 'circular' or 'pair', got 'random'"),
    ],
)
def test_errors_about_blocks(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        noise.asymmetric_cifar100([0], 0.5, **arguments)


@pytest.mark.parametrize(
    ("matrix", "error", "message"),
    [
        ([[0.5, 0.4], [0, 1]], ValueError, "got matrix[0] with minimum 0.4 and sum 0.9"),
        ([[1, 0], [1.5, -0.5]], ValueError, "got matrix[1] with minimum -0.5 and sum 1"),
        ([[float("nan"), 1], [0, 1]], ValueError, "got matrix[0] with minimum nan"),
        ([[0.5, 0.5]], ValueError, "matrix must be square, got shape (1, 2)"),
        ([0.5, 0.5], ValueError, "got shape (2,)"),
        ("identity", TypeError, "matrix must be a 2-D tensor"),
        (torch.eye(2, dtype=torch.complex64), TypeError, "got dtype torch.complex64"),
    ],
    ids=str,
)
def test_errors_about_the_matrix(matrix, error, message):
    with pytest.raises(error, match=re.escape(message)):
        noise.from_matrix([0, 1], matrix)
