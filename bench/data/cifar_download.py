"""Obtains CIFAR from the first source that has it: the official archive, or another of the same.

Only what has the official hashes is kept, as official binary files, and it appears complete or not
at all.
"""

from __future__ import annotations

import os
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.data import DataError
from bench.data.cifar_layouts import Published, find_batches, verified_records

CONNECT_SECONDS = 5
DOWNLOAD_SECONDS = 60

Download = Callable[[Path], dict[str, bytes]]
"""Returns the files of the batches; may write to the folder it gets."""


def obtain(
    published: Published, further: Mapping[str, Download], root: Path, say: Callable[[str], None]
) -> None:
    """Writes the batches to a folder of ``root``; tries ``further`` sources after the official."""

    def official(partial: Path) -> dict[str, bytes]:
        return _official_archive(published, partial)

    failures = []
    for source, download in {"the official archive": official, **further}.items():
        say(f"{published.title}: trying {source}")
        try:
            root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=root, prefix=".partial-") as partial:
                records = verified_records(download(Path(partial)), published, source)
                _write(records, Path(partial), root / published.binary_folder)
            return
        except (DataError, OSError) as error:
            failures.append(f"  {source}: {error}")
    raise DataError(
        f"could not obtain {published.title}\n"
        + "\n".join(failures)
        + f"\nDownload {published.archive_name} where the network allows and name its folder as "
        "root."
    )


def _write(records: Mapping[str, bytes], partial: Path, destination: Path) -> None:
    complete = partial / "complete"
    complete.mkdir()
    for name, content in records.items():
        (complete / f"{name}.bin").write_bytes(content)
    os.replace(complete, destination)


def _official_archive(published: Published, partial: Path) -> dict[str, bytes]:
    archive = partial / published.archive_name
    deadline = time.monotonic() + DOWNLOAD_SECONDS
    with (
        urllib.request.urlopen(published.archive_url, timeout=CONNECT_SECONDS) as response,
        archive.open("wb") as file,
    ):
        while block := response.read(1 << 20):
            file.write(block)
            if time.monotonic() > deadline:
                raise DataError(f"not complete after {DOWNLOAD_SECONDS} s")
    return find_batches(archive, published)
