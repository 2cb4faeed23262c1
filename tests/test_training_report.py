"""The report of training results: complete, beside the right numbers, and without a network."""

from __future__ import annotations

import re

import pytest
from training_records import record, report, row

from bench import json_lines, training_report
from bench.tabulate import Table, spread
from bench.training import papers, recipes
from bench.training.labels import NAMES


def step_times(folder, device="cpu") -> None:
    facts = {"device": device, "cpu": "a processor", "torch": "2.13.0", "threads": 1}
    lines = [{"kind": "steps", "facts": {**facts, "amp": True, "channels_last": False}}]
    common = {"kind": "step", "case": "CNN8, CIFAR-10", "loss": "gce", "graph": False}
    for backend, micro in (("fused", 20.0), ("tidy", 50.0)):
        measured = {"seconds": [0.1, 0.2, 0.3], "loss_seconds": 1e-6 * micro, "share": micro / 2e3}
        lines.append({**common, "backend": backend, **measured})
    absent = {"seconds": None, "loss_seconds": None, "share": None, "absent": "no compiler"}
    lines.append({**common, "backend": "compiled", **absent})
    json_lines.write(folder / "steps.jsonl", lines)


def test_seeds_are_one_row_beside_the_paper(tmp_path):
    record(tmp_path, [60.0, 80.0, 78.0], seed=0)
    record(tmp_path, [60.0, 70.0, 80.0], seed=1)
    markdown, _ = report(tmp_path)
    assert row(markdown, "ce") == [
        "ce",
        "symmetric:0.4",
        "sce-5.2",
        "2",
        "79.00 ± 1.41",
        "80.00 ± 0.00",
        "78.70",
        "+0.30",
        "2,500",  # the median without each first epoch
        "1.25",
    ]
    assert "Wang et al. 2019, Table 1" in markdown


@pytest.mark.parametrize(
    "changes",
    [
        {"recipe_changes": {"epochs": 2}},
        {"data": "cifar10-first-2560"},
        {"held_out": 0.1},
        {"noise": "symmetric:0.5"},
        {"loss": "2*ce"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_another_run_is_not_held_against_the_paper(tmp_path, changes):
    record(tmp_path, [80.0], **changes)
    markdown, _ = report(tmp_path)
    assert row(markdown, changes.get("loss", "ce"))[6:8] == ["–", "–"]


def test_unfinished_runs_are_left_out_and_counted(tmp_path):
    record(tmp_path, [80.0])
    record(tmp_path, [10.0], seed=1, complete=False)
    markdown, _ = report(tmp_path)
    assert row(markdown, "ce")[3] == "1"
    assert "not complete and left out: 1." in markdown


def test_clothing1m_is_missing_until_it_is_there(tmp_path):
    record(tmp_path, [80.0])
    assert "data not available here" in report(tmp_path)[0]
    record(tmp_path, [70.0], data="clothing1m-lookalike", noise="real")
    assert "data not available here" in report(tmp_path)[0]
    record(tmp_path, [70.0], data="clothing1m", noise="real")
    assert "data not available here" not in report(tmp_path)[0]


def test_step_times(tmp_path):
    step_times(tmp_path)
    markdown, _ = report(tmp_path)
    cells = [line.split(" | ") for line in markdown.splitlines() if "CNN8" in line]
    assert [line[1] for line in cells] == ["fused", "tidy eager", "torch.compile"]
    assert cells[1][2:] == ["200.00", "100.00 to 300.00", "50.0", "0.03", "2.50 |"]
    assert "no compiler" in cells[2][2]
    assert "Step times on a GPU: not measured" in markdown
    step_times(tmp_path, device="NVIDIA H200")
    assert "not measured" not in report(tmp_path)[0]


def test_page_needs_no_network(tmp_path):
    record(tmp_path, [60.0, 80.0])
    record(tmp_path, [60.0, 80.0], loss="gce")
    record(tmp_path, [60.0, 80.0], noise="none")
    step_times(tmp_path)
    _, page = report(tmp_path)
    assert page.count("Plotly.newPlot") >= 2
    assert page.count("plotly.js v") == 1
    assert not re.search(r'<(script|link|img)[^>]+(src|href)="?http', page)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "is not made of JSON lines"),
        ("[1]\n", "has lines without a kind"),
        ('{"kind": "epoch"}\n', "holds neither a run nor step times"),
        ('{"kind": "steps"}\n', "is no complete file of steps: 'facts'"),
        ('{"kind": "asymptotic"}\n{"kind": "point"}\n', "is no complete file of asymptotic"),
    ],
)
def test_other_files_are_refused(tmp_path, capsys, content, complaint):
    (tmp_path / "other.jsonl").write_text(content)
    assert training_report.main([str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert complaint in line


@pytest.mark.parametrize("place", ["nowhere", ""])
def test_nothing_to_report(tmp_path, capsys, place):
    assert training_report.main([str(tmp_path / place)]) == 2
    assert re.search("there is no|no complete run", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("output", "complaint"),
    [
        ("no/such/page", "argument --output: there is no folder no/such"),
        ("", "argument --output: takes the name of a file, got ''"),
    ],
)
def test_output_that_cannot_be_written(tmp_path, capsys, output, complaint):
    assert training_report.main([str(tmp_path), "--output", output]) == 2
    assert capsys.readouterr().err == f"error: {complaint}\n"


def test_papers_numbers_have_recipes_and_noise_that_exist():
    for entry in papers.published():
        recipes.load(entry.recipe, entry.data, {})
        kind = entry.noise.partition(":")[0]
        assert kind in {*NAMES, "none", "real", "human"}
        assert 1 <= entry.accuracy < 100


@pytest.mark.parametrize(
    ("recipe", "noise", "loss", "accuracy"),
    [
        ("sce-5.2", "symmetric:0.6", "sce(alpha=0.1, beta=1, A=-4)", 80.07),
        ("sce-5.2", "symmetric:0.6", "0.1*ce + rce", 80.07),
        ("sce-5.2", "asymmetric:0.4", "sce(alpha=0.1, beta=5, A=-4)", 80.64),
        ("sce-5.2", "asymmetric-sequential:0.4", "gce", 75.32),
        ("alf", "symmetric-per-class:0.4", "sce(A=-9.210340371976182)", 79.47),
        ("alf", "symmetric:0.4", "ce", 58.46),
        ("alf", "symmetric:0.4", "focal(0.5, detach=True)", 58.23),
    ],
)
def test_papers_number_of_a_run(recipe, noise, loss, accuracy):
    assert papers.find(recipe, "cifar10", noise, loss).accuracy == accuracy


@pytest.mark.parametrize(
    ("recipe", "noise", "loss"),
    [
        ("sce-5.2", "asymmetric:0.4", "sce(alpha=0.1, beta=1, A=-4)"),
        ("sce-5.2", "symmetric:0.6", "sce(alpha=0.1, beta=1, A=-6)"),
        ("sce-5.2", "symmetric:0.6", "nonsense"),
        ("alf", "symmetric:0.4", "focal(0.5, detach=False)"),  # the value, not the gradient
    ],
)
def test_papers_have_no_number_for_it(recipe, noise, loss):
    assert papers.find(recipe, "cifar10", noise, loss) is None


def test_papers_number_of_a_loss_with_a_matrix(tmp_path):
    loss = {"loss": "forward(T)", "noise": "symmetric:0.4"}
    record(tmp_path, [81.0], **loss, transition="true", T=((1.0,),))
    record(tmp_path, [82.0], **loss, transition="true", T=((0.9,),), seed=1)
    record(tmp_path, [80.0], **loss, transition="estimated", T=((1.0,),))
    record(tmp_path, [84.0], loss="forward_rce(T, beta=1, A=-4)", transition="true")
    record(tmp_path, [76.0], loss="d2l")
    record(tmp_path, [79.0], loss="bootstrap_hard(0.8)")
    markdown, _ = report(tmp_path)
    cells = row(markdown, "forward(T), true T")
    assert (cells[3], cells[4], cells[6]) == ("2", "81.50 ± 0.71", "81.37")
    assert row(markdown, "forward(T), estimated T")[6] == "–"
    assert row(markdown, "forward_rce(T, beta=1, A=-4), true T")[6] == "84.54"
    assert row(markdown, "d2l")[6] == "76.80"
    assert row(markdown, "bootstrap_hard(0.8)")[6] == "79.97"


def test_records_from_before_there_was_a_matrix(tmp_path):
    name = record(tmp_path, [80.0])
    path = tmp_path / f"{name}.jsonl"
    first, *others = json_lines.read(path)
    old = {key: value for key, value in first.items() if key not in ("T", "transition")}
    json_lines.write(path, [old, *others])
    assert row(report(tmp_path)[0], "ce")[6] == "78.70"


def test_table():
    table = Table("Title", ("a", "b"), [("x<y", "1")], "note")
    assert table.markdown() == "## Title\n\nnote\n\n| a | b |\n| --- | ---: |\n| x<y | 1 |\n"
    assert "<td>x&lt;y</td>" in table.html()
    assert (spread([1.0, 3.0]), spread([2.0])) == ("2.00 ± 1.41", "2.00")
