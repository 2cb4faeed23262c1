"""Shapes and strides: each layout gives, bit for bit, what contiguous rows give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from cases import Case, each_loss
from torch import Tensor

pytestmark = pytest.mark.usefixtures("simd_level")

View = Callable[[Tensor], Tensor]

LAYOUTS: dict[str, tuple[tuple[int, ...], View]] = {
    "(C,)": ((19,), lambda x: x),
    "(C,) strided": ((57,), lambda x: x[::3]),
    "(N, C)": ((33, 19), lambda x: x),
    "(N, C, d)": ((5, 19, 7), lambda x: x),
    "(N, C, 1)": ((5, 19, 1), lambda x: x),
    "(N, C, d1, d2)": ((3, 19, 4, 5), lambda x: x),
    "(N, C, d1, d2, d3)": ((2, 19, 3, 2, 4), lambda x: x),
    "transposed": ((19, 33), lambda x: x.T),
    "columns of a wider table": ((33, 40), lambda x: x[:, 10:29]),
    "every other row": ((66, 19), lambda x: x[::2]),
    "every other class": ((33, 38), lambda x: x[:, 1::2]),
    "misaligned": ((33 * 19 + 1,), lambda x: x[1:].view(33, 19)),
    "channels last": ((3, 4, 5, 19), lambda x: x.permute(0, 3, 1, 2)),
    "channels last in 3d": ((2, 3, 2, 4, 19), lambda x: x.permute(0, 4, 1, 2, 3)),
    "tokens": ((5, 7, 19), lambda x: x.transpose(1, 2)),
    "tokens of a longer sequence": ((5, 9, 19), lambda x: x[:, 1:8].transpose(1, 2)),
    "window of an image": ((3, 19, 9, 9), lambda x: x[:, :, 2:6, 3:8]),
    "inner dimensions swapped": ((3, 19, 5, 4), lambda x: x.transpose(2, 3)),
    "batch innermost": ((5, 19, 4, 3), lambda x: x.permute(3, 1, 2, 0)),
    "one row for all": ((1, 19), lambda x: x.expand(33, 19)),
    "one logit for all classes": ((33, 1), lambda x: x.expand(33, 19)),
    "one pixel for all": ((3, 19, 1, 1), lambda x: x.expand(3, 19, 4, 5)),
}
SHAPES = ("(C,)", "(N, C)", "(N, C, d1, d2)", "transposed", "inner dimensions swapped")
DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


def logits(layout: str, dtype: torch.dtype = torch.float32) -> Tensor:
    shape, view = LAYOUTS[layout]
    return view(3 * torch.randn(shape, dtype=dtype))


def labels_for(x: Tensor) -> Tensor:
    """A fifth of them ignored, unless there is one row only."""
    axis = min(1, x.dim() - 1)
    labels = torch.randint(x.shape[axis], x.select(axis, 0).shape)
    return labels.masked_fill(torch.rand(labels.shape) < 0.2, -100) if labels.dim() else labels


def as_rows(x: Tensor) -> Tensor:
    axis = min(1, x.dim() - 1)
    return x.movedim(axis, -1).reshape(-1, x.shape[axis]).contiguous()


def assert_like_rows(case: Case, x: Tensor, labels: Tensor, **options: Any) -> None:
    """Compare with contiguous rows, at an upstream gradient that differs from row to row."""
    x.requires_grad_()
    rows = as_rows(x.detach()).requires_grad_()
    value = case(x, labels, **options)
    expected = case(rows, labels.reshape(-1), **options)
    upstream = torch.randn_like(expected)
    (gradient,) = torch.autograd.grad(value, x, upstream.reshape(value.shape))
    (expected_gradient,) = torch.autograd.grad(expected, rows, upstream)
    assert torch.equal(value, expected.reshape(value.shape))
    assert torch.equal(as_rows(gradient), expected_gradient)
    assert gradient.shape == x.shape
    assert gradient.dtype == x.dtype
    assert gradient.stride() == torch.empty_like(x).stride()  # x's own, if it covers its memory


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str, dtype: torch.dtype) -> None:
    x = logits(layout, dtype)
    for case in Case("sgce", {"q": 0.7}), Case("ce", {"label_smoothing": 0.1}):
        assert_like_rows(case, x.detach(), labels_for(x), reduction="none")


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("layout", SHAPES)
@each_loss
def test_losses_in_other_shapes(case: Case, layout: str, reduction: str) -> None:
    x = logits(layout)
    assert_like_rows(case, x, labels_for(x), reduction=reduction, weight=torch.rand(19))


STRIDED_LABELS: dict[str, View] = {
    "transposed": lambda y: y.T.contiguous().T,
    "every other": lambda y: y.repeat_interleave(2, 1)[:, ::2],
    "one for all": lambda y: y[:1, :1].expand(y.shape),
    "with an offset": lambda y: torch.cat([y[:1], y])[1:],
    "int32, transposed": lambda y: y.int().T.contiguous().T,
}


@pytest.mark.parametrize("kind", STRIDED_LABELS)
@each_loss
def test_strided_labels(case: Case, kind: str) -> None:
    x, labels = torch.randn(6, 19, 7), torch.randint(19, (6, 7))
    assert_like_rows(case, x, STRIDED_LABELS[kind](labels), reduction="none")


@each_loss
def test_strided_class_weights(case: Case) -> None:
    x, labels = torch.randn(6, 19), torch.randint(19, (6,))
    weight = torch.rand(38)[::2]
    assert torch.equal(case(x, labels, weight=weight), case(x, labels, weight=weight.contiguous()))


@each_loss
def test_the_gradient_reaches_the_storage_behind_a_view(case: Case) -> None:
    """Of a row that stands for all, the gradients add up; what a slice leaves out gets zero."""
    row, wide = torch.randn(1, 19, requires_grad=True), torch.randn(33, 40, requires_grad=True)
    labels = torch.randint(19, (33,))
    case(row.expand(33, 19), labels, reduction="sum").backward()
    copies = row.detach().repeat(33, 1).requires_grad_()
    case(copies, labels, reduction="sum").backward()
    torch.testing.assert_close(row.grad, copies.grad.sum(0, keepdim=True))

    case(wide[:, 10:29], labels).backward()
    part = wide.detach()[:, 10:29].contiguous().requires_grad_()
    case(part, labels).backward()
    assert torch.equal(wide.grad[:, 10:29], part.grad)
    assert not wide.grad[:, :10].any()
    assert not wide.grad[:, 29:].any()
