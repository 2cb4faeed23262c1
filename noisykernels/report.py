"""What `python -m noisykernels` prints: the environment, and each loss on each backend checked."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

import torch
from torch import Tensor

import noisykernels
from noisykernels import backends, functional, reference
from noisykernels.registry import LOSSES, losses

TOLERANCE = 1e-5
"""Largest error of float32 arithmetic that passes; the tests of the kernels are stricter."""

ROWS, CLASSES = 64, 10
MARGINS = (-80.0, -30.0, -10.0, 10.0, 30.0, 60.0)
"""Lead of the label's logit in the first rows, far beyond what random logits reach."""


TRANSITION = 0.75 * torch.eye(CLASSES) + 0.25 / CLASSES
"""For losses that take a transition matrix."""


class Check(NamedTuple):
    """The largest errors of one loss on one backend."""

    loss: str
    backend: str
    value: float
    gradient: float

    @property
    def passed(self) -> bool:
        """Whether both errors are small; NaN is not."""
        return self.value <= TOLERANCE and self.gradient <= TOLERANCE


def main() -> int:
    """Print the report; return 1 if a check fails, else 0."""
    print(environment())
    print(f"\nLargest error in float32 against the reference in float64 (at most {TOLERANCE:g})\n")
    print(f"{'loss':<20}{'backend':<12}{'value':<10}{'gradient':<10}")
    failed = False
    for check in self_check():
        verdict = "ok" if check.passed else "FAILED"
        failed |= not check.passed
        print(
            f"{check.loss:<20}{check.backend:<12}{check.value:<10.1e}{check.gradient:<10.1e}{verdict}"
        )
    return int(failed)


def environment() -> str:
    """Versions, the state of the compiled extension, and the backends."""
    lines = [
        ("noisykernels", noisykernels.__version__),
        ("Python", platform.python_version()),
        ("torch", torch.__version__),
        ("triton", _version("triton")),
        ("extension", _extension()),
    ]
    if backends.extension is not None:
        in_use = backends.extension.simd_level()
        others = [level for level in backends.extension.simd_levels() if level != in_use]
        lines.append(("SIMD", f"{in_use} (also usable here: {', '.join(others) or 'none'})"))
    lines += [
        (f"backend {name}", "usable" if state is True else f"not usable: {state}")
        for name, state in backends.available().items()
    ]
    return "\n".join(f"{name:<20}{text}" for name, text in lines)


def self_check() -> Iterator[Check]:
    """Compare every loss on every usable backend with the reference in float64."""
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(ROWS, CLASSES, generator=generator)
    target = torch.randint(CLASSES, (ROWS,), generator=generator)
    upstream = torch.randn(ROWS, generator=generator)
    for row, margin in enumerate(MARGINS):
        logits[row, target[row]] = logits[row].max() + margin
    for name in losses():
        exact = _value_and_gradient(reference, name, logits.double(), target, upstream.double())
        for backend, state in backends.available().items():
            if state is True:
                inputs = (t.to(_device_for(backend)) for t in (logits, target, upstream))
                with backends.use(backend):
                    value, gradient = _value_and_gradient(functional, name, *inputs)
                yield Check(name, backend, *_errors((value.cpu(), gradient.cpu()), exact))


def _device_for(backend: str) -> str:
    devices = backends.DEVICES.get(backend, ("cpu",))
    return "cpu" if "cpu" in devices else devices[0]


def _value_and_gradient(
    module: object, name: str, logits: Tensor, target: Tensor, upstream: Tensor
) -> tuple[Tensor, Tensor]:
    logits = logits.detach().requires_grad_()
    matrices = LOSSES[name].matrices(TRANSITION.to(logits.device))
    loss = getattr(module, f"{name}_loss")(logits, target, reduction="none", **matrices)
    (gradient,) = torch.autograd.grad(loss, logits, upstream)
    return loss.detach(), gradient


def _errors(result: tuple[Tensor, Tensor], exact: tuple[Tensor, Tensor]) -> tuple[float, float]:
    """Error of the value relative to it or 1, of the gradient relative to the row's largest.

    Where a formula subtracts, a gradient that nearly vanishes has lost its digits: a row counts as
    if it had at least a twentieth of the largest gradient of all.
    """
    value, gradient = exact
    value_error = (result[0] - value).abs() / value.abs().clamp(min=1)
    largest = gradient.abs().amax(1, keepdim=True)
    gradient_error = (result[1] - gradient).abs() / largest.clamp(min=0.05 * largest.max())
    return value_error.max().item(), gradient_error.max().item()


def _extension() -> str:
    if backends.extension is None:
        return f"absent: {backends.available()['cpu']}"
    build = backends.build_facts
    assert build is not None  # without it the extension is not loaded
    return f"built for torch {build.TORCH} by {build.COMPILER} (NOISYKERNELS_BUILD={build.MODE})"


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "absent"
