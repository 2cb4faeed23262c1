"""What the figures of the training report are drawn from, and that they are drawn."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import pytest
import torch
from training_records import record, report, row

from bench import training_report
from bench.training import analysis, dumps, results
from bench.training.dumps import Dump
from bench.training.figures import figures

CLEAN = torch.tensor([0, 0, 1, 1])
NOISY = torch.tensor([0, 1, 1, 1])
"""The second label is wrong."""


def dump(train_logits, *, clean=CLEAN, images: int = 20) -> Dump:
    """Four training images of two classes, and test images in two clusters."""
    features = torch.arange(images)[:, None] % 2 * 10.0 + torch.randn(images, 4)
    return Dump(
        train_logits=torch.tensor(train_logits),
        train_labels=NOISY,
        train_clean_labels=clean,
        test_logits=torch.zeros(images, 2),
        test_labels=torch.arange(images) % 2,
        test_features=features,
    )


LOGITS = [[40.0, 0.0], [1.0, 0.0], [0.0, 40.0], [0.5, 0.0]]
"""The fourth image is taken for the other class; p_y of the first and third round to 1."""


@pytest.mark.parametrize(
    ("of_wrong", "auroc"),
    [(-50.0, 100.0), (0.0, pytest.approx(200 / 3)), (50.0, 0.0)],
)
def test_auroc_is_the_share_of_pairs_in_order(of_wrong, auroc):
    """The margins of the right labels are 40, 40 and -0.5."""
    logits = [LOGITS[0], [0.0, of_wrong], *LOGITS[2:]]
    assert analysis.mislabel_auroc(dump(logits)) == auroc


def test_auroc_tells_probabilities_apart_that_round_to_1():
    logits = [[50.0, 0.0], [0.0, 40.0], [0.0, 50.0], [0.0, 50.0]]
    assert analysis.mislabel_auroc(dump(logits)) == 100


@pytest.mark.parametrize("clean", [None, NOISY, 1 - NOISY], ids=["unknown", "all", "none right"])
def test_auroc_needs_labels_of_both_kinds(clean):
    assert analysis.mislabel_auroc(dump(LOGITS, clean=clean)) is None


def test_confidence_is_that_of_correctly_labeled_images():
    """Class 1 has two: one seen as it, one with logits 0.5 and 0."""
    mean = (1 + torch.sigmoid(torch.tensor(-0.5))) / 2
    expected = torch.tensor([[1.0, 0.0], [1 - mean, mean]])
    torch.testing.assert_close(analysis.clean_confidence(dump(LOGITS)), expected)


def test_predictions_are_right_by_the_clean_label():
    predicted, right = analysis.predictions(dump(LOGITS))
    assert (predicted.tolist(), right.tolist()) == ([3, 1], [2, 1])


def test_embedding_keeps_clusters_apart():
    points = analysis.embedding(dump(LOGITS))
    distances = np.linalg.norm(points[:, None] - points[None], axis=2) + 1e9 * np.eye(len(points))
    assert (distances.argmin(1) % 2 == np.arange(len(points)) % 2).all()


@pytest.mark.parametrize("clean", [CLEAN, None], ids=["clean labels", "no clean labels"])
def test_dump_is_read_as_it_was_written(tmp_path, clean):
    path = tmp_path / f"run{dumps.ending(3)}"
    written = dump(LOGITS, clean=clean)
    dumps.write(path, written)
    found = dumps.read(path)
    for name, tensor in vars(written).items():
        assert tensor is getattr(found, name) is None or torch.equal(getattr(found, name), tensor)
    assert dumps.beside(tmp_path / "run.jsonl") == {3: path}


@pytest.fixture
def folder(tmp_path):
    """CE and SL on the same data, SL with another learning rate; outputs of two epochs of CE."""
    classes = {"per_class": [50.0, 60.0]}
    name = record(tmp_path, [60.0, 70.0], epoch=classes)
    record(tmp_path, [60.0, 80.0], loss="5*ce", recipe_changes={"lr": 0.3}, epoch=classes)
    for epoch in (1, 2):
        dumps.write(tmp_path / f"{name}{dumps.ending(epoch)}", dump(LOGITS))
    return tmp_path


def drawn(folder) -> dict[str, go.Figure]:
    return dict(figures(results.gather([folder])))


def test_figures_of_runs_with_outputs(folder):
    setting = "cifar10, noise symmetric:0.4, sce-5.2"
    assert list(drawn(folder)) == [
        f"Accuracy by epoch; {setting}",
        f"What SL is made of (figure 9a); {setting}",
        f"Accuracy of each class; {setting}",
        f"Confidence on correctly labeled training images; {setting}",
        f"Predictions for the training images; {setting}",
        f"Features of test images by t-SNE, last outputs; {setting}",
    ]


def test_losses_with_their_own_learning_rates_are_in_one_figure(folder):
    curves = next(iter(drawn(folder).values())).data
    assert {curve.name: list(curve.y) for curve in curves} == {
        "ce": [60.0, 70.0],
        "5*ce; lr=0.3": [60.0, 80.0],
    }


def test_each_class_has_a_line_in_each_panel(folder):
    (figure,) = [f for heading, f in drawn(folder).items() if "each class" in heading]
    assert [line.name for line in figure.data] == ["class 0", "class 1", "all"] * 2
    assert [line.y[0] for line in figure.data[:3]] == [50.0, 60.0, 60.0]
    assert [title.text for title in figure.layout.annotations] == ["5*ce<br>lr=0.3", "ce"]


def test_each_epoch_with_outputs_has_a_panel(folder):
    (figure,) = [f for heading, f in drawn(folder).items() if heading.startswith("Predictions")]
    assert [title.text for title in figure.layout.annotations] == ["ce, epoch 1", "ce, epoch 2"]
    assert [list(bar.y) for bar in figure.data] == [[3, 1], [2, 1]] * 2


def test_auroc_is_in_the_tables(folder):
    markdown, _ = report(folder)
    (line,) = [line for line in markdown.splitlines() if "| 2 | 1 |" in line]
    assert line.startswith("| ce | cifar10 | symmetric:0.4 | sce-5.2 |")
    assert line.endswith("| 100.00 |")


def test_without_clean_labels_only_the_features_are_drawn(folder):
    for path in folder.glob("*.npz"):
        dumps.write(path, dump(LOGITS, clean=None))
    headings = [heading.partition(";")[0] for heading in drawn(folder)]
    assert headings[-2:] == [
        "Accuracy of each class",
        "Features of test images by t-SNE, last outputs",
    ]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"other"])
def test_damaged_outputs_are_named(folder, capsys, content):
    path = next(folder.glob("*.npz"))
    path.write_bytes(content)
    assert training_report.main([str(folder), "--output", str(folder / "report")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"error: {path} is not what --dump writes, or is damaged"
    assert not list(folder.glob("report*"))


def test_paper_table_beside_ours(tmp_path):
    record(tmp_path, [85.0], loss="0.1*ce + rce")
    markdown, _ = report(tmp_path)
    _, _, table = markdown.partition("## Wang et al. 2019, Table 1: cifar10")
    assert row(table, "sce(alpha=0.1, beta=1, A=-4)")[2:5] == [
        "– (87.63)",
        "85.00 (85.34)",
        "– (80.07)",
    ]
    assert row(table, "ce")[1:4] == ["– (89.26)", "– (82.96)", "– (78.70)"]
