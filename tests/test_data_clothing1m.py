"""Clothing1M in each layout of its copies, and the generated look-alike."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats

from bench.data import DataError, clothing1m, clothing1m_lookalike
from bench.data.clothing1m import __main__ as command
from bench.data.clothing1m import facts
from bench.data.clothing1m.layout import UNKNOWN

# Keys and labels; the first photo of each clean split has the noisy label 13 as well.
NOISY = {"images/7/88/339645240,2782721788.jpg": 3, "images/0/00/1,2.jpg": 13}
CLEAN = {
    "clean_train": {"images/1/10/5,6.jpg": 0, "images/1/11/7,8.jpg": 10},
    "clean_val": {"images/2/10/5,6.jpg": 13},
    "clean_test": {"images/3/10/5,6.jpg": 2, "images/3/10/7,8.jpg": 2},
}
BOTH = {next(iter(split)): 13 for split in CLEAN.values()}
SPLITS = {"noisy_train": NOISY, **CLEAN}
CLASSES = "".join(f"{name}\n" for name in facts.CLASS_NAMES)


def table(labels):
    return "".join(f"{key} {label}\n" for key, label in labels.items())


def official():
    """The text files as they are published."""
    lists = {f"{split}_key_list.txt": "\n".join(labels) for split, labels in SPLITS.items()}
    clean = {key: label for split in CLEAN.values() for key, label in split.items()}
    return lists | {
        "category_names_eng.txt": CLASSES,
        "noisy_label_kv.txt": table(NOISY | BOTH),
        "clean_label_kv.txt": table(clean),
    }


def merged():
    return {f"{split}.txt": table(labels) for split, labels in SPLITS.items()}


def write(root, files, folder=""):
    (root / folder).mkdir(exist_ok=True)
    for name, text in files.items():
        (root / folder / name).write_bytes(text.encode())


def write_photos(root, keys):
    for key in keys:
        path = root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (5, 4)).save(path)


def cut(files):
    return {name: text.replace("images/", "") for name, text in files.items()}


def windows(files):
    return {name: "\ufeff" + text.replace("\n", "\r\n") for name, text in files.items()}


LAYOUTS = {
    "official": (official, ""),
    "in annotations": (official, "annotations"),
    "keys without images/": (lambda: cut(official()), ""),
    "keys without images/ in the lists alone": (
        lambda: official() | cut({k: v for k, v in official().items() if "list" in k}),
        "",
    ),
    "Windows": (lambda: windows(official()), "annotations"),
    "merged": (merged, "annotations"),
    "merged with the noisy labels": (
        lambda: merged() | {"noisy_label_kv.txt": table(NOISY | BOTH)},
        "annotations",
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout(tmp_path, layout):
    files, folder = LAYOUTS[layout]
    write(tmp_path, files(), folder)
    data = clothing1m.open_root(tmp_path)
    assert data.name == "clothing1m-partial"
    assert data.classes == facts.CLASS_NAMES
    for split, labels in SPLITS.items():
        samples = data.split(split)
        assert [f"images/{key.decode()}" for key in samples.keys] == list(labels)
        assert samples.labels.tolist() == list(labels.values())
        if layout == "merged" and split != "noisy_train":
            assert (samples.noisy_labels == UNKNOWN).all()
    if layout != "merged":
        clean, noisy = data.doubly_labeled("clean_train")
        assert (clean.tolist(), noisy.tolist()) == ([0], [13])


@pytest.mark.parametrize("images", ["images", ""])
def test_photos_lie_in_images_or_in_root(tmp_path, images):
    write(tmp_path, cut(official()))
    write_photos(tmp_path / images, [key.removeprefix("images/") for key in NOISY])
    data = clothing1m.open_root(tmp_path)
    photos = clothing1m.Images(data, "noisy_train", clothing1m.CENTER)
    assert [label for _, label in (photos[0], photos[1])] == list(NOISY.values())


def test_name_of_a_complete_copy(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "bench.data.clothing1m.layout.SIZES", {k: len(v) for k, v in SPLITS.items()}
    )
    write(tmp_path, official())
    assert clothing1m.open_root(tmp_path).name == "clothing1m"
    # Training does not need the clean training split.
    (tmp_path / "clean_train_key_list.txt").unlink()
    assert clothing1m.open_root(tmp_path).name == "clothing1m"
    (tmp_path / "clean_test_key_list.txt").unlink()
    data = clothing1m.open_root(tmp_path)
    assert data.name == "clothing1m-partial"
    with pytest.raises(DataError, match=r"has no clean_test: expected clean_test_key_list\.txt or"):
        data.split("clean_test")


def test_one_generated_key_names_the_data(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "bench.data.clothing1m.layout.SIZES", {k: len(v) for k, v in SPLITS.items()}
    )
    marked = {
        name: text.replace("3/10/7,8", "3/10/lookalike-7,8") for name, text in official().items()
    }
    write(tmp_path, marked)
    assert clothing1m.open_root(tmp_path).name == "clothing1m-lookalike"


DAMAGES = {
    "label": ("noisy_label_kv.txt", "a,b.jpg 14\n", "line 1: expected a key, a space and a label"),
    "number": ("clean_label_kv.txt", "a,b.jpg 3\na,c.jpg x\n", "line 2: expected a key, a space"),
    "no label": ("clean_label_kv.txt", "a,b.jpg\n", "from 0 to 13, got 'a,b.jpg'"),
    "csv": ("noisy_label_kv.txt", "a,b.jpg,3\n", "got 'a,b.jpg,3'"),
    "unknown key": (
        "clean_val_key_list.txt",
        "images/2/10/5,6.jpg\n\nimages/9/9,9.jpg",
        "line 3: images/9/9,9.jpg has no label in clean_label_kv.txt",
    ),
    "way out": ("noisy_train_key_list.txt", "../x.jpg", "'../x.jpg' leads out of the folder of"),
    "absolute": ("noisy_train_key_list.txt", "/x.jpg", "'/x.jpg' leads out of the folder of the"),
    "names": ("category_names_eng.txt", "T-Shirt\n", "expected 14 names of classes, got 1"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_lists_are_refused(tmp_path, damage):
    file, text, message = DAMAGES[damage]
    write(tmp_path, official() | {file: text})
    with pytest.raises(DataError, match=f"{re.escape(file)}.*{re.escape(message)}"):
        clothing1m.open_root(tmp_path)


def test_lists_that_are_no_text_are_refused(tmp_path):
    write(tmp_path, official())
    (tmp_path / "noisy_label_kv.txt").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(DataError, match=r"noisy_label_kv\.txt is not text"):
        clothing1m.open_root(tmp_path)


@pytest.mark.parametrize("exists", [False, True], ids=["missing", "empty"])
def test_root_without_lists_is_refused(tmp_path, exists):
    root = tmp_path if exists else tmp_path / "nowhere"
    with pytest.raises(DataError, match=r"no Clothing1M in .*expected noisy_train_key_list"):
        clothing1m.open_root(root)


@pytest.fixture(scope="module")
def lookalike(tmp_path_factory):
    """Around a hundred photos, generated once."""
    out = tmp_path_factory.mktemp("data") / "lookalike"
    clothing1m_lookalike.generate(out, images=100, seed=0)
    return out


def test_lookalike_cannot_be_taken_for_the_real_one(lookalike):
    data = clothing1m.open_root(lookalike)
    assert data.name == "clothing1m-lookalike"
    assert all(b"lookalike" in key for samples in data.splits.values() for key in samples.keys)


def test_lookalike_has_the_real_layout(lookalike):
    data = clothing1m.open_root(lookalike)
    sizes = {name: len(samples.keys) for name, samples in data.splits.items()}
    assert sizes == {"noisy_train": 100, "clean_train": 5, "clean_val": 1, "clean_test": 1}
    assert len(data.doubly_labeled("clean_train")[0]) == 3  # of 5, as 24,637 of 47,570
    assert not (lookalike / "noisy_train_key_list.txt").read_text().endswith("\n")
    for key in (lookalike / "noisy_train_key_list.txt").read_text().split("\n"):
        assert re.fullmatch(r"images/\d/\d\d/lookalike-\d+-\d+,\d+\.jpg", key)
    photos = [Image.open(path) for path in (lookalike / "images").rglob("*.jpg")]
    assert {photo.mode for photo in photos} == {"RGB", "L", "CMYK"}
    sides = [side for photo in photos for side in photo.size]
    assert 256 <= min(sides) < 270 < 380 < max(sides) <= 400
    for photo in photos:
        photo.close()


def test_lookalike_follows_the_published_confusion(tmp_path, monkeypatch):
    """Chi-square of the noisy labels of T-shirts; photos do not matter here and are tiny."""
    monkeypatch.setattr(clothing1m_lookalike, "_photo", lambda *_: Image.new("L", (1, 1)))
    monkeypatch.setattr(clothing1m_lookalike, "SIZES", {"noisy_train": 1, "clean_train": 2})
    monkeypatch.setattr(
        clothing1m_lookalike, "BOTH_LABELS", {"clean_train": 2}
    )  # every clean sample has both labels
    clothing1m_lookalike.generate(tmp_path / "out", images=1000, seed=0)
    data = clothing1m.open_root(tmp_path / "out")
    clean, noisy = data.doubly_labeled("clean_train")
    assert len(clean) == 2000

    share = np.array(facts.TRUE_CLASS_PERCENT)
    expected = 2000 * share / share.sum()
    assert stats.chisquare(clean.bincount().numpy(), expected).pvalue > 1e-3
    columns = np.array(facts.PERCENT_OF_TRUE_COLUMN_LABELED_ROW)
    t_shirts = columns[:, 0] / columns[:, 0].sum()
    observed = noisy[clean == 0].bincount(minlength=14).numpy()
    assert (observed[t_shirts == 0] == 0).all()
    possible = t_shirts > 0
    assert stats.chisquare(observed[possible], observed.sum() * t_shirts[possible]).pvalue > 1e-3


def test_lookalike_is_reproducible(tmp_path, lookalike):
    clothing1m_lookalike.generate(tmp_path / "again", images=100, seed=0)
    clothing1m_lookalike.generate(tmp_path / "other", images=100, seed=1)
    files = [path.relative_to(lookalike) for path in lookalike.rglob("*.*")]
    assert all((tmp_path / "again" / f).read_bytes() == (lookalike / f).read_bytes() for f in files)
    kv = "noisy_label_kv.txt"
    assert (tmp_path / "other" / kv).read_text() != (lookalike / kv).read_text()


def test_lookalike_overwrites_nothing(tmp_path, capsys):
    (tmp_path / "photo.jpg").touch()
    assert clothing1m_lookalike.main([str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "is there already, and is not an empty folder" in error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


def test_interrupted_lookalike_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(clothing1m_lookalike, "_photo", fail)
    assert clothing1m_lookalike.main([str(tmp_path / "out"), "--images", "10"]) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["--images", "0"], ["--seed", "-1"]])
def test_lookalike_refuses_bad_numbers(tmp_path, arguments):
    with pytest.raises(SystemExit, match="2"):
        clothing1m_lookalike.main([str(tmp_path / "out"), *arguments])


def photo(width, height, mode="RGB"):
    """Each pixel says where it is: red grows to the right, green downward."""
    red, green = np.meshgrid(np.arange(width) % 256, np.arange(height) % 256)
    pixels = np.stack([red, green, np.zeros_like(red)], 2).astype(np.uint8)
    return Image.fromarray(pixels).convert(mode)


class Fixed:
    """Stands in for the draws: always the first or always the last possibility."""

    def __init__(self, last):
        self.last = last

    def randint(self, low, high):
        return high if self.last else low

    def random(self):
        return 0.99 if self.last else 0.0


def test_center_crop():
    """A side of 256 is not resized: 16 pixels are cut above and below, 38 at the sides."""
    crop = np.asarray(clothing1m.CENTER(photo(300, 256), Fixed(last=True)))
    assert crop.shape == (224, 224, 3)
    assert crop[0, 0].tolist() == [38, 16, 0]
    assert crop[-1, 200].tolist() == [238, 239, 0]


@pytest.mark.parametrize(
    ("last", "corner", "step"), [(False, [223, 0, 0], -1), (True, [76, 32, 0], 1)]
)
def test_random_crop_and_flip(last, corner, step):
    """From one end of the room to the other; the first draw also flips."""
    crop = np.asarray(clothing1m.RANDOM(photo(300, 256), Fixed(last))).astype(int)
    assert crop.shape == (224, 224, 3)
    assert crop[0, 0].tolist() == corner
    assert crop[0, 1, 0] - crop[0, 0, 0] == step


@pytest.mark.parametrize("size", [(300, 400), (400, 300), (256, 256), (100, 1000), (1, 7)])
@pytest.mark.parametrize("keep_ratio", [True, False])
@pytest.mark.parametrize("last", [True, False])
def test_crops_never_leave_the_photo(size, keep_ratio, last):
    crop = clothing1m.Crop(anywhere=True, keep_ratio=keep_ratio)
    white = Image.new("RGB", size, "white")
    assert np.asarray(crop(white, Fixed(last))).min() == 255


def test_distorting_resize():
    """Both sides become 256, so the crop spans 224 of 256 parts of either."""
    crop = clothing1m.Crop(anywhere=False, keep_ratio=False)(photo(128, 64), Fixed(last=True))
    pixels = np.asarray(crop).astype(int)
    assert pixels[100, -1, 0] - pixels[100, 0, 0] == pytest.approx(128 * 223 / 256, abs=1)
    assert pixels[-1, 100, 1] - pixels[0, 100, 1] == pytest.approx(64 * 223 / 256, abs=1)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    write(tmp_path, official())
    for key in NOISY:
        (tmp_path / key).parent.mkdir(parents=True)
        photo(256, 256, mode).save(tmp_path / key, "JPEG", quality=100, subsampling=0)
    photos = clothing1m.Images(clothing1m.open_root(tmp_path), "noisy_train", clothing1m.CENTER)
    assert photos.labels.tolist() == [3, 13]
    image, label = photos[1]
    assert (image.dtype, image.shape, label) == (torch.uint8, (3, 224, 224), 13)
    expected = np.asarray(photo(256, 256, mode).convert("RGB").crop((16, 16, 240, 240)))
    difference = image.permute(1, 2, 0).int() - torch.from_numpy(expected.copy()).int()
    assert difference.abs().float().mean() < 3  # JPEG


def epoch_of(photos, workers):
    loader = torch.utils.data.DataLoader(photos, batch_size=8, num_workers=workers)
    return torch.cat([images for images, _ in loader])


def test_crops_depend_on_seed_epoch_and_index_alone(lookalike):
    data = clothing1m.open_root(lookalike)

    def photos(split="clean_train", seed=0):
        return clothing1m.Images(data, split, clothing1m.RANDOM, seed)

    first = epoch_of(photos(), workers=0)
    assert torch.equal(epoch_of(photos(), workers=0), first)
    assert not torch.equal(epoch_of(photos(seed=1), workers=0), first)
    later = photos()
    later.epoch = 3
    third = epoch_of(later, workers=0)
    assert not torch.equal(third, first)
    # A resumed run begins with the epoch, in workers too.
    assert torch.equal(epoch_of(later, workers=2), third)


def test_workers_that_stay_see_the_next_epoch(lookalike):
    data = clothing1m.open_root(lookalike)
    photos = clothing1m.Images(data, "clean_train", clothing1m.RANDOM)
    loader = torch.utils.data.DataLoader(photos, 8, num_workers=1, persistent_workers=True)
    ((first, _),) = loader
    photos.epoch = 1
    ((second, _),) = loader
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is missing"),
        (b"", "is not a complete image"),
        (b"no photo", "is not a complete image"),
        (b"half", "is not a complete image"),
    ],
    ids=["missing", "empty", "text", "half"],
)
def test_damaged_photos_are_refused(tmp_path, lookalike, content, message):
    write(tmp_path, official())
    path = tmp_path / next(iter(NOISY))
    path.parent.mkdir(parents=True)
    if content == b"half":
        whole = next((lookalike / "images").rglob("*.jpg")).read_bytes()
        content = whole[: len(whole) // 2]
    if content is not None:
        path.write_bytes(content)
    photos = clothing1m.Images(clothing1m.open_root(tmp_path), "noisy_train", clothing1m.CENTER)
    with pytest.raises(DataError, match=f"339645240,2782721788.jpg {message}"):
        photos[0]


def test_command_prints_what_there_is(tmp_path, capsys):
    write(tmp_path, official())
    write_photos(tmp_path, [key for split in SPLITS.values() for key in split])
    assert command.main([str(tmp_path), "--verify"]) == 0
    out = capsys.readouterr().out
    assert f"{tmp_path}: clothing1m-partial\nclasses: 0 T-Shirt, 1 Shirt" in out
    assert "noisy_train: 2 keys, officially 1,000,000; per class 0 0 0 1 0 0 0 0 0 0 0 0 0 1" in out
    assert "clean_train: 1 keys have both labels, officially 24,637, 0.00 % agree" in out
    assert "clean_val: 1 keys have both labels, officially 7,465, 100.00 % agree" in out
    assert "splits are disjoint, and every photo is there" in out


PROBLEMS = {
    "twice": (
        {"noisy_train_key_list.txt": "\n".join([*NOISY, *NOISY])},
        "2 keys come twice in noisy_train",
    ),
    "shared": (
        {"noisy_train_key_list.txt": "\n".join([*NOISY, *CLEAN["clean_test"]][:3])},
        "1 keys are in both noisy_train and clean_test, the first 3/10/5,6.jpg",
    ),
    "missing": (
        {
            "clean_val_key_list.txt": "images/8/1,2.jpg",
            "clean_label_kv.txt": official()["clean_label_kv.txt"] + "images/8/1,2.jpg 4\n",
        },
        "1 photos of clean_val are missing, the first 8/1,2.jpg",
    ),
}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_command_refuses_what_would_spoil_a_training(tmp_path, capsys, problem):
    files, message = PROBLEMS[problem]
    write(tmp_path, official() | files)
    write_photos(tmp_path, [key for split in SPLITS.values() for key in split])
    assert command.main([str(tmp_path)]) == 0
    assert command.main([str(tmp_path), "--verify"]) == 2
    assert capsys.readouterr().err == f"error: {tmp_path}: {message}\n"


def test_command_without_data_ends_with_one_line(tmp_path, capsys):
    assert command.main([str(Path(tmp_path, "nowhere")), "--verify"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: no Clothing1M in")
    assert error.count("\n") == 1
