"""Builds the whole extension, CUDA included, against a CUDA build of torch, without a GPU.

    python tests/cuda_build.py .venv-cuda/lib/python3.11/site-packages

`make cuda-build` brings the folder: torch's wheel alone. Its libraries need others that a GPU's
driver and a gigabyte of packages would bring, so torch cannot be imported there, nor the extension
loaded. That every file compiles, for every architecture, and that torch and CUDA have every symbol
it takes, can be found out all the same.
"""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

from cuda_compile import AS_TORCH_DOES
from emulated import toolkit

ROOT = Path(__file__).parents[1]
CSRC = ROOT / "csrc"
ARCHITECTURES = (80, 90, 100)
RUNTIMES = ("libstdc++.so.6", "libgcc_s.so.1", "libc.so.6", "libm.so.6", "libgomp.so.1")
LOADER = "ld-linux-x86-64.so.2"
LIBRARIES = ("c10", "c10_cuda", "torch", "torch_cpu", "torch_cuda", "torch_python")


def main(site: Path) -> None:
    """Compile, link, and look for symbols that nobody has."""
    torch, cuda = site / "torch", toolkit()
    if cuda is None:
        raise SystemExit("there is no nvcc here")
    version = re.search(r"__version__ = '(.*)'", (torch / "version.py").read_text())
    if version is None or "+cpu" in version[1]:
        raise SystemExit(f"{torch} is no CUDA build of torch")
    headers = [torch / "include", torch / "include/torch/csrc/api/include", cuda]
    cxx = ["g++", "-std=c++20", "-O1", "-fPIC", "-fopenmp", "-fvisibility=hidden", "-Wall"]
    cxx += ["-Wextra", "-Werror", "-Wno-psabi", "-DTORCH_EXTENSION_NAME=_C", "-DNOISYKERNELS_CUDA"]
    cxx += ["-DTORCH_API_INCLUDE_EXTENSION_H", f"-I{CSRC}", f"-I{sysconfig.get_path('include')}"]
    cxx += [f"-isystem{folder}" for folder in headers]
    nvcc = ["nvcc", "-std=c++20", "-O3", "-Xcompiler=-fPIC,-fvisibility=hidden", *AS_TORCH_DOES]
    nvcc += [f"-gencode=arch=compute_{sm},code=sm_{sm}" for sm in ARCHITECTURES]
    with tempfile.TemporaryDirectory() as folder:

        def compile_file(source: Path) -> str:
            print(source.relative_to(ROOT), flush=True)
            result = f"{folder}/{'_'.join(source.relative_to(CSRC).parts)}.o"
            compiler = nvcc if source.suffix == ".cu" else cxx
            subprocess.run([*compiler, "-c", str(source), "-o", result], check=True)
            return result

        sources = chain(*(CSRC.glob(p) for p in ("*.cpp", "*/*.cpp", "*/*.cu")))
        with ThreadPoolExecutor(2) as pool:
            objects = list(pool.map(compile_file, sorted(sources)))
        library = f"{folder}/_C.so"
        folders = [f"-L{torch / 'lib'}", f"-L{cuda.parent / 'lib64'}"]
        link = ["g++", "-shared", *objects, *folders, *(f"-l{name}" for name in LIBRARIES)]
        subprocess.run([*link, "-lcudart", "-o", library], check=True)
        ours = [torch / f"lib/lib{name}.so" for name in LIBRARIES]
        ours.append(cuda.parent / "lib64/libcudart.so")
        runtimes = [of_compiler(name) for name in (*RUNTIMES, LOADER)]
        known = set(chain(*(symbols(path, "--defined-only") for path in (*ours, *runtimes))))
        wanted = set(symbols(Path(library), "--undefined-only"))
    missing = sorted(name for name in wanted - known if not re.match("_?Py", name))
    if missing:
        raise SystemExit(f"neither torch nor CUDA has {', '.join(missing)}")
    print(f"the extension compiles and links with torch {version[1]}")


def of_compiler(name: str) -> Path:
    command = ["g++", f"-print-file-name={name}"]
    return Path(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())


def symbols(library: Path, kind: str) -> Iterator[str]:
    """Names of what a library has, or must find elsewhere."""
    command = ["nm", "-D", kind, str(library)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    for line in run.stdout.splitlines():
        *_, letter, name = line.split()
        if kind == "--defined-only" or letter == "U":  # others may be absent
            yield name.partition("@")[0]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(f"usage: {sys.argv[0]} SITE_PACKAGES")
    main(Path(sys.argv[1]))
