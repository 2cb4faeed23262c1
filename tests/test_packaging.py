"""What an install does on machines that lack something, and what the built extension looks like."""

from __future__ import annotations

import importlib.machinery
import os
import re
import runpy
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections import defaultdict
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import torch

import noisykernels

ROOT = Path(__file__).parents[1]
PACKAGE = Path(noisykernels.__file__).parent

Build = subprocess.CompletedProcess[str]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the source tree in which nothing was built."""
    unwanted = shutil.ignore_patterns(".*", "*.so", "_build.py", "build", "dist", "*.egg-info")
    return Path(shutil.copytree(ROOT, tmp_path / "project", ignore=unwanted))


def build(project: Path, hook: str, **env: str) -> Build:
    """Call a hook of setuptools' build backend, as pip does; the result lies in ``dist``."""
    return subprocess.run(
        [sys.executable, "-c", f"from setuptools import build_meta as b; b.{hook}('dist')"],
        cwd=project,
        env={**os.environ, "NOISYKERNELS_BUILD": "auto", **env},
        capture_output=True,
        text=True,
    )


def wheel_facts(project: Path) -> dict[str, Any]:
    """The constants of ``_build.py`` in the wheel, which has no extension."""
    (wheel,) = (project / "dist").glob("*.whl")
    with ZipFile(wheel) as archive:
        assert not [name for name in archive.namelist() if name.endswith(".so")]
        return runpy.run_path(archive.extract("noisykernels/_build.py", project / "wheel"))


@pytest.mark.parametrize(
    ("env", "reason"),
    [
        pytest.param({"CXX": "no-such-compiler"}, "no C++ compiler", id="no compiler"),
        pytest.param({"CXX": "false"}, "no C++ compiler", id="unusable compiler"),
        pytest.param({"PYTHONPATH": "without_torch"}, "torch could not be imported", id="no torch"),
    ],
)
def test_install_without_a_tool_is_pure_python(
    project: Path, env: dict[str, str], reason: str
) -> None:
    (project / "without_torch").mkdir()
    (project / "without_torch/torch.py").write_text("raise ImportError")
    result = build(project, "build_wheel", **env)
    assert result.returncode == 0, result.stderr
    assert "WARNING: noisykernels is installed WITHOUT its compiled kernels" in result.stderr
    assert reason in result.stderr
    facts = wheel_facts(project)
    assert facts["EXTENSION"] is False
    assert facts["REASON"].startswith(reason)
    assert list((project / "dist").glob("*-py3-none-any.whl"))


def test_failed_compilation_leaves_the_extension_out(project: Path) -> None:
    shutil.rmtree(project / "csrc")
    (project / "csrc").mkdir()
    (project / "csrc/module.cpp").write_text("#error broken")
    result = build(project, "build_wheel")
    assert result.returncode == 0, result.stderr
    assert "the compilation failed" in result.stderr
    assert wheel_facts(project)["REASON"].startswith("the compilation failed")
    assert build(project, "build_wheel", NOISYKERNELS_BUILD="cpu").returncode != 0


def test_mode_none_is_silent(project: Path) -> None:
    result = build(project, "build_wheel", NOISYKERNELS_BUILD="none")
    assert result.returncode == 0, result.stderr
    assert "WARNING" not in result.stderr
    assert wheel_facts(project)["REASON"] == "NOISYKERNELS_BUILD=none"


def test_editable_install_removes_the_extension_of_an_earlier_build(project: Path) -> None:
    stale = project / f"noisykernels/_C{importlib.machinery.EXTENSION_SUFFIXES[0]}"
    stale.touch()
    result = build(project, "build_editable", NOISYKERNELS_BUILD="none")
    assert result.returncode == 0, result.stderr
    assert not stale.exists()
    assert (project / "noisykernels/_build.py").exists()


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"NOISYKERNELS_BUILD": "gpu"}, "'gpu': expected one of auto, cpu, cuda, none"),
        pytest.param(
            {"NOISYKERNELS_BUILD": "cuda"},
            "is built without CUDA",
            marks=pytest.mark.skipif(torch.version.cuda is not None, reason="torch has CUDA"),
        ),
        ({"NOISYKERNELS_BUILD": "cpu", "CXX": "no-such-compiler"}, "no C++ compiler"),
    ],
)
def test_impossible_mode_is_an_error(project: Path, env: dict[str, str], message: str) -> None:
    result = build(project, "build_wheel", **env)
    assert result.returncode != 0
    (error,) = [line for line in result.stderr.splitlines() if "NOISYKERNELS_BUILD=" in line]
    assert message in error


def test_sdist_can_be_built_from(project: Path) -> None:
    """Headers are no sources of an extension, and here there is not even an extension."""
    (project / "noisykernels/_build.py").touch()
    result = build(project, "build_sdist", NOISYKERNELS_BUILD="none")
    assert result.returncode == 0, result.stderr
    (sdist,) = (project / "dist").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    csrc = {str(path.relative_to(project)) for path in (project / "csrc").rglob("*.*")}
    assert {name for name in csrc if name.endswith(".h")}
    assert csrc <= names
    assert {"setup.py", "README.md", "LICENSE", "CHANGELOG.md", "noisykernels/py.typed"} <= names
    assert "noisykernels/_build.py" not in names


@pytest.fixture
def extension() -> Path:
    """The compiled extension of this environment."""
    facts = runpy.run_path(str(PACKAGE / "_build.py"))
    if not facts["EXTENSION"]:
        pytest.skip(f"no compiled extension: {facts['REASON']}")
    return PACKAGE / f"_C{importlib.machinery.EXTENSION_SUFFIXES[0]}"


def test_extension_names_no_folder_of_the_building_machine(extension: Path) -> None:
    binary = extension.read_bytes()
    for folder in (ROOT, Path(torch.__file__).parents[1], sysconfig.get_path("include")):
        assert str(folder).encode() not in binary


def test_wide_instructions_stay_in_the_dispatched_kernels(extension: Path) -> None:
    """Elsewhere they would crash on a processor without them.

    That is how a template of the standard library goes wrong, compiled for AVX in one file and
    kept by the linker for all of them.
    """
    for tool in ("readelf", "objdump"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    origin: dict[int, str] = {}  # of the function at an address
    file = ""
    for line in _lines("readelf", "-sW", extension):
        match line.split():
            case [_, _, _, "FILE", _, _, _, file]:
                pass
            case [_, address, _, "FUNC", binding, _, section, name, *_] if section != "UND":
                ours = binding == "LOCAL" and file.startswith("kernels_")
                origin[int(address, 16)] = file if ours else name
    wide = defaultdict(set)
    place = ""
    for line in _lines("objdump", "-d", "--no-show-raw-insn", extension):
        if start := re.match(r"([0-9a-f]{16}) <", line):
            place = origin.get(int(start[1], 16), line)
        elif register := re.search(r"%([yz])mm|\t(v)[a-z]", line):
            wide[place].add(register[1] or register[2])
    assert set(wide) == {"kernels_avx2.cpp", "kernels_avx512.cpp"}
    assert "z" not in wide["kernels_avx2.cpp"]


def _lines(*command: str | Path) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
