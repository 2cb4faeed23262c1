"""What a GPU report was measured with, and on what; never a host, a user or a folder."""

from __future__ import annotations

import importlib.metadata
import platform
from datetime import datetime, timezone

import torch

import noisykernels as nk

Facts = dict[str, str | int | float]


def facts(device: str) -> Facts:
    """Versions, and what the driver says about the device."""
    properties = torch.cuda.get_device_properties(device)
    return {
        "device": properties.name,
        "capability": f"{properties.major}.{properties.minor}",
        "multiprocessors": properties.multi_processor_count,
        "memory_gib": round(properties.total_memory / 2**30, 1),
        "l2_mib": round(properties.L2_cache_size / 2**20, 1),
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "noisykernels": nk.__version__,
        "torch": torch.__version__,
        "triton": _version("triton"),
        "cuda": torch.version.cuda or "none",
        "liger-kernel": _version("liger-kernel"),
        "quack-kernels": _version("quack-kernels"),
        "python": platform.python_version(),
    }


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "none"
