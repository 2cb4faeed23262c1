"""Measures in a process of its own: under another allocator, or with another build of the package.

A worker reads requests as lines of JSON and answers each with a line.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]

# The package under test is that of a tree, all that measures it is of this checkout.
_START = """
import sys
sys.path[0] = sys.argv[2]
import bench.steady
sys.path[0] = sys.argv[1]
import noisykernels
sys.path[0] = sys.argv[2]
from bench.worker import serve
serve()
"""


class Worker:
    """A process that measures; use it in a `with` block."""

    def __init__(self, package: Path = ROOT, environment: Mapping[str, str] | None = None) -> None:
        """Starts the process.

        Args:
            package: Source tree with the `noisykernels` to measure, built in place.
            environment: Added to that of this process.
        """
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, str(package), str(ROOT)],
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, do: str, **arguments: Any) -> Any:
        """Has the worker do something, one of `_Requests`, and waits for the answer."""
        print(json.dumps({"do": do, **arguments}), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the worker ended with status {self._process.wait()}")
        return json.loads(answer)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.stdin.close()  # at the end of its requests it ends
        self._process.wait()
        self._process.stdout.close()


class _Requests:
    def __init__(self) -> None:
        self._clocked: dict[str, Any] = {}

    def where(self) -> str:
        """The folder that noisykernels was imported from."""
        import noisykernels

        return str(Path(noisykernels.__file__).parent)

    def losses(self) -> list[str]:
        """The losses that this build has."""
        import noisykernels

        return noisykernels.losses()

    def prepare(
        self, case: dict[str, Any], contenders: list[str], sample_seconds: float
    ) -> dict[str, int]:
        """Warms up and returns how often to call each contender in a measurement."""
        import torch

        from bench import rivals, timing
        from bench.cases import Case

        chosen = Case(**case)
        torch.set_num_threads(chosen.threads)
        self._clocked = {name: rivals.clocked(chosen, name) for name in contenders}
        return {
            name: timing.repeats_for(clocked, sample_seconds)
            for name, clocked in self._clocked.items()
        }

    def time(self, contender: str, repeats: int) -> float:
        """Seconds per call."""
        seconds: float = self._clocked[contender](repeats)
        return seconds

    def memory(self, case: dict[str, Any], contenders: list[str]) -> dict[str, int]:
        """Peak bytes of each contender; the process has to have the counting allocator."""
        from bench import memory
        from bench.cases import Case

        return {name: memory.peak(Case(**case), name) for name in contenders}


def fields(case: Any) -> dict[str, Any]:
    """A case as an argument of a request."""
    return asdict(case)


def serve() -> None:
    # What torch's compiler prints must not get among the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    os.environ.pop("LD_PRELOAD", None)  # not for the compiler
    requests = _Requests()
    for line in sys.stdin:
        request = json.loads(line)
        answer = getattr(requests, request.pop("do"))(**request)
        print(json.dumps(answer), file=answers, flush=True)
