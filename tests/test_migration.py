"""Lines of published code beside ours: 100 steps of training lose the same at every step.

`docs/migration.md` lists the lines. The left ones are typed from the repositories' formulas, one
operation for one; of those in Keras the softmax is the model's last layer.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import noisykernels as nk
from noisykernels.methods import ELR

STEPS, BATCH, CLASSES = 100, 64, 10
A = math.log(1e-4)
T = 0.7 * torch.eye(CLASSES) + 0.03

Line = Callable[[Tensor, Tensor], Tensor]
"""From logits and labels to the loss."""


class Pair(NamedTuple):
    """A published line, and ours: the one that reproduces its clamps, and the clean one."""

    published: Line
    ours: Line
    clean: Line


def one_hot(z: Tensor, y: Tensor) -> Tensor:
    return F.one_hot(y, CLASSES).float()


def label_probability(z: Tensor, y: Tensor) -> Tensor:
    return (one_hot(z, y) * F.softmax(z, dim=1)).sum(dim=1)


def sce_in_keras(z: Tensor, y: Tensor) -> Tensor:
    p, labels = F.softmax(z, dim=1), one_hot(z, y)
    ce = -(labels * p.clamp(1e-7, 1.0).log()).sum(-1).mean()
    return 0.1 * ce - (p * labels.clamp(1e-4, 1.0).log()).sum(-1).mean()


def sce_in_torch(z: Tensor, y: Tensor) -> Tensor:
    p, labels = F.softmax(z, dim=1).clamp(1e-7, 1.0), one_hot(z, y).clamp(1e-4, 1.0)
    ce = -(labels * p.log()).sum(dim=1).mean()
    return 0.1 * ce - (p * labels.log()).sum(dim=1).mean()


def rce(z: Tensor, y: Tensor) -> Tensor:
    p, labels = F.softmax(z, dim=1).clamp(1e-7, 1.0), one_hot(z, y).clamp(1e-4, 1.0)
    return -(p * labels.log()).sum(dim=1).mean()


def nce(z: Tensor, y: Tensor) -> Tensor:
    log_p = F.log_softmax(z, dim=1)
    return (-(one_hot(z, y) * log_p).sum(dim=1) / -log_p.sum(dim=1)).mean()


def focal(z: Tensor, y: Tensor) -> Tensor:
    log_p = F.log_softmax(z, dim=1).gather(1, y.view(-1, 1)).view(-1)
    return (-((1 - log_p.data.exp()) ** 0.5) * log_p).mean()


def nfl(z: Tensor, y: Tensor) -> Tensor:
    log_p = F.log_softmax(z, dim=1)
    total = (-((1 - log_p.data.exp()) ** 0.5) * log_p).sum(dim=1)
    log_p = log_p.gather(1, y.view(-1, 1)).view(-1)
    return (-((1 - log_p.data.exp()) ** 0.5) * log_p / total).mean()


def gce(z: Tensor, y: Tensor) -> Tensor:
    p = (one_hot(z, y) * F.softmax(z, dim=1).clamp(1e-7, 1.0)).sum(dim=1)
    return ((1.0 - p**0.7) / 0.7).mean()


def ngce(z: Tensor, y: Tensor) -> Tensor:
    p = F.softmax(z, dim=1).clamp(1e-7, 1.0)
    return ((1.0 - (one_hot(z, y) * p).sum(dim=1) ** 0.7) / (CLASSES - (p**0.7).sum(dim=1))).mean()


def truncated(z: Tensor, y: Tensor) -> Tensor:
    """The sample's weight w was set to 0 or 1 in an earlier pass; here by its label."""
    w = (y % 3 > 0).float().unsqueeze(1)
    p = F.softmax(z, dim=1).gather(1, y.unsqueeze(1))
    return ((1 - p**0.7) / 0.7 * w - (1 - 0.5**0.7) / 0.7 * w).mean()


def our_truncated(z: Tensor, y: Tensor) -> Tensor:
    w = (y % 3 > 0).float()
    losses = nk.GCELoss(q=0.7, reduction="none")(z, y, sample_weight=w)
    return losses.mean() - (1 - 0.5**0.7) / 0.7 * w.mean()


def agce(z: Tensor, y: Tensor) -> Tensor:
    return ((1.6**0.6 - (0.6 + label_probability(z, y)) ** 0.6) / 0.6).mean()


def aue(z: Tensor, y: Tensor) -> Tensor:
    return (((5.5 - label_probability(z, y)) ** 3 - 4.5**3) / 3).mean()


def ael(z: Tensor, y: Tensor) -> Tensor:
    return torch.exp(-label_probability(z, y) / 2.5).mean()


def nnce(z: Tensor, y: Tensor) -> Tensor:
    u = F.softmax(z, dim=1).clamp(1e-7, 1).log() - torch.tensor(1e-7).log()
    return (1 - (one_hot(z, y) * u).sum(dim=1) / u.sum(dim=1)).mean()


def nnfl(z: Tensor, y: Tensor) -> Tensor:
    least = torch.tensor(1e-7).log()
    most = -((1 - 1e-7) ** 0.5) * least
    log_p = F.log_softmax(z, dim=1).clamp(min=least)
    total = (-((1 - log_p.data.exp()) ** 0.5) * log_p).sum(dim=1)
    log_p = log_p.gather(1, y.view(-1, 1)).view(-1)
    label = -((1 - log_p.data.exp()) ** 0.5) * log_p
    return (1 - (most - label) / (CLASSES * most - total)).mean()


def amse(z: Tensor, y: Tensor) -> Tensor:
    return (30 * one_hot(z, y) - F.softmax(z, dim=1)).square().mean()


def clipped(z: Tensor) -> Tensor:
    p = F.softmax(z, dim=1)
    return (p / p.sum(dim=-1, keepdim=True)).clamp(1e-7, 1 - 1e-7)


def forward(z: Tensor, y: Tensor) -> Tensor:
    return -(one_hot(z, y) * (clipped(z) @ T).log()).sum(dim=-1).mean()


def backward(z: Tensor, y: Tensor) -> Tensor:
    return -((one_hot(z, y) @ torch.linalg.inv(T)) * clipped(z).log()).sum(dim=-1).mean()


def boot_soft(z: Tensor, y: Tensor) -> Tensor:
    p = clipped(z)
    return -((0.95 * one_hot(z, y) + 0.05 * p) * p.log()).sum(dim=-1).mean()


def boot_hard(z: Tensor, y: Tensor) -> Tensor:
    p = clipped(z)
    predicted = F.one_hot(p.argmax(1), CLASSES)
    return -((0.8 * one_hot(z, y) + 0.2 * predicted) * p.log()).sum(dim=-1).mean()


def taylor(z: Tensor, y: Tensor) -> Tensor:
    return sum((1 - label_probability(z, y)) ** i / i for i in range(1, 7)).mean()


def smoothed_sce(reverse: nk.modules.Loss) -> Line:
    """The clip of the one-hot label is in CE too, where it smooths the label a little."""
    return 0.1 * (1 - 1e-4) * nk.CELoss() + 0.1 * 1e-4 * CLASSES * nk.UniformCELoss() + reverse


def same(line: Line, ours: Line) -> Pair:
    """A line without clamps."""
    return Pair(line, ours, ours)


def clamped(line: Line, text: str, clean: str = "") -> Pair:
    """A line whose loss has `published=True`, and how the clean one is written."""
    name, _, rest = text.partition("(")
    comma = ", " if rest != ")" else ""
    ours = nk.loss(f"{name}({rest[:-1]}{comma}published=True)")
    return Pair(line, ours, nk.loss(clean or text))


def total(first: Line, second: Line, alpha: float, beta: float) -> Line:
    return lambda z, y: alpha * first(z, y) + beta * second(z, y)


PAIRS = {
    "SCE official": Pair(
        sce_in_keras, nk.SCELoss(0.1, 1.0, published=True), nk.SCELoss(0.1, 1.0, A)
    ),
    "SCE torch": Pair(
        sce_in_torch, smoothed_sce(nk.RCELoss(published=True)), smoothed_sce(nk.RCELoss(A))
    ),
    "GCE truncated": same(truncated, our_truncated),
    "APL SCE": clamped(total(F.cross_entropy, rce, 0.1, 1.0), "sce(0.1, 1)", f"sce(0.1, 1, A={A})"),
    "APL RCE": clamped(rce, "rce()", f"rce(A={A})"),
    "APL GCE": clamped(gce, "gce(q=0.7)"),
    "APL NGCE": clamped(ngce, "ngce(q=0.7)"),
    "APL focal": clamped(focal, "focal(gamma=0.5)", "focal(gamma=0.5, detach=True)"),
    "APL MAE": same(lambda z, y: (1.0 - label_probability(z, y)).mean(), 0.5 * nk.MAELoss()),
    "APL NCE": same(nce, nk.NCELoss()),
    "APL NFL": same(nfl, nk.NFLLoss(gamma=0.5)),
    "APL NCE+RCE": clamped(
        total(nce, rce, 10, 0.1), "nce_rce(10, 0.1)", f"nce_rce(10, 0.1, A={A})"
    ),
    "APL NFL+RCE": clamped(
        total(nfl, rce, 10, 0.1), "nfl_rce(10, 0.1)", f"nfl_rce(10, 0.1, A={A})"
    ),
    "APL NRCE": Pair(
        lambda z, y: 1 / 4 * (CLASSES - 1) * rce(z, y),
        9 / 4 * nk.RCELoss(published=True),
        9 / 4 * nk.RCELoss(A),
    ),
    "ALF AGCE": same(agce, nk.AGCELoss(a=0.6, q=0.6)),
    "ALF AUE": same(aue, nk.AULLoss(a=5.5, q=3.0)),
    "ALF AEL": same(ael, nk.AELLoss(a=2.5)),
    "ALF NCE+AGCE": same(total(nce, agce, 1.0, 4.0), nk.NCEAGCELoss(1.0, 4.0, a=0.6, q=0.6)),
    "ANL-CE": same(total(nce, nnce, 5, 5), nk.ANLCELoss(5, 5)),
    "ANL-FL": same(total(nfl, nnfl, 5, 5), nk.ANLFLLoss(5, 5)),
    "JAL-CE": same(total(nce, amse, 1, 1), nk.JALCELoss(1, 1, a=30)),
    "JAL-FL": same(total(nfl, amse, 1, 1), nk.JALFLLoss(1, 1, a=30)),
    "loss correction forward": Pair(forward, nk.ForwardLoss(T, published=True), nk.ForwardLoss(T)),
    "loss correction backward": Pair(
        backward, nk.BackwardLoss(T, published=True), nk.BackwardLoss(T)
    ),
    "loss correction boot_soft": clamped(boot_soft, "bootstrap_soft(beta=0.95)"),
    "SCE official boot_hard": clamped(boot_hard, "bootstrap_hard(beta=0.8)"),
    "Taylor-CE": same(taylor, nk.TaylorCELoss(order=6)),
}


CLAMPED = (
    *("APL RCE", "APL GCE", "APL NGCE", "APL NRCE"),
    *("loss correction backward", "loss correction boot_soft", "SCE official boot_hard"),
)
"""Lines in which a clamp makes a gradient zero: in sums another part has one."""


@pytest.fixture(scope="module")
def data() -> tuple[Tensor, Tensor]:
    """Images of digits, 40 % of them with a random label."""
    datasets = pytest.importorskip("sklearn.datasets")
    images, labels = datasets.load_digits(return_X_y=True)
    y = torch.tensor(labels)
    wrong = torch.rand(len(y), generator=torch.Generator().manual_seed(0)) < 0.4
    random = torch.randint(CLASSES, y.shape, generator=torch.Generator().manual_seed(1))
    return torch.tensor(images, dtype=torch.float32) / 16, torch.where(wrong, random, y)


def curve(line: Callable[..., Tensor], data: tuple[Tensor, Tensor]) -> Tensor:
    """The loss of each step."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, CLASSES))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    images, labels = data
    losses = []
    for step in range(STEPS):
        batch = torch.arange(step * BATCH, (step + 1) * BATCH) % len(labels)
        loss = line(model(images[batch]), labels[batch], *[batch] * isinstance(line, PerSample))
        optimizer.zero_grad()
        loss.backward()
        # As in most of the repositories; it keeps AMSE, whose gain is large, from diverging.
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)


class PerSample:
    """A line that is also told which samples are in the batch."""

    def __init__(self, line: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        self.line = line

    def __call__(self, z: Tensor, y: Tensor, index: Tensor) -> Tensor:
        return self.line(z, y, index)


def assert_same_curve(found: Tensor, expected: Tensor) -> None:
    """To the rounding of float32, a few units in the last place."""
    assert expected[-10:].mean() < expected[:10].mean(), "nothing was learned"
    torch.testing.assert_close(found, expected, rtol=2e-6, atol=0)


@pytest.mark.parametrize("name", PAIRS)
def test_a_hundred_steps_are_the_same(name: str, data: tuple[Tensor, Tensor]) -> None:
    pair = PAIRS[name]
    expected = curve(pair.published, data)
    assert_same_curve(curve(pair.ours, data), expected)
    if pair.clean is not pair.ours:
        assert_same_curve(curve(pair.clean, data), expected)


@pytest.mark.parametrize("name", CLAMPED)
def test_clamps_are_where_they_were(name: str) -> None:
    """Most of these probabilities are below 1e-7."""
    z = 30 * torch.randn(32, CLASSES)
    z.requires_grad_()
    y = torch.arange(32) % CLASSES
    found, expected, clean = (
        (loss.detach(), *torch.autograd.grad(loss, z))
        for loss in (line(z, y) for line in PAIRS[name])
    )
    torch.testing.assert_close(found, expected, rtol=2e-6, atol=1e-8)
    assert ((expected[1] == 0) > (clean[1] == 0)).any(), "a clamp is in the way of a gradient"


def test_elr_is_the_same_while_nothing_is_clamped(data: tuple[Tensor, Tensor]) -> None:
    targets = torch.zeros(len(data[1]), CLASSES)

    def published(z: Tensor, y: Tensor, index: Tensor) -> Tensor:
        p = F.softmax(z, dim=1).clamp(1e-4, 1.0 - 1e-4)
        mean = p.data / p.data.sum(dim=1, keepdim=True)
        targets[index] = 0.7 * targets[index] + 0.3 * mean
        return F.cross_entropy(z, y) + 3 * (1 - (targets[index] * p).sum(dim=1)).log().mean()

    ours = ELR(num_samples=len(data[1]), num_classes=CLASSES, strength=3.0, beta=0.7)
    assert_same_curve(curve(PerSample(ours), data), curve(PerSample(published), data))
