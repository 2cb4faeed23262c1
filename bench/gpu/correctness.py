"""Every loss on a backend against the reference in float64, on the same device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import torch
from torch import Tensor

from bench.gpu.losses import CHECKED, Loss
from noisykernels import backends
from noisykernels.registry import LOSSES

Shape = tuple[int, ...]

SHAPES: tuple[Shape, ...] = (
    (10,),
    (1, 10),
    (64, 14),
    (129, 10),
    (5000, 10),  # many programs, and one that adds up
    (128, 100),
    (33, 1000),
    (9, 4096),
    (1, 50257),  # a row that is split
    (300, 50257),
    (4, 19, 6, 5),
)
DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
REPEATS = 10

MOST_OF_A_MATRIX = 1000
"""Classes from which a loss that takes a number for each pair of them is left out."""

BARS = {torch.float64: (2e-13, 1e-12), torch.float32: (2e-6, 5e-6)}
HALF_BAR = (4e-6, 7e-6)
"""Relative errors allowed where the logits of a row are within 32 of each other, and elsewhere."""

SUBTRACTING = ("sgce", "ngce", "amse", "pnorm", "jal_ce", "jal_fl", "forward", "forward_rce")
"""Losses whose gradient may be far smaller than the parts it is the difference of."""

FLOOR = 1e-12
"""An error of this size may be the reference's own: in float64 it cancels from margins of 20 on."""


@dataclass(frozen=True)
class Check:
    """The largest errors of a case, in units of what is allowed."""

    backend: str
    loss: str
    dtype: str
    shape: str
    options: str
    value: float
    gradient: float
    repeats: bool
    """Whether running it again gave the same bits."""

    @property
    def passed(self) -> bool:
        """Whether all is well; NaN is not."""
        return self.value <= 1 and self.gradient <= 1 and self.repeats


def checks(
    device: str,
    backend: str,
    shapes: Sequence[Shape] = SHAPES,
    losses: Sequence[Loss] = CHECKED,
    dtypes: Sequence[torch.dtype] = DTYPES,
) -> Iterator[Check]:
    """All losses, types and shapes; reductions, class weights and layouts take turns."""
    generator = torch.Generator().manual_seed(0)
    turn = 0
    for loss in losses:
        for dtype in dtypes:
            for shape in shapes:
                if loss.takes_matrix and shape[min(1, len(shape) - 1)] > MOST_OF_A_MATRIX:
                    continue
                reduction = ("none", "mean", "sum")[turn % 3]
                weighted, transposed = bool(turn % 2), turn % 5 == 0
                turn += 1
                try:
                    yield _check(
                        loss, dtype, shape, reduction, weighted, transposed, device, backend,
                        generator,
                    )  # fmt: skip
                except Exception as error:  # a kernel that does not run is what this is to find
                    text = str(dtype).removeprefix("torch."), "x".join(map(str, shape)), repr(error)
                    yield Check(backend, str(loss), *text, inf, inf, False)


def _check(
    loss: Loss,
    dtype: torch.dtype,
    shape: Shape,
    reduction: str,
    weighted: bool,
    transposed: bool,
    device: str,
    backend: str,
    generator: torch.Generator,
) -> Check:
    axis = min(1, len(shape) - 1)
    classes = shape[axis]
    labels_shape = shape[:axis] + shape[axis + 1 :]
    # Scales differ from row to row: some rows are sure of their label, or of another one.
    scale = 10 ** torch.empty(labels_shape).uniform_(-1, 1, generator=generator).unsqueeze(axis)
    if scale.numel() == 1:
        scale = torch.ones_like(scale)
    logits = (scale * torch.randn(shape, generator=generator)).to(device, dtype)
    if transposed and logits.dim() > 1:
        logits = logits.movedim(axis, 0).contiguous().movedim(0, axis)
    target = torch.randint(classes, labels_shape, generator=generator)
    if target.numel() > 1:
        target[torch.rand(labels_shape, generator=generator) < 0.1] = -100
    target = target.to(device)
    weight = torch.rand(classes, generator=generator).to(device) if weighted else None
    options: dict[str, Any] = {"weight": weight, "reduction": reduction}
    size = labels_shape if reduction == "none" else ()
    upstream = torch.randn(size, generator=generator, dtype=torch.float64).to(device)

    def run(x: Tensor, name: str) -> tuple[Tensor, Tensor]:
        x = x.detach().requires_grad_()
        with backends.use(name):
            w = None if weight is None else weight.to(torch.promote_types(x.dtype, torch.float32))
            value = loss(x, target, **(options | {"weight": w}))
        (gradient,) = torch.autograd.grad(value, x, upstream.to(value.dtype))
        return value.detach(), gradient

    found = run(logits, backend)
    again = [run(logits, backend) for _ in range(REPEATS)]
    wide = logits.double().movedim(axis, -1)
    spread = wide.amax(-1) - wide.amin(-1)
    near, far = BARS.get(dtype, HALF_BAR)
    bar = torch.where(spread > 32, far, near)
    value, gradient = _errors(
        loss, found, run(logits.double(), "reference"), bar, spread, axis, reduction
    )
    described = [reduction, *["class weights"] * weighted, *["transposed"] * transposed]
    return Check(
        backend,
        str(loss),
        str(dtype).removeprefix("torch."),
        "x".join(map(str, shape)),
        ", ".join(described),
        value,
        gradient,
        all(torch.equal(a, b) for pair in again for a, b in zip(found, pair, strict=True)),
    )


def _errors(
    loss: Loss,
    found: tuple[Tensor, Tensor],
    exact: tuple[Tensor, Tensor],
    bar: Tensor,
    spread: Tensor,
    axis: int,
    reduction: str,
) -> tuple[float, float]:
    """Of the value and, relative to the row's largest, of the gradient."""
    (value, gradient), (exact_value, exact_gradient) = found, exact
    # The largest part that the formula adds up; those of bounded losses are of the order of one.
    parts = bar * (1 if LOSSES[loss.name].bounded == "yes" else 1 + spread)
    if exact_value.dim() < spread.dim():
        parts = parts.sum() if reduction == "sum" else parts.max()
    allowed = bar.max() * exact_value.abs() + parts + FLOOR
    rows = exact_gradient.movedim(axis, -1)
    largest = rows.abs().amax(-1)
    if loss.name in SUBTRACTING:
        largest = largest.clamp(min=0.1 * largest.max().item())
    # Twice, for a gradient that is the difference of larger parts.
    tolerance = (2 * bar * largest).unsqueeze(-1) + FLOOR
    if gradient.dtype in (torch.float16, torch.bfloat16):
        info = torch.finfo(gradient.dtype)
        tolerance = tolerance + info.eps / 2 * rows.abs() + info.smallest_normal * info.eps
    return (
        _largest((value.double() - exact_value).abs() / allowed),
        _largest((gradient.double().movedim(axis, -1) - rows).abs() / tolerance),
    )


def _largest(ratio: Tensor) -> float:
    return ratio.max().item() if ratio.numel() else 0.0


def replays(loss: Callable[[Tensor, Tensor], Tensor], shape: Shape, dtype: torch.dtype) -> bool:
    """Whether a step captured in a CUDA graph gives, for other data, what it gives outside."""
    axis = min(1, len(shape) - 1)

    def data() -> tuple[Tensor, Tensor]:
        labels = torch.randint(shape[axis], shape[:axis] + shape[axis + 1 :], device="cuda")
        return torch.randn(shape, device="cuda", dtype=dtype), labels

    x, target = data()
    x.requires_grad_()

    def step() -> tuple[Tensor, Tensor]:
        value = loss(x, target)
        (gradient,) = torch.autograd.grad(value, x)
        return value.detach(), gradient

    graph, captured = capture(step)
    for _ in range(3):
        with torch.no_grad():
            for static, new in zip((x, target), data(), strict=True):
                static.copy_(new)
        graph.replay()
        replayed = [tensor.clone() for tensor in captured]
        if not all(torch.equal(a, b) for a, b in zip(replayed, step(), strict=True)):
            return False
    return True


def capture(
    step: Callable[[], tuple[Tensor, ...]],
) -> tuple[torch.cuda.CUDAGraph, tuple[Tensor, ...]]:
    """A step as a CUDA graph, and the memory its results are in.

    It runs outside the graph first, on another stream as capture demands: kernels are compiled and
    loaded then, neither of which can be captured.
    """
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = step()
    return graph, results
