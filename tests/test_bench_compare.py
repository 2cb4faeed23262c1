"""Comparing with another revision: what is refused, and that each side times its own package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import noisykernels as nk
from bench import compare, rivals
from bench.cases import Case
from bench.revision import Refused, built
from bench.worker import ROOT, Worker

SETUP = """
from pathlib import Path
from setuptools import setup
setup(name="noisykernels", version="0", packages=["noisykernels"])
"""


@pytest.fixture
def repository(tmp_path):
    """A repository with a package that builds and a quick test; returns a function that commits."""
    folder = tmp_path / "repository"

    def commit(**files):
        for name, text in files.items():
            path = folder / name.replace("__", "/").replace("_py", ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        for command in (["add", "."], [*identity, "commit", "-qm", "a change"]):
            subprocess.run(["git", *command], cwd=folder, check=True)
        return folder

    folder.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    (folder / "noisykernels").mkdir()
    (folder / "noisykernels/__init__.py").write_text("")
    commit(setup_py=SETUP, tests__test_op_py="def test_op(): pass")
    return commit


def test_a_revision_whose_tests_pass_is_built(repository):
    folder = repository(noisykernels__build_facts_py="")
    with built("HEAD", folder) as tree:
        assert (tree / "noisykernels/build_facts.py").exists()
    assert not tree.exists()
    left = subprocess.run(["git", "worktree", "list"], cwd=folder, capture_output=True, text=True)
    assert len(left.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"tests__test_op_py": "def test_op(): assert False, 'broken'"}, "tests of HEAD fail"),
        ({"setup_py": "raise SystemExit('no compiler')"}, "HEAD does not build"),
    ],
)
def test_a_broken_revision_is_refused(repository, files, reason):
    with pytest.raises(Refused, match=reason), built("HEAD", repository(**files)):
        pass


def test_an_unknown_revision_is_refused(repository):
    folder = repository(noisykernels__other_py="")
    with pytest.raises(Refused, match="nowhere cannot be checked out"), built("nowhere", folder):
        pass


def test_a_revision_without_the_quick_tests_is_refused(repository):
    folder = repository(noisykernels__other_py="")
    subprocess.run(["git", "rm", "-q", "tests/test_op.py"], cwd=folder, check=True)
    with pytest.raises(Refused, match="has none of the tests"), built("HEAD", repository(a_py="")):
        pass


def test_both_sides_are_timed_in_turns():
    case = Case("gce", "both", 8, 10, "float32", 1)
    with Worker() as base, Worker() as here:
        found = compare.compare(case, base, here, rounds=3)
    assert [one.contender for one in found] == [rivals.FUSED, rivals.YARDSTICK]
    assert all(0.05 < one.ratio.median < 20 for one in found)
    assert compare.table(found, "main").row_count == 2


def test_a_worker_measures_the_package_it_is_given(tmp_path):
    package = tmp_path / "noisykernels"
    package.mkdir()
    (package / "__init__.py").write_text("def losses(): return ['ce']")
    for tree, expected, losses in (
        (ROOT, ROOT / "noisykernels", nk.losses()),
        (tmp_path, package, ["ce"]),
    ):
        with Worker(tree) as worker:
            assert Path(worker("where")) == expected
            assert worker("losses") == losses


def test_a_worker_that_dies_is_an_error():
    with Worker() as worker, pytest.raises(RuntimeError, match="the worker ended with status 1"):
        worker("no such request")


def test_the_command_says_why_it_compares_nothing():
    command = [sys.executable, "-m", "bench.compare", "no-such-ref"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 1
    assert "not compared: no-such-ref cannot be checked out" in run.stdout
