"""Statistics of samples from the pass that computes the loss: they are right and cost no bit."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from cases import Case, each_core_loss, each_loss
from criteria import INF, NAN, assert_same_bits, value_and_gradient
from oracle.rows import Rows
from torch import Tensor

import noisykernels as nk
from noisykernels.statistics import Stats

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
EPSILON = {torch.float64: 1e-14}

each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)


def stats_of(logits: Tensor, labels: Tensor, loss: nk.modules.Loss | None = None) -> Stats:
    return (loss or nk.CELoss())(logits, labels, return_stats=True)[1]


def assert_right(stats: Stats, logits: Tensor, labels: Tensor) -> None:
    """Of rows, against more digits than any kernel has."""
    z, y = logits.double().numpy(), labels.numpy()
    rows = Rows(z, y)
    tolerance = EPSILON.get(logits.dtype, 4e-6)
    for found, expected in [
        (stats.p_y, rows.p_y),
        (stats.logp_y, rows.log_p_y),
        (stats.log_partition, rows.x.max(1) + rows.minus_log_p.min(1)),
    ]:
        assert found.dtype == (logits.dtype if logits.dtype == torch.float64 else torch.float32)
        # A log partition near 0 is a difference of two of the size of the logits.
        np.testing.assert_allclose(found.numpy(), expected, rtol=tolerance, atol=tolerance * 1e-2)
    assert torch.equal(stats.predicted, torch.from_numpy(z.argmax(1)))
    assert torch.equal(stats.hit, stats.predicted == labels)


@each_dtype
@pytest.mark.parametrize("classes", [1, 2, 10, 131, 1000])
def test_against_the_oracle(classes: int, dtype: torch.dtype, simd_level: str) -> None:
    logits, labels = (4 * torch.randn(37, classes)).to(dtype), torch.randint(classes, (37,))
    assert_right(stats_of(logits, labels), logits, labels)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("margin", [-200.0, -90.0, -20.0, 0.0, 17.0, 40.0, 80.0])
def test_extreme_margins(margin: float, dtype: torch.dtype, backend: str) -> None:
    """Where p_y rounds to 1 or to 0 its logarithm keeps its digits: small losses have an order."""
    logits = torch.zeros(3, 10, dtype=dtype)
    logits[:, 4] = margin
    stats = stats_of(logits, torch.full((3,), 4))
    exact = Rows(logits.double().numpy(), np.full(3, 4)).log_p_y
    np.testing.assert_allclose(
        stats.logp_y.numpy(), exact, rtol=4e-6 if dtype == torch.float32 else 1e-14
    )


NOT_ANSWERABLE = {"nan", "inf", "two infs", "all -inf", "inf at the label"}
ROWS: dict[str, tuple[list[float], int]] = {
    "a tie goes to the first": ([1, 3, 3, 0], 1),
    "of four": ([2, 2, 2, 2], 0),
    "zeros of both signs": ([-1, -0.0, 0.0, -1], 1),
    "a masked class": ([1, -INF, 2, 0], 2),
    "all but one masked": ([-INF, -INF, 0, -INF], 2),
    "all negative": ([-5, -3, -9, -4], 1),
    "nan": ([0, 1, NAN, 2], -1),
    "inf": ([0, 1, INF, 2], -1),
    "inf at the label": ([0, INF, 1, 2], -1),
    "two infs": ([0, INF, INF, 2], -1),
    "all -inf": ([-INF] * 4, -1),
}


@pytest.mark.parametrize("label", [1, 2])
@pytest.mark.parametrize("kind", ROWS)
def test_the_predicted_class(kind: str, label: int, backend: str) -> None:
    """Rows without probabilities have none, so no accuracy counts them as hits."""
    values, expected = ROWS[kind]
    logits = torch.zeros(4, 4)
    logits[2] = torch.tensor(values)
    stats = stats_of(logits, torch.tensor([0, 0, label, 0]))
    assert stats.predicted.tolist() == [0, 0, expected, 0]
    assert stats.hit.tolist() == [True, True, expected == label, True]
    numbers = torch.stack([stats.p_y, stats.logp_y, stats.log_partition])[:, 2]
    assert numbers.isnan().all() == numbers.isnan().any() == (kind in NOT_ANSWERABLE)


@pytest.mark.parametrize("ignore_index", [-100, -1, 2, 7])
@each_core_loss
def test_ignored_samples_are_not_read(case: Case, ignore_index: int, backend: str) -> None:
    logits, labels = torch.randn(6, 5), torch.tensor([0, 1, 2, 3, 4, 0])
    labels[1::3] = ignore_index
    logits[1::3] = NAN
    kept = labels != ignore_index
    loss = case.module(5, ignore_index=ignore_index)
    stats = stats_of(logits, labels, loss)
    assert stats.predicted[~kept].eq(-1).all()
    assert not stats.hit[~kept].any()
    for numbers in (stats.p_y, stats.logp_y, stats.log_partition):
        assert torch.equal(numbers.isnan(), ~kept)
    assert_right(Stats(*(numbers[kept] for numbers in stats)), logits[kept], labels[kept])


LAYOUTS = {
    "(C,)": lambda: torch.randn(9),
    "(N, C)": lambda: torch.randn(6, 9),
    "(N, C, d1, d2)": lambda: torch.randn(3, 9, 2, 4),
    "channels last": lambda: torch.randn(3, 9, 2, 4).to(memory_format=torch.channels_last),
    "transposed": lambda: torch.randn(9, 6).T,
    "expanded": lambda: torch.randn(1, 9).expand(6, 9),
    "copied": lambda: torch.randn(3, 9, 5, 4).transpose(2, 3),
    "no rows": lambda: torch.randn(0, 9),
}


@pytest.mark.parametrize("kind", [torch.int64, torch.int32, torch.uint8], ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str, kind: torch.dtype) -> None:
    logits = LAYOUTS[layout]()
    axis = int(logits.dim() > 1)
    labels = torch.randint(9, logits.select(axis, 0).shape).to(kind)
    stats = stats_of(logits, labels)
    assert all(numbers.shape == labels.shape for numbers in stats)
    assert (stats.predicted.dtype, stats.hit.dtype) == (torch.int64, torch.bool)
    rows, y = logits.movedim(axis, -1).reshape(-1, 9), labels.reshape(-1).long()
    assert_right(Stats(*(numbers.reshape(-1) for numbers in stats)), rows, y)


def test_a_uint8_label_is_not_compared_modulo_its_range(backend: str) -> None:
    """156 is -100 modulo 256."""
    labels = torch.tensor([156, 3], dtype=torch.uint8)
    logits = torch.randn(2, 200)
    assert_right(stats_of(logits, labels), logits, labels.long())


@pytest.mark.parametrize(
    ("reduction", "dtype"),
    [*zip(["none", "mean", "none", "sum"], DTYPES, strict=True), ("mean", torch.float32)],
    ids=str,
)
@each_core_loss
def test_the_loss_and_its_gradient_stay_the_same(
    case: Case, reduction: str, dtype: torch.dtype, backend: str
) -> None:
    """To the bit, but for MUH alone: it has no softmax, with which its mean is taken otherwise."""
    logits, labels = (3 * torch.randn(37, 11)).to(dtype), torch.randint(11, (37,))
    labels[::5] = -100
    loss = case.module(11, weight=torch.rand(11), reduction=reduction)
    plain = value_and_gradient(lambda x: loss(x, labels), logits)
    with_stats = value_and_gradient(lambda x: loss(x, labels, return_stats=True)[0], logits)
    if case.name == "muh":
        close = partial(torch.testing.assert_close, rtol=2e-6, atol=2e-6)
        close(with_stats[0], plain[0])
        torch.testing.assert_close(with_stats[1], plain[1])
    else:
        assert_same_bits(with_stats, plain)


@pytest.mark.parametrize("alpha", [0.5, 0.3, 2.0], ids=["a power of two", "none", "one's double"])
def test_the_powers_stay_the_same_on_the_cpu(alpha: float, simd_level: str) -> None:
    """Statistics add the exponent 1, beside which others could be computed in another way."""
    logits, labels = 3 * torch.randn(37, 11), torch.randint(11, (37,))
    loss = partial(nk.functional.alpha_mae_loss, target=labels, alpha=alpha, reduction="none")
    plain = value_and_gradient(loss, logits)
    with_stats = value_and_gradient(lambda x: loss(x, return_stats=True)[0], logits)
    assert_same_bits(with_stats, plain)


@each_loss
def test_the_gradient_of_every_loss_beside_them(case: Case, simd_level: str) -> None:
    logits, labels = 3 * torch.randn(37, 11), torch.randint(11, (37,))
    loss = case.module(11)
    plain = value_and_gradient(lambda x: loss(x, labels), logits)
    with_stats = value_and_gradient(lambda x: loss(x, labels, return_stats=True)[0], logits)
    torch.testing.assert_close(with_stats, plain, rtol=1e-5, atol=1e-7)


@each_loss
def test_every_loss_has_the_same_statistics(case: Case, simd_level: str) -> None:
    logits, labels = 3 * torch.randn(37, 11), torch.randint(11, (37,))
    # A loss may sum the exponentials with the largest kept apart.
    close = partial(torch.testing.assert_close, rtol=4e-7, atol=1e-6)
    close(stats_of(logits, labels, case.module(11)), stats_of(logits, labels))


def test_a_sum_of_several_passes_has_them_once() -> None:
    loss = sum(nk.SGCELoss(q=q / 10) for q in range(1, 8)) + nk.MUHLoss()
    logits, labels = 3 * torch.randn(37, 11), torch.randint(11, (37,))
    assert_same_bits(stats_of(logits, labels, loss), stats_of(logits, labels))
    plain = value_and_gradient(lambda x: loss(x, labels), logits)
    with_stats = value_and_gradient(lambda x: loss(x, labels, return_stats=True)[0], logits)
    torch.testing.assert_close(with_stats, plain, rtol=1e-6, atol=1e-6)


@each_core_loss
def test_they_are_constants_to_autograd(case: Case, backend: str) -> None:
    logits = torch.randn(6, 5, requires_grad=True)
    loss, stats = case.module(5)(logits, torch.randint(5, (6,)), return_stats=True)
    assert loss.requires_grad
    assert not any(numbers.requires_grad for numbers in stats)


@each_core_loss
def test_second_derivatives_beside_them(case: Case) -> None:
    logits = torch.randn(4, 5, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([1, 0, -100, 3])
    loss = case.module(5)
    assert torch.autograd.gradgradcheck(lambda x: loss(x, labels, return_stats=True)[0], logits)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_beside_sample_weights(reduction: str, backend: str) -> None:
    logits, labels, s = torch.randn(6, 5), torch.randint(5, (6,)), torch.rand(6)
    loss = nk.GCELoss(reduction=reduction)
    value, stats = loss(logits, labels, sample_weight=s, return_stats=True)
    torch.testing.assert_close(value, loss(logits, labels, sample_weight=s))
    assert_same_bits(stats, stats_of(logits, labels, loss))


@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])
def test_compiled(dynamic: bool) -> None:
    torch.compiler.reset()
    loss = nk.GCELoss()

    def step(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Stats]:
        value, stats = loss(x, y, return_stats=True)
        return value, value * stats.hit.sum(), stats

    compiled = torch.compile(step, fullgraph=True, dynamic=dynamic, backend="aot_eager")
    for rows in (7, 9) if dynamic else (7,):
        logits, labels = torch.randn(rows, 5), torch.randint(5, (rows,))
        labels[0] = -100
        (value, product, stats), expected = compiled(logits, labels), step(logits, labels)
        assert_same_bits((value, product, *stats), (*expected[:2], *expected[2]))
        assert isinstance(stats, Stats)
        assert_same_bits(
            value_and_gradient(lambda x, y=labels: compiled(x, y)[0], logits),
            value_and_gradient(lambda x, y=labels: step(x, y)[0], logits),
        )


def test_under_vmap(backend: str) -> None:
    logits, labels = torch.randn(3, 6, 5), torch.randint(5, (3, 6))
    found = torch.func.vmap(stats_of)(logits, labels)
    expected = map(torch.stack, zip(*map(stats_of, logits, labels), strict=True))
    assert_same_bits(found, tuple(expected))


def test_probabilities_have_no_label_to_tell_of() -> None:
    with pytest.raises(TypeError, match=r"return_stats needs class indices as target.*float32"):
        stats_of(torch.zeros(2, 5), torch.zeros(2, 5))
