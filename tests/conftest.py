"""What every test runs under, and the choices that tests are repeated over."""

from __future__ import annotations

import os
from collections.abc import Iterator

# Before anything imports torch or triton. A busy neighbor makes active waits cost milliseconds; the
# interpreter brings the Triton kernels to machines without a GPU.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("TRITON_INTERPRET", "1")

import pytest
import torch

from noisykernels import backends

try:
    from hypothesis import settings
except ImportError:  # as on a machine that is there for its GPU, to run test_gpu.py
    pass
else:
    settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=20)
    settings.register_profile("slow", deadline=None, max_examples=200)
    settings.load_profile("repeatable")

LEVELS = backends.extension.simd_levels() if backends.extension else []
BACKENDS = [
    name
    for name, usable in backends.available().items()
    if usable is True and "cpu" in backends.DEVICES.get(name, ("cpu",))
]
"""Those that are usable here for tensors on the CPU; test_gpu.py is for the others."""


@pytest.fixture(scope="session", autouse=True)
def _fresh_inductor_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A graph compiled before an operator's schema changed would be served as it was."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path_factory.mktemp("inductor")))
        yield


@pytest.fixture(autouse=True)
def _same_start() -> Iterator[None]:
    """The same random numbers, and one thread, whichever tests ran before."""
    threads = torch.get_num_threads()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _poisoned_memory() -> Iterator[None]:
    """New tensors, those of C++ kernels too, are full of NaN: an element never written shows."""
    torch.use_deterministic_algorithms(True)
    assert torch.utils.deterministic.fill_uninitialized_memory
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture(params=LEVELS or [None])
def simd_level(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each SIMD level of the compiled kernels that this machine runs."""
    if backends.extension is None:
        pytest.skip(f"no compiled kernels: {backends.available()['cpu']}")
    before = backends.extension.simd_level()
    backends.extension.set_simd_level(request.param)
    yield request.param
    backends.extension.set_simd_level(before)


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each backend that is usable here."""
    with backends.use(request.param):
        yield request.param


@pytest.fixture
def split(monkeypatch: pytest.MonkeyPatch) -> None:
    """Triton's rows are split over programs; and for each two rows a program evaluates the sums.

    Of 65 classes the first part has two steps and the second the last class; of 32, nothing.
    """
    regimes = pytest.importorskip("noisykernels.triton.regimes")
    loop = regimes.Loop(depth=2, block=16, warps=4, splits=2, depth_again=1)
    monkeypatch.setattr(regimes, "ON_CHIP", 0)
    monkeypatch.setattr(regimes, "forward_loop", lambda *_: loop)
    monkeypatch.setattr(
        regimes, "sums_tile", lambda rows, *_, **__: regimes.Tile(2, 16, 4, -(-rows // 2))
    )


@pytest.fixture(params=["on chip", "split"])
def regime(request: pytest.FixtureRequest) -> str:
    """Where the rows are."""
    if request.param == "split":
        request.getfixturevalue("split")
    return request.param


@pytest.fixture
def kernels() -> None:
    """Marks a test that is about the compiled kernels and means nothing without them."""
    if backends.extension is None:
        pytest.skip(f"no compiled kernels: {backends.available()['cpu']}")
