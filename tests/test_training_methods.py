"""Training with more than a loss of logits and labels: a transition matrix, D2L, ELR."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from test_training import ALONE, COMMAND, DIGITS, PLAIN, finish, only, same_weights, shown, trainer

from bench import json_lines, train_cifar
from bench.training import checkpoint
from bench.training.evaluation import outputs
from bench.training.methods import LID_BATCH, method
from bench.training.transition import named, rows, uniform
from noisykernels import functional, noise
from noisykernels.methods import local_intrinsic_dimensionality

MATRIX = uniform(0.3, 10)


@pytest.mark.parametrize(
    ("loss", "has"),
    [("forward(T)", True), ("forward(T=T)+ce", True), ("forward_rce", False), ("d2l", False)],
)
def test_losses_that_name_a_matrix(loss, has):
    assert named(loss) == has


@pytest.mark.parametrize("loss", ["forward(T) + 0.5*rce(A=-4)", "backward(T)"])
def test_loss_has_the_matrix_of_the_run(loss):
    ours = trainer(loss=loss, transition="true", T=rows(MATRIX))
    logits, target = torch.randn(6, 10), torch.randint(10, (6,))
    found = ours._method.of(torch.arange(6))(logits, target)
    expected = {
        "forward(T) + 0.5*rce(A=-4)": functional.forward_rce_loss(
            logits, target, MATRIX, beta=0.5, A=-4
        ),
        "backward(T)": functional.backward_loss(logits, target, MATRIX),
    }[loss]
    torch.testing.assert_close(found, expected)


def record(folder: Path, loss: str) -> dict:
    lines = [json_lines.read(path)[0] for path in folder.glob("*.jsonl")]
    (found,) = [line for line in lines if line["loss"] == loss]
    return found


FORWARD = [*COMMAND, "--epochs", "1", "--loss", "forward(T)"]


def test_true_matrix_is_recorded(tmp_path):
    assert train_cifar.main([*FORWARD, "--transition", "true", "--output", str(tmp_path)]) == 0
    run = record(tmp_path, "forward(T)")
    assert run["transition"] == "true"
    np.testing.assert_allclose(run["T"], uniform(539 / 1347, 10), rtol=1e-5)  # round(0.4 * 1347)


def test_matrix_of_a_file(tmp_path):
    path = tmp_path / "T.npy"
    np.save(path, MATRIX)
    command = [*FORWARD, "--transition", str(path), "--output", str(tmp_path)]
    assert train_cifar.main(command) == 0
    run = record(tmp_path, "forward(T)")
    assert run["transition"] == "T.npy"
    np.testing.assert_allclose(run["T"], MATRIX, rtol=1e-5)
    np.save(path, uniform(0.2, 10))  # another matrix is another run
    assert train_cifar.main(command) == 0
    assert len(list(tmp_path.glob("*.jsonl"))) == 2


def test_matrix_is_estimated_with_a_network_that_cross_entropy_trained(tmp_path, capsys):
    command = [*FORWARD, "--transition", "estimated", "--output", str(tmp_path)]
    assert train_cifar.main(command) == 0
    with np.load(only(tmp_path, ".npz")) as arrays:
        predicted = torch.from_numpy(arrays["train_logits"]).double().softmax(1)
    expected = noise.estimate_transition_from_anchors(predicted)
    np.testing.assert_allclose(record(tmp_path, "forward(T)")["T"], expected, rtol=1e-5)
    assert record(tmp_path, "ce")["transition"] == ""
    before = capsys.readouterr().out.splitlines()[-1]
    assert train_cifar.main(command) == 0
    printed = capsys.readouterr().out
    assert printed.count("complete") == 2
    assert printed.splitlines()[-1] == before
    assert len(list(tmp_path.glob("*.jsonl"))) == 2


REMEMBERING = ["d2l(window=2)", "elr(strength=3, beta=0.9)"]


@pytest.mark.parametrize("loss", REMEMBERING)
@pytest.mark.parametrize("stop", [30, 63, 70])
def test_resumed_run_remembers(tmp_path, loss, stop):
    """In the second epoch, at the end of the third and in the fourth."""
    path = tmp_path / "run.checkpoint"
    running = trainer(loss=loss, epochs=5)
    steps = (None for _ in range(5) for _ in running.run_epoch())
    for _ in range(stop):
        next(steps)
    checkpoint.save(path, running.state())
    resumed = trainer(loss=loss, epochs=5)
    resumed.restore(checkpoint.load(path, print))
    whole = finish(trainer(loss=loss, epochs=5))
    finish(resumed)
    assert same_weights(resumed, whole)
    assert shown(resumed) == shown(whole)


def test_d2l_sees_the_features_after_each_epoch():
    ours = finish(trainer(loss="d2l", epochs=2))
    features = outputs(ours.model, ours._source, "train").features
    batches = features[: 10 * LID_BATCH].split(LID_BATCH)
    expected = torch.stack([local_intrinsic_dimensionality(batch) for batch in batches]).mean()
    lids = ours.state()["method"]["_extra_state"]["lids"]
    assert len(lids) == 2
    assert lids[-1] == pytest.approx(expected.item())


def test_d2l_is_cross_entropy_until_it_turns():
    """A single epoch's dimensionality cannot rise."""
    one, other = (finish(trainer(loss=loss, epochs=1)) for loss in ("d2l", "ce"))
    assert same_weights(one, other)


def test_elr_remembers_each_image_in_its_place():
    """A network that stays as it is: after an epoch all targets are a share of its predictions."""
    ours = trainer(PLAIN, loss="elr(beta=0.7)", epochs=1, lr=1e-12)
    with torch.no_grad():
        predicted = ours.model(PLAIN.normalize(DIGITS.train_images)).softmax(1)
    finish(ours)
    targets = ours.state()["method"]["targets"]
    torch.testing.assert_close(targets, 0.3 * predicted, atol=1e-4, rtol=1e-3)


def test_first_outputs_are_enough():
    ours = trainer(PLAIN)
    found = outputs(ours.model, ours._source, "train", first=600)
    assert len(found.labels) == 1000  # two batches of 500
    assert torch.equal(found.labels, DIGITS.train_labels[:1000])


def test_methods_with_blanks():
    assert type(method(" d2l ", "fused", ALONE)) is type(method("d2l(window=3)", "fused", ALONE))
