"""The same bits on every run, with any number of threads, and whatever else is in the batch."""

from __future__ import annotations

import pytest
import torch
from cases import Case, each_core_loss, each_kind_of_pass, each_loss
from torch import Tensor

from noisykernels.modules import Loss

pytestmark = pytest.mark.usefixtures("simd_level")

# 300 rows are 19 blocks of 16; with 257 classes, too many elements for one thread.
ROWS, CLASSES = 300, 257


def step(module: Loss, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """With a module, since LAPACK's inverse of a matrix is not the same for all threads."""
    x = logits.clone().requires_grad_()
    loss = module(x, labels)
    loss.backward(torch.ones_like(loss))
    assert x.grad is not None
    return loss.detach(), x.grad


def same(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> bool:
    return torch.equal(a[0], b[0]) and torch.equal(a[1], b[1])


@each_loss
def test_repeats(case: Case) -> None:
    torch.set_num_threads(2)
    logits, labels = torch.randn(ROWS, CLASSES), torch.randint(CLASSES, (ROWS,))
    module = case.module(CLASSES)
    first = step(module, logits, labels)
    assert all(same(step(module, logits, labels), first) for _ in range(20))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@each_loss
def test_numbers_of_threads(case: Case, dtype: torch.dtype) -> None:
    logits = torch.randn(ROWS, CLASSES).to(dtype)
    labels = torch.randint(CLASSES, (ROWS,))
    module = case.module(CLASSES)
    alone = step(module, logits, labels)
    for threads in 2, 3, 7:
        torch.set_num_threads(threads)
        assert same(step(module, logits, labels), alone)


# 65536 classes are summed on their own; of 64 such sums the results wait for each other.
@pytest.mark.parametrize(("rows", "classes"), [(1, 65537), (3, 5 * 65536), (1, 65 * 65536 + 100)])
@each_core_loss
def test_threads_share_long_rows(case: Case, rows: int, classes: int) -> None:
    logits, labels = torch.randn(rows, classes), torch.randint(classes, (rows,))
    module = case.module(classes)
    alone = step(module, logits, labels)
    torch.set_num_threads(7)
    assert same(step(module, logits, labels), alone)


@each_kind_of_pass
def test_how_the_batch_is_split(case: Case) -> None:
    logits, labels = torch.randn(ROWS, CLASSES), torch.randint(CLASSES, (ROWS,))
    module = case.module(CLASSES, reduction="none")
    loss, gradient = step(module, logits, labels)
    for size in 1, 17, 150:
        parts = zip(logits.split(size), labels.split(size), strict=True)
        losses, gradients = zip(*(step(module, x, y) for x, y in parts), strict=True)
        assert same((torch.cat(losses), torch.cat(gradients)), (loss, gradient))
