"""ce_loss is F.cross_entropy: all that PyTorch's own tests try of it.

Equal means at least as near to the truth, which is computed with more digits than either has:
torch's own gradient of a confident row is off by up to 100 %. Where torch raises, so do we. What
differs on purpose is at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from criteria import INF, NAN
from oracle import exact as exact_loss
from oracle.rows import Rows
from torch import Tensor

import noisykernels as nk
import noisykernels.functional as NF

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
CLASSES = 5

SHAPES: dict[str, Callable[[], Tensor]] = {
    "(C,)": lambda: torch.randn(CLASSES),
    "(N, C)": lambda: torch.randn(7, CLASSES),
    "(N, C), one row": lambda: torch.randn(1, CLASSES),
    "(N, C), one class": lambda: torch.randn(7, 1),
    "(N, C), many classes": lambda: torch.randn(7, 301),
    "(N, C, d1)": lambda: torch.randn(3, CLASSES, 4),
    "(N, C, d1, d2)": lambda: torch.randn(3, CLASSES, 4, 2),
    "(N, C, d1, d2, d3)": lambda: torch.randn(2, CLASSES, 2, 3, 2),
    "not contiguous": lambda: torch.randn(7, 2 * CLASSES)[:, ::2],
    "transposed": lambda: torch.randn(CLASSES, 7).T,
    "channels last": lambda: torch.randn(2, CLASSES, 3, 4).to(memory_format=torch.channels_last),
    "expanded": lambda: torch.randn(1, CLASSES).expand(7, CLASSES),
    "confident rows": lambda: 30 * torch.randn(7, CLASSES),
}

WEIGHT = [0.5, 2.0, 0.0, 1.0, 1.5]
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "weight": {"weight": WEIGHT},
    "ignore_index": {"ignore_index": -1},
    "ignore_index, a class": {"ignore_index": 1},
    "ignore_index, weight": {"ignore_index": 1, "weight": WEIGHT},
    "label_smoothing": {"label_smoothing": 0.15},
    "label_smoothing 1": {"label_smoothing": 1.0},
    "label_smoothing, weight": {"label_smoothing": 0.15, "weight": WEIGHT},
    "label_smoothing, ignore_index": {"label_smoothing": 0.15, "ignore_index": 1},
    "all": {"label_smoothing": 0.15, "ignore_index": -1, "weight": WEIGHT},
}
OF_PROBABILITIES = {k: v for k, v in OPTIONS.items() if "ignore_index" not in v}

each_shape = pytest.mark.parametrize("shape", SHAPES)
each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)
each_reduction = pytest.mark.parametrize("reduction", ["none", "mean", "sum"])


def make_options(name: str, classes: int, dtype: torch.dtype) -> dict[str, Any]:
    options = dict(OPTIONS[name])
    if "weight" in options:
        options["weight"] = torch.tensor(WEIGHT).repeat(classes)[:classes].to(dtype)
    return options


def make_labels(logits: Tensor, options: dict[str, Any]) -> Tensor:
    """Some of them ignored where a class is not named for it."""
    axis = int(logits.dim() > 1)
    labels = torch.randint(logits.shape[axis], logits.select(axis, 0).shape)
    if options.get("ignore_index", 0) < 0 and labels.dim():
        labels[::3] = options["ignore_index"]
    return labels


def upstream_of(loss: Tensor) -> Tensor:
    return torch.linspace(0.5, 2, loss.numel(), dtype=torch.float64).reshape(loss.shape)


def run(
    loss: Callable[..., Tensor], logits: Tensor, target: Tensor, **options: Any
) -> tuple[Tensor, ...]:
    """The loss, its gradient by the logits, and by the target if that holds probabilities."""
    inputs = [x.detach().requires_grad_() for x in (logits, target) if x.is_floating_point()]
    value = loss(inputs[0], *inputs[1:] or [target], **options)
    gradients = torch.autograd.grad(value, inputs, upstream_of(value).to(value.dtype))
    return value.detach(), *gradients


class Truth(NamedTuple):
    """A number with more digits than either has, and what its ulps are counted of."""

    value: np.ndarray
    scale: np.ndarray


def truth(
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> tuple[Truth, ...]:
    """Of the loss and the gradients, in numpy's longdouble; scales are a row's largest number."""
    axis = int(logits.dim() > 1)

    def as_rows(x: Tensor) -> np.ndarray:
        return x.detach().double().movedim(axis, -1).reshape(-1, x.shape[axis]).numpy()

    def like_input(x: np.ndarray) -> np.ndarray:
        return np.moveaxis(x.reshape(logits.movedim(axis, -1).shape), -1, axis)

    z = as_rows(logits)
    w = np.ones(z.shape[1]) if weight is None else weight.double().numpy()
    w, smoothing = w.astype(np.longdouble), np.longdouble(label_smoothing)
    if target.is_floating_point():
        rows = Rows(z, np.zeros(len(z), int))
        share = w * ((1 - smoothing) * as_rows(target) + smoothing / z.shape[1])
        losses = (share * rows.minus_log_p).sum(1)
        towards = share.sum(1, keepdims=True) * rows.p
        of_target = w * (1 - smoothing) * rows.minus_log_p
        gradients = [(towards - share, np.maximum(towards, share)), (of_target, of_target)]
        divisor, losses_scale = np.longdouble(len(z)), losses
    else:
        y = target.reshape(-1).numpy()
        kept = y != ignore_index
        y = np.where(kept, y, 0)
        exact = exact_loss("ce", {"label_smoothing": label_smoothing}, z, y, w)
        losses, losses_scale = np.where(kept, exact.value, 0), np.where(kept, exact.value_scale, 0)
        gradients = [(np.where(kept[:, None], exact.gradient, 0), exact.gradient_scale[:, None])]
        divisor = (w[y] * kept).sum()
    shape = logits.select(axis, 0).shape
    upstream = upstream_of(torch.empty(shape if reduction == "none" else ())).numpy().reshape(-1)
    if reduction == "none":
        loss = Truth(losses.reshape(shape), losses_scale.reshape(shape))
    else:
        divisor = divisor if reduction == "mean" else np.longdouble(1)
        loss = Truth(losses.sum() / divisor, losses_scale.sum() / divisor)
        upstream = upstream / divisor
    # exp multiplies the rounding of a difference of logits by that difference.
    spread = np.maximum(1, np.ptp(z, 1) / 4)
    return loss, *(
        Truth(
            like_input(np.where(value == 0, 0, upstream[:, None] * value)),
            like_input((upstream * spread * scale.max(1))[:, None] + 0 * value),
        )
        for value, scale in gradients
    )


def assert_as_near(found: Tensor, torchs: Tensor, exact: Truth) -> None:
    """|ours - exact| <= |torch's - exact| + 2 ulp (4 in float64); NaN and inf in the same place."""
    ours, theirs = (x.double().numpy().astype(np.longdouble) for x in (found, torchs))
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
    infinite = np.isinf(ours) | np.isinf(theirs)
    np.testing.assert_array_equal(ours[infinite], theirs[infinite])
    number = torch.finfo(found.dtype)
    with np.errstate(invalid="ignore"):
        off = abs(ours - exact.value) - abs(theirs - exact.value)
        ulps = off / (number.eps * exact.scale + number.smallest_normal)
    worst = np.where(np.isfinite(ulps), ulps, 0).max(initial=0)
    # The numbers of a row have more digits than its elements, but for float64.
    allowed = 4 if found.dtype == torch.float64 else 2
    assert worst <= allowed, f"{worst:.1f} ulp further from the truth than torch"


def assert_parity(logits: Tensor, target: Tensor, **options: Any) -> None:
    with np.errstate(invalid="ignore", divide="ignore"):  # a mean of nothing
        exact = truth(logits, target, **options)
    found, torchs = (run(loss, logits, target, **options) for loss in (NF.ce_loss, F.cross_entropy))
    for mine, theirs, right in zip(found, torchs, exact, strict=True):
        assert mine.shape == theirs.shape
        assert_as_near(mine, theirs, right)


@each_reduction
@pytest.mark.parametrize("options", OPTIONS)
@each_dtype
@each_shape
def test_class_indices(shape: str, dtype: torch.dtype, options: str, reduction: str) -> None:
    logits = SHAPES[shape]().to(dtype)
    arguments = make_options(options, logits.shape[int(logits.dim() > 1)], dtype)
    labels = make_labels(logits, arguments)
    assert_parity(logits, labels, **arguments, reduction=reduction)


@each_reduction
@pytest.mark.parametrize("options", OF_PROBABILITIES)
@each_dtype
@each_shape
def test_probabilities(shape: str, dtype: torch.dtype, options: str, reduction: str) -> None:
    logits = SHAPES[shape]().to(dtype)
    axis = int(logits.dim() > 1)
    arguments = make_options(options, logits.shape[axis], dtype)
    target = torch.randn_like(logits).softmax(axis)
    assert_parity(logits, target, **arguments, reduction=reduction)


EDGES: dict[str, tuple[Tensor, Tensor]] = {
    "all ignored": (torch.randn(4, CLASSES), torch.full((4,), -100)),
    "no rows": (torch.randn(0, CLASSES), torch.zeros(0).long()),
    "no pixels": (torch.randn(2, CLASSES, 0), torch.zeros(2, 0).long()),
    "no rows of probabilities": (torch.randn(0, CLASSES), torch.randn(0, CLASSES)),
    "a probability of zero at a masked class": (
        torch.tensor([[0.0, -INF, 1.0]]),
        torch.tensor([[0.5, 0.0, 0.5]]),
    ),
    "probabilities of one": (torch.randn(4, CLASSES), torch.eye(4, CLASSES)),
    "probabilities that do not sum to one": (torch.randn(4, CLASSES), torch.rand(4, CLASSES)),
    "targets of nothing but zeros": (torch.randn(4, CLASSES), torch.zeros(4, CLASSES)),
    "nan": (torch.tensor([[0.0, NAN], [0.0, 1.0]]), torch.tensor([0, 1])),
    "nan in probabilities": (torch.randn(2, 2), torch.tensor([[NAN, 0.5], [0.5, 0.5]])),
    "inf": (torch.tensor([[0.0, INF], [0.0, 1.0]]), torch.tensor([0, 1])),
    "masked label": (torch.tensor([[-INF, 0.0], [0.0, 1.0]]), torch.tensor([0, 1])),
    "large logits": (torch.tensor([[3e38, -3e38, 0.0]]), torch.tensor([0])),
    "uint8": (torch.randn(3, 200), torch.tensor([156, 0, 199], dtype=torch.uint8)),
}


@each_reduction
@pytest.mark.parametrize("kind", EDGES)
def test_edges(kind: str, reduction: str) -> None:
    """Infinite, empty and undefined where torch's are. (The truth here is torch's in float64.)"""
    logits, target = EDGES[kind]
    options = {"reduction": reduction}
    wide = target.double() if target.is_floating_point() else target
    exact = run(F.cross_entropy, logits.double(), wide, **options)
    found, torchs = (run(loss, logits, target, **options) for loss in (NF.ce_loss, F.cross_entropy))
    for mine, theirs, right in zip(found, torchs, exact, strict=True):
        assert mine.shape == theirs.shape
        value = right.double().numpy().astype(np.longdouble)
        scale = abs(np.where(np.isfinite(value), value, 0)).max(initial=1e-30)
        assert_as_near(mine, theirs, Truth(value, scale))


@each_reduction
@pytest.mark.parametrize("options", ["plain", "label_smoothing, weight"])
def test_modules(options: str, reduction: str) -> None:
    """Modules have the options of nn.CrossEntropyLoss, and their second derivatives."""
    logits = torch.randn(6, CLASSES, dtype=torch.float64, requires_grad=True)
    arguments = make_options(options, CLASSES, torch.float64) | {"reduction": reduction}
    ours, torchs = nk.CELoss(**arguments), torch.nn.CrossEntropyLoss(**arguments)
    assert list(ours.state_dict()) == list(torchs.state_dict())
    for target in (torch.randint(CLASSES, (6,)), torch.rand(6, CLASSES).double()):
        results = []
        for loss in (ours, torchs):
            value = loss(logits, target).sum()
            (gradient,) = torch.autograd.grad(value, logits, create_graph=True)
            (second,) = torch.autograd.grad(gradient.square().sum(), logits)
            results.append((value, gradient, second))
        torch.testing.assert_close(*results, rtol=1e-10, atol=1e-12)


def test_derivatives_by_probabilities() -> None:
    logits = torch.randn(3, CLASSES, 2, dtype=torch.float64, requires_grad=True)
    target = torch.rand(3, CLASSES, 2, dtype=torch.float64, requires_grad=True)

    def loss(x: Tensor, t: Tensor) -> Tensor:
        weight = torch.tensor(WEIGHT).double()
        return NF.ce_loss(x, t, weight, label_smoothing=0.15, reduction="none")

    assert torch.autograd.gradcheck(loss, (logits, target), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(loss, (logits, target))


X, Y = torch.randn(4, 3), torch.tensor([0, 2, 1, 2])
P = X.softmax(1)
SAME_ERROR: dict[str, tuple[type[Exception], tuple[Any, ...], dict[str, Any]]] = {
    "fewer labels": (ValueError, (X, Y[:3]), {}),
    "a label too large": (IndexError, (X, torch.tensor([0, 3, 1, 2])), {}),
    "a negative label": (IndexError, (X, torch.tensor([0, -1, 1, 2])), {}),
    "labels elsewhere": (RuntimeError, (X, Y.to("meta")), {}),
    "probabilities elsewhere": (RuntimeError, (X, P.to("meta")), {}),
    "weight elsewhere": (RuntimeError, (X, Y), {"weight": torch.ones(3, device="meta")}),
    "weight to learn": (RuntimeError, (X, Y), {"weight": torch.ones(3, requires_grad=True)}),
    "labels in a list": (TypeError, (X, Y.tolist()), {}),
    "no label_smoothing": (TypeError, (X, Y), {"label_smoothing": None}),
    "ignore_index no integer": (TypeError, (X, Y), {"ignore_index": 1.5}),
    "unknown reduction": (ValueError, (X, Y), {"reduction": "avg"}),
    "unknown reduction, probabilities": (ValueError, (X, P), {"reduction": "avg"}),
}
MORE_PRECISE = {  # RuntimeError in torch, NotImplementedError for the dtypes of logits
    "labels in two columns": (ValueError, (X, Y[:, None]), {}),
    "no dimension": (ValueError, (X[0, 0], Y[0]), {}),
    "labels of bool": (TypeError, (X, Y > 0), {}),
    "labels of int8": (TypeError, (X, Y.to(torch.int8)), {}),
    "labels of float": (ValueError, (X, Y.float()), {}),
    "logits of int": (TypeError, (X.long(), Y), {}),
    "logits of complex": (TypeError, (X + 0j, Y), {}),
    "too few weights": (ValueError, (X, Y), {"weight": torch.ones(2)}),
    "too few weights, probabilities": (ValueError, (X, P), {"weight": torch.ones(2)}),
    "weights of int": (TypeError, (X, Y), {"weight": torch.ones(3).int()}),
    "too much smoothing": (ValueError, (X, Y), {"label_smoothing": 2.0}),
    "probabilities with ignore_index": (ValueError, (X, P), {"ignore_index": 1}),
}


@pytest.mark.parametrize("wrong", [*SAME_ERROR, *MORE_PRECISE])
def test_errors(wrong: str) -> None:
    error, arguments, options = (SAME_ERROR | MORE_PRECISE)[wrong]
    with pytest.raises(error):
        NF.ce_loss(*arguments, **options)
    with pytest.raises(error if wrong in SAME_ERROR else RuntimeError):
        F.cross_entropy(*arguments, **options)


# ---- what differs on purpose


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("target", [Y, P], ids=["indices", "probabilities"])
def test_losses_of_half_precision_are_single(dtype: torch.dtype, target: Tensor) -> None:
    assert NF.ce_loss(X.to(dtype), target).dtype == torch.float32
    assert F.cross_entropy(X.to(dtype), Y).dtype == dtype


def test_an_ignored_row_of_nan_has_gradient_zero() -> None:
    spoiled, labels = torch.where(torch.arange(4)[:, None] == 1, NAN, X), Y.clone()
    labels[1] = -100
    (ours, gradient), (torchs, torchs_gradient) = (
        run(loss, spoiled, labels) for loss in (NF.ce_loss, F.cross_entropy)
    )
    torch.testing.assert_close(ours, torchs)
    assert torchs_gradient[1].isnan().all()
    assert not gradient[1].any()


def test_int32_labels_are_taken() -> None:
    assert torch.equal(NF.ce_loss(X, Y.int()), NF.ce_loss(X, Y))
    with pytest.raises(RuntimeError, match="expected target dtype"):
        F.cross_entropy(X, Y.int())


def test_a_class_weight_may_have_another_precision() -> None:
    weight = torch.rand(3).double()
    torch.testing.assert_close(
        NF.ce_loss(X, Y, weight), F.cross_entropy(X, Y, weight.float()), rtol=1e-6, atol=0
    )
    with pytest.raises(RuntimeError, match="expected scalar type"):
        F.cross_entropy(X, Y, weight)


def test_negative_smoothing_is_refused() -> None:
    assert F.cross_entropy(X, Y, label_smoothing=-1.0).isfinite()
    with pytest.raises(ValueError, match="label_smoothing must satisfy"):
        NF.ce_loss(X, Y, label_smoothing=-1.0)


def test_the_loss_of_probabilities_has_the_precision_of_the_logits() -> None:
    assert NF.ce_loss(X, P.double()).dtype == torch.float32
    assert F.cross_entropy(X, P.double()).dtype == torch.float64
