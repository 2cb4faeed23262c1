"""The CUDA kernels on a machine without a GPU: the same files, compiled for the host.

`cuda_emulation/emulation.h` stands in for the GPU. Here the kernels are built, and called on CPU
tensors as the operators are.
"""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from ctypes import POINTER, c_double, c_int64, c_void_p
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from noisykernels import ops
from noisykernels.terms import WeightedTerm, columns

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tests/cuda_emulation"
KERNELS = sorted((ROOT / "csrc/cuda").glob("*.cu"))
HOST = (ROOT / "csrc/cuda/launch.cpp", ROOT / "csrc/plan.cpp", FOLDER / "emulation.cpp")
DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
"""In the order of ScalarType in csrc/arguments.h."""

LOGITS = (0, 0.0)
"""What the operators take for losses of no bounded scores."""

PROCESSORS = 4
"""Of the emulated GPU: so few that small batches have rows enough for all of them."""


@lru_cache
def toolkit() -> Path | None:
    """The folder of the CUDA toolkit's headers, or None where there is no nvcc."""
    if shutil.which("nvcc") is None:
        return None
    # nvcc itself knows best: what is on the path may be a link, or a script.
    command = ["nvcc", "--dryrun", "-c", "absent.cu"]
    plan = subprocess.run(command, capture_output=True, text=True).stderr
    (top,) = re.findall(r"TOP=(.*)", plan)
    return Path(top) / "include"


SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def compile_files(sources: Sequence[Path], folder: Path, *options: str) -> list[Path]:
    """Compile for the host, two files at a time; the objects lie in `folder`."""
    command = ["g++", "-std=c++20", "-O1", "-g1", "-fPIC", "-Wall", "-Wextra", "-Werror"]
    command += ["-Wno-unknown-pragmas", *options]  # of unrolling
    command += [f"-I{ROOT}", f"-I{ROOT}/csrc", "-isystem", str(toolkit())]
    command += ["-include", str(FOLDER / "emulation.h"), "-x", "c++", "-c"]

    def compile_file(source: Path) -> Path:
        result = folder / f"{source.name}.o"
        subprocess.run([*command, str(source), "-o", str(result)], check=True)
        return result

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(compile_file, sources))


def link(objects: Sequence[Path], result: Path, *options: str) -> Path:
    subprocess.run(["g++", *options, *map(str, objects), "-o", str(result)], check=True)
    return result


class Layout(ctypes.Structure):
    """A tensor as (outer, class, inner)."""

    _fields_ = tuple(
        (name, c_int64) for name in ("inner", "outer_stride", "inner_stride", "class_stride")
    )

    def __init__(self, tensor: Tensor) -> None:
        if tensor.dim() == 1:
            super().__init__(1, 0, 0, tensor.stride(0))
        else:
            inner = tensor.stride(-1) if tensor.dim() > 2 else 0
            super().__init__(tensor.shape[2:].numel(), tensor.stride(0), inner, tensor.stride(1))


class Call(ctypes.Structure):
    """`Call` in cuda_emulation/binding.cpp."""

    _fields_ = (
        ("terms", c_int64),
        ("ids", POINTER(c_int64)),
        ("values", POINTER(c_double)),
        ("has_weight", c_int64),
        ("statistics", c_int64),
        ("dtype", c_int64),
        ("rows", c_int64),
        ("classes", c_int64),
        ("logits", c_void_p),
        ("layout", Layout),
        ("target", c_void_p),
        ("ignore_index", c_int64),
        ("class_weight", c_void_p),
        ("vectors", c_void_p),
        ("row_coefficients", c_void_p),
        ("reduction", c_int64),
        ("processors", c_int64),
        ("seed", c_int64),
        ("divisor", c_void_p),
        ("loss", c_void_p),
        ("upstream", c_void_p),
        ("upstream_stride", c_int64),
        ("gradient", c_void_p),
        ("gradient_layout", Layout),
        ("scores", c_int64),
        ("length", c_double),
    )


class Kernels:
    """The operators `forward` and `backward`, on the emulated GPU."""

    def __init__(self, library: Path) -> None:
        self.library = ctypes.CDLL(str(library))
        self.together = False
        """Whether the blocks of the last forward had to wait for each other."""

    def forward(
        self,
        logits: Tensor,
        target: Tensor,
        terms: Sequence[WeightedTerm],
        *,
        weight: Tensor | None = None,
        vectors: Tensor | None = None,
        ignore_index: int = -100,
        reduction: int = ops.NONE,
        statistics: bool = False,
        scores: tuple[int, float] = LOGITS,
        processors: int = PROCESSORS,
        seed: int = 0,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As `noisykernels::forward`; outputs are full of NaN before."""
        dtype = ops.arithmetic_dtype(logits.dtype)
        loss = torch.full(target.shape if reduction == ops.NONE else (), torch.nan, dtype=dtype)
        names = columns(terms, weight is not None, statistics, bool(scores[0]))
        rows = torch.full((len(names), target.numel()), torch.nan, dtype=dtype)
        divisor = torch.full((), torch.nan, dtype=dtype)
        inputs = logits, target, terms, weight, vectors, ignore_index, statistics, scores
        call, _alive = self._call(*inputs)
        call.row_coefficients, call.divisor, call.loss = map(Tensor.data_ptr, (rows, divisor, loss))
        call.reduction, call.processors, call.seed = reduction, processors, seed
        together = self.library.emulated_forward(ctypes.byref(call))
        assert together >= 0, "the ticket was not given back"
        self.together = bool(together)
        return loss, rows, divisor

    def backward(
        self,
        upstream: Tensor,
        logits: Tensor,
        target: Tensor,
        rows: Tensor,
        divisor: Tensor,
        terms: Sequence[WeightedTerm],
        *,
        weight: Tensor | None = None,
        vectors: Tensor | None = None,
        ignore_index: int = -100,
        statistics: bool = False,
        scores: tuple[int, float] = LOGITS,
        out: Tensor | None = None,
        seed: int = 0,
    ) -> Tensor:
        """As `noisykernels::backward`, into `out` where it is given."""
        gradient = torch.full_like(logits, torch.nan) if out is None else out
        upstream = upstream.to(divisor.dtype).contiguous()
        inputs = logits, target, terms, weight, vectors, ignore_index, statistics, scores
        call, _alive = self._call(*inputs)
        call.row_coefficients, call.divisor = rows.data_ptr(), divisor.data_ptr()
        call.upstream, call.upstream_stride = upstream.data_ptr(), int(upstream.dim() > 0)
        call.gradient, call.gradient_layout = gradient.data_ptr(), Layout(gradient)
        call.seed = seed
        self.library.emulated_backward(ctypes.byref(call))
        return gradient

    def _call(
        self,
        logits: Tensor,
        target: Tensor,
        terms: Sequence[WeightedTerm],
        weight: Tensor | None,
        vectors: Tensor | None,
        ignore_index: int,
        statistics: bool,
        scores: tuple[int, float],
    ) -> tuple[Call, Any]:
        ids, values = ops.pack(terms)
        dtype = ops.arithmetic_dtype(logits.dtype)
        target = target.long().contiguous()
        weight = None if weight is None else weight.to(dtype).contiguous()
        vectors = None if vectors is None else vectors.to(dtype).contiguous()
        call = Call(
            terms=len(ids),
            ids=(c_int64 * len(ids))(*ids),
            values=(c_double * len(values))(*values),
            has_weight=weight is not None,
            statistics=statistics,
            dtype=DTYPES.index(logits.dtype),
            rows=target.numel(),
            classes=logits.shape[min(1, logits.dim() - 1)],
            logits=logits.data_ptr(),
            layout=Layout(logits),
            target=target.data_ptr(),
            ignore_index=ignore_index,
            class_weight=None if weight is None else weight.data_ptr(),
            vectors=None if vectors is None else vectors.data_ptr(),
            scores=scores[0],
            length=scores[1],
        )
        return call, (target, weight, vectors)
