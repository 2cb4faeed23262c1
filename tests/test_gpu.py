"""The losses on a GPU, with each set of kernels for it: what only a GPU can show.

`python -m bench.gpu_check` runs this among other things. Whether every loss is right in every type
and shape is asked there by `bench.gpu_report`, and of the arithmetic on every machine, in
test_cuda_emulated.py and test_triton.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

import noisykernels as nk
import noisykernels.functional as NF
from bench.gpu.correctness import replays
from noisykernels import backends, ops
from noisykernels.modules import Loss
from noisykernels.scores import Clipped, Normalized
from noisykernels.terms import WeightedTerm

if not torch.cuda.is_available():
    pytest.skip("no GPU", allow_module_level=True)

# conftest asks torch for determinism, and cuBLAS has it with this alone.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

DEVICE = "cuda"
KERNELS = [name for name in ("cuda", "triton") if backends.available()[name] is True]

SHAPES = {
    (64, 14): "a block does all",
    (300, 10): "several blocks, and the last adds up",
    (33, 1000): "a warp a row",
    (2, 50257): "a row is split over blocks, and starts anywhere",
    (4, 19, 6, 5): "images",
}

KINDS = ("sce", "sgce", "nce_rce", "jal_ce", "nfl", "entropy", "bootstrap_hard")
"""Losses of one power and of two, of polynomial sums, and of what few losses need."""

each_kind = pytest.mark.parametrize("name", KINDS)


@pytest.fixture(params=KERNELS, autouse=True)
def kernels(request: pytest.FixtureRequest) -> Iterator[str]:
    with backends.use(request.param):
        yield request.param


def batch(shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    logits = (3 * torch.randn(shape, device=DEVICE)).to(dtype).requires_grad_()
    return logits, torch.randint(shape[1], shape[:1] + shape[2:], device=DEVICE)


def function(name: str) -> Callable[..., Tensor]:
    return getattr(NF, f"{name}_loss")


def assert_like_reference(loss: Callable[..., Tensor], logits: Tensor, *rest: Any) -> None:
    """Values, and gradients of a random upstream, are those of the formula in float64."""
    with backends.use("reference"):
        wide = logits.detach().double().requires_grad_()
        exact = loss(wide, *rest)
        upstream = torch.randn_like(exact)
        (expected,) = torch.autograd.grad(exact, wide, upstream)
    x = logits.detach().requires_grad_()
    found = loss(x, *rest)
    (gradient,) = torch.autograd.grad(found, x, upstream.to(found.dtype))
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-5)
    scale = expected.abs().max().item()
    tolerance = 2**-8 if logits.dtype == torch.bfloat16 else 1e-5
    torch.testing.assert_close(gradient.double(), expected, rtol=tolerance, atol=1e-5 * scale)


@each_kind
def test_weights_and_ignored_samples(name: str) -> None:
    for shape in SHAPES:
        logits, target = batch(shape)
        target.view(-1)[1::3] = -100
        weight = torch.rand(shape[1], device=DEVICE)
        samples = torch.rand(target.shape, device=DEVICE)

        def loss(x: Tensor, w: Tensor = weight, y: Tensor = target, s: Tensor = samples) -> Tensor:
            return function(name)(x, y, weight=w.to(x.dtype), sample_weight=s)

        assert_like_reference(loss, logits)


LAYOUTS: dict[str, Callable[[], Tensor]] = {
    "transposed": lambda: torch.randn(1000, 33, device=DEVICE).T,
    "sliced": lambda: torch.randn(33, 1100, device=DEVICE)[:, 7:1007],
    "every other row": lambda: torch.randn(66, 1000, device=DEVICE)[::2],
    "misaligned": lambda: torch.randn(33 * 1000 + 1, device=DEVICE)[1:].view(33, 1000),
    "one row for all": lambda: torch.randn(1, 1000, device=DEVICE).expand(33, 1000),
    "channels last": lambda: torch.randn(3, 6, 5, 19, device=DEVICE).permute(0, 3, 1, 2),
    "dimensions that do not collapse": lambda: torch.randn(3, 19, 6, 8, device=DEVICE)[..., :5],
    "one sample": lambda: torch.randn(10, device=DEVICE),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_layouts(layout: str, dtype: torch.dtype) -> None:
    logits = LAYOUTS[layout]().to(dtype)
    axis = min(1, logits.dim() - 1)
    shape = logits.shape[:axis] + logits.shape[axis + 1 :]
    target = torch.randint(logits.shape[axis], shape, device=DEVICE)
    for name in ("sgce", "entropy"):
        assert_like_reference(function(name), logits, target)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64], ids=str)
def test_types_of_labels(dtype: torch.dtype) -> None:
    logits, target = batch((300, 10))
    assert torch.equal(NF.gce_loss(logits, target.to(dtype)), NF.gce_loss(logits, target))


def test_no_samples() -> None:
    logits, target = batch((0, 10))
    assert NF.gce_loss(logits, target).isnan()
    assert NF.gce_loss(logits, target, reduction="none").shape == (0,)


@pytest.mark.parametrize("text", ["0.1*ce + rce", "nce + 2*mae + 0.5*entropy", "jal_ce + 0.1*ce"])
def test_named_sums(text: str) -> None:
    for shape in SHAPES:
        assert_like_reference(nk.loss(text), *batch(shape))


def test_transition_matrices() -> None:
    matrix = 0.75 * torch.eye(100, device=DEVICE) + 0.25 / 100
    for loss in nk.ForwardLoss(T=matrix), nk.BackwardLoss(T=matrix):
        assert_like_reference(loss, *batch((128, 100)))


def test_targets_that_each_sample_has_of_its_own(kernels: str) -> None:
    losses = []
    logits, target = batch((64, 14))
    for name in (kernels, "reference"):
        criterion = nk.methods.ELR(num_samples=100, num_classes=14).to(DEVICE)
        with backends.use(name):
            for _ in range(3):
                losses.append(criterion(logits, target, index=torch.arange(64, device=DEVICE)))
    torch.testing.assert_close(losses[:3], losses[3:])


@pytest.mark.parametrize("bound", [Normalized, Clipped])
@each_kind
def test_bounded_scores(name: str, bound: Callable[[Loss, float], Loss]) -> None:
    for shape in SHAPES:
        assert_like_reference(bound(nk.loss(name), 5.0), *batch(shape))


def test_statistics(kernels: str) -> None:
    for shape in SHAPES:
        logits, target = batch(shape)
        _, found = NF.gce_loss(logits, target, return_stats=True)
        with backends.use("reference"):
            _, exact = NF.gce_loss(logits.double(), target, return_stats=True)
        for name in ("p_y", "logp_y", "log_partition"):
            expected = getattr(exact, name)
            torch.testing.assert_close(
                getattr(found, name).double(), expected, rtol=1e-5, atol=1e-5
            )
        assert torch.equal(found.predicted, exact.predicted)
        assert torch.equal(found.hit, exact.hit)


@pytest.mark.parametrize("name", [name for name in KINDS if name != "nfl"])
def test_second_derivatives(name: str) -> None:
    """Of all but NFL, whose factors are constants to its gradient."""
    logits, target = batch((3, 5), torch.float64)
    assert torch.autograd.gradcheck(lambda x: function(name)(x, target), logits)
    assert torch.autograd.gradgradcheck(lambda x: function(name)(x, target), logits)


def test_vmap() -> None:
    logits, target = torch.randn(4, 33, 10, device=DEVICE), torch.randint(10, (4, 33)).to(DEVICE)
    found = torch.func.vmap(NF.sgce_loss)(logits, target)
    expected = [NF.sgce_loss(x, y) for x, y in zip(logits, target, strict=True)]
    torch.testing.assert_close(found, torch.stack(expected))
    each = torch.func.vmap(torch.func.grad(NF.sgce_loss))(logits.flatten(0, 1), target.flatten())
    (gradient,) = torch.autograd.grad(
        NF.sgce_loss(x := logits.flatten(0, 1).requires_grad_(), target.flatten(), reduction="sum"),
        x,
    )
    torch.testing.assert_close(each, gradient)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_autocast_and_scaled_gradients(dtype: torch.dtype) -> None:
    model = torch.nn.Linear(20, 10, device=DEVICE)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler(DEVICE, init_scale=2.0**16)
    x, target = torch.randn(64, 20, device=DEVICE), torch.randint(10, (64,), device=DEVICE)
    values = []
    for _ in range(20):
        optimizer.zero_grad()
        with torch.autocast(DEVICE, dtype=dtype):
            logits = model(x)
            loss = NF.sce_loss(logits, target)
        assert logits.dtype == dtype
        assert loss.dtype == torch.float32
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        values.append(loss.item())
    assert values[-1] < values[0]
    assert scaler.get_scale() == 2.0**16


@each_kind
def test_the_same_bits_each_time(name: str) -> None:
    for shape in SHAPES:
        logits, target = batch(shape)
        found = [function(name)(logits, target) for _ in range(20)]
        assert all(torch.equal(found[0], other) for other in found)


@each_kind
def test_a_captured_step_takes_other_data(name: str) -> None:
    for shape in SHAPES:
        assert replays(function(name), shape, torch.float32)


@pytest.mark.parametrize(("name", "shape"), [("sce", (20000, 10)), ("nfl", (2, 50257))])
def test_streams_do_not_meet(name: str, shape: tuple[int, int]) -> None:
    """Reductions on several streams at once, each with a ticket of its own; rows on many blocks."""
    logits, target = batch(shape)
    expected = function(name)(logits, target)
    streams = [torch.cuda.Stream() for _ in range(4)]
    torch.cuda.synchronize()
    found = []
    for _ in range(20):
        for stream in streams:
            with torch.cuda.stream(stream):
                found.append(function(name)(logits, target))
    torch.cuda.synchronize()
    assert all(torch.equal(loss, expected) for loss in found)


@pytest.mark.parametrize("label", [-1, 10])
def test_label_out_of_range_makes_its_row_nan(label: int) -> None:
    logits, target = batch((8, 10))
    target[3] = label
    loss = NF.gce_loss(logits, target, reduction="none")
    (gradient,) = torch.autograd.grad(loss.sum(), logits)
    bad = torch.arange(8, device=DEVICE) == 3
    assert torch.equal(loss.isnan(), bad)
    assert torch.equal(gradient.isnan().all(1), bad)


@pytest.mark.parametrize("label", [-1, 10])
def test_labels_are_asserted_where_it_is_asked_for(kernels: str, label: int) -> None:
    """In a process of its own, for a GPU that has failed an assertion does nothing more there."""
    program = (
        "import sys, torch, noisykernels.functional as NF\n"
        f"target = torch.tensor([3, int(sys.argv[1]), -100, 9], device='{DEVICE}')\n"
        f"NF.gce_loss(torch.zeros(4, 10, device='{DEVICE}'), target)\n"
        "torch.cuda.synchronize()\n"
    )
    environment = os.environ | {"NOISYKERNELS_BACKEND": kernels, "NOISYKERNELS_CHECK": "1"}

    def run(tried: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", program, str(tried)]
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    assert run(4).returncode == 0
    bad = run(label)
    assert bad.returncode != 0
    assert "assert" in bad.stderr


@pytest.mark.skipif(
    torch.cuda.mem_get_info()[1] < 20 * 2**30, reason="needs 20 GB of the GPU's memory"
)
def test_more_elements_than_32_bits_count() -> None:
    logits = torch.randn(16500, 131072, device=DEVICE, dtype=torch.bfloat16).requires_grad_()
    target = torch.randint(131072, (16500,), device=DEVICE)
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


@pytest.mark.parametrize("mode", ["default", "reduce-overhead"])
def test_compiled_in_one_graph(mode: str) -> None:
    """With "reduce-overhead" as a CUDA graph, too."""
    compiled = torch.compile(NF.sgce_loss, fullgraph=True, mode=mode)
    for _ in range(4):
        logits, target = batch((128, 100))
        expected = NF.sgce_loss(logits, target)
        (gradient,) = torch.autograd.grad(expected, logits)
        found = compiled(logits, target)
        torch.testing.assert_close(found, expected)
        torch.testing.assert_close(torch.autograd.grad(found, logits)[0], gradient)
