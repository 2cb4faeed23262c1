"""The lists of runs behind the papers' figures and tables, as commands."""

from __future__ import annotations

import shlex

import pytest
import torch

from bench import json_lines, train_cifar, training_experiments
from bench.training import experiments, papers, recipes
from bench.training.labels import NAMES
from bench.training.methods import method
from bench.training.parallel import Group
from bench.training.transition import KINDS, named

CPU = torch.device("cpu")
EXPERIMENTS = experiments.experiments()


def printed(capsys, *arguments: str) -> list[str]:
    assert training_experiments.main(list(arguments)) == 0
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda e: f"{e.name} {e.noise}")
def test_experiment_can_be_trained(experiment):
    recipe = recipes.load(experiment.recipe, experiment.data, {})
    assert all(epoch <= recipe.epochs for epoch in experiment.dump)
    assert experiment.noise.partition(":")[0] in {*NAMES, "none", "real", "human"}
    for loss in experiment.losses.values():
        method(loss, "fused", Group(CPU), T=torch.eye(10) if named(loss) else None)
        assert experiment.transition in KINDS or not named(loss)


def test_every_accuracy_of_a_paper_has_a_command():
    commands = {
        (e.data, e.recipe, e.noise, loss) for e in EXPERIMENTS for loss in e.losses.values()
    }
    for entry in papers.published():
        assert (entry.data, entry.recipe, entry.noise, entry.loss) in commands


def test_list_counts_the_runs(capsys):
    counts = {line.split()[0]: int(line.split()[1]) for line in printed(capsys)}
    assert counts["sce-figure-9a"] == 5
    assert counts["sce-table-1-cifar10"] == 7 * 8 * 5


def test_commands_are_what_the_program_takes(capsys):
    lines = printed(capsys, "sce-figures-1-2-4-6")
    commands = [shlex.split(line) for line in lines if not line.startswith("#")]
    assert all(words[:3] == ["python", "-m", "bench.train_cifar"] for words in commands)
    found = [train_cifar.parse(words[3:]) for words in commands]
    assert [options.noise for options in found] == ["none", *["symmetric:0.4"] * 3]
    assert {options.recipe for options in found} == {"sce-5.1"}
    assert all(options.dump == [10, 50, 100, 120] for options in found)


def test_commands_say_what_the_matrix_is(capsys):
    lines = [*printed(capsys, "sce-table-2-cifar10"), *printed(capsys, "sce-table-3-clothing1m")]
    kinds = {line.split(" --transition ")[1] for line in lines if "forward" in line}
    assert kinds == {"true", "estimated"}
    assert not any("--transition" in line for line in lines if "forward" not in line)


def test_clothing1m_has_a_program_of_its_own(capsys):
    *_, last = printed(capsys, "sce-table-3-clothing1m", "--", "ROOT")
    assert last.startswith("python -m bench.train_clothing1m --recipe sce-5.3")
    assert last.endswith(" ROOT")


def test_carried_out_with_options_of_ones_own(tmp_path):
    added = ["--data", "digits", "--recipe", "quick", "--epochs", "1", "--dump", "1"]
    added += ["--threads", "1", "--output", str(tmp_path)]
    assert training_experiments.main(["sce-figures-5-7", "--run", "--", *added]) == 0
    runs = [json_lines.read(path)[0] for path in tmp_path.glob("*.jsonl")]
    assert {(run["data"], run["noise"]) for run in runs} == {("digits", "symmetric:0.6")}
    assert {run["loss"] for run in runs} == {"ce", "sce(alpha=0.1, beta=1, A=-6)"}
    assert len(list(tmp_path.glob("*.epoch1.npz"))) == 2


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["sce-figure-3"], "there is no experiment sce-figure-3; there are sce-figures-1-2-4-6"),
        (["--do"], "unrecognized arguments: --do"),
        (["sce-figure-9a", "--run", "--", "--noise", "salt"], "--noise takes none"),
    ],
)
def test_bad_input(tmp_path, capsys, arguments, complaint):
    output = ["--data", "digits", "--recipe", "quick", "--output", str(tmp_path)]
    assert training_experiments.main(arguments + output * ("--" in arguments)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert complaint in line
