"""What nvcc makes of the CUDA kernels for GPUs that are not there: registers, and instructions."""

from __future__ import annotations

import heapq
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]

STEP = {"float32": 16, "float64": 8, "float16": 32, "bfloat16": 32}
"""Elements that a thread has under way at once: four vectors of 16 bytes."""

AS_TORCH_DOES = (
    "-D__CUDA_NO_HALF_OPERATORS__",
    "-D__CUDA_NO_HALF_CONVERSIONS__",
    "-D__CUDA_NO_BFLOAT16_CONVERSIONS__",
    "-D__CUDA_NO_HALF2_OPERATORS__",
)


class Kernel(NamedTuple):
    """A kernel, for so many powers, or for what few losses need, or for bounded scores too."""

    direction: str
    powers: int
    further: bool
    scores: bool

    @classmethod
    def named_in(cls, text: str) -> Kernel | None:
        found = re.search(r"(forward|backward)_kernelI\w+?Li(\d)ELb(\d)ELb(\d)E", text)
        return cls(found[1], int(found[2]), found[3] == "1", found[4] == "1") if found else None


class Usage(NamedTuple):
    """Of a thread."""

    registers: int
    spilled: int  # bytes, functions that it calls included
    stack: int


def compile_kernels(dtype: str, architecture: int, cubin: Path) -> dict[Kernel, Usage]:
    """Compile one of csrc/cuda's files; what its kernels use."""
    source = ROOT / f"csrc/cuda/kernels_{dtype}.cu"
    command = ["nvcc", "-std=c++17", "-O3", f"-arch=sm_{architecture}", "-cubin", "-Xptxas=-v"]
    run = subprocess.run(
        [*command, *AS_TORCH_DOES, str(source), "-o", str(cubin)], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert "warning" not in run.stderr, run.stderr
    return dict(_usages(run.stderr))


def _usages(report: str) -> Iterator[tuple[Kernel, Usage]]:
    """ptxas tells of a kernel first, and after its registers of the functions that it calls."""
    for part in report.split("Compiling entry function")[1:]:
        kernel = Kernel.named_in(part)
        assert kernel is not None
        spills = re.findall(r"(\d+) bytes spill", part)
        frames = re.findall(r"(\d+) bytes stack frame", part)
        (registers,) = re.findall(r"Used (\d+) registers", part)
        yield kernel, Usage(int(registers), sum(map(int, spills)), max(map(int, frames)))


def disassembler() -> str | None:
    """cuobjdump, of the toolkit or of Triton."""
    try:
        import triton
    except ImportError:
        return shutil.which("cuobjdump")
    return str(Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump")


Code = list[tuple[int, str]]
"""Addresses and instructions."""


def disassemble(cubin: Path) -> dict[Kernel, Code]:
    tool = disassembler()
    assert tool is not None
    run = subprocess.run([tool, "-sass", str(cubin)], capture_output=True, text=True, check=True)
    codes = {}
    for part in run.stdout.split("Function : ")[1:]:
        kernel = Kernel.named_in(part.partition("\n")[0])
        lines = re.findall(r"^\s+/\*([0-9a-f]{4,5})\*/\s+(.*?);", part, re.M)
        if kernel is not None:
            codes[kernel] = [(int(address, 16), text.strip()) for address, text in lines]
    return codes


def instructions(kernel: Kernel, code: Code) -> int:
    """On the shortest way through a step of the forward's loop over classes, or the backward.

    That is the way of nearly all threads: whole vectors, without the label, a larger logit than
    before, or what some losses add.
    """
    loads = [address for address, text in code if "LDG.E.128" in text]
    if kernel.direction == "backward":
        stores = [address for address, text in code if "STG.E.128" in text][:4]
        end = min(address for address, text in code if text == "EXIT" and address > stores[-1])
        stops = [0, *([loads[0], loads[3]] if loads else []), *stores, end]
        ways = [_shortest(code, *pair) for pair in pairwise(stops)]
        assert None not in ways
        return sum(way for way in ways if way)
    innermost = max(
        (int(target, 16), address)
        for address, text in code
        for target in re.findall(r"BRA.*?0x([0-9a-f]+)", text)
        if int(target, 16) < loads[0] and address > loads[3]
    )
    around = _shortest(code, *innermost)
    assert around is not None
    return around + 1


def _shortest(code: Code, start: int, end: int) -> int | None:
    """Instructions from one address up to another, jumping forward only."""
    place = {address: i for i, (address, _) in enumerate(code)}
    ahead, seen = [(0, place[start])], set()
    while ahead:
        distance, i = heapq.heappop(ahead)
        if code[i][0] == end:
            return distance
        if i not in seen and code[i][0] < end:
            seen.add(i)
            ahead_of_i = [place[a] for a in _followers(code, i) if start <= a <= end]
            for j in ahead_of_i:
                heapq.heappush(ahead, (distance + 1, j))
    return None


def _followers(code: Code, i: int) -> Sequence[int]:
    text = code[i][1]
    always = not text.startswith("@") and not re.search(r"BRA(\.\w+)* !?U?P\d", text)
    following = [] if always and re.match("BRA|EXIT|RET", text) else [code[i + 1][0]]
    branch = re.search(r"\bBRA\b.*?0x([0-9a-f]+)", text)
    return [*following, int(branch[1], 16)] if branch else following
