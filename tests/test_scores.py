"""Normalized and clipped scores: values, derivatives of two orders, layouts, and odd rows."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan

import pytest
import torch
from torch import Tensor

import noisykernels as nk
from noisykernels.scores import clip, normalize

# Rows of length 5, 0.5 and 1.3: one delta is above, between and below.
LOGITS = torch.tensor([[3.0, 0.0, -4.0], [0.3, 0.4, 0.0], [0.0, -0.5, 1.2]], dtype=torch.float64)

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "normalize": lambda z: normalize(z, 2.0),
    "clip": lambda z: clip(z, 1.0),
}
each_function = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)


def test_values():
    length = LOGITS.norm(dim=1, keepdim=True)
    torch.testing.assert_close(normalize(LOGITS), LOGITS / length)
    torch.testing.assert_close(normalize(LOGITS, 2.0), 2 * LOGITS / length)
    torch.testing.assert_close(clip(LOGITS, 1.0), LOGITS * (1 / length).clamp(max=1))


@each_function
def test_derivatives_of_two_orders(function):
    z = LOGITS.clone().requires_grad_()
    assert torch.autograd.gradcheck(function, (z,))
    assert torch.autograd.gradgradcheck(function, (z,))


@each_function
@pytest.mark.parametrize("shape", [(7,), (4, 7), (4, 7, 2), (4, 7, 2, 3)])
def test_classes_are_on_the_second_axis_in_any_layout(function, shape):
    z = torch.randn(shape, dtype=torch.float64)
    axis = min(1, z.dim() - 1)
    rows = z.movedim(axis, -1).reshape(-1, 7)
    expected = function(rows).reshape(z.movedim(axis, -1).shape).movedim(-1, axis)
    torch.testing.assert_close(function(z), expected)
    strided = z.movedim(axis, -1).contiguous().movedim(-1, axis)
    torch.testing.assert_close(function(strided), expected)


@each_function
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_rounded_once(function, dtype):
    """Squares of these logits overflow float16."""
    z = (300 * torch.randn(5, 100)).to(dtype).requires_grad_()
    upstream = torch.randn(5, 100).to(dtype)
    exact = z.detach().double().requires_grad_()
    scores, expected = function(z), function(exact)
    (gradient,) = torch.autograd.grad(scores, z, upstream)
    (expected_gradient,) = torch.autograd.grad(expected, exact, upstream.double())
    assert scores.dtype == gradient.dtype == dtype
    # A subnormal number of float16 is rounded to 6e-8.
    close = {"rtol": torch.finfo(dtype).eps, "atol": 6e-8}
    torch.testing.assert_close(scores.double(), expected, **close)
    torch.testing.assert_close(gradient.double(), expected_gradient, **close)


@each_function
def test_vmap_is_a_loop(function):
    z = torch.randn(2, 4, 7)
    found = torch.func.vmap(function)(z)
    torch.testing.assert_close(found, torch.stack([function(one) for one in z]))
    gradient = torch.func.grad(lambda z: function(z).square().mul(z).sum())
    found = torch.func.vmap(gradient)(z)
    torch.testing.assert_close(found, torch.stack([gradient(one) for one in z]))


@each_function
def test_zeros_stay(function):
    z = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    assert not function(z).any()
    (gradient,) = torch.autograd.grad(function(z).sum(), z, create_graph=True)
    # What has no direction gets none; what is short is left alone.
    assert (gradient == (1 if function is FUNCTIONS["clip"] else 0)).all()
    (second,) = torch.autograd.grad(gradient.sum(), z)
    assert not second.any(), "nothing is 0 / 0"


@each_function
@pytest.mark.parametrize("size", [1e-30, 1e-18, 1e18, 1e30])
def test_squares_do_not_overflow(function, size):
    z = LOGITS.float().mul(size).requires_grad_()
    exact = z.detach().double().requires_grad_()
    scores, expected = function(z), function(exact)
    torch.testing.assert_close(scores.double(), expected, rtol=1e-6, atol=0)
    found = torch.autograd.grad(scores[:, 0].sum(), z)[0].double()
    wanted = torch.autograd.grad(expected[:, 0].sum(), exact)[0]
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6 * wanted.abs().max().item())


@each_function
@pytest.mark.parametrize("odd", [nan, inf, -inf])
def test_an_ignored_row_may_hold_anything(function, odd):
    z = torch.randn(3, 5)
    alone = function(z[[0, 2]])
    z[1, 2] = odd
    z.requires_grad_()
    scores = function(z)
    assert torch.equal(scores[[0, 2]], alone)
    assert scores[1].isnan().all()
    nk.MUHLoss()(scores, torch.tensor([0, -100, 4])).backward()
    assert z.grad[[0, 2]].abs().sum() > 0
    assert not z.grad[1].any()


def test_losses_of_scores_are_bounded():
    z = 1e6 * torch.randn(4, 10)
    target = torch.arange(4)
    # |mean z - z_y| <= ||z|| sqrt(1 - 1/C)
    assert nk.MUHLoss(reduction="none")(normalize(z, 3.0), target).abs().max() <= 3.0
    assert nk.CELoss(reduction="none")(clip(z, 3.0), target).max() <= 6 + 2.303  # log 10


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda z: normalize(z, 0.0), ValueError, "scale must satisfy scale > 0, got 0.0"),
        (lambda z: clip(z, -1), ValueError, "delta must satisfy delta > 0, got -1"),
        (lambda z: clip(z, "1"), TypeError, "delta must be a real number, got '1'"),
        (lambda z: normalize(z, z[0]), TypeError, r"scale must be a number, got a float64 tensor"),
        (lambda z: normalize(z.long()), TypeError, "input must be .*float32.*, got a int64 tensor"),
        (
            lambda z: normalize(z.sum()),
            ValueError,
            r"input must have shape \(C,\), .* of shape \(\)",
        ),
        (lambda z: clip(z[:, :0], 1.0), ValueError, "input must have at least one class"),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(LOGITS)
