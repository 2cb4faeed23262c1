"""The CUDA kernels as compiled for GPUs, on a machine that may have none: `cuda_compile` asks."""

from __future__ import annotations

import re
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from cuda_compile import (
    STEP,
    Kernel,
    Usage,
    compile_kernels,
    disassemble,
    disassembler,
    instructions,
)

pytestmark = pytest.mark.skipif(shutil.which("nvcc") is None, reason="no nvcc")

# Every file, and every architecture; not every pair of them, which would take a minute of CPU time.
# float16 differs from bfloat16 in conversions alone.
COMPILED = [
    ("bfloat16", 80),
    ("bfloat16", 90),
    ("bfloat16", 100),
    ("float32", 90),
    ("float64", 90),
    ("float16", 90),
]

REGISTERS = {
    ("forward", False, False): 128,  # or a block of 512 threads would not fit on a processor
    ("forward", True, False): 112,
    ("forward", True, True): 128,
    ("backward", False, False): 80,  # three blocks of 256 threads on a processor
    ("backward", True, False): 104,
    ("backward", True, True): 112,
}
"""Of a thread, at most: without and with what few losses need, and of bounded scores."""

ROW_BYTES = 336
"""Of a thread's stack: a row's statistics and coefficients, which the terms find there."""

Compiled = dict[tuple[str, int], Future[tuple[dict[Kernel, Usage], Path]]]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    folder = tmp_path_factory.mktemp("cubin")

    def one(dtype: str, architecture: int) -> tuple[dict[Kernel, Usage], Path]:
        cubin = folder / f"{dtype}.sm_{architecture}.cubin"
        return compile_kernels(dtype, architecture, cubin), cubin

    with ThreadPoolExecutor(2) as pool:
        return {pair: pool.submit(one, *pair) for pair in COMPILED}


@pytest.mark.parametrize("pair", COMPILED, ids="{0[0]}-sm_{0[1]}".format)
def test_registers(compiled: Compiled, pair: tuple[str, int]) -> None:
    usages, _ = compiled[pair].result()
    assert len(usages) == 12
    for kernel, usage in usages.items():
        assert usage.spilled == 0, kernel
        bound = REGISTERS[kernel.direction, kernel.further, kernel.scores]
        assert usage.registers <= bound, (kernel, usage)
        assert usage.stack <= (ROW_BYTES if kernel.direction == "forward" else 0), (kernel, usage)


@pytest.mark.skipif(disassembler() is None, reason="no cuobjdump")
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_instructions_per_element(compiled: Compiled, dtype: str) -> None:
    """No more than docs/cuda.md has written down."""
    page = (Path(__file__).parents[1] / "docs/cuda.md").read_text(encoding="utf-8")
    rows = re.findall(rf"^\| (\w+) \| {dtype} \| ([\d. |]+) \|$", page, re.M)
    bounds = {
        Kernel(direction, powers, False, False): float(cell)
        for direction, cells in rows
        for powers, cell in enumerate(cells.split("|"))
    }
    _, cubin = compiled[dtype, 90].result()
    counted = {
        kernel: instructions(kernel, code) / STEP[dtype]
        for kernel, code in disassemble(cubin).items()
        if not kernel.further
    }
    assert counted.keys() == bounds.keys()
    assert {k: n for k, n in counted.items() if n > bounds[k] + 0.05} == {}
