"""The operators as torch sees them: opcheck, compilation, modes, autocast, nonsense."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from cases import Case, each_core_loss, each_kind_of_pass, each_loss
from torch import Tensor
from torch.library import opcheck

import noisykernels.functional as NF
from noisykernels import autograd, evaluate
from noisykernels.ops import MEAN, NONE, REDUCTIONS, SUM, pack
from noisykernels.terms import NAMES, WeightedTerm

pytestmark = pytest.mark.usefixtures("kernels")

CPU = 1
forward = torch.ops.noisykernels.forward.default
backward = torch.ops.noisykernels.backward.default

LOGITS: dict[str, tuple[Any, Any]] = {
    "one row": (lambda: torch.randn(5), lambda: torch.tensor(2)),
    "batch": (lambda: torch.randn(4, 5), lambda: torch.tensor([0, 1, -100, 4])),
    "half": (lambda: torch.randn(4, 5).half(), lambda: torch.tensor([0, 1, 3, 4])),
    "double": (lambda: torch.randn(4, 5).double(), lambda: torch.tensor([0, 1, 3, 4])),
    "images": (lambda: torch.randn(2, 5, 3, 3), lambda: torch.randint(5, (2, 3, 3))),
    "channels last": (
        lambda: torch.randn(2, 5, 3, 3).to(memory_format=torch.channels_last),
        lambda: torch.randint(5, (2, 3, 3)),
    ),
    "permuted": (lambda: torch.randn(5, 4).T, lambda: torch.randint(5, (4,))),
    "permuted over three": (
        lambda: torch.randn(3, 5, 2, 4).permute(2, 1, 3, 0),
        lambda: torch.randint(5, (2, 4, 3)),
    ),
    "sliced": (lambda: torch.randn(9, 11)[1::2, 1:10:2], lambda: torch.randint(5, (4,))),
    "expanded": (lambda: torch.randn(1, 5).expand(4, 5), lambda: torch.randint(5, (4,))),
    "empty": (lambda: torch.randn(0, 5), lambda: torch.randint(5, (0,))),
}
TERMS = (WeightedTerm("ce", 0.5), WeightedTerm("sgce", 1.0, 0.7), WeightedTerm("smoothing", 0.1))


def arguments(
    layout: str, reduction: int = MEAN, weighted: bool = False
) -> tuple[Tensor, Tensor, Tensor | None, list[int], list[float], int, int, int]:
    logits, target = (make() for make in LOGITS[layout])
    return logits, target, torch.rand(5) if weighted else None, *pack(TERMS), -100, reduction, CPU


@pytest.mark.parametrize("reduction", [NONE, MEAN, SUM], ids=REDUCTIONS)
@pytest.mark.parametrize("layout", LOGITS)
def test_opcheck(layout: str, reduction: int) -> None:
    if layout == "empty" and reduction == MEAN:
        reduction = SUM  # the mean is NaN, which opcheck takes to be unequal to itself
    call = arguments(layout, reduction, weighted=layout == "batch")
    logits, target, weight, *loss = call
    opcheck(forward, (logits.detach().requires_grad_(), *call[1:]))
    value, rows, divisor = forward(*call)
    upstream = torch.randn_like(value)
    opcheck(backward, (upstream, logits, target, weight, rows, divisor, *loss))


def value_and_gradient(loss: Any, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    x = logits.detach().clone().requires_grad_()
    value = loss(x, target)
    value.backward(torch.full_like(value, 0.5))
    assert x.grad is not None
    return value.detach(), x.grad


def assert_same_bits(a: tuple[Tensor, ...], b: tuple[Tensor, ...]) -> None:
    for mine, other in zip(a, b, strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=0, equal_nan=True)


@each_kind_of_pass
def test_compiled_equals_eager(case: Case) -> None:
    check_compiled(case, dynamic=False)


@each_core_loss
def test_compiled_equals_eager_for_every_number_of_rows(case: Case) -> None:
    check_compiled(case, dynamic=True)


def check_compiled(case: Case, dynamic: bool) -> None:
    torch.compiler.reset()
    compiled = torch.compile(case, fullgraph=True, dynamic=dynamic)
    for rows in (4, 9) if dynamic else (4,):
        logits, labels = torch.randn(rows, 5), torch.randint(5, (rows,))
        assert_same_bits(
            value_and_gradient(compiled, logits, labels), value_and_gradient(case, logits, labels)
        )


COMPILATIONS = [("aot_eager", "node", "none"), ("aot_eager", "function", "mean"),
                ("inductor", "node", "mean")]  # fmt: skip


@pytest.mark.parametrize(("backend", "entrance", "reduction"), COMPILATIONS, ids=str)
def test_compiled_among_other_operators(
    backend: str, entrance: str, reduction: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if entrance == "function":
        monkeypatch.setattr(evaluate, "fused_loss", lambda *a: autograd.FusedLoss.apply(*a)[0])
    weight = torch.rand(5)

    def model(x: Tensor, y: Tensor) -> Tensor:
        return 2 * NF.sgce_loss((4 * x).transpose(1, 2), y, weight=weight, reduction=reduction)

    torch.compiler.reset()
    compiled = torch.compile(model, fullgraph=True, backend=backend)
    logits, labels = torch.randn(6, 3, 5), torch.randint(5, (6, 3))
    labels[0, 0] = -100
    assert_same_bits(
        value_and_gradient(compiled, logits, labels), value_and_gradient(model, logits, labels)
    )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@each_loss
def test_autocast_leaves_the_logits_alone(case: Case, dtype: torch.dtype) -> None:
    layer = torch.nn.Linear(8, 5)
    x, labels = torch.randn(6, 8), torch.randint(5, (6,))
    with torch.autocast("cpu", dtype=dtype):
        logits = layer(x)
        logits.retain_grad()
        loss = case(logits, labels)
    loss.backward(torch.tensor(0.5))
    assert logits.dtype == logits.grad.dtype == dtype
    assert loss.dtype == torch.float32
    assert_same_bits((loss, logits.grad), value_and_gradient(case, logits, labels))
    assert layer.weight.grad.isfinite().all()


@each_loss
def test_modes_without_a_graph_give_the_same_bits(case: Case) -> None:
    logits, labels = torch.randn(6, 5), torch.randint(5, (6,))
    expected = case(logits.clone().requires_grad_(), labels).detach()
    with torch.no_grad():
        assert torch.equal(case(logits, labels), expected)
    with torch.inference_mode():
        assert torch.equal(case(logits, labels), expected)


def test_meta_tensors_have_shapes() -> None:
    logits, labels = torch.empty(6, 5, 2, device="meta"), torch.empty(6, 2, device="meta").long()
    loss, _, _ = forward(logits, labels, None, *pack(TERMS), -100, NONE, CPU)
    assert loss.shape == labels.shape


IDS = {name: i for i, name in enumerate(NAMES)}
CE = [IDS["ce"]], [1.0, 0.0]
THREE_POWERS_AND_ONE = [IDS["sgce"]] * 3, [1.0, 0.3, 1.0, 0.5, 1.0, 0.7]
X, Y = torch.zeros(4, 5), torch.zeros(4, dtype=torch.long)

NONSENSE: dict[str, tuple[type[Exception], str, tuple[Any, ...]]] = {
    "too many powers": (ValueError, "powers", (X, Y, None, *THREE_POWERS_AND_ONE, -100, MEAN, CPU)),
    "too many terms": (ValueError, "terms", (X, Y, None, [0] * 17, [1.0] * 34, -100, MEAN, CPU)),
    "unknown term": (ValueError, "term", (X, Y, None, [99], [1.0, 0.0], -100, MEAN, CPU)),
    "negative term": (ValueError, "term", (X, Y, None, [-1], [1.0, 0.0], -100, MEAN, CPU)),
    "too few values": (ValueError, "values", (X, Y, None, [0], [1.0], -100, MEAN, CPU)),
    "too many values": (ValueError, "values", (X, Y, None, [0], [1.0] * 3, -100, MEAN, CPU)),
    "too few labels": (ValueError, "shape", (X, Y[:3], None, *CE, -100, MEAN, CPU)),
    "too many labels": (ValueError, "shape", (X[:3], Y, None, *CE, -100, MEAN, CPU)),
    "integer logits": (TypeError, "dtype", (X.long(), Y, None, *CE, -100, MEAN, CPU)),
    "too few class weights": (ValueError, "weight", (X, Y, torch.ones(3), *CE, -100, MEAN, CPU)),
    "unknown reduction": (ValueError, "reduction", (X, Y, None, *CE, -100, 7, CPU)),
}


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_nonsense_is_refused_and_does_no_harm(nonsense: str) -> None:
    error, message, call = NONSENSE[nonsense]
    with pytest.raises(error, match=message):
        forward(*call)
    loss, _, _ = forward(X, Y, None, *CE, -100, MEAN, CPU)
    torch.testing.assert_close(loss, torch.tensor(5.0).log())


@pytest.mark.parametrize(
    "spoil", [lambda rows: rows[:3], lambda rows: rows[:, :2], lambda rows: rows.double()],
    ids=["coefficients missing", "rows missing", "another dtype"],
)  # fmt: skip
def test_backward_refuses_buffers_that_do_not_fit(spoil: Callable[[Tensor], Tensor]) -> None:
    logits, target, weight, *loss = arguments("batch")
    _, rows, divisor = forward(logits, target, weight, *loss)
    with pytest.raises((ValueError, RuntimeError)):
        backward(torch.tensor(1.0), logits, target, weight, spoil(rows), divisor, *loss)


def test_backward_refuses_upstream_of_another_shape() -> None:
    logits, target, weight, *loss = arguments("batch", NONE)
    _, rows, divisor = forward(logits, target, weight, *loss)
    with pytest.raises((ValueError, RuntimeError)):
        backward(torch.ones(3), logits, target, weight, rows, divisor, *loss)
