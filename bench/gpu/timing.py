"""Times on a GPU: of its own clock, of the host that launches, and of a graph that launches itself.

Contenders take turns, so that all of them see the same clock rate and the same neighbors.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from statistics import quantiles

import torch
from torch import Tensor
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from bench.gpu.correctness import capture
from bench.gpu.losses import Contender, Step

SAMPLES = 50
CALLS = 20
"""Steps of which the host's time is measured at once: a GPU's queue holds a thousand kernels."""

STEPS_IN_GRAPH = 20

MODES = ("forward", "backward", "both")


LARGE = 2**22
"""Bytes of logits from which launches no longer matter: a graph of few steps, replayed less."""


@dataclass(frozen=True)
class Time:
    """Microseconds of a contender at one shape; the GPU's as lower quartile, median and upper."""

    shape: str
    dtype: str
    loss: str
    contender: str
    device: Mapping[str, Sequence[float]]
    """For each mode. What waits for the host counts too: small batches are told by the others."""
    host: float | None
    """Of a forward and backward, without waiting for the GPU."""
    wall: float | None
    """Of one among many, all of them finished: the larger of what the host and the GPU take."""
    graph: float | None
    """Of a forward and backward inside a CUDA graph."""
    kernels: int | None
    """That a forward and backward launches, copies and fills among them."""
    peak_bytes: int
    """Beyond the logits and what else was there before; the gradient counts."""
    absent: str = ""
    """Why some of this is missing."""


Inputs = Sequence[tuple[Tensor, Tensor]]


def rotation(rows: int, classes: int, dtype: torch.dtype, device: str) -> Inputs:
    """Batches to take turns with: together they do not fit into the L2 cache twice over."""
    size = rows * classes * dtype.itemsize
    l2 = torch.cuda.get_device_properties(device).L2_cache_size
    count = min(64, -(-2 * l2 // size))
    return [
        (
            torch.randn(rows, classes, device=device, dtype=dtype).requires_grad_(),
            torch.randint(classes, (rows,), device=device),
        )
        for _ in range(max(2, count))
    ]


def times(
    contenders: Sequence[Contender], inputs: Inputs, loss: str, *, samples: int = SAMPLES
) -> list[Time]:
    """Times of contenders at one shape; one that fails says why, and the others go on."""
    logits, _ = inputs[0]
    shape, dtype = "x".join(map(str, logits.shape)), str(logits.dtype).removeprefix("torch.")
    found, running = [], []
    for contender in contenders:
        try:
            with contender.in_use():
                for _ in range(3):  # compile, load, fill the allocator
                    step(contender.step, *inputs[0])
            torch.cuda.synchronize()
            running.append(contender)
        except Exception as error:  # whatever is wrong with a rival is a fact to report
            why = reason(error)
            found.append(
                Time(shape, dtype, loss, contender.name, {}, None, None, None, None, 0, why)
            )
    device = _device_times(running, inputs, samples)
    for contender in running:
        with contender.in_use():
            host, wall = _host_times(contender.step, inputs)
            peak_bytes = _peak_bytes(contender.step, *inputs[0])
            kernels = _kernels(contender.step, *inputs[0])
            graph, absent = _graph_time(contender.step, inputs)
        found.append(
            Time(
                shape, dtype, loss, contender.name, device[contender.name], host, wall, graph,
                kernels, peak_bytes, absent,
            )
        )  # fmt: skip
    return found


def step(loss: Step, logits: Tensor, target: Tensor) -> None:
    """A forward and backward as a training step does it: the gradient is written anew."""
    logits.grad = None
    loss(logits, target).backward()


def copy_bandwidth(device: str, size: int = 2**30) -> float:
    """Bytes read and written in a second by a copy that no cache holds."""
    source = torch.empty(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    for _ in range(3):
        target.copy_(source)
    seconds = [_event_time(lambda: target.copy_(source)) for _ in range(20)]
    return 2 * size / _quartiles(seconds)[1]


def reason(error: Exception) -> str:
    """An error in one line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:120]}" if lines else type(error).__name__


def _device_times(
    contenders: Sequence[Contender], inputs: Inputs, samples: int
) -> dict[str, dict[str, list[float]]]:
    seconds: dict[str, dict[str, list[float]]] = {
        contender.name: {mode: [] for mode in MODES} for contender in contenders
    }
    turn = cycle(inputs)
    for _ in range(samples):
        for contender in contenders:
            with contender.in_use():
                for mode in MODES:
                    logits, target = next(turn)
                    logits.grad = None
                    second = _mode_time(contender.step, logits, target, mode)
                    seconds[contender.name][mode].append(second)
                    logits.grad = None
    return {
        name: {mode: [1e6 * s for s in _quartiles(values)] for mode, values in modes.items()}
        for name, modes in seconds.items()
    }


def _mode_time(loss: Step, logits: Tensor, target: Tensor, mode: str) -> float:
    if mode == "forward":
        return _event_time(lambda: loss(logits, target))
    if mode == "both":
        return _event_time(lambda: loss(logits, target).backward())
    value = loss(logits, target)
    return _event_time(value.backward)


def _event_time(call: Callable[[], object]) -> float:
    torch.cuda.synchronize()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    call()
    end.record()
    torch.cuda.synchronize()
    milliseconds: float = start.elapsed_time(end)
    return milliseconds / 1e3


def _host_times(loss: Step, inputs: Inputs) -> tuple[float, float]:
    """Microseconds of a step until the host is free again, and until the GPU is done too."""
    host, wall = [], []
    for _ in range(5):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _, (logits, target) in zip(range(CALLS), cycle(inputs), strict=False):
            step(loss, logits, target)
        host.append((time.perf_counter() - start) / CALLS)
        torch.cuda.synchronize()
        wall.append((time.perf_counter() - start) / CALLS)
    return 1e6 * min(host), 1e6 * min(wall)


def _kernels(loss: Step, logits: Tensor, target: Tensor) -> int | None:
    """What runs on the GPU in a step, or None where it cannot be traced."""
    try:
        with profile(activities=[ProfilerActivity.CUDA]) as trace:
            step(loss, logits, target)
            torch.cuda.synchronize()
    except RuntimeError:
        return None
    return sum(event.device_type == DeviceType.CUDA for event in trace.events()) or None


def _graph_time(loss: Step, inputs: Inputs) -> tuple[float | None, str]:
    """Microseconds of a step among many in one graph, or why there is none."""
    large = inputs[0][0].nbytes > LARGE
    count, replays = (2, 5) if large else (STEPS_IN_GRAPH, 20)

    def steps() -> tuple[Tensor, ...]:
        for _, (logits, target) in zip(range(count), cycle(inputs), strict=False):
            torch.autograd.grad(loss(logits, target), logits)
        return ()

    try:
        graph, _ = capture(steps)
    except Exception as error:  # not all rivals can be captured
        return None, f"no graph: {reason(error)}"
    seconds = [_event_time(graph.replay) for _ in range(replays)]
    return 1e6 * _quartiles(seconds)[1] / count, ""


def _peak_bytes(loss: Step, logits: Tensor, target: Tensor) -> int:
    logits.grad = None
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    step(loss, logits, target)
    peak = torch.cuda.max_memory_allocated() - before
    logits.grad = None
    return peak


def _quartiles(values: Sequence[float]) -> list[float]:
    return quantiles(values, n=4, method="inclusive")
