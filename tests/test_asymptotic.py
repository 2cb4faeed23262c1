"""Cross entropy with a growing penalty: its minimizers turn into those of the unhinged loss."""

from __future__ import annotations

import math

import pytest
import torch

import noisykernels.functional as NF
from bench import asymptotic, json_lines, training_report
from bench.asymptotic import Linear, gap

CLASSES = 3
LABELS = torch.arange(60) % CLASSES


@pytest.fixture
def classifier() -> Linear:
    """Of 60 images with 5 pixels, one of which never varies."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(80, 5, generator=generator, dtype=torch.float64)
    images[:, 2] = 1
    images[:60] += torch.nn.functional.one_hot(LABELS, 5)
    images[:, 2] = 1
    return Linear(images[:60], images[60:], CLASSES)


def test_functions_are_those_of_the_pixels(classifier):
    """A mean square of 1 for each of the 5 coefficients: 4 pixels that vary and the constant."""
    assert classifier.train.shape == (60, 5)
    gram = classifier.train.T @ classifier.train / 60
    torch.testing.assert_close(gram, torch.eye(5, dtype=torch.float64))


def test_muh_has_a_closed_form(classifier):
    """It is least squares: the projection of the centered one-hot labels."""
    centered = torch.nn.functional.one_hot(LABELS, CLASSES).double() - 1 / CLASSES
    expected = classifier.train.T @ centered / 60
    for weight in (0.01, 1.0):
        found = classifier.minimize(NF.muh_loss, weight, LABELS)
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-8)


def test_minimum_of_cross_entropy_has_no_gradient(classifier):
    """By autograd of the plain objective, which is not the one that was scaled."""
    weight = 0.01
    coefficients = classifier.minimize(NF.ce_loss, weight, LABELS) / (2 * weight)
    coefficients.requires_grad_()
    logits = classifier.train @ coefficients
    penalty = weight * logits.square().sum(1).mean()
    (torch.nn.functional.cross_entropy(logits, LABELS) + penalty).backward()
    assert coefficients.grad.norm() < 1e-8


def test_gap_falls_with_the_square_of_lambda(classifier):
    """The second order of cross entropy at 0 is a penalty itself; the third remains."""
    muh = classifier.minimize(NF.muh_loss, 1.0, LABELS)
    gaps = [gap(classifier.minimize(NF.ce_loss, weight, LABELS), muh) for weight in (1, 4)]
    assert math.log(gaps[0] / gaps[1], 4) == pytest.approx(2, abs=0.2)


def test_gap_is_between_directions():
    one = torch.eye(2)
    assert gap(one, 3 * one) == pytest.approx(0, abs=1e-6)
    assert gap(one, -one) == pytest.approx(2)


def test_program_and_report(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(asymptotic, "LAMBDAS", (0.1, 1.0))
    output = tmp_path / "asymptotic.jsonl"
    assert asymptotic.main(["--rate", "0.4", "--output", str(output)]) == 0
    run, *points = json_lines.read(output)
    assert (run["data"], run["noise"]) == ("digits", "symmetric:0.4")
    assert points[0]["gap"] > 10 * points[1]["gap"]
    assert points[0]["muh_accuracy"] == points[1]["muh_accuracy"] > 80
    assert training_report.main([str(output), "--output", str(tmp_path / "report")]) == 0
    report = tmp_path / "report.md"
    assert f"| 1 | {points[1]['gap']:.2e} |" in report.read_text()
    assert "Gap between the minimizers" in report.with_suffix(".html").read_text()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--rate", "2"], "--rate: rate must be in [0, 1], got 2.0"),
        (["--seed", "-1"], "--seed: takes a number from 0, got -1"),
        (["--output", "no/such/file"], "--output: there is no folder no/such"),
    ],
)
def test_bad_input(capsys, arguments, complaint):
    assert asymptotic.main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert complaint in line
