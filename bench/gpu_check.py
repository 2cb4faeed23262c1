"""All that there is to find out on a machine with a GPU: build, test, sanitize, measure.

    python -m bench.gpu_check [--minutes 10] [--out FOLDER]

Works offline with the torch, triton and nvcc that are installed there, and builds in place for the
GPU that is there. pytest 9 runs the tests, in several processes where pytest-xdist is installed
too; matplotlib draws. Each stage reports, and the next runs whatever came of it; what stages print
goes to files. A stage may take its own time and what those before it have left of theirs; one that
takes longer is cut off, and what it has written until then stays. From 30 minutes on more shapes,
losses and samples are measured.

Exit status: 0 all is right, 1 a stage has failed or was cut off, 2 there is no GPU.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "bench/results/gpu"
SANITIZERS = ("memcheck", "racecheck", "initcheck")
REFUSALS = ("not supported", "Failed to initialize", "Unable to find")
"""What compute-sanitizer says where a machine does not let it look."""

SUMMARY = "\nSummary\n"
"""What follows in a stage's output is for whoever looks at the whole."""

MINUTES = 10.0
MARGIN = 20
"""Seconds of these that are nobody's: starting, and ending what is cut off."""

LONG = 30
"""Minutes in which more than the quick report is done."""


class Stage(NamedTuple):
    """A command, and what it needs in the environment besides."""

    name: str
    command: Sequence[str]
    seconds: float
    """Of a run that takes ten minutes in all."""
    environment: Mapping[str, str] = {}
    refusals: Sequence[str] = ()
    """Words that say that it could not run here, which is no failure."""
    absent: str = ""
    """Why it cannot run here."""


def stages(out: Path, minutes: float = MINUTES) -> Iterator[Stage]:
    """In the order in which they run."""
    python = (sys.executable, "-m")
    jobs = os.cpu_count() or 1
    install = (*python, "pip", "install", "--no-index", "--no-build-isolation", "--no-deps")
    yield Stage("build", (*install, "-v", "-e", str(ROOT)), 150, build_environment(jobs))
    yield Stage("self-check", (*python, "noisykernels"), 25)
    # In as many processes as compile at once: most of the time goes to torch.compile and Triton.
    parallel = ("-n", str(min(8, jobs))) if _installed("xdist") else ()
    yield Stage(
        "tests",
        (*python, "pytest", "-q", "--durations=5", *parallel, "tests/test_gpu.py"),
        110,
        # Triton's kernels compiled, which tests elsewhere interpret.
        {"TRITON_INTERPRET": "0"},
        absent="" if _installed("pytest") else "pytest is not installed",
    )
    sanitizer = shutil.which("compute-sanitizer")
    for tool in SANITIZERS:
        yield Stage(
            f"compute-sanitizer, {tool}",
            (str(sanitizer), "--tool", tool, "--error-exitcode", "3", *python, "bench.gpu.grid"),
            35,
            # An allocation for each tensor: beyond its end is beyond the allocation's.
            {"PYTORCH_NO_CUDA_MEMORY_CACHING": "1"},
            refusals=REFUSALS,
            absent="" if sanitizer else "it is not installed",
        )
    report = (*python, "bench.gpu_report", "--jobs", str(min(12, jobs)), "--out", str(out))
    yield Stage("report", (*report, *["--quick"] * (minutes < LONG)), 190)


def build_environment(jobs: int) -> dict[str, str]:
    """For the GPU that is there alone, and with the toolkit that nvcc itself says it is of."""
    major, minor = torch.cuda.get_device_capability()
    found = {
        "NOISYKERNELS_BUILD": "cuda",
        "TORCH_CUDA_ARCH_LIST": f"{major}.{minor}",
        "MAX_JOBS": str(jobs),
    }
    if shutil.which("nvcc") and "CUDA_HOME" not in os.environ:
        # torch takes the folder of what is on the path, which may be a link or a script.
        plan = subprocess.run(["nvcc", "--dryrun", "-c", "x.cu"], capture_output=True, text=True)
        if top := re.search(r"TOP=(.*)", plan.stderr):
            found["CUDA_HOME"] = str(Path(top[1]).resolve())
    return found


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def run(stage: Stage, out: Path, seconds: float) -> str:
    """What came of a stage: "passed", "failed", "cut off", "refused", or "skipped" and why."""
    if stage.absent:
        return f"skipped, {stage.absent}"
    log = out / f"{stage.name.replace(', ', '-').replace(' ', '-')}.log"
    with log.open("w", encoding="utf-8") as file:
        # In a session of its own, so that what it has started ends with it.
        process = subprocess.Popen(
            stage.command,
            cwd=ROOT,
            env=os.environ | stage.environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            result = "failed" if process.wait(seconds) else "passed"
        except subprocess.TimeoutExpired:
            result = "cut off"
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    said = log.read_text(encoding="utf-8", errors="replace")
    if result == "failed" and any(words in said for words in stage.refusals):
        return "refused"
    if result in ("failed", "cut off"):
        print(said[-2000:], file=sys.stderr)
    print(said.rpartition(SUMMARY)[2] if SUMMARY in said else "", end="")
    return result


def main(arguments: Sequence[str]) -> int:
    """Run all stages; return the exit status."""
    parser = argparse.ArgumentParser(prog="bench.gpu_check", description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=MINUTES, help="until all have ended")
    parser.add_argument("--out", type=Path, default=FOLDER)
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        print(
            "bench.gpu_check: there is no GPU here, so there is nothing to check.", file=sys.stderr
        )
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    end = time.monotonic()
    results = []
    for stage in stages(options.out, options.minutes):
        start = time.monotonic()
        end += stage.seconds * options.minutes / MINUTES
        command = stage.command
        if stage.name == "report":
            # It ends itself a little earlier, with what it has.
            command = (*command, "--seconds", str(int(end - start - MARGIN / 2)))
        results.append(run(stage._replace(command=command), options.out, end - start))
        print(f"{stage.name}: {results[-1]}, {time.monotonic() - start:.0f} s", flush=True)
    return int(any(result in ("failed", "cut off") for result in results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
