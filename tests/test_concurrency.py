"""Many Python threads that compute losses at once, each with its own backend and numbers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from threading import Barrier

import pytest
import torch
from cases import REPRESENTATIVES, Case
from conftest import BACKENDS
from torch import Tensor

from noisykernels import backends

THREADS = 8
pytestmark = pytest.mark.usefixtures("simd_level")


def step(case: Case, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(50, 30, generator=generator).requires_grad_()
    loss = case(x, torch.randint(30, (50,), generator=generator))
    loss.backward()
    return loss.detach(), x.grad


def test_threads_do_not_disturb_each_other() -> None:
    jobs = [(case, seed) for seed in range(8) for case in REPRESENTATIVES]
    with ThreadPoolExecutor(THREADS) as pool:
        together = list(pool.map(step, *zip(*jobs, strict=True)))
    for job, (loss, gradient) in zip(jobs, together, strict=True):
        alone, alone_gradient = step(*job)
        assert torch.equal(loss, alone)
        assert torch.equal(gradient, alone_gradient)


def test_a_wrong_label_in_one_thread_stays_there() -> None:
    start = Barrier(THREADS)

    def work(number: int) -> None:
        loss, wrong = REPRESENTATIVES[number], number % 2
        labels = torch.tensor([0, 1, 7 if wrong else 2])
        start.wait()
        for _ in range(20):
            with pytest.raises(IndexError, match=r"target\[2\] is 7") if wrong else nullcontext():
                loss(torch.zeros(3, 5), labels)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))


def test_one_graph_serves_several_threads() -> None:
    case = REPRESENTATIVES[0]
    x = torch.randn(50, 30, requires_grad=True)
    loss = case(x, torch.randint(30, (50,)))
    with ThreadPoolExecutor(THREADS) as pool:
        gradients = list(
            pool.map(lambda _: torch.autograd.grad(loss, x, retain_graph=True)[0], range(40))
        )
    assert all(torch.equal(g, gradients[0]) for g in gradients)


@pytest.mark.skipif(len(BACKENDS) < 2, reason="one backend only")
def test_each_thread_has_its_own_backend() -> None:
    both_inside = Barrier(2)

    def chosen(name: str) -> int:
        with backends.use(name):
            both_inside.wait()
            number = backends.choose("cpu")
            both_inside.wait()
        return number

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(chosen, BACKENDS[:2])) == [
            backends.NAMES.index(name) for name in BACKENDS[:2]
        ]
