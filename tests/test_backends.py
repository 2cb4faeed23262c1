"""Choosing a backend: by device, by `use`, by environment variable; and why one is not usable."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from reference_cases import transition_matrix
from torch._dynamo.testing import CompileCounter

import noisykernels as nk
from noisykernels import backends
from noisykernels import functional as NF
from noisykernels.registry import LOSSES

USABLE = [name for name, state in backends.available().items() if state is True]
UNUSABLE = [name for name in backends.NAMES if name not in USABLE]
LOGITS, TARGET = torch.randn(4, 3), torch.tensor([0, 1, 2, 0])


def current() -> int:
    return backends.choose("cpu")


def test_available_names_every_backend_and_gives_reasons():
    available = backends.available()
    assert tuple(available) == backends.NAMES
    assert available["reference"] is True
    assert all(state is True or (isinstance(state, str) and state) for state in available.values())


def test_numbers_are_places_in_the_list_of_names():
    assert [backends.NAMES[i] for i in (backends.REFERENCE, backends.CPU)] == ["reference", "cpu"]
    assert [backends.NAMES[i] for i in (backends.CUDA, backends.TRITON)] == ["cuda", "triton"]


def test_auto_prefers_the_kernels_of_the_device():
    with backends.use("auto"):
        kernels = backends.CPU if "cpu" in USABLE else backends.REFERENCE
        assert backends.choose("cpu") == kernels
        assert backends.choose("mps") == backends.REFERENCE


def test_use_nests_and_ends_with_an_exception():
    before = current()
    with backends.use("reference"):
        with pytest.raises(KeyError), backends.use("auto"):
            raise KeyError
        assert current() == backends.REFERENCE
    assert current() == before


def test_unknown_backend():
    with pytest.raises(ValueError, match=r"unknown backend 'fpga'; usable: reference.*auto"):
        backends.use("fpga")


@pytest.mark.parametrize("name", UNUSABLE)
def test_unusable_backend_tells_why(name):
    reason = backends.available()[name]
    with pytest.raises(RuntimeError) as caught:
        backends.use(name)
    assert f"backend '{name}' is not usable here: {reason}. Usable: reference" in str(caught.value)


@pytest.mark.skipif("cpu" not in USABLE, reason="the extension is absent")
def test_a_chosen_backend_must_serve_the_device():
    with (
        backends.use("cpu"),
        pytest.raises(RuntimeError, match="backend 'cpu' takes tensors on cpu, got input on meta"),
    ):
        NF.mae_loss(LOGITS.to("meta"), TARGET.to("meta"))


def test_reference_serves_any_device():
    assert NF.mae_loss(LOGITS.to("meta"), TARGET.to("meta")).device.type == "meta"


def test_threads_do_not_see_each_other():
    seen = []
    with backends.use("reference"):
        thread = threading.Thread(target=lambda: seen.append(current()))
        thread.start()
        thread.join()
    assert seen == [current()]


def test_tasks_do_not_see_each_other():
    async def hold(name: str, ready: asyncio.Event, other: asyncio.Event) -> int:
        with backends.use(name):
            ready.set()
            await other.wait()
            return current()

    async def both() -> list[int]:
        first, second = asyncio.Event(), asyncio.Event()
        return await asyncio.gather(hold("reference", first, second), hold("auto", second, first))

    before = current()
    assert asyncio.run(both()) == [backends.REFERENCE, before]
    # Neither do interleaved blocks leave a trace for compiled functions.
    assert backends._traced.name == backends._active.get()


def test_compiled_function_follows_use():
    torch._dynamo.reset()
    counter = CompileCounter()
    compiled = torch.compile(NF.gce_loss, backend=counter, fullgraph=True)
    for name, compilations in [("auto", 1), ("reference", 2), ("auto", 2), ("reference", 2)]:
        with backends.use(name):
            compiled(LOGITS, TARGET)
            assert counter.frame_count == compilations


def test_use_inside_a_compiled_function():
    @torch.compile(fullgraph=True, backend="eager")
    def loss(logits, target):
        with backends.use("reference"):
            return NF.gce_loss(logits, target)

    torch._dynamo.reset()
    before = current()
    with backends.use("reference"):
        expected = NF.gce_loss(LOGITS, TARGET)
    assert torch.equal(loss(LOGITS, TARGET), expected)
    assert current() == before
    assert backends._traced.name == backends._active.get()


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("reference", "0"),
        ("fpga", "ValueError: unknown backend 'fpga'; usable: reference"),
    ],
)
def test_environment_variable(name, outcome):
    """A wrong one is refused at the first call: importing the package always works."""
    program = (
        "import noisykernels as nk; print('imported')\n"
        "try: print(nk.backends.choose('cpu'))\n"
        "except Exception as error: print(f'{type(error).__name__}: {error}')"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"NOISYKERNELS_BACKEND": name},
        capture_output=True,
        text=True,
        check=True,
    )
    imported, result = run.stdout.splitlines()
    assert imported == "imported"
    assert result.startswith(outcome)


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (None, "the extension was never built: run pip install --no-build-isolation ."),
        (SimpleNamespace(EXTENSION=False, REASON="no compiler"), "no compiler"),
        (
            SimpleNamespace(EXTENSION=True, TORCH="1.13.1"),
            f"built for torch 1.13.1 and this is torch {torch.__version__}: reinstall",
        ),
    ],
)
def test_extension_is_not_loaded_with_a_reason(build, reason):
    extension, why = backends._load_extension(build)
    assert extension is None
    assert reason in why


def test_extension_that_does_not_load_tells_the_linker_s_reason_without_paths(monkeypatch):
    folder = os.path.dirname(backends.__file__)

    def fail(name: str) -> None:
        raise ImportError(f"{folder}{os.sep}_C.so: undefined symbol: foo")

    monkeypatch.setattr(backends.importlib, "import_module", fail)
    build = SimpleNamespace(EXTENSION=True, TORCH=torch.__version__)
    assert backends._load_extension(build) == (
        None,
        "the extension cannot be loaded: _C.so: undefined symbol: foo",
    )


@pytest.mark.parametrize("name", nk.losses())
@pytest.mark.usefixtures("backend")
def test_every_backend_computes_the_same(name):
    function = partial(getattr(NF, f"{name}_loss"), **LOSSES[name].matrices(transition_matrix(3)))
    with backends.use("reference"):
        expected = function(LOGITS, TARGET)
    torch.testing.assert_close(function(LOGITS, TARGET), expected)


@pytest.mark.parametrize(
    ("shape", "usable", "expected"),
    [
        ((10,), ("cuda", "triton"), backends.CUDA),
        ((128, 10), ("cuda", "triton"), backends.CUDA),
        ((2**20, 10), ("cuda", "triton"), backends.CUDA),  # few classes, if many rows
        ((8, 32000), ("cuda", "triton"), backends.CUDA),  # a small batch
        ((8192, 32000), ("cuda", "triton"), backends.TRITON),
        ((2, 32000, 512), ("cuda", "triton"), backends.TRITON),
        ((8192, 32000), ("cuda",), backends.CUDA),
        ((128, 10), ("triton",), backends.TRITON),
        ((128, 10), (), backends.REFERENCE),
    ],
)
def test_auto_on_a_gpu_goes_by_the_size_of_the_batch(monkeypatch, shape, usable, expected):
    unusable = {name: "absent" for name in ("cuda", "triton") if name not in usable}
    monkeypatch.setattr(backends, "_unusable", unusable)
    with backends.use("auto"):
        assert backends.choose("cuda", torch.empty(shape, device="meta")) == expected


@pytest.mark.parametrize(
    ("extension", "gpu", "reason"),
    [
        (None, True, "the extension was never built"),
        (SimpleNamespace(cuda=False), True, "built without CUDA: NOISYKERNELS_BUILD=cuda"),
        (SimpleNamespace(cuda=True), False, "no GPU"),
        (SimpleNamespace(cuda=True), True, ""),
    ],
)
def test_cuda_tells_what_it_lacks(monkeypatch, extension, gpu, reason):
    monkeypatch.setattr(backends, "extension", extension)
    monkeypatch.setattr(backends, "_why_no_extension", "the extension was never built")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    why = backends._why_no_cuda()
    assert reason in why
    assert bool(why) == bool(reason)
