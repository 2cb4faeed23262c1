"""The losses on a GPU, with each set of kernels for it: what only a GPU can show.

`python -m bench.gpu_check` runs this among other things. Whether the kernels are right is asked on
every machine, in test_cuda_emulated.py and test_triton.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from cases import Case, each_loss
from torch import Tensor

import noisykernels.functional as NF
from bench.gpu.correctness import replays
from noisykernels import backends, ops
from noisykernels.terms import WeightedTerm

if not torch.cuda.is_available():
    pytest.skip("no GPU", allow_module_level=True)

KERNELS = [name for name in ("cuda", "triton") if backends.available()[name] is True]

SHAPES = {
    (64, 14): "a block does all",
    (300, 10): "several blocks, and the last adds up",
    (33, 1000): "a warp a row",
    (2, 50257): "a row is split over blocks, and starts anywhere",
    (4, 19, 6, 5): "images",
}


@pytest.fixture(params=KERNELS, autouse=True)
def kernels(request: pytest.FixtureRequest) -> Iterator[str]:
    with backends.use(request.param):
        yield request.param


def batch(shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    logits = (3 * torch.randn(shape, device="cuda")).to(dtype).requires_grad_()
    return logits, torch.randint(shape[1], shape[:1] + shape[2:], device="cuda")


@each_loss
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_every_loss(case: Case, dtype: torch.dtype) -> None:
    for shape in SHAPES:
        logits, target = batch(shape, dtype)
        wide = logits.detach().double().requires_grad_()
        with backends.use("reference"):
            exact = case(wide, target)
        found = case(logits, target)
        torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-5)
        (gradient,) = torch.autograd.grad(found, logits)
        (expected,) = torch.autograd.grad(exact, wide)
        scale = expected.abs().max().item()
        tolerance = 2**-8 if dtype == torch.bfloat16 else 1e-5
        torch.testing.assert_close(gradient.double(), expected, rtol=tolerance, atol=1e-5 * scale)


def test_the_same_bits_each_time() -> None:
    for shape in SHAPES:
        logits, target = batch(shape)
        found = [NF.sgce_loss(logits, target) for _ in range(20)]
        assert all(torch.equal(found[0], other) for other in found)


def test_a_captured_step_takes_other_data() -> None:
    for shape in SHAPES:
        assert replays(NF.gce_loss, shape, torch.float32)


def test_streams_do_not_meet() -> None:
    """Reductions on several streams at once, each with a ticket of its own."""
    logits, target = batch((20000, 10))
    expected = NF.ce_loss(logits, target)
    streams = [torch.cuda.Stream() for _ in range(4)]
    torch.cuda.synchronize()
    found = []
    for _ in range(20):
        for stream in streams:
            with torch.cuda.stream(stream):
                found.append(NF.ce_loss(logits, target))
    torch.cuda.synchronize()
    assert all(torch.equal(loss, expected) for loss in found)


@pytest.mark.parametrize("label", [-1, 10])
def test_label_out_of_range_makes_its_row_nan(label: int) -> None:
    logits, target = batch((8, 10))
    target[3] = label
    loss = NF.gce_loss(logits, target, reduction="none")
    (gradient,) = torch.autograd.grad(loss.sum(), logits)
    bad = torch.arange(8, device="cuda") == 3
    assert torch.equal(loss.isnan(), bad)
    assert torch.equal(gradient.isnan().all(1), bad)


@pytest.mark.skipif(
    torch.cuda.mem_get_info()[1] < 20 * 2**30, reason="needs 20 GB of the GPU's memory"
)
def test_more_elements_than_32_bits_count() -> None:
    logits = torch.randn(16500, 131072, device="cuda", dtype=torch.bfloat16).requires_grad_()
    target = torch.randint(131072, (16500,), device="cuda")
    loss = NF.gce_loss(logits, target, reduction="none")
    loss[-1].backward()
    last = logits.detach()[-1:].clone().requires_grad_()
    expected = NF.gce_loss(last, target[-1:], reduction="none")
    expected.sum().backward()
    assert logits.grad is not None
    assert last.grad is not None
    torch.testing.assert_close(loss[-1:], expected)
    torch.testing.assert_close(logits.grad[-1:], last.grad)
    assert not logits.grad[:-1].any()


def test_opcheck(kernels: str) -> None:
    logits, target = batch((33, 10))
    spec = (*ops.pack([WeightedTerm("ce", 1.0)]), -100, ops.MEAN, False)
    arguments = (logits, target, None, None, *spec, backends.NAMES.index(kernels))
    torch.library.opcheck(torch.ops.noisykernels.forward.default, arguments)


def test_compiled_in_one_graph() -> None:
    logits, target = batch((128, 100))
    compiled = torch.compile(NF.sgce_loss, fullgraph=True)
    torch.testing.assert_close(compiled(logits, target), NF.sgce_loss(logits, target))
