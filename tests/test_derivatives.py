"""Derivatives of every order, through every door of autograd and torch.func.

A loss enters autograd by the C++ node of its operator, or by the Python function of the same
contract that serves backends without one; tests that take `entrance` hold for both.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from cases import CASES, Case, each_attached_loss, each_core_loss, each_loss, each_other_loss
from torch import Tensor
from torch.autograd import forward_ad, gradcheck, gradgradcheck

from noisykernels import evaluate
from noisykernels.autograd import FusedLoss

pytestmark = pytest.mark.usefixtures("kernels")

LABELS = torch.tensor([1, 0, -100, 3])
WEIGHT = torch.tensor([0.5, 2.0, 0.0, 1.0, 0.25], dtype=torch.float64)


def through_function(*arguments) -> tuple[Tensor, Tensor]:
    loss, rows, _ = FusedLoss.apply(*arguments)
    return loss, rows


@pytest.fixture(params=["node", "function"])
def entrance(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "function":
        enter_through_function(monkeypatch)
    return request.param


def enter_through_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "fused_loss", through_function)
    monkeypatch.setattr(evaluate, "extension", None)  # the short way takes the node


def logits() -> Tensor:
    return torch.randn(4, 5, dtype=torch.float64, requires_grad=True)


def leaf(x: Tensor) -> Tensor:
    return x.detach().clone().requires_grad_()


close = partial(torch.testing.assert_close, rtol=1e-9, atol=1e-11)


def check_derivatives(case: Case, forward_mode: bool = True, **options: Any) -> None:
    def loss(x: Tensor) -> Tensor:
        return case(x, LABELS, **options)

    if not case.detached:
        assert gradcheck(loss, logits(), check_forward_ad=forward_mode)
    assert gradgradcheck(loss, logits(), check_fwd_over_rev=forward_mode)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@each_core_loss
def test_first_and_second_derivatives(
    case: Case, reduction: str, weight: Tensor | None, entrance: str
) -> None:
    # A Python function with a jvp could not be compiled.
    check_derivatives(case, entrance == "node", weight=weight, reduction=reduction)


@each_other_loss
def test_first_and_second_derivatives_of_other_losses(case: Case) -> None:
    check_derivatives(case, weight=WEIGHT)


@each_loss
def test_derivatives_over_an_inner_dimension(case: Case, entrance: str) -> None:
    def loss(x: Tensor) -> Tensor:
        return case(x, torch.tensor([[0, 2], [1, 2]]), reduction="none")

    x = torch.randn(2, 3, 2, dtype=torch.float64, requires_grad=True)
    if not case.detached:
        assert gradcheck(loss, x)
    assert gradgradcheck(loss, x)


@each_attached_loss
def test_hessian_is_that_of_the_reference(case: Case) -> None:
    x = logits().detach()
    found = torch.func.hessian(lambda x: case(x, LABELS, weight=WEIGHT))(x)
    expected = torch.func.hessian(lambda x: case.reference(x, LABELS, weight=WEIGHT))(x)
    close(found, expected)


@each_attached_loss
def test_hessian_vector_product_in_single_precision(case: Case, entrance: str) -> None:
    x = logits().detach().float().requires_grad_()
    v = torch.randn_like(x)
    found, expected = (
        torch.autograd.functional.hvp(lambda x, f=f: f(x, LABELS, reduction="sum"), x, v)[1]
        for f in (case, case.reference)
    )
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@each_loss
def test_torch_func_equals_a_loop(case: Case) -> None:
    batches = torch.randn(3, 4, 5, dtype=torch.float64)
    labels = torch.stack([LABELS, LABELS.roll(1), LABELS.flip(0)])
    each_gradient = []
    for x, y in zip(batches, labels, strict=True):
        x = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(case(x, y), x)
        each_gradient.append(gradient)
        for derivative in (torch.func.grad, torch.func.jacrev, torch.func.jacfwd):
            close(derivative(case)(x.detach(), y), gradient)
    close(torch.func.vmap(torch.func.grad(case))(batches, labels), torch.stack(each_gradient))
    values = torch.stack([case(x, y) for x, y in zip(batches, labels, strict=True)])
    close(torch.func.vmap(case)(batches, labels), values)
    per_row = torch.func.vmap(partial(case, reduction="none"))(batches, labels)
    close(
        per_row,
        torch.stack([case(x, y, reduction="none") for x, y in zip(batches, labels, strict=True)]),
    )
    shared = torch.func.vmap(case, in_dims=(0, None))(batches, LABELS)
    close(shared, torch.stack([case(x, LABELS) for x in batches]))


def test_vmap_does_not_compare_labels_modulo_their_range() -> None:
    """156 is -100 modulo 256."""
    x, labels = torch.randn(2, 3, 200), torch.tensor([[156, 0, 156], [199, 156, 1]])
    loss = CASES[0]
    found = torch.func.vmap(loss)(x, labels.to(torch.uint8))
    assert torch.equal(found, torch.func.vmap(loss)(x, labels))


@each_loss
def test_per_sample_gradients(case: Case) -> None:
    """What per-sample clipping and influence methods do: vmap over rows of shape (C,)."""
    x, labels = logits().detach(), LABELS.clamp(min=0)
    found = torch.func.vmap(torch.func.grad(partial(case, reduction="sum")))(x, labels)
    x.requires_grad_()
    close(found, torch.autograd.grad(case(x, labels, reduction="sum"), x)[0])


@each_loss
def test_forward_mode_through_a_model(case: Case) -> None:
    x, tangent = torch.randn(4, 5), torch.randn(4, 5)
    with forward_ad.dual_level():
        found = forward_ad.unpack_dual(case(forward_ad.make_dual(x, tangent), LABELS)).tangent
        dual = forward_ad.make_dual(x, tangent)
        expected = forward_ad.unpack_dual(case.reference(dual, LABELS)).tangent
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@each_loss
def test_forward_mode_through_the_upstream_gradient(case: Case) -> None:
    """The gradient is linear in it, so its tangent is the gradient at the upstream's tangent."""
    x = logits()
    loss = case(x, LABELS, reduction="none")
    upstream, tangent = torch.randn(2, 4, dtype=torch.float64)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(upstream, tangent)
        (gradient,) = torch.autograd.grad(loss, x, dual, retain_graph=True)
        found = forward_ad.unpack_dual(gradient).tangent
    close(found, torch.autograd.grad(loss, x, tangent)[0])


@each_loss
def test_second_backward_through_a_retained_graph(case: Case, entrance: str) -> None:
    x = logits()
    loss = case(x, LABELS)
    loss.backward(retain_graph=True)
    first = x.grad.clone()
    loss.backward()
    assert torch.equal(x.grad, 2 * first)
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


@each_loss
def test_other_users_of_the_logits_see_them_unchanged(case: Case, entrance: str) -> None:
    """A kernel that writes its gradient over the logits trains every other user on garbage."""
    x = logits()
    hidden = x * 1
    before = hidden.detach().clone()
    (case(hidden, LABELS) + case(hidden, LABELS) + hidden.square().sum()).backward()
    assert torch.equal(hidden, before)
    single = leaf(x)
    case(single, LABELS).backward()
    close(x.grad, 2 * single.grad + 2 * before)


@each_loss
def test_a_change_in_place_before_backward_is_noticed(case: Case, entrance: str) -> None:
    hidden = logits() * 1
    loss = case(hidden, LABELS)
    hidden.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


UPSTREAM: dict[str, Callable[[], Tensor]] = {
    "contiguous": lambda: torch.randn(6, 4, dtype=torch.float64),
    "expanded": lambda: torch.tensor(-0.3, dtype=torch.float64).expand(6, 4),
    "expanded over rows": lambda: torch.randn(1, 4, dtype=torch.float64).expand(6, 4),
    "transposed": lambda: torch.randn(4, 6, dtype=torch.float64).T,
    "sliced": lambda: torch.randn(6, 9, dtype=torch.float64)[:, 1::2],
    "zero": lambda: torch.zeros(6, 4, dtype=torch.float64),
    "only some rows": lambda: torch.eye(6, 4, dtype=torch.float64),
}


@pytest.mark.parametrize("upstream", UPSTREAM)
@each_loss
def test_upstream_gradients(case: Case, upstream: str, entrance: str) -> None:
    x, labels = torch.randn(6, 5, 4, dtype=torch.float64), torch.randint(5, (6, 4))
    g = UPSTREAM[upstream]()
    found, expected = leaf(x), leaf(x)
    case(found, labels, reduction="none").backward(g)
    case.reference(expected, labels, reduction="none").backward(g)
    close(found.grad, expected.grad)


@each_loss
def test_both_entrances_give_the_same_bits(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = torch.randn(37, 5), torch.randint(5, (37,))
    results = []
    for enter in (lambda _: None, enter_through_function):
        enter(monkeypatch)
        logits = leaf(x)
        loss = case(logits, y)
        loss.backward()
        results.append((loss, logits.grad))
    (a, da), (b, db) = results
    assert torch.equal(a, b)
    assert torch.equal(da, db)


@each_loss
def test_no_graph_where_none_is_wanted(case: Case, entrance: str) -> None:
    x = logits()
    assert case(x, LABELS).requires_grad
    assert not case(x.detach(), LABELS).requires_grad
    with torch.no_grad():
        assert not case(x, LABELS).requires_grad
    with torch.inference_mode():
        assert case(x, LABELS).is_inference()
