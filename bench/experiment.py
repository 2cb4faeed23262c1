"""The demo's training runs: one run, and two processes that share all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue

import torch
from torch import nn

from bench.data import Dataset
from bench.train import Recipe, agreement, train
from noisykernels import noise

PROCESSES = 2
NOISE_RATE = 0.6


@dataclass(frozen=True)
class Task:
    """A run to do: row ``row`` of the table with seed ``seed``."""

    row: int
    criterion: nn.Module
    clean: bool
    seed: int


@dataclass(frozen=True)
class Run:
    """What a run showed, in percent."""

    accuracy: list[float]
    """On the clean test images, after each epoch."""
    memorized: float
    """Share of the wrongly labeled training images predicted as labeled; NaN if there are none."""


def run(task: Task, data: Dataset, recipe: Recipe, after_epoch: Callable[[float], None]) -> Run:
    """Trains with noisy labels, or with the clean ones, and measures."""
    labels = clean = data.train_labels
    if not task.clean:
        labels = noise.symmetric(clean, NOISE_RATE, data.num_classes, seed=task.seed).labels
    accuracy: list[float] = []

    def record(percentage: float) -> None:
        accuracy.append(percentage)
        after_epoch(percentage)

    model = train(task.criterion, data, labels, recipe, task.seed, record)
    wrong = labels != clean
    memorized = agreement(model, data.train_images[wrong], labels[wrong])
    return Run(accuracy, memorized)


def run_all(
    tasks: Sequence[Task],
    load: Callable[[], Dataset],
    recipe: Recipe,
    after_epoch: Callable[[int, float], None],
) -> list[Run]:
    """Does all runs, each on one thread; ``after_epoch`` gets the row and its accuracy."""
    # Processes are spawned: forked ones would inherit torch's thread pools in an unknown state.
    context = get_context("spawn")
    epochs: SimpleQueue[tuple[int, float]] = context.SimpleQueue()
    pool = ProcessPoolExecutor(PROCESSES, context, _start_worker, (load, recipe, epochs))
    try:
        futures = [pool.submit(_work, task) for task in tasks]
        unfinished = set(futures)
        while unfinished:
            done, unfinished = wait(unfinished, timeout=0.1)
            while not epochs.empty():
                after_epoch(*epochs.get())
            for future in done:
                future.result()  # a run that failed ends the others
    finally:
        pool.shutdown(cancel_futures=True)
    return [future.result() for future in futures]


_worker: tuple[Dataset, Recipe, SimpleQueue[tuple[int, float]]]
"""What all tasks of a worker process share."""


def _start_worker(
    load: Callable[[], Dataset], recipe: Recipe, epochs: SimpleQueue[tuple[int, float]]
) -> None:
    global _worker
    torch.set_num_threads(1)
    _worker = load().standardized(), recipe, epochs


def _work(task: Task) -> Run:
    data, recipe, epochs = _worker
    return run(task, data, recipe, lambda percentage: epochs.put((task.row, percentage)))
