"""Peak memory of a step beyond its logits and their gradient, to the byte that malloc rounds to.

Needs Linux with glibc and a C compiler. `library` builds the allocator that counts; a process that
was started with it in LD_PRELOAD can call `peak`.
"""

from __future__ import annotations

import ctypes
import gc
import os
import shutil
import subprocess
import sys
from pathlib import Path

import torch

from bench import rivals, timing
from bench.cases import Case

SOURCE = Path(__file__).parent / "peak_memory.c"
REPEATS = 3


def library(folder: Path) -> Path | None:
    """The counting allocator, built into ``folder``; None where it cannot be."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None or not sys.platform.startswith("linux"):
        return None
    built = folder / "libpeak_memory.so"
    command = [compiler, "-O2", "-shared", "-fPIC", "-fno-builtin", str(SOURCE), "-o", str(built)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        return None
    return built


def peak(case: Case, contender: str) -> int:
    """Bytes that forward and backward hold at once, less the gradient that they leave behind."""
    allocator = ctypes.CDLL(None)
    start, most = allocator.peak_memory_start, allocator.peak_memory
    start.restype = most.restype = ctypes.c_long
    torch.set_num_threads(case.threads)
    logits, target = rivals.inputs(case)
    step = timing.step(rivals.loss_function(case, contender), logits, target)
    step()  # what is allocated once and kept does not count
    gc.freeze()  # nor does it have to be searched for garbage again and again, for seconds
    bytes_held = []
    for _ in range(REPEATS):
        logits.grad = None
        gc.collect()
        before = start()
        step()
        bytes_held.append(most() - before - logits.nbytes)
    return min(bytes_held)  # the interpreter's own allocations come and go
