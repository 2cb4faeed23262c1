"""Writes generated photos in the layout of Clothing1M, for those who have no copy of it.

Shares of classes and confusions of labels are the published ones; the photos are colored stripes.
Every key holds "lookalike", and with it every result carries the name clothing1m-lookalike: no
accuracy on it says anything about Clothing1M.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.progress import track

from bench.data import DataError
from bench.data.clothing1m.facts import (
    BOTH_LABELS,
    CLASS_NAMES,
    PERCENT_OF_TRUE_COLUMN_LABELED_ROW,
    SIZES,
    TRUE_CLASS_PERCENT,
)
from bench.data.clothing1m.layout import CLEAN_LABELS, LOOKALIKE, NAMES_FILE, NOISY_LABELS
from bench.errors import exit_status
from noisykernels import noise

SIDES = 256, 401  # as the real ones, of which a few are grayscale or CMYK as well
GRAYSCALE_EVERY, CMYK_EVERY = 50, 75
PATTERN = 32
QUALITY = 85


def generate(out: Path, images: int, seed: int) -> None:
    """Writes ``images`` noisy training photos, and clean splits in proportion, to a new folder."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out} is there already, and is not an empty folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".partial-") as partial:
        complete = Path(partial) / "complete"
        complete.mkdir()
        _write(complete, images, seed)
        os.replace(complete, out)


def _write(root: Path, images: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    sizes = {
        name: max(1, round(size * images / SIZES["noisy_train"])) for name, size in SIZES.items()
    }
    total = sum(sizes.values())
    share = np.array(TRUE_CLASS_PERCENT)
    classes = draw.choice(len(share), total, p=share / share.sum())
    noisy = noise.from_matrix(classes, _transition(), seed=seed).labels.tolist()
    keys = [_key(number, draw) for number in range(total)]
    for number in track(range(total), description=f"{total:,} photos"):
        path = root / keys[number]
        path.parent.mkdir(parents=True, exist_ok=True)
        _photo(number, classes[number], draw).save(path, "JPEG", quality=QUALITY)

    noisy_lines, clean_lines, start = [], [], 0
    for name, size in sizes.items():
        split = range(start, start + size)
        start += size
        # Like the real lists, these do not end with a new line.
        (root / f"{name}_key_list.txt").write_text("\n".join(keys[number] for number in split))
        if name == "noisy_train":
            both = size
        else:
            both = round(size * BOTH_LABELS[name] / SIZES[name])
            clean_lines += [f"{keys[number]} {classes[number]}\n" for number in split]
        noisy_lines += [f"{keys[number]} {noisy[number]}\n" for number in split[:both]]
    (root / NOISY_LABELS).write_text("".join(noisy_lines))
    (root / CLEAN_LABELS).write_text("".join(clean_lines))
    (root / NAMES_FILE).write_text("".join(f"{name}\n" for name in CLASS_NAMES))


def _transition() -> torch.Tensor:
    columns = torch.tensor(PERCENT_OF_TRUE_COLUMN_LABELED_ROW, dtype=torch.float64)
    return (columns / columns.sum(0)).T


def _key(number: int, draw: np.random.Generator) -> str:
    first, second = draw.integers(10**9, size=2)
    mark = LOOKALIKE.decode()
    return f"images/{number % 10}/{number // 10 % 100:02}/{mark}-{number}-{first},{second}.jpg"


def _photo(number: int, label: int, draw: np.random.Generator) -> Image.Image:
    """Stripes whose hue, width and slope depend on the class, under noise."""
    across, down = np.meshgrid(*[np.linspace(0, 2 * np.pi, PATTERN)] * 2)
    angle = np.pi * label / len(CLASS_NAMES)
    waves = (2 + label % 5) * (across * np.cos(angle) + down * np.sin(angle))
    brightness = 0.6 + 0.3 * np.sin(waves + draw.uniform(0, 2 * np.pi))
    brightness += draw.normal(0, 0.1, brightness.shape)
    hue = (256 * label / len(CLASS_NAMES) + draw.normal(0, 6)) % 256
    hsv = np.stack([np.full_like(brightness, hue), np.full_like(brightness, 120), 255 * brightness])
    pattern = Image.fromarray(hsv.clip(0, 255).astype(np.uint8).transpose(1, 2, 0), "HSV")
    photo = pattern.convert("RGB").resize(tuple(draw.integers(*SIDES, size=2)))
    if number % GRAYSCALE_EVERY == 0:
        return photo.convert("L")
    return photo.convert("CMYK") if number % CMYK_EVERY == 0 else photo


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.data.clothing1m_lookalike", description=__doc__
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="the folder to write, new or empty")
    parser.add_argument(
        "--images", type=int, default=2000, help="noisy training photos, %(default)s"
    )
    parser.add_argument("--seed", type=int, default=0, help="%(default)s")
    options = parser.parse_args(arguments)
    if options.images < 1 or options.seed < 0:
        parser.error("--images takes a number from 1, --seed one from 0")
    return exit_status(lambda: program(options))


def program(options: argparse.Namespace) -> None:
    generate(options.out, options.images, options.seed)
    print(f"{options.out}: clothing1m-lookalike")


if __name__ == "__main__":
    sys.exit(main())
