"""The training programs as commands: bad input is one line and status 2, and nothing is written."""

from __future__ import annotations

import gc
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from bench import json_lines, time_step, train_cifar, train_clothing1m
from bench.data import clothing1m, clothing1m_lookalike
from bench.errors import UsageError
from bench.files import owned
from bench.models import MODELS
from bench.training import criteria, recipes, steps
from bench.training.criteria import BACKENDS, criterion
from bench.training.run import Run

COMMAND = ["--data", "digits", "--threads", "1", "--device", "cpu", "--epochs", "1"]


def refused(capsys, program, arguments: list[str]) -> str:
    """The one line that a program ends with."""
    assert program.main(arguments) == 2
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert line.startswith("error: ")
    return line


BAD = [
    (["--loss", "0.1*ce + rec"], "unknown loss 'rec'; did you mean 'rce'?"),
    (["--loss", "3"], "this is a number, not a loss"),
    (["--loss", "gce(q=2)"], "q must satisfy 0 < q <= 1"),
    (["--preset", "no-such"], "name must be 'ce', 'focal'"),
    (["--preset", "jal_ce"], "dataset must be 'cifar10', 'cifar100'"),
    (["--preset", "jal_ce", "--loss", "ce"], "--preset jal_ce brings its loss"),
    (["--loss", "sgce", "--backend", "published"], "--backend published has ce, rce"),
    (["--loss", "forward(T)"], "--loss forward(T) needs --transition"),
    (["--loss", "forward"], "forward needs T"),
    (["--loss", "ce", "--transition", "true"], "--transition true: there is no T in --loss ce"),
    (["--loss", "forward(T)", "--transition", "1"], "takes true, estimated or FILE.npy, got 1"),
    (["--loss", "forward(T)", "--transition", "no.npy"], "no.npy: No such file or directory"),
    (["--loss", "d2l", "--backend", "tidy"], "--backend tidy does not have d2l"),
    (["--loss", "d2l", "--images", "100"], "d2l needs 128 training images, there are 100"),
    (["--loss", "elr(0.7)"], "expected a name, or name(parameter=number)"),
    (["--loss", "elr(beta=1)"], "beta must satisfy 0 <= beta < 1, got 1"),
    (["--backend", "eager"], "invalid choice: 'eager'"),
    (["--recipe", "no-such"], "there is no recipe no-such; there are alf, jal"),
    (["--recipe", "sce-5.1"], "recipe sce-5.1 is for cifar10, not digits"),
    (["--set", "lr"], "--set takes KEY=VALUE, got 'lr'"),
    (["--set", "lr=-1"], "lr takes a number above 0, got -1"),
    (["--set", "model=cnn8"], "cnn8 does not take images of 1x8x8"),
    (["--set", "weight_decay_of={fc1=0.1}"], "mlp has no parameters of fc1"),
    (["--images", "1"], "1 training images are too few: 20 are needed"),
    (["--epochs", "0"], "takes a number from 1, got 0"),
    (["--seeds", "many"], "argument --seeds: takes a number from 1, got many"),
    (["--dump", "3"], "--dump 3: there are 1 epochs"),
    (["--checkpoint-seconds", "nan"], "takes a number from 0, got nan"),
    (["--sweep", "momentum"], "--sweep takes lr, wd, l1"),
    (["--noise", "salt:0.1"], "--noise takes none, human:KEY or NAME:RATE"),
    (["--noise", "symmetric"], "takes a rate, as in symmetric:0.4"),
    (["--noise", "symmetric:1.5"], "rate must be in [0, 1], got 1.5"),
    (["--noise", "asymmetric:0.4"], "is defined for mnist, cifar10, cifar100, not digits"),
    (["--noise", "human:worse_label"], "needs --human FILE"),
    (["--data", "cifar10", "--root", "no/such/folder"], "no/such/folder"),
    (["--data", "mnist"], "--data mnist needs --root"),
    (["--data", "imagenet"], "invalid choice: 'imagenet'"),
    (["--device", "cuda"], "--device cuda: torch finds no GPU"),
]


@pytest.mark.parametrize(("arguments", "complaint"), BAD, ids=lambda value: str(value))
def test_bad_input_is_one_line_and_writes_nothing(tmp_path, capsys, arguments, complaint):
    if arguments[-1] == "cuda" and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    output = tmp_path / "runs"
    line = refused(capsys, train_cifar, [*COMMAND, "--output", str(output), *arguments])
    assert complaint in line
    assert not output.exists() or not list(output.iterdir())


def test_output_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "file").write_text("not a folder")
    line = refused(capsys, train_cifar, [*COMMAND, "--output", str(tmp_path / "file")])
    assert f"--output {tmp_path / 'file'}: File exists" in line


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_full_disk_is_reported_and_the_run_continues_later(tmp_path, capsys):
    command = [*COMMAND, "--output", str(tmp_path)]
    assert train_cifar.main(command) == 0
    (record,), (saved,) = tmp_path.glob("*.jsonl"), tmp_path.glob("*.checkpoint")
    content = record.read_bytes(), saved.read_bytes()
    saved.rename(f"{saved}.previous")
    os.symlink("/dev/full", f"{record}.partial")
    assert f"error: cannot write {record}: No space left" in refused(capsys, train_cifar, command)
    assert (record.read_bytes(), Path(f"{saved}.previous").read_bytes()) == content
    assert train_cifar.main(command) == 0


def test_two_commands_do_not_share_a_run(tmp_path, capsys):
    command = [*COMMAND, "--output", str(tmp_path)]
    assert train_cifar.main(command) == 0
    (record,) = tmp_path.glob("*.jsonl")
    with owned(record.with_suffix(".lock")):
        assert f"another process is at work on {record.stem}" in refused(
            capsys, train_cifar, command
        )
    assert train_cifar.main(command) == 0


def test_interrupt_is_no_traceback(tmp_path, capsys, monkeypatch):
    def interrupt(run):
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.training.trainer.Trainer.run_epoch", interrupt)
    assert train_cifar.main([*COMMAND, "--output", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_seeds_are_summed_up(tmp_path, capsys):
    command = [*COMMAND, "--seeds", "2", "--noise", "symmetric:0.4", "--output", str(tmp_path)]
    assert train_cifar.main(command) == 0
    last = [json_lines.read(path)[-1]["last"] for path in tmp_path.glob("*.jsonl")]
    summary = capsys.readouterr().out.splitlines()[-1]
    expected = f"{sum(last) / 2:.2f} ± {abs(last[0] - last[1]) / 2**0.5:.2f} %"
    assert f"last epoch {expected}" in summary


@pytest.fixture
def lookalike(tmp_path, monkeypatch):
    """A root of Clothing1M's look-alike with 40 images, and a network that takes no time."""
    root = tmp_path / "look"
    assert clothing1m_lookalike.main([str(root), "--images", "40"]) == 0

    def small(classes):
        return nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, classes))

    monkeypatch.setitem(MODELS, "resnet50", small)
    return root


@pytest.mark.parametrize("recipe", ["sce-5.3", "jal"])
def test_clothing1m_lookalike_says_so_in_its_results(tmp_path, lookalike, recipe):
    command = [str(lookalike), "--recipe", recipe, "--loss", "gce", "--device", "cpu"]
    command += ["--epochs", "1", "--workers", "0", "--output", str(tmp_path / "runs")]
    assert train_clothing1m.main(command) == 0
    (path,) = (tmp_path / "runs").glob("*.jsonl")
    run, epoch, _ = json_lines.read(path)
    assert path.name.startswith("clothing1m-lookalike")
    assert (run["data"], run["noise"]) == ("clothing1m-lookalike", "real")
    assert len(epoch["per_class"]) == 14


def test_clothing1m_estimates_its_matrix_from_photos_with_both_labels(tmp_path, capsys):
    root = tmp_path / "look"
    assert clothing1m_lookalike.main([str(root), "--images", "4000"]) == 0
    data = clothing1m.open_root(root)
    task = train_clothing1m.Task(data, data.name, images=4000, workers=0, weights=None)
    recipe = recipes.load("sce-5.3", "clothing1m", {})
    values = {"data": data.name, "images": 4000, "noise": "real", "loss": "forward(T)"}
    run = Run(**values, recipe=recipe, seed=0, transition="estimated")
    matrix = task.transition(run, predicted=None)
    both = data.split("clean_train")
    chosen = (both.labels == 0) & (both.noisy_labels >= 0)
    expected = both.noisy_labels[chosen].bincount(minlength=14) / chosen.sum()
    torch.testing.assert_close(matrix[0], expected.double())
    with pytest.raises(UsageError, match="that of Clothing1M is not known, take estimated"):
        task.transition(replace(run, transition="true"), predicted=None)


def test_clothing1m_with_too_few_doubly_labeled_photos(tmp_path, capsys, lookalike):
    command = [str(lookalike), "--loss", "forward(T)", "--transition", "estimated"]
    command += ["--device", "cpu", "--output", str(tmp_path / "runs")]
    line = refused(capsys, train_clothing1m, command)
    assert re.fullmatch(r"error: .* estimated: no [\w-]+ of clean_train has both labels", line)
    assert not list((tmp_path / "runs").iterdir())


def test_workers_are_not_negative(capsys):
    line = refused(capsys, train_clothing1m, ["nowhere", "--workers=-1"])
    assert line == "error: argument --workers: takes a number from 0, got -1"


def test_damaged_image_of_clothing1m_is_named(tmp_path, capsys, monkeypatch, lookalike):
    # How long a loader waits for its workers to end: here, and not in some later test.
    monkeypatch.setattr(torch.utils.data._utils, "MP_STATUS_CHECK_INTERVAL", 0.1)
    image = next(lookalike.glob("images/**/*.jpg"))
    image.write_bytes(image.read_bytes()[:300])
    command = [str(lookalike), "--device", "cpu", "--output", str(tmp_path), "--workers", "1"]
    line = refused(capsys, train_clothing1m, command)
    assert re.fullmatch(rf"error: {image} is not a complete image: .*", line)
    gc.collect()


EXPRESSIONS = [
    "ce(label_smoothing=0.1)",
    "0.1*ce + 2*rce(A=-6)",
    "sce(0.5, 2)",
    "3*gce(q=0.5) - mae",
]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"0.9 0.1", "numpy.save wrote no matrix there"),
        (np.eye(3)[:2], "not square, but of shape (2, 3)"),
        (np.eye(3), "3 x 3, for 10 classes"),
        (2 * np.eye(10), "T must have rows that sum to 1, got 2 in row 0"),
    ],
)
def test_wrong_matrix_of_a_file(tmp_path, capsys, content, complaint):
    path, output = tmp_path / "T.npy", tmp_path / "runs"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content)
    arguments = ["--loss", "forward(T)", "--transition", str(path), "--output", str(output)]
    assert complaint in refused(capsys, train_cifar, [*COMMAND, *arguments])
    assert not output.exists() or not list(output.iterdir())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_backends_compute_the_same(monkeypatch, expression, backend):
    monkeypatch.setattr(criteria, "compiled", lambda loss: loss)
    logits, target = torch.randn(6, 5), torch.randint(5, (6,))
    expected = criterion(expression, "fused")(logits, target)
    # The authors' code clips probabilities at 1e-7, which is 1e-6 of this loss.
    found = criterion(expression, backend)(logits, target)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.fixture
def tiny_case(monkeypatch):
    case = steps.Case("tiny", "mlp", (1, 8, 8), 10, 16, "gce")
    monkeypatch.setattr(time_step, "CASES", {"tiny": case})


def test_step_times_of_a_loss_with_a_matrix(tmp_path, tiny_case):
    output = tmp_path / "steps.jsonl"
    arguments = ["tiny", "--loss", "forward(T)", "--device", "cpu", "--rounds", "7"]
    assert time_step.main([*arguments, "--output", str(output)]) == 0
    _, *lines = json_lines.read(output)
    (fused,) = [line for line in lines if line["backend"] == "fused"]
    assert fused["seconds"][0] > 0


def test_step_times(tmp_path, capsys, monkeypatch, tiny_case):
    def refuse(loss):
        raise RuntimeError("InvalidCxxCompiler: no compiler\nand much more")

    monkeypatch.setattr(criteria, "compiled", refuse)
    output = tmp_path / "steps.jsonl"
    arguments = ["tiny", "--device", "cpu", "--rounds", "7", "--output", str(output)]
    assert time_step.main(arguments) == 0
    first, *lines = json_lines.read(output)
    assert first["kind"] == "steps"
    assert {"torch", "device", "threads", "amp"} <= set(first["facts"])
    times = {line["backend"]: line for line in lines}
    assert set(times) == set(BACKENDS)
    assert times["compiled"]["absent"] == "InvalidCxxCompiler: no compiler"
    assert times["compiled"]["seconds"] is None
    for backend in ("fused", "tidy", "published"):
        low, median, high = times[backend]["seconds"]
        assert 0 < low <= median <= high
        assert times[backend]["share"] == pytest.approx(
            100 * times[backend]["loss_seconds"] / median, rel=1e-4
        )
    assert re.search(r"^ *compiled +InvalidCxx", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["cnn9"], "there is no case cnn9; there are cnn8"),
        (["cnn8", "--loss", "no"], "unknown loss 'no'"),
        (["cnn8", "--rounds", "0"], "--rounds: takes a number from 1, got 0"),
        (["cnn8", "--threads", "-1"], "--threads: takes a number from 1, got -1"),
        (["cnn8", "--seconds", "nan"], "--seconds: takes a number from 0, got nan"),
        (["cnn8", "--output", "no/such/file"], "--output: there is no folder no/such"),
    ],
)
def test_bad_options_of_the_step_times(capsys, arguments, complaint):
    assert complaint in refused(capsys, time_step, arguments)
