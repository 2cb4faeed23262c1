"""Another revision of the package, built in a tree of its own, and only if its tests pass."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

QUICK_TESTS = ("test_edge_cases.py", "test_layouts.py", "test_determinism.py", "test_op.py")
"""What a revision must pass to be timed: a kernel that is wrong can be as fast as it likes."""


class Refused(Exception):
    """A revision that must not be compared with, and why."""


@contextmanager
def built(ref: str, repository: Path) -> Iterator[Path]:
    """A source tree of ``ref`` with its extension, built against the torch of this environment.

    Raises:
        Refused: If there is no such revision, it does not build, or its quick tests fail.
    """
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "tree")
        checkout = ["git", "worktree", "add", "--detach", tree, ref]
        _run(f"{ref} cannot be checked out", *checkout, cwd=repository)
        try:
            _build(ref, tree, Path(folder, "installed"))
            _test(ref, tree)
            yield tree
        finally:
            remove = ["git", "worktree", "remove", "--force", str(tree)]
            subprocess.run(remove, cwd=repository, capture_output=True)


def _build(ref: str, tree: Path, installed: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--no-build-isolation", "--no-deps"]
    # With "cpu" a compilation that fails is an error, not a package without kernels.
    environment = {**os.environ, "NOISYKERNELS_BUILD": "cpu"}
    _run(f"{ref} does not build", *pip, "--target", installed, tree, cwd=tree, env=environment)
    # The tree has the tests: with what the build made, it is a checkout built in place.
    for made in ("_build.py", "_C.*"):
        for path in (installed / "noisykernels").glob(made):
            shutil.copy(path, tree / "noisykernels")


def _test(ref: str, tree: Path) -> None:
    tests = [f"tests/{name}" for name in QUICK_TESTS if (tree / "tests" / name).exists()]
    if not tests:
        raise Refused(f"{ref} has none of the tests {', '.join(QUICK_TESTS)}")
    pytest = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    _run(f"tests of {ref} fail", *pytest, cwd=tree, env=environment)


def _run(failure: str, *command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> None:
    words = [str(word) for word in command]
    run = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True)
    if run.returncode != 0:
        tail = "\n".join((run.stdout + run.stderr).splitlines()[-15:])
        raise Refused(f"{failure}:\n{tail}")
