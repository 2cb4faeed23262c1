"""Human labels: both kinds of files, and that labels of other images or classes are refused."""

from __future__ import annotations

import os
import re
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch

from bench.data import DataError, Dataset, cifar_n
from noisykernels import noise

SAMPLES = 200
IMAGES = torch.empty(SAMPLES, 3, 32, 32, dtype=torch.uint8)
NONE = torch.empty(0, 3, 32, 32, dtype=torch.uint8), torch.empty(0, dtype=torch.int64)


def dataset(name, num_classes):
    labels = torch.arange(SAMPLES) % num_classes
    return Dataset(name, IMAGES, labels, *NONE, num_classes)


CIFAR10, CIFAR100 = dataset("cifar10", 10), dataset("cifar100", 100)
COARSE = dataset("cifar100-coarse", 20)


@pytest.fixture
def ten():
    """As in CIFAR-10_human.pt: at the published rates, within half a sample of 200."""
    clean = CIFAR10.train_labels
    content = {"clean_label": clean.numpy()}
    for seed, (key, percent) in enumerate(cifar_n.ANNOTATIONS["cifar10"].wrong_percent.items()):
        content[key] = noise.symmetric(clean, percent / 100, 10, seed=seed).labels.numpy()
    return content


@pytest.fixture
def hundred():
    """As in CIFAR-100_human.pt, fine and coarse."""
    content = {}
    for data, clean, noisy in (
        (CIFAR100, "clean_label", "noisy_label"),
        (COARSE, "clean_coarse_label", "noisy_coarse_label"),
    ):
        percent = cifar_n.ANNOTATIONS[data.name].wrong_percent[noisy]
        labels = noise.symmetric(data.train_labels, percent / 100, data.num_classes).labels
        content |= {clean: data.train_labels.numpy(), noisy: labels.numpy()}
    return content


@pytest.fixture(autouse=True)
def _half_a_sample(monkeypatch):
    monkeypatch.setattr(cifar_n, "TOLERANCE", 100 * 0.5 / SAMPLES)


def write(path, content):
    if path.suffix == ".npz":
        np.savez(path, **content)
    else:
        torch.save(content, path)
    return path


@pytest.mark.parametrize("name", ["labels.pt", "labels.npz"])
@pytest.mark.parametrize("key", cifar_n.keys("cifar10"))
def test_cifar10n(tmp_path, ten, name, key):
    noisy, transition = cifar_n.load(write(tmp_path / name, ten), CIFAR10, key)
    assert noisy.tolist() == ten[key].tolist()
    assert noisy.dtype == torch.int64
    assert torch.equal(transition, noise.transition_matrix(CIFAR10.train_labels, noisy, 10))


@pytest.mark.parametrize(
    ("data", "key"), [(CIFAR100, "noisy_label"), (COARSE, "noisy_coarse_label")], ids=lambda _: ""
)
def test_cifar100n(tmp_path, hundred, data, key):
    noisy, _ = cifar_n.load(write(tmp_path / "labels.pt", hundred), data, key)
    assert noisy.tolist() == hundred[key].tolist()


@pytest.mark.parametrize("convert", [torch.tensor, np.ndarray.tolist, lambda x: x.astype("uint8")])
def test_kinds_of_numbers(tmp_path, ten, convert):
    content = {key: convert(labels) for key, labels in ten.items()}
    noisy, _ = cifar_n.load(write(tmp_path / "labels.pt", content), CIFAR10, "worse_label")
    assert noisy.tolist() == ten["worse_label"].tolist()


def test_file_written_with_numpy_1(tmp_path, ten):
    """As the official files are: with the name that NumPy's module had before 2.0."""
    new, old = tmp_path / "new.pt", tmp_path / "old.pt"
    write(new, ten)
    with zipfile.ZipFile(new) as source, zipfile.ZipFile(old, "w") as target:
        for entry in source.infolist():
            content = source.read(entry)
            target.writestr(entry.filename, content.replace(b"numpy._core", b"numpy.core"))
    assert b"numpy.core.multiarray" in old.read_bytes()
    noisy, _ = cifar_n.load(old, CIFAR10, "worse_label")
    assert noisy.tolist() == ten["worse_label"].tolist()


def test_labels_of_images_in_another_order_are_refused(tmp_path, ten):
    content = {key: np.roll(labels, 3) for key, labels in ten.items()}
    message = "clean_label is not the label of the image at 200 of 200 positions, the first 0"
    with pytest.raises(DataError, match=re.escape(message)):
        cifar_n.load(write(tmp_path / "labels.pt", content), CIFAR10, "worse_label")


def test_another_rate_is_refused(tmp_path, ten):
    ten["worse_label"] = ten["aggre_label"]
    message = "9.00 % of worse_label are wrong, 40.21 % of the official ones"
    with pytest.raises(DataError, match=re.escape(message)):
        cifar_n.load(write(tmp_path / "labels.pt", ten), CIFAR10, "worse_label")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.full(SAMPLES, 10), "aggre_label must be in [0, 10), got 10 at position 0"),
        (np.zeros(7, int), "aggre_label must be 200 integers, one for each training image, got"),
        (np.eye(SAMPLES, dtype=int), "got int64 of shape (200, 200)"),
    ],
    ids=["outside", "count", "shape"],
)
@pytest.mark.parametrize("name", ["labels.pt", "labels.npz"])
def test_numbers_that_are_no_labels_are_refused(tmp_path, ten, name, labels, message):
    path = write(tmp_path / name, ten | {"aggre_label": labels})
    with pytest.raises(DataError, match=re.escape(message)):
        cifar_n.load(path, CIFAR10, "aggre_label")


@pytest.mark.parametrize(
    ("data", "key", "message"),
    [
        (CIFAR10, "noisy_label", "there is no noisy_label for cifar10: expected aggre_label, wor"),
        (CIFAR100, "worse_label", "there is no worse_label for cifar100: expected noisy_label"),
        (replace(CIFAR10, name="mnist"), "worse_label", "for mnist: expected no human labels"),
    ],
    ids=["cifar10", "cifar100", "mnist"],
)
def test_unknown_key_is_refused(tmp_path, data, key, message):
    with pytest.raises(DataError, match=re.escape(message)):
        cifar_n.load(tmp_path / "labels.pt", data, key)


@pytest.mark.parametrize("name", ["labels.pt", "labels.npz"])
def test_file_of_the_other_data_set_is_refused(tmp_path, hundred, name):
    message = "has no worse_label, but clean_label, noisy_label, clean_coarse_label"
    path = write(tmp_path / name, hundred | {"clean_label": CIFAR10.train_labels.numpy()})
    with pytest.raises(DataError, match=re.escape(message)):
        cifar_n.load(path, CIFAR10, "worse_label")


def test_other_numbers_are_refused(tmp_path, ten):
    content = ten | {"aggre_label": np.zeros(SAMPLES)}
    with pytest.raises(DataError, match=r"got float64 of shape \(200,\)"):
        cifar_n.load(write(tmp_path / "labels.npz", content), CIFAR10, "aggre_label")
    with pytest.raises(DataError, match="holds something else than arrays of integers"):
        cifar_n.load(write(tmp_path / "labels.pt", content), CIFAR10, "aggre_label")


class RunsCode:
    def __reduce__(self):
        return os.system, ("touch it-ran",)


def test_pickle_that_runs_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "labels.pt", RunsCode())
    with pytest.raises(DataError, match="holds something else than arrays of integers"):
        cifar_n.load(path, CIFAR10, "worse_label")
    assert not (tmp_path / "it-ran").exists()


@pytest.mark.parametrize("name", ["labels.pt", "labels.npz"])
def test_damaged_files_are_refused_in_one_line(tmp_path, ten, name):
    path = tmp_path / name
    with pytest.raises(DataError, match="is missing"):
        cifar_n.load(path, CIFAR10, "worse_label")
    content = write(path, ten).read_bytes()
    for damaged in (b"", b"no labels", content[:-100]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"is not a file of CIFAR-N labels") as error:
            cifar_n.load(path, CIFAR10, "worse_label")
        assert "\n" not in str(error.value)


def test_pickle_of_something_else_is_refused(tmp_path):
    path = write(tmp_path / "labels.pt", [1, 2])
    with pytest.raises(DataError, match="it holds no dict"):
        cifar_n.load(path, CIFAR10, "worse_label")
