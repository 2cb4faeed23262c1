"""Build of the optional C++ extension; everything else about the package is in pyproject.toml.

The environment variable ``NOISYKERNELS_BUILD`` says what is wanted:

    auto    (default) the CPU kernels, and the CUDA kernels where torch has CUDA and there is an
            nvcc; if they cannot be built a warning and no kernels
    cpu     the CPU kernels, or an error
    cuda    the CPU and the CUDA kernels, or an error; TORCH_CUDA_ARCH_LIST says for which GPUs
    none    pure Python

torch has to be importable here, hence ``pip install --no-build-isolation .``: an isolated build
would fetch another torch, with another ABI. What was built, or why nothing was, is written to
``noisykernels/_build.py`` for the installed package to report.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any, ClassVar

import setuptools
from setuptools import Command, Extension, setup
from setuptools.command.build import build

MODES = ("auto", "cpu", "cuda", "none")
MODE = os.environ.get("NOISYKERNELS_BUILD") or "auto"
CXX = os.environ.get("CXX", "c++")  # the compiler torch's BuildExtension takes

FACTS = {"REASON": "", "MODE": MODE, "TORCH": "", "COMPILER": ""}


def compiler_version() -> str:
    """The compiler's name and version, or "" if it cannot compile an extension with OpenMP."""
    command = shlex.split(CXX)
    probe = ["-x", "c++", "-fopenmp", "-fsyntax-only", "-I", sysconfig.get_path("include"), "-"]
    source = "#include <Python.h>\n#include <omp.h>\n"
    try:
        if subprocess.run([*command, *probe], input=source, text=True).returncode != 0:
            return ""
        version = subprocess.run([*command, "--version"], capture_output=True, text=True).stdout
    except OSError:
        return ""
    return version.partition("\n")[0]


def obstacle() -> str:
    """Why the extension cannot be built here, or ""; decided before setup(), so that a build
    without the extension makes a wheel tagged as pure Python.
    """
    if MODE == "none":
        return "NOISYKERNELS_BUILD=none"
    try:
        import torch
    except (ImportError, OSError):  # OSError: a shared library of torch is missing
        return "torch could not be imported by the build (install with --no-build-isolation)"
    FACTS["TORCH"] = torch.__version__
    FACTS["COMPILER"] = compiler_version()
    if not FACTS["COMPILER"]:
        return "no C++ compiler with OpenMP and the headers of Python (set CXX to choose one)"
    return cuda_obstacle() if MODE == "cuda" else ""


def cuda_obstacle() -> str:
    """Why the CUDA kernels cannot be built here, or ""."""
    import torch
    from torch.utils.cpp_extension import CUDA_HOME

    if torch.version.cuda is None:
        return f"torch {torch.__version__} is built without CUDA"
    if CUDA_HOME is None:
        return "there is no nvcc (set CUDA_HOME to the folder of the CUDA toolkit)"
    return ""


def extension() -> Extension:
    import torch
    from torch.utils.cpp_extension import CppExtension, CUDAExtension, include_paths

    with_cuda = MODE != "cpu" and not cuda_obstacle()
    # The GPUs that the kernels are made for, from the A100 on; the newest as PTX for what follows.
    os.environ.setdefault("TORCH_CUDA_ARCH_LIST", "8.0;9.0;10.0+PTX")

    csrc = Path("csrc")
    site_packages = Path(torch.__file__).parents[1]
    python = sysconfig.get_path("include")
    # __FILE__ in error messages: "csrc/ops.cpp", not a folder of the building machine.
    folders = [f"-ffile-prefix-map={path}/=" for path in (Path.cwd(), site_packages, python)]
    options = [
        "-std=c++20",  # older versions of torch ask for 17
        "-O3",
        "-g0",
        "-fno-math-errno",
        "-falign-loops=64",  # a loop is then as fast wherever the compiler puts it
        "-fvisibility=hidden",
        # Without it at::parallel_for is silently serial. It is no link flag: the symbols come from
        # the OpenMP runtime that torch has loaded, and a second one can never join it.
        "-fopenmp",
        "-Wall",
        "-Wextra",
        "-Wno-psabi",
        # Warnings of torch's headers are not ours.
        *(f"-isystem{path}" for path in include_paths("cuda" if with_cuda else "cpu")),
        *folders,
    ]
    kernels = [
        "-O3",
        *(f"-Xcompiler={option}" for option in ("-fvisibility=hidden", *folders)),
    ]
    sources = [*csrc.glob("*.cpp"), *csrc.glob("cpu/*.cpp")]
    if with_cuda:
        sources += [*csrc.glob("cuda/*.cpp"), *csrc.glob("cuda/*.cu")]
    return (CUDAExtension if with_cuda else CppExtension)(
        "noisykernels._C",
        [str(path) for path in sorted(sources)],
        depends=[str(path) for path in sorted(csrc.rglob("*.h"))],
        include_dirs=[str(csrc.resolve())],
        define_macros=[("NOISYKERNELS_CUDA", None)] if with_cuda else [],
        extra_compile_args={"cxx": options, "nvcc": kernels},
    )


def build_ext_command() -> type[Command]:
    from torch.utils.cpp_extension import BuildExtension

    class BuildKernels(BuildExtension):
        """In mode ``auto`` a failed compilation leaves the package without the extension.

        ``Extension(optional=True)`` would not do: it does not catch ninja's RuntimeError.
        """

        def build_extensions(self) -> None:
            try:
                super().build_extensions()
            except Exception as error:
                if MODE != "auto":
                    raise
                print(error, file=sys.stderr)
                FACTS["REASON"] = "the compilation failed (NOISYKERNELS_BUILD=cpu shows the error)"
                self.extensions = []

    return BuildKernels


class BuildFacts(Command):
    """Last step of every build: writes ``noisykernels/_build.py``."""

    user_options: ClassVar[list[Any]] = []
    editable_mode = False

    def initialize_options(self) -> None:
        self.build_lib = ""

    def finalize_options(self) -> None:
        self.build_lib = self.get_finalized_command("build").build_lib

    def run(self) -> None:
        package = Path("" if self.editable_mode else self.build_lib, "noisykernels")
        reason = FACTS["REASON"]
        if reason:
            for stale in package.glob("_C.*.so"):  # of an earlier build
                stale.unlink()
        if reason and MODE != "none":
            line = "*" * 88
            print(
                f"\n{line}\nWARNING: noisykernels is installed WITHOUT its compiled kernels:\n"
                f"{reason}.\nLosses run on the slower reference backend.\n{line}\n",
                file=sys.stderr,
            )
        facts = {"EXTENSION": not reason, **FACTS}
        lines = [f"{name} = {value!r}" for name, value in facts.items()]
        text = "\n".join(['"""Facts of the build, written by setup.py."""', "", *lines, ""])
        (package / "_build.py").write_text(text)

    def get_source_files(self) -> list[str]:
        return []

    def get_outputs(self) -> list[str]:
        return []

    def get_output_mapping(self) -> dict[str, str]:
        return {}


if int(setuptools.__version__.partition(".")[0]) < 77:  # without isolation pip does not check
    raise SystemExit("noisykernels is built with setuptools>=77: pip install -U setuptools")
if MODE not in MODES:
    raise SystemExit(f"NOISYKERNELS_BUILD={MODE!r}: expected one of {', '.join(MODES)}")
FACTS["REASON"] = obstacle()
if FACTS["REASON"] and MODE in ("cpu", "cuda"):
    raise SystemExit(f"NOISYKERNELS_BUILD={MODE}: {FACTS['REASON']}")

build.sub_commands = [*build.sub_commands, ("build_facts", None)]
commands: dict[str, type[Command]] = {"build_facts": BuildFacts}
if FACTS["REASON"]:
    setup(cmdclass=commands)
else:
    commands["build_ext"] = build_ext_command()
    setup(cmdclass=commands, ext_modules=[extension()])
