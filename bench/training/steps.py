"""Times whole training steps with the same loss from each backend, in turns.

Network, optimizer and images are the same for all. The images are random, which changes nothing
about the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

import torch

from bench import timing
from bench.contenders import Loss
from bench.models import MODELS
from bench.training import transition
from bench.training.clock import StepClock
from bench.training.criteria import BACKENDS, criterion
from bench.training.step import take_step


@dataclass(frozen=True)
class Case:
    """A network on the data it is for."""

    name: str
    model: str
    image: tuple[int, int, int]
    classes: int
    batch_size: int
    loss: str


CASES = {
    "cnn8": Case("CNN8, CIFAR-10", "cnn8", (3, 32, 32), 10, 128, "sce(alpha=0.1, beta=1)"),
    "resnet44": Case(
        "ResNet-44, CIFAR-100", "resnet44", (3, 32, 32), 100, 128, "sce(alpha=6, beta=0.1)"
    ),
    "resnet50": Case(
        "ResNet-50, 14 classes", "resnet50", (3, 224, 224), 14, 64, "sce(alpha=10, beta=1)"
    ),
}


@dataclass(frozen=True)
class StepTime:
    """What a step takes with a backend, or why that is not known."""

    case: str
    loss: str
    backend: str
    graph: bool
    """Whether a CUDA graph replays the step."""
    seconds: tuple[float, float, float] | None
    """Lower quartile, median and upper quartile over the rounds."""
    loss_seconds: float | None
    """The median of forward and backward of the loss."""
    share: float | None
    """Of the loss in the step, in percent."""
    absent: str = ""


class Network:
    """A network in training, and a batch for it."""

    def __init__(self, case: Case, device: torch.device, *, amp: bool, channels_last: bool) -> None:
        torch.manual_seed(0)
        self.device = device
        kind = torch.channels_last if channels_last else torch.contiguous_format
        self._model = MODELS[case.model](case.classes).to(device)
        self._model.to(memory_format=kind)  # type: ignore[call-overload]
        images = torch.randn(case.batch_size, *case.image, device=device)
        self._images = images.contiguous(memory_format=kind)
        self._labels = torch.randint(case.classes, (case.batch_size,), device=device)
        self._precision = torch.autocast(device.type, torch.bfloat16, enabled=amp)
        # A rate so small that the weights stay what they are.
        self._optimizer = torch.optim.SGD(self._model.parameters(), lr=1e-12, momentum=0.9)

    def step(self, loss: Loss, mark: Callable[[], None] = lambda: None) -> None:
        """A step of the training loop."""
        take_step(
            self._model,
            loss,
            self._optimizer,
            self._images,
            self._labels,
            mark=mark,
            precision=self._precision,
        )

    def loss_alone(self, loss: Loss) -> Callable[[], object]:
        """Forward and backward of the loss on this network's logits."""
        with torch.no_grad(), self._precision:
            logits = self._model(self._images)
        return timing.step(loss, logits.requires_grad_(), self._labels)


class Eager:
    """Steps as the training loop takes them; seconds of the loss in them are kept aside."""

    def __init__(self, network: Network, loss: Loss) -> None:
        self._network, self._loss = network, loss
        self.loss_seconds: list[float] = []

    def __call__(self, repeats: int) -> float:
        clock = StepClock(self._network.device)
        for _ in range(repeats):
            self._network.step(self._loss, clock.mark)
        loss_seconds, step_seconds = clock.seconds
        self.loss_seconds.append(loss_seconds / repeats)
        return step_seconds / repeats


class Graph:
    """The same as one CUDA graph, and a graph of the loss alone."""

    def __init__(self, network: Network, loss: Loss) -> None:
        self._step = _captured(lambda: network.step(loss))
        self._loss = _captured(network.loss_alone(loss))
        self.loss_seconds: list[float] = []

    def __call__(self, repeats: int) -> float:
        self.loss_seconds.append(_replayed(self._loss, repeats))
        return _replayed(self._step, repeats)


def measure(
    case: Case, network: Network, loss: str, rounds: int, budget_seconds: float
) -> Iterator[StepTime]:
    """Times of all backends, on a GPU also as CUDA graphs; what cannot run says why.

    Args:
        case: The case of the network.
        network: What is trained.
        loss: An expression, whose T is that of 40 % symmetric noise: its numbers take no time.
        rounds: At most.
        budget_seconds: No new round after.
    """
    T = None
    if transition.named(loss):
        T = transition.uniform(0.4, case.classes).to(network.device, torch.float32)
    contenders: dict[tuple[str, bool], Eager | Graph] = {}
    absent: dict[tuple[str, bool], str] = {}
    kinds = (Eager, Graph) if network.device.type == "cuda" else (Eager,)
    for kind in kinds:
        for backend in BACKENDS:
            key = backend, kind is Graph
            try:
                contenders[key] = kind(network, criterion(loss, backend, T))
                contenders[key](1)
            except Exception as error:  # whatever is wrong with a rival is a fact to report
                contenders.pop(key, None)
                absent[key] = str(error).splitlines()[0]
    seconds = timing.take_turns(contenders, rounds=rounds, budget_seconds=budget_seconds)
    for (backend, graph), found in seconds.items():
        step = timing.summary(found)
        of_loss = median(contenders[backend, graph].loss_seconds[-len(found) :])
        quartiles = step.low, step.median, step.high
        share = 100 * of_loss / step.median
        yield StepTime(case.name, loss, backend, graph, quartiles, of_loss, share)
    for (backend, graph), why in absent.items():
        yield StepTime(case.name, loss, backend, graph, None, None, None, why)


def _captured(call: Callable[[], object]) -> torch.cuda.CUDAGraph:
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):  # compile, and let the optimizer make its buffers
            call()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph


def _replayed(graph: torch.cuda.CUDAGraph, repeats: int) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(repeats):
        graph.replay()
    end.record()
    torch.cuda.synchronize()
    milliseconds: float = start.elapsed_time(end)
    return milliseconds / 1e3 / repeats
