"""The demo from end to end, small; the rivals it times against; the timing itself."""

from __future__ import annotations

import re
import time
from dataclasses import replace

import pytest
import torch
from PIL import Image

from bench import cost, demo
from bench.data import digits
from bench.experiment import Task, run
from bench.settings import SETTINGS
from bench.timing import Sample, interleaved, step


@pytest.fixture
def no_compiler(monkeypatch):
    """A machine on which torch.compile does not work; it also saves the tests its half minute."""

    def refuse(loss):
        def graph(logits, target):
            raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found")

        return graph

    monkeypatch.setattr(cost, "compiled", refuse)


def test_demo_prints_the_table_and_draws_the_curves(tmp_path, capsys, no_compiler):
    picture = tmp_path / "curves.png"
    assert demo.main(["--epochs", "2", "--seeds", "2", "--output", str(picture)]) == 0
    printed = capsys.readouterr().out
    for row in demo.ROWS:
        assert re.search(rf"^ *{re.escape(row.label)} .* \d+\.\d ±", printed, re.MULTILINE)
    assert "no C++" in printed
    assert "backend of our losses: " in printed
    assert "WD=" in printed
    with Image.open(picture) as image:
        assert image.width > image.height > 500


def test_demo_without_its_data_ends_with_status_2(tmp_path, capsys):
    assert demo.main(["--data", "cifar10", "--root", str(tmp_path)]) == 2
    assert "error: no CIFAR batches in" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["--wd", "-1"],
        ["--wd", "nan"],
        ["--epochs", "0"],
        ["--seeds", "-2"],
        ["--output", "no/a.png"],
    ],
    ids=" ".join,
)
def test_bad_option_is_refused_before_training(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        demo.main(arguments)
    assert f"error: {arguments[0]}" in capsys.readouterr().err


@pytest.mark.parametrize("clean", [False, True], ids=["noisy", "clean"])
def test_runs_are_reproducible(clean):
    data = digits.load().standardized()
    recipe = replace(SETTINGS["digits"].recipe, epochs=1)
    task = Task(0, demo.ROWS[2].criterion, clean, seed=1)
    first, second = (run(task, data, recipe, lambda accuracy: None) for _ in range(2))
    assert first.accuracy == second.accuracy
    assert clean == (first.memorized != first.memorized)  # NaN: no wrong label to memorize


def test_contenders_take_turns():
    calls = []
    contenders = {name: lambda name=name: (calls.append(name), time.sleep(1e-3)) for name in "ab"}
    samples = interleaved(contenders, rounds=5, sample_seconds=1e-6)
    rounds = [set(calls[start : start + 2]) for start in range(len(calls) - 10, len(calls), 2)]
    assert rounds == 5 * [{"a", "b"}]
    for sample in samples.values():
        assert 1e-3 <= sample.low <= sample.median <= sample.high


def test_ratio_of_samples_is_that_of_medians():
    assert Sample(6.0, 5.0, 9.0) / Sample(2.0, 1.0, 2.5) == 3


def test_step_leaves_the_gradient_of_one_call():
    logits = torch.randn(3, 4, requires_grad=True)
    call = step(torch.nn.functional.cross_entropy, logits, torch.tensor([0, 1, 2]))
    call()
    once = logits.grad.clone()
    call()
    assert torch.equal(logits.grad, once)
