"""Statistics of rows: their values, and the one backward that serves all of them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

import noisykernels as nk
import noisykernels.functional as NF

POWERS = (0.5, 2.0)
LABELS = torch.tensor([1, 0, -100, 3, 4, 2])


def stacked(x: Tensor, y: Tensor = LABELS) -> Tensor:
    """All statistics, one after the other."""
    row = nk.row_statistics(x, y, sum_log_p=True, entropy=True, powers=POWERS)
    return torch.stack([row.log_p, row.sum_log_p, row.entropy, *row.power_sums])


def expected(x: Tensor, y: Tensor = LABELS) -> Tensor:
    log_p = x.log_softmax(1)
    p, kept = log_p.exp(), y != -100
    label = log_p.gather(1, y.clamp(min=0).unsqueeze(1)).squeeze(1)
    sums = [log_p.sum(1), -(p * log_p).sum(1), *(p.pow(s).sum(1) for s in POWERS)]
    return torch.stack([torch.where(kept, value, 0.0) for value in (label, *sums)])


@pytest.fixture
def x() -> Tensor:
    return torch.randn(6, 5, dtype=torch.float64, requires_grad=True)


@pytest.mark.usefixtures("backend")
def test_values_and_gradients_with_an_upstream_of_their_own_each(x: Tensor) -> None:
    found, truth = stacked(x), expected(x)
    torch.testing.assert_close(found, truth)
    upstream = torch.randn_like(truth)
    for mine, theirs in zip(
        torch.autograd.grad(found, x, upstream),
        torch.autograd.grad(truth, x, upstream),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs)


def test_derivatives_of_every_order(x: Tensor) -> None:
    assert gradcheck(stacked, (x,))
    assert gradgradcheck(stacked, (x,))


def test_a_loss_in_one_line_is_the_loss_of_the_package(x: Tensor) -> None:
    row = nk.row_statistics(x, LABELS, powers=(0.7,))
    p_q = torch.exp(0.7 * row.log_p)
    sgce = torch.where(LABELS != -100, (row.power_sums[0] / 5 - p_q) / 0.7, 0.0)
    torch.testing.assert_close(sgce, NF.sgce_loss(x, LABELS, reduction="none"))


def test_only_what_is_asked_for_is_computed(x: Tensor) -> None:
    row = nk.row_statistics(x, LABELS)
    assert row.sum_log_p is None
    assert row.entropy is None
    assert row.power_sums == ()


def test_images(x: Tensor) -> None:
    images, labels = torch.randn(2, 5, 3, dtype=torch.float64), torch.randint(5, (2, 3))
    rows = images.movedim(1, -1).reshape(6, 5)
    found = stacked(images, labels).reshape(-1, 6)
    torch.testing.assert_close(found, stacked(rows, labels.reshape(6)))


def test_batches_and_jacobians(x: Tensor) -> None:
    batch = torch.stack([x, x + 1]).detach()
    found = torch.func.vmap(stacked)(batch)
    torch.testing.assert_close(found, torch.stack([stacked(b) for b in batch]))
    torch.testing.assert_close(
        torch.func.jacrev(stacked)(x.detach()), torch.func.jacrev(expected)(x.detach())
    )


def test_compiles_to_one_graph(x: Tensor) -> None:
    compiled = torch.compile(stacked, fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(x), stacked(x))


@pytest.mark.parametrize(
    ("powers", "message"),
    [
        ((0.0,), "powers must be positive and not 1"),
        ((1.0,), "powers must be positive and not 1"),
        ((0.1, 0.2, 0.3), "powers takes up to 2 exponents, got 3"),
    ],
)
def test_exponents_out_of_range(x: Tensor, powers: tuple[float, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        nk.row_statistics(x, LABELS, powers=powers)
