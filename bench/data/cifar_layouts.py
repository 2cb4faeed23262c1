"""CIFAR's official layouts: pickled or binary batches, in a folder or in the .tar.gz they come in.

Whatever the layout, a batch becomes its official binary records, so that one SHA-1 a batch
vouches for all layouts. A record is one or two labels and 3x1024 planar pixels, a byte each.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.data import DataError

PIXELS = 3 * 32 * 32

Array = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Published:
    """A CIFAR data set as its authors publish it."""

    title: str
    binary_folder: str
    pickle_folder: str
    archive_url: str
    """Of the binary layout."""
    sha1: Mapping[str, str]
    """Of the binary records of each batch."""
    labels: tuple[str, ...]
    """Keys of a pickled batch, in the order in which their labels open a record."""

    @property
    def archive_name(self) -> str:
        return self.archive_url.rpartition("/")[2]


def find_batches(root: Path, published: Published) -> dict[str, bytes]:
    """The batches' files under ``root``: ``name`` is a pickle, ``name.bin`` binary records.

    Args:
        root: The folder that holds the batches, a folder above it, or an official archive.
        published: What the folders and the batches are called.
    """
    wanted = {*published.sha1, *(f"{name}.bin" for name in published.sha1)}
    folders = (published.binary_folder, published.pickle_folder)
    for path in (root, *(root / folder for folder in folders)):
        if path.is_dir() and (files := _read_folder(path, wanted)):
            return files
    for path in (root, *sorted(root.glob("*.tar.gz"))):
        if path.is_file() and (files := read_archive(path, wanted)):
            return files
    raise DataError(
        f"no CIFAR batches in {root}: expected {' or '.join(folders)} or the .tar.gz of either"
    )


def verified_records(
    files: Mapping[str, bytes], published: Published, origin: object
) -> dict[str, bytes]:
    """Every batch as official binary records with the official SHA-1."""
    records = {name: _records(files, name, published.labels, origin) for name in published.sha1}
    for name, expected in published.sha1.items():
        found = hashlib.sha1(records[name]).hexdigest()
        if found != expected:
            raise DataError(
                f"{origin}: {name} is damaged or not the official one "
                f"(SHA-1 of its records {found}, official {expected})"
            )
    return records


def to_records(pixels: Array, *labels: Iterable[int]) -> bytes:
    """Official binary records of (N, 3072) planar pixels and N labels of each kind."""
    columns = [np.fromiter(kind, dtype=np.uint8)[:, None] for kind in labels]
    return np.concatenate([*columns, pixels], axis=1).tobytes()


def from_records(records: bytes, kinds: int) -> tuple[Array, Array]:
    """(N, 3, 32, 32) images and (N, kinds) labels of official binary records."""
    rows = np.frombuffer(records, dtype=np.uint8).reshape(-1, kinds + PIXELS)
    return rows[:, kinds:].reshape(-1, 3, 32, 32), rows[:, :kinds]


def _read_folder(folder: Path, wanted: set[str]) -> dict[str, bytes]:
    return {name: path.read_bytes() for name in wanted if (path := folder / name).is_file()}


def read_archive(path: Path, wanted: set[str]) -> dict[str, bytes]:
    """The wanted files of an archive, by name without folder.

    They are read, never extracted: no path in the archive can reach outside a folder.
    """
    try:
        with tarfile.open(path) as archive:
            return {
                name: content.read()
                for member in archive
                if (name := Path(member.name).name) in wanted
                and (content := archive.extractfile(member))
            }
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataError(f"{path} is not a complete .tar.gz archive: {error}") from error


def _records(files: Mapping[str, bytes], name: str, labels: Iterable[str], origin: object) -> bytes:
    if (records := files.get(f"{name}.bin")) is not None:
        return records
    if (pickled := files.get(name)) is None:
        raise DataError(f"{origin}: {name} is missing")
    try:
        batch = _ArrayUnpickler(io.BytesIO(pickled), encoding="latin1").load()
        return to_records(batch["data"], *(batch[kind] for kind in labels))
    except DataError as error:
        raise DataError(f"{origin}: {name}: {error}") from error
    except Exception as error:  # a damaged pickle raises nearly anything
        raise DataError(f"{origin}: {name} is not a CIFAR batch: {error!r}") from error


class _ArrayUnpickler(pickle.Unpickler):
    """Builds NumPy arrays and plain containers, nothing else: a pickle can run any code."""

    # NumPy 2 renamed the module that old pickles name, so take the function from an array.
    _reconstruct: Any = np.empty(0).__reduce__()[0]
    _allowed: Mapping[tuple[str, str], Any] = {
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
        ("_codecs", "encode"): str.encode,  # how Python 3 writes bytes with protocol 2
    }

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._allowed[module, name]
        except KeyError:
            raise DataError(f"refused to load {module}.{name} from a pickle") from None
