"""Which implementation computes a loss: what is usable here, and what is used.

    reference  plain PyTorch, on any device, differentiable any number of times
    cpu        compiled C++ kernels for CPU tensors
    cuda       compiled CUDA kernels
    triton     Triton kernels

Unless told otherwise ("auto"), a call takes the kernels for the device of its tensors, on a GPU
those for the size of its batch (`CUDA_CLASSES`), and where there are none the reference. `use`
chooses for a block of code; the environment variable NOISYKERNELS_BACKEND, read when the package is
imported, chooses for a process.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor

NAMES = ("reference", "cpu", "cuda", "triton")
"""All backends; a name's place in this list is the number that operators take."""

REFERENCE, CPU, CUDA, TRITON = range(4)

COMPILED = (CPU, CUDA)
"""Those of the extension."""

AUTO = "auto"
"""The name that leaves the choice to the device of the tensors."""

CUDA_CLASSES = 1024
CUDA_ELEMENTS = 2**20
"""On a GPU "auto" takes cuda up to so many classes, or logits in a batch, and triton beyond.

Not measured yet. A launch of Triton costs the host more microseconds than a kernel takes of a small
batch or of few classes, and those of cuda cost it less. Where one of the two is not usable it is
the other.
"""


def _load_build_facts() -> ModuleType | None:
    try:
        return importlib.import_module("noisykernels._build")
    except ImportError:
        return None


def _load_extension(build: ModuleType | None) -> tuple[ModuleType | None, str]:
    """Import the compiled extension; return it, or None and the reason."""
    if build is None:
        return None, "the extension was never built: run pip install --no-build-isolation ."
    if not build.EXTENSION:
        return None, build.REASON
    # torch's C++ interface changes with its minor version: loading would crash, or worse.
    built, running = (version.split(".")[:2] for version in (build.TORCH, torch.__version__))
    if built != running:
        return None, (
            f"the extension was built for torch {build.TORCH} and this is torch "
            f"{torch.__version__}: reinstall with pip install --no-build-isolation ."
        )
    try:
        return importlib.import_module("noisykernels._C"), ""
    except (ImportError, OSError) as error:
        reason = str(error).replace(f"{Path(__file__).parent}{os.sep}", "")
        return None, f"the extension cannot be loaded: {reason}"


build_facts = _load_build_facts()
"""What setup.py wrote down about the build, or None in a source tree that was never built."""

extension, _why_no_extension = _load_extension(build_facts)
"""The module `noisykernels._C`, or None where it is absent."""

_interpreting = os.environ.get("TRITON_INTERPRET") == "1"


def _why_no_cuda() -> str:
    if extension is None:
        return _why_no_extension
    if not extension.cuda:
        return (
            "the extension was built without CUDA: NOISYKERNELS_BUILD=cuda pip install "
            "--no-build-isolation ."
        )
    return "" if torch.cuda.is_available() else "no GPU"


def _why_no_triton() -> str:
    if importlib.util.find_spec("triton") is None:
        return "triton is not installed"
    if not (_interpreting or torch.cuda.is_available()):
        return "no GPU; TRITON_INTERPRET=1 interprets the kernels on the CPU, slowly"
    return ""


_unusable: dict[str, str] = {
    name: reason
    for name, reason in {
        "cpu": _why_no_extension,
        "cuda": _why_no_cuda(),
        "triton": _why_no_triton(),
    }.items()
    if reason
}

DEVICES = {
    "cpu": ("cpu",),
    "cuda": ("cuda",),
    "triton": ("cuda", "cpu") if _interpreting else ("cuda",),
}
"""Types of device that a backend serves; the reference serves all."""

_process_default = os.environ.get("NOISYKERNELS_BACKEND") or AUTO
_active: ContextVar[str] = ContextVar("noisykernels backend", default=_process_default)


class _Traced(threading.local):
    """The name in `_active`, once more, for torch.compile.

    Dynamo cannot read a context variable. It can read an attribute of a thread-local object, and
    guards on it: inside another `use` it compiles again, instead of reusing a graph that is stale.
    """

    def __init__(self) -> None:
        self.name = _process_default


_traced = _Traced()


def available() -> dict[str, bool | str]:
    """Every backend, with True where it is usable here and else the reason why not.

    Example:
        >>> available()["reference"]
        True
    """
    return {name: _unusable.get(name, True) for name in NAMES}


def use(name: str) -> AbstractContextManager[None]:
    """Choose the backend of all losses computed inside a `with` block.

    The choice is a context variable: it nests, and it does not leak into other threads or tasks.
    The backward of a loss uses the backend of its forward, wherever it runs. Functions compiled by
    torch.compile are compiled again for another choice; to them it is local to the thread, so it
    must not be held across an await.

    Args:
        name: One of `NAMES`, or "auto".

    Raises:
        ValueError: If there is no such backend.
        RuntimeError: If it is not usable here.

    Example:
        >>> import torch, noisykernels as nk
        >>> criterion = nk.GCELoss(q=0.7)
        >>> with nk.backends.use("reference"):
        ...     loss = criterion(torch.zeros(2, 10), torch.tensor([3, 7]))
        >>> loss
        tensor(1.1435)
    """
    _require(name)
    return _use(name)


def choose(device_type: str, input: Tensor | None = None) -> int:
    """The number of the backend for a call with tensors on a device of this type.

    Where it depends on the size of the batch, that is the one of `input`, or a small one.
    """
    name = _traced.name if torch.compiler.is_dynamo_compiling() else _active.get()
    if name == AUTO:
        if device_type == "cuda":
            return _choose_on_gpu(input)
        return CPU if device_type == "cpu" and "cpu" not in _unusable else REFERENCE
    _require(name)  # the environment variable has not been checked before
    if device_type not in DEVICES.get(name, (device_type,)):
        raise RuntimeError(
            f"backend {name!r} takes tensors on {' or '.join(DEVICES[name])}, got input on "
            f"{device_type}"
        )
    return NAMES.index(name)


def _choose_on_gpu(input: Tensor | None) -> int:
    small = (
        input is None
        or input.shape[min(1, input.dim() - 1)] <= CUDA_CLASSES
        or input.numel() <= CUDA_ELEMENTS
    )
    for name in ("cuda", "triton") if small else ("triton", "cuda"):
        if name not in _unusable:
            return NAMES.index(name)
    return REFERENCE


@contextmanager
def _use(name: str) -> Iterator[None]:
    if torch.compiler.is_dynamo_compiling():
        before, _traced.name = _traced.name, name
        try:
            yield
        finally:
            _traced.name = before
        return
    token = _active.set(name)
    _traced.name = name
    try:
        yield
    finally:
        _active.reset(token)
        _traced.name = _active.get()


def _require(name: str) -> None:
    if name == AUTO or (name in NAMES and name not in _unusable):
        return
    usable = ", ".join([*(known for known in NAMES if known not in _unusable), AUTO])
    if name in _unusable:
        raise RuntimeError(
            f"backend {name!r} is not usable here: {_unusable[name]}. Usable: {usable}"
        )
    raise ValueError(f"unknown backend {name!r}; usable: {usable}")
