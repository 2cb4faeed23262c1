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

from bench.gpu.correctness import capture
from bench.gpu.losses import Step

SAMPLES = 50
CALLS = 20
"""Steps of which the host's time is measured at once: a GPU's queue holds a thousand kernels."""

STEPS_IN_GRAPH = 20

MODES = ("forward", "backward", "both")


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
    graph: float | None
    """Of a forward and backward inside a CUDA graph."""
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
    contenders: Mapping[str, Step], inputs: Inputs, loss: str, *, samples: int = SAMPLES
) -> list[Time]:
    """Times of contenders at one shape; one that fails says why, and the others go on."""
    logits, _ = inputs[0]
    failures: dict[str, str] = {}
    running: dict[str, Step] = {}
    for name, contender in contenders.items():
        try:
            for _ in range(3):  # compile, load, fill the allocator
                step(contender, *inputs[0])
            torch.cuda.synchronize()
            running[name] = contender
        except Exception as error:  # whatever is wrong with a rival is a fact to report
            failures[name] = reason(error)
    device = _device_times(running, inputs, samples)
    shape, dtype = "x".join(map(str, logits.shape)), str(logits.dtype).removeprefix("torch.")
    found = [
        Time(shape, dtype, loss, name, {}, None, None, 0, reason)
        for name, reason in failures.items()
    ]
    for name, contender in running.items():
        host = _host_time(contender, inputs)
        peak_bytes = _peak_bytes(contender, *inputs[0])
        graph, absent = _graph_time(contender, inputs)
        found.append(Time(shape, dtype, loss, name, device[name], host, graph, peak_bytes, absent))
    return found


def step(contender: Step, logits: Tensor, target: Tensor) -> None:
    """A forward and backward as a training step does it: the gradient is written anew."""
    logits.grad = None
    contender(logits, target).backward()


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
    contenders: Mapping[str, Step], inputs: Inputs, samples: int
) -> dict[str, dict[str, list[float]]]:
    seconds: dict[str, dict[str, list[float]]] = {
        name: {mode: [] for mode in MODES} for name in contenders
    }
    turn = cycle(inputs)
    for _ in range(samples):
        for name, contender in contenders.items():
            for mode in MODES:
                logits, target = next(turn)
                logits.grad = None
                seconds[name][mode].append(_mode_time(contender, logits, target, mode))
                logits.grad = None
    return {
        name: {mode: [1e6 * s for s in _quartiles(values)] for mode, values in modes.items()}
        for name, modes in seconds.items()
    }


def _mode_time(contender: Step, logits: Tensor, target: Tensor, mode: str) -> float:
    if mode == "forward":
        return _event_time(lambda: contender(logits, target))
    if mode == "both":
        return _event_time(lambda: contender(logits, target).backward())
    value = contender(logits, target)
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


def _host_time(contender: Step, inputs: Inputs) -> float:
    """Microseconds until the host is free again; on a stream that never fills up."""
    seconds = []
    for _ in range(5):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _, (logits, target) in zip(range(CALLS), cycle(inputs), strict=False):
            step(contender, logits, target)
        seconds.append((time.perf_counter() - start) / CALLS)
    torch.cuda.synchronize()
    return 1e6 * min(seconds)


def _graph_time(contender: Step, inputs: Inputs) -> tuple[float | None, str]:
    """Microseconds of a step among many in one graph, or why there is none."""

    def steps() -> tuple[Tensor, ...]:
        for _, (logits, target) in zip(range(STEPS_IN_GRAPH), cycle(inputs), strict=False):
            torch.autograd.grad(contender(logits, target), logits)
        return ()

    try:
        graph, _ = capture(steps)
    except Exception as error:  # not all rivals can be captured
        return None, f"no graph: {reason(error)}"
    seconds = [_event_time(graph.replay) for _ in range(20)]
    return 1e6 * _quartiles(seconds)[1] / STEPS_IN_GRAPH, ""


def _peak_bytes(contender: Step, logits: Tensor, target: Tensor) -> int:
    logits.grad = None
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    step(contender, logits, target)
    peak = torch.cuda.max_memory_allocated() - before
    logits.grad = None
    return peak


def _quartiles(values: Sequence[float]) -> list[float]:
    return quantiles(values, n=4, method="inclusive")
