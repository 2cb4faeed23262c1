"""Compiles what a training step launches for GPUs that are not there, and reads the result.

    python tests/triton_compile.py matrix 90    # one JSON object a line
    python tests/triton_compile.py family 90    # every registered loss; what spills (minutes)

The real launcher runs, on tensors of the meta device: which kernels it takes, with which tiles and
specialisations, is its own decision. Only the launch itself is left out. This needs a process
without TRITON_INTERPRET, which is why it is no test by itself.
"""

from __future__ import annotations

import importlib.util
import json
import math
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from unittest import mock

import torch
import triton
from cases import REPRESENTATIVES
from triton.backends.compiler import GPUTarget
from triton.backends.driver import DriverBase
from triton.runtime.jit import JITFunction

from noisykernels import ops
from noisykernels.backends import TRITON
from noisykernels.bounded import CLIPPED
from noisykernels.registry import LOSSES as REGISTERED
from noisykernels.terms import TERMS, WeightedTerm, passes, resources
from noisykernels.triton import kernels, launch, plan
from noisykernels.triton import terms as jit_terms
from noisykernels.triton.terms import probability

MULTIPROCESSORS = 132
"""Of the GPU that rows are split for: an H100's."""

LOSSES: dict[str, tuple[WeightedTerm, ...]] = {
    "ce": (WeightedTerm("ce", 1.0),),
    "sce": (WeightedTerm("ce", 0.1), WeightedTerm("mae", 4.0)),
    "sgce": (WeightedTerm("sgce", 1.0, 0.7),),
    "alpha_mae + sgce": (WeightedTerm("alpha_mae", 1.0, 0.5), WeightedTerm("sgce", 1.0, 0.7)),
}


def further(classes: int) -> dict[str, tuple[WeightedTerm, ...]]:
    """Losses that take another sum, or a second visit."""
    return {
        "nce + amse": (WeightedTerm("nce", 1.0), WeightedTerm("amse", 1.0, 2.0, 30.0)),
        "nfl + nnfl": (
            WeightedTerm("nfl", 1.0, 0.5, -math.inf),
            WeightedTerm("nnfl", 1.0, 0.5, -16.1),
        ),
        "ce + entropy": (WeightedTerm("ce", 1.0), WeightedTerm("entropy", 0.1)),
        "forward": (WeightedTerm("forward", 1.0, vectors=meta(classes, classes)),),
    }


CLASSES = (10, 14, 100, 128, 1000, 4096, 32000, 50257, 128256)
BOUNDED = (CLIPPED, 2.0)
DTYPES = ("float32", "bfloat16")
ROWS = {
    "many rows": (4096, CLASSES),  # programs of their own, whose losses another kernel adds up
    "few rows": (16, (10, 100, 128256)),  # one program for all, or several for each row
}

FURTHER_ROWS = {"many rows": (4096, (10, 4096, 32000)), "few rows": (16, (100, 128256))}
"""Where those of `further` are compiled, in float32 and for `SM` alone."""

FAMILY_CLASSES = (10, 100, 1000, 32000, 128256)
"""Where all losses are compiled, in both types and regimes: too much for a test."""

SM = 90
"""The architecture for questions to which all have one answer."""


class NoGpu(DriverBase):
    """A driver that knows a GPU's architecture and nothing else."""

    def __init__(self, architecture: int) -> None:
        self.target = GPUTarget("cuda", architecture, 32)

    @staticmethod
    def is_active() -> bool:
        return True

    def get_current_target(self) -> GPUTarget:
        return self.target

    def get_current_device(self) -> int:
        # Triton's caches in memory are per device.
        return self.target.arch

    def get_current_stream(self, device: int) -> int:
        return 0

    def get_active_torch_device(self) -> torch.device:
        return torch.device("meta")

    def map_python_to_cpp_type(self, ty: str) -> str:
        return ty

    def get_benchmarker(self) -> None:
        raise NotImplementedError


@dataclass(frozen=True)
class Launch:
    """A kernel as it would have been launched."""

    kernel: Any  # triton's CompiledKernel
    constants: Mapping[str, Any]
    grid: tuple[int, ...]

    @property
    def threads(self) -> int:
        return 32 * self.constants.get("num_warps", 4)


@contextmanager
def recorded_launches(architecture: int) -> Iterator[list[Launch]]:
    """Compile what is launched, and collect it."""
    launches: list[Launch] = []
    run = JITFunction.run

    def record(self: JITFunction, *args: Any, grid: Any, warmup: bool, **kwargs: Any) -> Any:
        kernel = run(self, *args, grid=grid, warmup=True, **kwargs)
        launches.append(Launch(kernel, kwargs, tuple(grid)))
        return kernel

    triton.runtime.driver.set_active(NoGpu(architecture))
    with (
        mock.patch.object(JITFunction, "run", record),
        mock.patch.object(launch, "processors", return_value=MULTIPROCESSORS),
    ):
        yield launches


def step(
    logits: torch.Tensor,
    loss: Sequence[WeightedTerm],
    *,
    weight: torch.Tensor | None = None,
    ignore_index: int = -100,
    reduction: int = ops.MEAN,
    upstream: torch.Tensor | None = None,
    label_dtype: torch.dtype = torch.int64,
    statistics: bool = False,
    scores: tuple[int, float] = (0, 0.0),
) -> None:
    """What autograd calls in a training step."""
    shape = logits.shape[:1] + logits.shape[2:] if logits.dim() > 1 else ()
    inputs = logits, meta(*shape, dtype=label_dtype), weight, resources(loss).vectors
    spec = (*ops.pack(loss), ignore_index, reduction, statistics, TRITON, *scores)
    value, rows, divisor = launch.forward(*inputs, *spec)
    launch.backward(value if upstream is None else upstream, *inputs, rows, divisor, *spec)


def meta(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")


# ---- reading a compiled kernel


def accesses(ptx: str, instruction: str) -> list[tuple[int, int]]:
    """Loads or stores: how many numbers of how many bytes a thread moves with each."""
    pattern = rf"\b{instruction}\.global\S*?(?:\.v(\d))?\.[bfus](\d+)\s"
    return [(int(count or 1), int(bits) // 8) for count, bits in re.findall(pattern, ptx)]


def tool(name: str, *arguments: str) -> str:
    path = Path(triton.__file__).parent / "backends/nvidia/bin" / name
    return subprocess.run([path, *arguments], capture_output=True, text=True, check=True).stdout


def usage(cubin: Path) -> dict[str, int]:
    """Registers and memory of a thread; what does not fit into registers goes to local memory."""
    found = re.findall(r"(REG|STACK|LOCAL):(\d+)", tool("cuobjdump", "-res-usage", str(cubin)))
    return {name.lower(): int(number) for name, number in found}


def longest_loop(cubin: Path) -> int:
    """The number of instructions in the longest loop."""
    position, labels, loops = 0, {}, [0]
    for line in tool("nvdisasm", "-c", str(cubin)).splitlines():
        if label := re.match(r"(\.L_\w+):", line):
            labels[label[1]] = position
        elif re.match(r"\s+/\*\w+\*/", line):
            position += 1
            branch = re.search(r"\bBRA\b.*`\((\.L_\w+)\)", line)
            # Code ends with a jump to itself.
            if branch and labels.get(branch[1], position) < position - 1:
                loops.append(position - labels[branch[1]])
    return max(loops)


def facts(found: Launch, cubin: Path) -> dict[str, Any]:
    """What the compiler made of a kernel."""
    asm = found.kernel.asm
    cubin.write_bytes(asm["cubin"])
    widths = set(re.findall(r"tensor<\d+x(\d+)xf64", asm["ttir"]))
    result = usage(cubin) | {
        "loads": accesses(asm["ptx"], "ld"),
        "stores": accesses(asm["ptx"], "st"),
        # Numbers of the parts of rows are float64 where those of their programs are.
        "float64 elements": bool(widths - {str(found.constants.get("SPLITS"))}),
    }
    if found.kernel.name == "sum_rows":
        elements = found.constants["DEPTH"] * found.constants["BLOCK"] / found.threads
        result["instructions per element"] = longest_loop(cubin) / elements
        if found.constants["SPLITS"] == 0:  # of scores the numbers of the row are float64
            result["float64 elements"] = "f64" in asm["ttir"]
    return result


# ---- what the tests ask for


class Case(NamedTuple):
    """A step to compile."""

    dtype: str
    classes: int
    regime: str
    rows: int
    loss: str
    terms: Sequence[WeightedTerm]
    scores: tuple[int, float] = (0, 0.0)


def matrix(architecture: int) -> Iterator[dict[str, Any]]:
    """Every kernel of a step, for each type, number of classes, regime and loss."""
    cases = [
        Case(dtype, classes, regime, rows, loss, LOSSES[loss])
        for dtype in DTYPES
        for regime, (rows, tried) in ROWS.items()
        for classes in tried
        for loss in LOSSES
    ]
    if architecture == SM:
        cases += [
            Case("float32", classes, regime, rows, loss, terms)
            for regime, (rows, tried) in FURTHER_ROWS.items()
            for classes in tried
            for loss, terms in further(classes).items()
        ]
        cases += [
            Case(
                dtype,
                classes,
                "many rows",
                4096,
                "sgce of bounded scores",
                LOSSES["sgce"],
                BOUNDED,
            )
            for dtype in DTYPES
            for classes in (10, 1000, 32000)
        ]
    return compiled(architecture, cases)


def family(architecture: int) -> Iterator[dict[str, Any]]:
    """The same of all registered losses, then what of it spills."""
    cases = [
        Case(dtype, classes, regime, rows, loss, terms)
        for dtype in DTYPES
        for classes in FAMILY_CLASSES
        for regime, (rows, _) in ROWS.items()
        for loss, terms in registered(classes)
    ]
    kernels, spilled = set(), []
    for found in compiled(architecture, cases):
        kernels.add(found["hash"])
        if found["stack"] or found["local"]:
            spilled.append(found)
    yield from spilled
    yield {"sm": architecture, "steps": len(cases), "kernels": len(kernels), "spill": len(spilled)}


def registered(classes: int) -> Iterator[tuple[str, tuple[WeightedTerm, ...]]]:
    """Every registered loss as it is by default, one with more terms than a pass takes in parts."""
    for case in REPRESENTATIVES:
        loss = REGISTERED[case.name]
        terms = loss.terms(**case.parameters, **loss.matrices(meta(classes, classes)))
        for part in passes([term for term in terms if term.weight]):
            yield str(case), part


def compiled(architecture: int, cases: Iterable[Case]) -> Iterator[dict[str, Any]]:
    """What the compiler makes of the kernels of a step, case by case."""
    known: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for dtype, classes, regime, rows, loss, terms, scores in cases:
            with recorded_launches(architecture) as launches:
                step(meta(rows, classes, dtype=getattr(torch, dtype)), terms, scores=scores)
            for found in launches:
                key = found.kernel.hash
                if key not in known:
                    known[key] = facts(found, Path(folder, "kernel.cubin"))
                tile = found.constants.get("ROWS", 1) * found.constants.get("BLOCK", 0)
                yield {
                    "sm": architecture,
                    "dtype": dtype,
                    "classes": classes,
                    "regime": regime,
                    "loss": loss,
                    "kernel": found.kernel.name,
                    "hash": key,
                    "programs": found.grid,
                    "elements": tile / found.threads,  # of a thread
                    **known[key],
                }


def variants() -> Iterator[dict[str, Any]]:
    """Steps that compile other specializations: the interpreter has none, and so cannot fail."""
    powers = LOSSES["alpha_mae + sgce"]
    for dtype in torch.float32, torch.bfloat16, torch.float16, torch.float64:
        for classes in 19, 5001:
            logits = meta(33, classes, dtype=dtype)
            for i, terms in enumerate(_everything(33, classes)):
                yield _compiles(
                    f"all terms, pass {i}, C={classes}, {dtype}",
                    logits,
                    terms,
                    weight=meta(classes),
                    statistics=True,
                )
    for dtype, classes in product((torch.float32, torch.bfloat16), (19, 5001)):
        for i, terms in enumerate(_everything(33, classes)):
            yield _compiles(
                f"all terms of bounded scores, pass {i}, C={classes}, {dtype}",
                meta(33, classes, dtype=dtype),
                terms,
                weight=meta(classes),
                statistics=True,
                scores=BOUNDED,
            )
    for i, terms in enumerate(_everything(33, 19)):
        yield _compiles(f"all terms, pass {i}, no class weights", meta(33, 19), terms)
    for rows, classes in product((1, 33, 640), (1, 10, 1025, 5001)):
        yield _compiles(f"{rows}x{classes}", meta(rows, classes), powers)
    for reduction, shape in product(("none", "sum"), ((33, 10), (640, 10), (33, 5001))):
        yield _compiles(
            f"{shape}, {reduction}", meta(*shape), powers, reduction=ops.REDUCTIONS[reduction]
        )
    layouts = {
        "(C,)": meta(10),
        "(C,) strided": meta(57)[::3],
        "(C,) long": meta(5000),
        "(N, C, d1, d2)": meta(3, 19, 4, 5),
        "(N, C, d1, d2) long": meta(3, 5001, 4, 5),
        "(1, C, 1)": meta(1, 19, 1),
        "channels last": meta(3, 4, 5, 19).permute(0, 3, 1, 2),
        "transposed": meta(19, 33).T,
        "sliced": meta(33, 40)[:, 10:29],
        "misaligned": meta(33 * 19 + 1)[1:].view(33, 19),
        "one row for all": meta(1, 19).expand(33, 19),
        "2^31 elements and more": meta(2**20, 2**12),
        "row stride of 2^31 and more": meta(2, 2**31 + 16)[:, :100],
        "class stride of 2^31 and more": meta(100, 2**31 + 16)[:, :2].T,
    }
    for name, logits in layouts.items():
        yield _compiles(name, logits, powers)
    for ignore_index in 0, 1, 16, -1, 2**40:
        yield _compiles(
            f"ignore_index {ignore_index}", meta(33, 10), powers, ignore_index=ignore_index
        )
    for dtype in torch.int32, torch.uint8:
        yield _compiles(f"{dtype} labels", meta(33, 10), powers, label_dtype=dtype)
    for name, upstream in {"expanded": meta(1).expand(33), "strided": meta(66)[::2]}.items():
        yield _compiles(
            f"{name} upstream", meta(33, 10), powers, reduction=ops.NONE, upstream=upstream
        )


def _everything(rows: int, classes: int) -> list[tuple[WeightedTerm, ...]]:
    """All terms, in as few passes as carry them."""
    vectors = {
        "forward": meta(classes, classes),
        "backward": meta(classes, classes),
        "elr": meta(rows, classes),
    }
    return list(passes([WeightedTerm(n, 1.0, 0.3, -0.7, vectors.get(n)) for n in TERMS]))


def _compiles(name: str, *arguments: Any, **options: Any) -> dict[str, Any]:
    error = ""
    with recorded_launches(SM) as launches:
        try:
            step(*arguments, **options)
        except Exception as reason:
            error = str(reason)
    return {"variant": name, "error": error, "launches": [k.kernel.name for k in launches]}


def annealing() -> Iterator[dict[str, Any]]:
    """Which kernels run while q, alpha, the weights or the number of rows change."""

    def kernels_of(steps: Iterable[tuple[torch.Tensor, list[WeightedTerm]]]) -> dict[str, int]:
        with recorded_launches(SM) as launches:
            for logits, terms in steps:
                step(logits, terms)
        distinct = {(found.kernel.name, found.kernel.hash) for found in launches}
        return Counter(name for name, _ in distinct)

    def sums(q: float) -> list[WeightedTerm]:
        return [WeightedTerm("alpha_mae", 2 * q, 0.5), WeightedTerm("sgce", 1 - q, q)]

    for classes in 10, 5001:
        # q = 1/2 is alpha: then one power serves both, in a cheaper kernel.
        values = [i / 20 for i in range(1, 20) if i != 10]
        yield {
            "changes": f"q, C={classes}",
            "kernels": kernels_of((meta(640, classes), sums(q)) for q in values),
        }
        yield {
            "changes": f"rows, C={classes}",
            "kernels": kernels_of((meta(rows, classes), sums(0.3)) for rows in range(600, 640)),
        }
    both = [(meta(640, 10), LOSSES["ce"]), (meta(640, 10), LOSSES["sce"])]
    yield {"changes": "the loss, not its powers", "kernels": kernels_of(both)}


def edit() -> Iterator[dict[str, Any]]:
    """Whether an edited term changes the compiled kernel, with Triton's cache on disk in use."""
    constexpr_terms = edited(
        kernels, "    terms,\n    values,", "    terms: tl.constexpr,\n    values,"
    )
    ce = edited(
        probability, "row, -row.softmax.log_p, 1.0", "row, -3.0 * row.softmax.log_p, 1.0"
    ).ce
    for form, module in {"tuple": kernels, "constexpr tuple": constexpr_terms}.items():
        compiled = []
        for terms in (jit_terms.TERMS, jit_terms.TERMS | {"ce": ce}):
            plan.make_launch.cache_clear()
            with (
                mock.patch.object(jit_terms, "TERMS", terms),
                mock.patch.object(launch, "kernels", module),
                recorded_launches(SM) as launches,
            ):
                step(meta(33, 10), LOSSES["ce"])
            compiled.append(launches[0].kernel.asm["ptx"])
        yield {"terms": form, "recompiled": compiled[0] != compiled[1]}


def edited(module: ModuleType, old: str, new: str) -> Any:
    """The module as if its file had been edited."""
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    assert old in source
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "edited.py")
        path.write_text(source.replace(old, new), encoding="utf-8")
        spec = importlib.util.spec_from_file_location(module.__name__, path)
        assert spec
        assert spec.loader
        result = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(result)
    return result


def main(command: str, *arguments: str) -> None:
    answers = {
        "matrix": matrix,
        "family": family,
        "variants": variants,
        "annealing": annealing,
        "edit": edit,
    }
    for answer in answers[command](*map(int, arguments)):
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
