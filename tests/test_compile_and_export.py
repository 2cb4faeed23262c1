"""Losses in programs that torch traces: what test_op.py tries with one loss alone, put together.

All tests of this suite run under use_deterministic_algorithms(True), see conftest.py.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from cases import Case, each_loss
from criteria import assert_same_bits, value_and_gradient
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import noisykernels as nk

WEIGHT = torch.tensor([0.5, 2.0, 0.25, 1.0, 1.5])
LOSSES: dict[str, Any] = {
    "sum": lambda **options: 0.1 * nk.CELoss(**options) + nk.RCELoss(A=-4.0, **options),
    "several passes": lambda **options: sum(nk.SGCELoss(q / 10, **options) for q in range(1, 8)),
    "no softmax": lambda **options: nk.MUHLoss(quadratic=0.1, **options),
}
each_sum = pytest.mark.parametrize("name", LOSSES)
each_shape = pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])


class Model(nn.Module):
    """A classifier of pixels with its loss inside, as is exported and trained."""

    def __init__(self, loss: nk.modules.Loss) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 5, 1)
        self.loss = loss

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.loss(self.layer(x), y)


def batch(rows: int = 2) -> tuple[Tensor, Tensor]:
    labels = torch.randint(5, (rows, 4, 4))
    labels[0, 0] = -100
    return torch.randn(rows, 3, 4, 4), labels


def gradients(model: nn.Module, *inputs: Tensor) -> tuple[Tensor, ...]:
    """The value and the gradients of the parameters."""
    value = model(*inputs)
    return value.detach(), *torch.autograd.grad(value, tuple(model.parameters()))


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
@each_shape
@each_sum
def test_compiled_sums_are_the_eager_ones(name: str, dynamic: bool, weight: Tensor | None) -> None:
    torch.compiler.reset()
    loss = LOSSES[name](weight=weight)
    compiled = torch.compile(loss, fullgraph=True, dynamic=dynamic, backend="aot_eager")
    for rows in (6, 9) if dynamic else (6,):
        logits, labels = torch.randn(rows, 5), torch.randint(5, (rows,))
        assert_same_bits(
            value_and_gradient(lambda x, y=labels: compiled(x, y), logits),
            value_and_gradient(lambda x, y=labels: loss(x, y), logits),
        )


@each_shape
def test_a_compiled_model_trains_as_the_eager_one(dynamic: bool) -> None:
    """Through inductor, whose layouts are its own; the layer's sums may round otherwise."""
    torch.compiler.reset()
    model = Model(LOSSES["sum"](weight=WEIGHT)).to(memory_format=torch.channels_last)
    compiled = torch.compile(model, fullgraph=True, dynamic=dynamic)
    for rows in (2, 3) if dynamic else (2,):
        inputs = batch(rows)
        torch.testing.assert_close(gradients(compiled, *inputs), gradients(model, *inputs))


def test_one_graph_for_all_batch_sizes() -> None:
    torch.compiler.reset()
    loss = LOSSES["sum"]()
    compiled = torch.compile(loss, fullgraph=True, dynamic=True, backend="aot_eager")
    compiled(torch.randn(6, 5), torch.randint(5, (6,)))
    with torch._dynamo.config.patch(error_on_recompile=True):
        for rows in (7, 33):
            compiled(torch.randn(rows, 5), torch.randint(5, (rows,)))


def test_a_compiled_gradient_of_gradients() -> None:
    """torch compiles no derivative of a backward pass, but one that is part of the function."""
    torch.compiler.reset()

    def penalty(x: Tensor, y: Tensor) -> Tensor:
        return torch.func.grad(lambda x: nk.GCELoss()(x, y))(x).square().sum()

    logits, labels = torch.randn(6, 5), torch.randint(5, (6,))
    compiled = torch.compile(penalty, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(logits, labels), penalty(logits, labels))


class WithOptions(Model):
    """The weighted loss times the share of hits: one number of all that a loss can tell."""

    def forward(self, x: Tensor, y: Tensor, weights: Tensor) -> Tensor:
        loss, stats = self.loss(self.layer(x), y, sample_weight=weights, return_stats=True)
        return loss * stats.hit.float().mean()


@pytest.mark.parametrize("strict", [False, True], ids=["not strict", "strict"])
@pytest.mark.parametrize("kind", [Model, WithOptions])
def test_export(kind: type[Model], strict: bool) -> None:
    """A program with the loss in it, for any batch size; class weights go along as a buffer."""
    model = kind(nk.GCELoss(weight=WEIGHT))

    def inputs(rows: int) -> tuple[Tensor, ...]:
        x, y = batch(rows)
        return (x, y, torch.rand(y.shape)) if kind is WithOptions else (x, y)

    rows = torch.export.Dim("rows", min=2)
    shapes = tuple({0: rows} for _ in inputs(2))
    exported = torch.export.export(model, inputs(4), dynamic_shapes=shapes, strict=strict)
    assert "loss.weight" in exported.state_dict
    for rows_now in (4, 7):
        now = inputs(rows_now)
        assert_same_bits(gradients(exported.module(), *now), gradients(model, *now))


class Copies(TorchDispatchMode):
    """Records what the operator gets, and conversions of tensors of a given size."""

    def __init__(self, numel: int) -> None:
        super().__init__()
        self.numel = numel
        self.logits: list[torch.dtype] = []
        self.converted = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.name() == "noisykernels::forward":
            self.logits.append(args[0].dtype)
        if func.name() == "aten::_to_copy" and args[0].numel() == self.numel:
            self.converted += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@each_loss
def test_autocast_makes_no_copy_of_half_logits(case: Case, dtype: torch.dtype) -> None:
    logits = torch.randn(6, 5).to(dtype).requires_grad_()
    labels, s = torch.randint(5, (6,)), torch.rand(6)
    loss = case.module(5)
    with torch.autocast("cpu", dtype=dtype), Copies(logits.numel()) as copies:
        value = loss(logits, labels)
        weighted, stats = loss(logits, labels, sample_weight=s, return_stats=True)
        (value + weighted).backward()
    assert copies.logits == [dtype, dtype]
    assert copies.converted == 0
    assert logits.grad.dtype == dtype
    assert {numbers.dtype for numbers in (value, weighted, stats.p_y)} == {torch.float32}


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_a_scaled_loss_in_half_precision(compiled: bool) -> None:
    """GradScaler multiplies the loss by 2^16: the gradient in float16 keeps what it would lose."""
    torch.compiler.reset()
    layer, loss = nn.Linear(8, 5), nk.GCELoss()
    x, labels = torch.randn(4096, 8), torch.randint(5, (4096,))
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    expected = copy.deepcopy(layer)

    def forward(x: Tensor, y: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.float16):
            return loss(layer(x), y)

    if compiled:
        forward = torch.compile(forward, fullgraph=True, backend="aot_eager")
    scaler.scale(forward(x, labels)).backward()
    scaler.step(optimizer)
    scaler.update()
    assert scaler.get_scale() == 2.0**16  # no step was left out
    loss(expected(x), labels).backward()
    torch.testing.assert_close(
        expected.weight - expected.weight.grad, layer.weight, rtol=0, atol=2e-3 * 0.1
    )


def test_a_scaled_loss_that_overflows_is_left_out() -> None:
    layer = nn.Linear(8, 5)
    before = layer.weight.clone()
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    with torch.autocast("cpu", dtype=torch.float16):
        loss = nk.CELoss()(layer(torch.randn(4, 8)), torch.randint(5, (4,)))
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    assert torch.equal(layer.weight, before)
    assert scaler.get_scale() == 2.0**39


def test_without_deterministic_algorithms() -> None:
    """Repeats give the same bits all the same: nothing here is atomic."""
    torch.use_deterministic_algorithms(False)
    logits, labels = torch.randn(300, 50), torch.randint(50, (300,))
    loss = LOSSES["several passes"](weight=torch.rand(50))
    first, second = (value_and_gradient(lambda x: loss(x, labels), logits) for _ in range(2))
    assert_same_bits(first, second)


@each_sum
def test_a_model_that_is_copied_has_its_loss(name: str) -> None:
    model = Model(LOSSES[name](weight=WEIGHT))
    twin = copy.deepcopy(model)
    inputs = batch()
    assert_same_bits(gradients(twin, *inputs), gradients(model, *inputs))
    twin.loss.weight.zero_()
    assert model(*inputs).isfinite()
    assert str(model.loss) in str(model)
