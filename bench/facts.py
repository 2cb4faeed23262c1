"""What a result was measured with, and on what; never a host, a user or a folder."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import datetime, timezone
from pathlib import Path

import torch

import noisykernels as nk
from bench.steady import MEMORY
from noisykernels import backends

ROOT = Path(__file__).parents[1]
MEASURED_CODE = ("noisykernels", "csrc", "setup.py")
"""A change in these makes the commit "dirty": it is not the one that was measured."""


def facts() -> dict[str, str | int | float | bool]:
    """Versions, processor, commit and time, as a result file stores them."""
    extension, build = backends.extension, backends.build_facts
    return {
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "HEAD") or "unknown",
        "dirty": bool(_git("status", "--porcelain", "--", *MEASURED_CODE)),
        "noisykernels": nk.__version__,
        "simd": extension.simd_level() if extension else "none",
        "compiler": getattr(build, "COMPILER", ""),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.system(),
        "cpu": _processor(),
        "cores": os.cpu_count() or 1,
        "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY", ""),
        "memory": MEMORY,
        "load": load(),
    }


def load() -> float:
    """Processes that wanted a core, averaged over the last minute."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else -1.0


def _git(*arguments: str) -> str:
    run = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return run.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
