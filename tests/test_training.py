"""The training loop: what it computes, and that it continues as if nothing had happened."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from bench import json_lines, train_cifar
from bench.data import digits
from bench.data.augment import Augment
from bench.training import checkpoint, recipes
from bench.training.datasets import SETTINGS, held_out
from bench.training.parallel import Group
from bench.training.run import Run
from bench.training.sources import Files, Part, Seeds, Tensors
from bench.training.trainer import Trainer
from noisykernels import noise

CPU = torch.device("cpu")
DIGITS = digits.load()
PLAIN = Augment(SETTINGS["digits"].normalize, padding=0, flip=False)
SHIFTED = replace(PLAIN, padding=1)
ALONE = Group(CPU)
QUICK = recipes.load("quick", "digits", {})


def trainer(augment: Augment = SHIFTED, group: Group = ALONE, **changes) -> Trainer:
    """A short run on the digits, with the fields of a run or of its recipe changed."""
    of_recipe = {key: changes.pop(key) for key in {*vars(QUICK)} - {"loss"} if key in changes}
    recipe = recipes.load("quick", "digits", {"epochs": 2} | of_recipe)
    values = {"data": "digits", "images": 1347, "noise": "none", "loss": "gce", "seed": 0}
    run = Run(**values | {"recipe": recipe} | changes)
    return Trainer(run, Tensors(DIGITS, DIGITS.train_labels, augment, CPU), group)


def finish(running: Trainer) -> Trainer:
    while not running.complete:
        for _ in running.run_epoch():
            pass
    return running


def same_weights(one: Trainer, other: Trainer) -> bool:
    weights = one.model.state_dict(), other.model.state_dict()
    return all(map(torch.equal, *(entry.values() for entry in weights)))


def shown(running: Trainer) -> list[tuple]:
    """What must be the same in the history of the same run, unlike its times."""
    return [(e.epoch, e.lr, e.train_loss, e.train_accuracy, e.per_class) for e in running.history]


def test_a_step_is_that_of_a_plain_loop():
    """Cut at the logits or not: the same weights after an epoch, to the bit."""
    ours = trainer(PLAIN, epochs=1, schedule="step", milestones=[])
    recipe = ours.run.recipe
    torch.manual_seed(0)
    model = type(ours.model)(*trainer(PLAIN).model)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=recipe.lr, momentum=0.9, nesterov=True, weight_decay=5e-4
    )
    images = PLAIN.normalize(DIGITS.train_images)
    losses = []
    for part in Seeds(0, 0).order(1347).split(recipe.batch_size):
        loss = ours._method.of(None)(model(images[part]), DIGITS.train_labels[part])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    finish(ours)
    for expected, found in zip(model.parameters(), ours.model.parameters(), strict=True):
        assert torch.equal(found, expected)
    (epoch,) = ours.history
    assert epoch.train_loss == pytest.approx(sum(losses) / len(losses))
    with torch.no_grad():
        predictions = model(PLAIN.normalize(DIGITS.test_images)).argmax(1)
    right = predictions == DIGITS.test_labels
    assert epoch.accuracy == pytest.approx(100 * right.float().mean().item())
    assert epoch.per_class[3] == pytest.approx(
        100 * right[DIGITS.test_labels == 3].float().mean().item()
    )
    assert 0 < epoch.loss_share < 100


def test_l1_and_clipping_are_those_of_the_papers():
    """The sum of all absolute weights is a part of the loss, and the whole gradient is bounded."""
    ours = trainer(PLAIN, l1=0.01, clip=0.5, batch_size=1347, epochs=1)
    before = [parameter.detach().clone() for parameter in ours.model.parameters()]
    order = Seeds(0, 0).order(1347)
    images = PLAIN.normalize(DIGITS.train_images)[order]
    loss = ours._method.of(None)(ours.model(images), DIGITS.train_labels[order])
    loss = loss + 0.01 * sum(parameter.abs().sum() for parameter in ours.model.parameters())
    gradients = torch.autograd.grad(loss, list(ours.model.parameters()))
    norm = torch.cat([gradient.flatten() for gradient in gradients]).norm()
    assert norm > 0.5
    next(iter(ours.run_epoch()))
    for start, gradient, found in zip(before, gradients, ours.model.parameters(), strict=True):
        step = 0.5 / norm * gradient + 5e-4 * start
        torch.testing.assert_close(found, start - 0.05 * 1.9 * step)  # nesterov's first step


def test_weight_decay_of_some_layers():
    ours = trainer(weight_decay=0.0, weight_decay_of={"1.": 0.5})
    decays = [group["weight_decay"] for group in ours._optimizer.param_groups]
    sizes = [len(group["params"]) for group in ours._optimizer.param_groups]
    assert dict(zip(decays, sizes, strict=True)) == {0.5: 2, 0.0: 2}


ROUNDING = 5e-6
"""Relative: forty units of float32; a hundred steps let the losses drift by seven."""


@pytest.mark.parametrize("backend", ["tidy", "published"])
@pytest.mark.parametrize("loss", ["0.1*ce + rce(A=-4)", "sce(alpha=0.1, beta=1, A=-4)", "gce"])
def test_trajectory_is_that_of_eager_losses(loss, backend):
    def losses(kind: str) -> list[float]:
        running = trainer(loss=loss, backend=kind, epochs=5)
        found = [0.0]
        for _ in range(5):
            for _ in running.run_epoch():
                found.append(running.totals.loss)
        return np.diff(found)[:100]

    fused = losses("fused")
    assert len(fused) == 100
    np.testing.assert_allclose(fused, losses(backend), rtol=ROUNDING)


@pytest.mark.parametrize("stop", [0, 1, 21, 22, 30], ids=lambda step: f"step {step}")
def test_resumed_run_ends_with_the_same_weights(tmp_path, stop):
    """Stopped at the beginning, in an epoch, before and after its last step, in the next one."""
    path = tmp_path / "run.checkpoint"
    running = trainer()
    steps = (None for _ in range(2) for _ in running.run_epoch())
    for _ in range(stop):
        next(steps)
    checkpoint.save(path, running.state())
    resumed = trainer()
    torch.manual_seed(12345)
    resumed.restore(checkpoint.load(path, print))
    finish(resumed)
    whole = finish(trainer())
    assert same_weights(resumed, whole)
    assert shown(resumed) == shown(whole)


COMMAND = ["--data", "digits", "--noise", "symmetric:0.4", "--threads", "1", "--device", "cpu"]


def only(folder: Path, suffix: str) -> Path:
    (path,) = folder.glob(f"*{suffix}")
    return path


def test_killed_command_continues_to_the_same_weights(tmp_path, capsys):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    command = [*COMMAND, "--epochs", "40", "--output"]
    every_step = ["--checkpoint-seconds", "0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.train_cifar", *command, killed, *every_step],
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:
        if line.startswith("epoch  3"):
            break
    time.sleep(0.01)  # somewhere in the fourth epoch
    process.send_signal(signal.SIGKILL)
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    # Between two renames only the previous one is there.
    name = only(killed, ".jsonl").with_suffix(".checkpoint")
    state = checkpoint.load(name, print)
    assert 2 <= state["epoch"] < 40
    assert train_cifar.main([*command, str(killed)]) == 0
    assert "continuing after epoch" in capsys.readouterr().out
    assert train_cifar.main([*command, str(whole)]) == 0
    found, expected = (checkpoint.read(only(f, ".checkpoint")) for f in (killed, whole))
    assert all(map(torch.equal, found["model"].values(), expected["model"].values()))
    assert len(json_lines.read(only(killed, ".jsonl"))) == 1 + 40 + 1


def test_complete_run_is_not_trained_again(tmp_path, capsys, monkeypatch):
    command = [*COMMAND, "--epochs", "1", "--output", str(tmp_path)]
    assert train_cifar.main(command) == 0
    first = capsys.readouterr().out.splitlines()[-1]
    monkeypatch.setattr(Trainer, "run_epoch", None)
    assert train_cifar.main(command) == 0
    assert capsys.readouterr().out.splitlines()[-1] == first


def test_labels_and_batches_follow_from_the_seed_alone():
    """Losses are compared on the same noisy labels in the same order."""
    setting = SETTINGS["digits"]
    task = train_cifar.Task(DIGITS, setting, 1347, "symmetric:0.4", human=None)

    def first_batch(**changes):
        running = trainer(noise=task.noise, **changes)
        source, _ = task.prepare(running.run, CPU)
        return next(source.batches(running._parts(), running._seeds(), 0))

    images, labels = first_batch()
    for same in (first_batch(loss="ce"), first_batch(backend="tidy"), first_batch(lr=0.5)):
        assert torch.equal(same[0], images)
        assert torch.equal(same[1], labels)
    assert not torch.equal(first_batch(seed=1)[0], images)


def test_augmentation_differs_between_steps_epochs_and_processes():
    seeds = [Seeds(0, 0), Seeds(1, 0), Seeds(0, 1), Seeds(0, 0, process=1)]
    drawn = [one.at(step) for one in seeds for step in (0, 1)]
    assert len(set(drawn)) == len(drawn)
    assert torch.equal(seeds[0].order(50), seeds[3].order(50))
    assert not torch.equal(seeds[0].order(50), seeds[2].order(50))


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("images", [128, 129, 131, 150])
def test_processes_share_each_batch_evenly(images, size):
    """Two whole batches of 64 and a last one of none, 1, 3 or 22 images."""
    order = torch.randperm(images)
    parts = [Group(CPU, rank, size).parts(order, 64) for rank in range(size)]
    assert len({len(mine) for mine in parts}) == 1
    for step in zip(*parts, strict=True):
        assert len({len(part) for part in step}) == 1
        assert len(step[0]) >= 2  # or batch normalization fails
    taken = torch.cat([part for mine in parts for part in mine])
    assert len(taken.unique()) == len(taken) > images - 2 * size


def test_diverged_run_is_recorded_as_json(tmp_path):
    command = [*COMMAND, "--loss", "1e38*ce", "--set", "lr=1e6", "--epochs", "2"]
    assert train_cifar.main([*command, "--output", str(tmp_path)]) == 0
    text = only(tmp_path, ".jsonl").read_text()
    assert "NaN" not in text
    assert [json.loads(line)["kind"] for line in text.splitlines()] == [
        "run",
        "epoch",
        "epoch",
        "result",
    ]


def test_record_and_outputs(tmp_path):
    command = [*COMMAND, "--epochs", "2", "--dump", "2", "--output", str(tmp_path)]
    assert train_cifar.main(command) == 0
    run, first, last, result = json_lines.read(only(tmp_path, ".jsonl"))
    assert run["recipe"]["lr"] == 0.05
    assert run["noise"] == "symmetric:0.4"
    assert {"torch", "noisykernels", "commit", "device", "threads"} <= set(run["facts"])
    assert (first["epoch"], last["epoch"]) == (1, 2)
    assert result["last"] == last["accuracy"]
    with np.load(only(tmp_path, ".epoch2.npz")) as arrays:
        wrong = arrays["train_labels"] != arrays["train_clean_labels"]
        assert wrong.mean() == pytest.approx(0.4, abs=1e-3)
        predictions = arrays["test_logits"].argmax(1)
        accuracy = 100 * (predictions == arrays["test_labels"]).mean()
        assert accuracy == pytest.approx(last["accuracy"])
        assert arrays["test_features"].shape == (450, 256)


def test_outputs_asked_for_too_late(tmp_path, capsys):
    """Those of the last epoch follow from its checkpoint; the others are named."""
    command = [*COMMAND, "--epochs", "2", "--output", str(tmp_path)]
    assert train_cifar.main(command) == 0
    assert train_cifar.main([*command, "--dump", "1", "2"]) == 0
    assert "--dump 1: that epoch is over" in capsys.readouterr().out
    with np.load(only(tmp_path, ".npz")) as arrays:
        accuracy = 100 * (arrays["test_logits"].argmax(1) == arrays["test_labels"]).mean()
    last = json_lines.read(only(tmp_path, ".jsonl"))[-1]
    assert accuracy == pytest.approx(last["last"])


def test_sweep_chooses_on_held_out_noisy_labels(tmp_path):
    """A rate that learns nothing loses; the run that follows has the other one and all images."""
    command = [*COMMAND, "--epochs", "2", "--sweep", "lr=1e-6,0.05", "--output", str(tmp_path)]
    assert train_cifar.main(command) == 0
    found = [json_lines.read(path)[0] for path in tmp_path.glob("*.jsonl")]
    tried = sorted(run["recipe"]["lr"] for run in found if run["held_out"])
    assert tried == [1e-6, 0.05]
    (final,) = [run for run in found if not run["held_out"]]
    assert final["recipe"]["lr"] == 0.05


def test_held_out_labels_are_as_noisy_as_the_others():
    """Drawn with the seed of the noise, they would be of the wrong labels alone."""
    noisy = noise.symmetric(DIGITS.train_labels, 0.4, 10, seed=0).labels
    data = replace(DIGITS, train_images=noisy != DIGITS.train_labels)
    kept, _ = held_out(data, noisy, 0.1, seed=0)
    assert kept.test_images.float().mean() == pytest.approx(0.4, abs=0.1)  # of 135: 2.4 sigma


def test_held_out_images_are_not_trained_on():
    noisy = (DIGITS.train_labels + 1) % 10
    kept, labels = held_out(DIGITS, noisy, 0.1, seed=0)
    assert (len(kept.train_labels), len(kept.test_labels)) == (1347 - 135, 135)
    assert torch.equal(labels, (kept.train_labels + 1) % 10)
    images = torch.cat([kept.train_images, kept.test_images]).flatten(1)
    assert len(images.unique(dim=0)) == len(DIGITS.train_images.flatten(1).unique(dim=0))


def test_two_processes_train_as_one(tmp_path):
    """The mean of two halves of a batch is that of the batch: there is no augmentation here."""
    # 21 whole batches: of a ragged one the last image could be left out.
    command = [*COMMAND, "--epochs", "2", "--images", "1344", "--output"]
    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    program = ["-m", *torchrun, "-m", "bench.train_cifar", *command, tmp_path / "two"]
    run = subprocess.run([sys.executable, *program], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("epoch 2/2") == 1  # one process talks
    assert train_cifar.main([*command, str(tmp_path / "one")]) == 0
    two, one = (checkpoint.read(only(tmp_path / n, ".checkpoint")) for n in ("two", "one"))
    for found, expected in zip(two["model"].values(), one["model"].values(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_batches_of_files_do_not_depend_on_where_a_run_continues():
    """Of a data set that is read image by image, as Clothing1M is."""

    class Images(torch.utils.data.Dataset):
        epoch = 0

        def __len__(self):
            return len(DIGITS.train_labels)

        def __getitem__(self, index):
            return DIGITS.train_images[index], int(DIGITS.train_labels[index])

    chosen = torch.arange(100, 200)
    part = Part(Images(), chosen)
    source = Files(part, part, 10, PLAIN.normalize, CPU, workers=0)
    parts = Seeds(0, 3).order(len(source)).split(32)
    whole = list(source.batches(parts, Seeds(0, 3), 0))
    rest = list(source.batches(parts, Seeds(0, 3), 2))
    assert len(rest) == 2
    for expected, found in zip(whole[2:], rest, strict=True):
        assert all(map(torch.equal, expected, found))
    labels = torch.cat([labels for _, labels in source.plain_batches("train")])
    assert torch.equal(labels, DIGITS.train_labels[chosen])


@pytest.mark.parametrize("option", ["--amp", "--channels-last", "--compile"])
def test_options_reach_the_network(tmp_path, monkeypatch, option):
    seen = []
    linear, compile_ = F.linear, torch.compile
    monkeypatch.setattr(F, "linear", lambda x, *rest: seen.append(x) or linear(x, *rest))
    monkeypatch.setattr(
        torch, "compile", lambda model: seen.append("compiled") or compile_(model, backend="eager")
    )
    command = [*COMMAND, "--epochs", "1", option, "--output", str(tmp_path)]
    assert train_cifar.main(command) == 0
    run = json_lines.read(only(tmp_path, ".jsonl"))[0]
    assert [run["amp"], run["channels_last"], run["compiled_model"]].count(True) == 1
    assert (option == "--compile") == ("compiled" in seen)
