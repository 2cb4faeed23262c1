"""The operators as torch sees them: opcheck, compilation, modes, autocast, nonsense."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

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
TERMS = (
    WeightedTerm("ce", 0.5),
    WeightedTerm("sgce", 1.0, 0.7),
    WeightedTerm("smoothing", 0.1),
    WeightedTerm("forward", 0.3),
)


VECTORS = torch.rand(5, 5).softmax(1)


class Call(NamedTuple):
    """What the operator is called with."""

    logits: Any = torch.zeros(4, 5)
    target: Any = torch.zeros(4, dtype=torch.long)
    weight: Tensor | None = None
    vectors: Tensor | None = None
    terms: Any = (NAMES.index("ce"),)
    values: Any = (1.0, 0.0, 0.0)
    ignore_index: int = -100
    reduction: int = MEAN
    statistics: bool = False
    backend: int = CPU


def call_of(layout: str, **options: Any) -> Call:
    logits, target = (make() for make in LOGITS[layout])
    terms, values = pack(TERMS)
    return Call(logits, target, vectors=VECTORS, terms=terms, values=values)._replace(**options)


@pytest.mark.parametrize("reduction", [NONE, MEAN, SUM], ids=REDUCTIONS)
@pytest.mark.parametrize("layout", LOGITS)
def test_opcheck(layout: str, reduction: int) -> None:
    if layout == "empty" and reduction == MEAN:
        reduction = SUM  # the mean is NaN, which opcheck takes to be unequal to itself
    weight = torch.rand(5) if layout == "batch" else None
    # Statistics of no label are NaN, which opcheck takes to be unequal to itself.
    call = call_of(layout, weight=weight, reduction=reduction, statistics=layout == "images")
    opcheck(forward, (call.logits.detach().requires_grad_(), *call[1:]))
    value, rows, divisor = forward(*call)
    upstream = torch.randn_like(value)
    opcheck(backward, (upstream, *call[:4], rows, divisor, *call[4:]))


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
        monkeypatch.setattr(evaluate, "fused_loss", lambda *a: autograd.FusedLoss.apply(*a)[:2])
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
    loss, _, _ = forward(*Call(logits, labels, reduction=NONE))
    assert loss.shape == labels.shape


SGCE, FORWARD, ELR = map(NAMES.index, ("sgce", "forward", "elr"))
X, Y = Call().logits, Call().target

NONSENSE: dict[str, tuple[type[Exception], str, Call]] = {
    "too many powers": (
        ValueError,
        "powers",
        Call(terms=[SGCE] * 3, values=[1.0, 0.3, 0.0, 1.0, 0.5, 0.0, 1.0, 0.7, 0.0]),
    ),
    "too many terms": (ValueError, "terms", Call(terms=[0] * 17, values=[1.0] * 51)),
    "unknown term": (ValueError, "term", Call(terms=[99])),
    "negative term": (ValueError, "term", Call(terms=[-1])),
    "too few values": (ValueError, "values", Call(values=[1.0, 0.0])),
    "too many values": (ValueError, "values", Call(values=[1.0] * 4)),
    "too few labels": (ValueError, "shape", Call(target=Y[:3])),
    "too many labels": (ValueError, "shape", Call(logits=X[:3])),
    "integer logits": (TypeError, "dtype", Call(logits=X.long())),
    "too few class weights": (ValueError, "weight", Call(weight=torch.ones(3))),
    "no vectors": (ValueError, "vectors", Call(terms=[FORWARD])),
    "vectors of other classes": (ValueError, "vectors", Call(vectors=torch.ones(5, 4))),
    "too few labels' vectors": (
        ValueError,
        "vectors",
        Call(terms=[FORWARD], vectors=torch.ones(4, 5)),
    ),
    "too many samples' vectors": (
        ValueError,
        "vectors",
        Call(terms=[ELR], vectors=torch.ones(5, 5)),
    ),
    "unknown reduction": (ValueError, "reduction", Call(reduction=7)),
}


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_nonsense_is_refused_and_does_no_harm(nonsense: str) -> None:
    error, message, call = NONSENSE[nonsense]
    with pytest.raises(error, match=message):
        forward(*call)
    loss, _, _ = forward(*Call())
    torch.testing.assert_close(loss, torch.tensor(5.0).log())


@pytest.mark.parametrize(
    "spoil", [lambda rows: rows[:3], lambda rows: rows[:, :2], lambda rows: rows.double()],
    ids=["coefficients missing", "rows missing", "another dtype"],
)  # fmt: skip
def test_backward_refuses_buffers_that_do_not_fit(spoil: Callable[[Tensor], Tensor]) -> None:
    call = call_of("batch")
    _, rows, divisor = forward(*call)
    with pytest.raises((ValueError, RuntimeError)):
        backward(torch.tensor(1.0), *call[:4], spoil(rows), divisor, *call[4:])


def test_backward_refuses_upstream_of_another_shape() -> None:
    call = call_of("batch", reduction=NONE)
    _, rows, divisor = forward(*call)
    with pytest.raises((ValueError, RuntimeError)):
        backward(torch.ones(3), *call[:4], rows, divisor, *call[4:])
