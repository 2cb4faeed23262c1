"""All that there is to find out on a machine with a GPU: build, test, sanitize, measure.

    python -m bench.gpu_check [--quick] [--out FOLDER]

Works offline with the torch, triton and nvcc that are installed there, and builds in place. Each
stage reports, and the next runs whatever came of it; what stages print goes to files.

Exit status: 0 all is right, 1 a stage has failed, 2 there is no GPU.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "bench/results/gpu"
BACKENDS = ("cuda", "triton")
SANITIZERS = ("memcheck", "racecheck", "initcheck")
REFUSALS = ("not supported", "Failed to initialize", "Unable to find")
"""What compute-sanitizer says where a machine does not let it look."""


class Stage(NamedTuple):
    """A command, and what it needs in the environment besides."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = {}
    refusals: Sequence[str] = ()
    """Words that say that it could not run here, which is no failure."""


def stages(out: Path, quick: bool) -> Iterator[Stage]:
    """In the order in which they run."""
    python = (sys.executable, "-m")
    install = (*python, "pip", "install", "--no-index", "--no-build-isolation", "--no-deps")
    yield Stage("build", (*install, "-e", str(ROOT)), {"NOISYKERNELS_BUILD": "cuda"})
    yield Stage("self-check", (*python, "noisykernels"))
    yield Stage("suite", (*python, "pytest", "-q"))
    # Triton's kernels compiled, where the suite above interprets them.
    gpu = (*python, "pytest", "-q", "tests/test_gpu.py")
    yield Stage("suite on the GPU", gpu, {"TRITON_INTERPRET": "0"})
    sanitizer = shutil.which("compute-sanitizer")
    grid = (*python, "bench.gpu_report", "--backend", "cuda", "--quick", "--no-times")
    for tool in SANITIZERS if sanitizer else ():
        yield Stage(
            f"compute-sanitizer, {tool}",
            (
                str(sanitizer),
                "--tool",
                tool,
                "--error-exitcode",
                "3",
                *grid,
                "--out",
                str(out / tool),
            ),
            refusals=REFUSALS,
        )
    for backend in BACKENDS:
        report = (*python, "bench.gpu_report", "--backend", backend, "--out", str(out / backend))
        yield Stage(f"report, {backend}", (*report, *["--quick"] * quick))


def run(stage: Stage, out: Path) -> str:
    """What came of a stage: "passed", "failed" or "refused"."""
    log = out / f"{stage.name.replace(', ', '-').replace(' ', '-')}.log"
    with log.open("w", encoding="utf-8") as file:
        environment = os.environ | stage.environment
        code = subprocess.run(
            stage.command, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT
        ).returncode
    if code == 0:
        return "passed"
    said = log.read_text(encoding="utf-8", errors="replace")
    if any(words in said for words in stage.refusals):
        return "refused"
    print(said[-2000:], file=sys.stderr)
    return "failed"


def main(arguments: Sequence[str]) -> int:
    """Run all stages; return the exit status."""
    parser = argparse.ArgumentParser(prog="bench.gpu_check", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="shorter reports")
    parser.add_argument("--out", type=Path, default=FOLDER)
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        print(
            "bench.gpu_check: there is no GPU here, so there is nothing to check.", file=sys.stderr
        )
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    if shutil.which("compute-sanitizer") is None:
        print("compute-sanitizer: skipped, it is not installed")
    results = []
    for stage in stages(options.out, options.quick):
        start = time.perf_counter()
        results.append(run(stage, options.out))
        print(f"{stage.name}: {results[-1]}, {time.perf_counter() - start:.0f} s", flush=True)
    return int("failed" in results)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
