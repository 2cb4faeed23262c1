"""Theory as code gives what the papers and the losses' formulas say."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from cases import Case, each_core_loss, each_loss
from torch import Tensor

import noisykernels as nk
import noisykernels.functional as NF
from noisykernels import reference, theory
from noisykernels.registry import LOSSES

BETA_MAE = math.sqrt(3) / 9
"""Smoothness of 1 - p_y, at probabilities of 0.789 and 0.211 whatever the number of classes."""

close = partial(torch.testing.assert_close, rtol=1e-9, atol=1e-12)


def batch(n: int = 20, c: int = 10) -> tuple[Tensor, Tensor]:
    return 3 * torch.randn(n, c, dtype=torch.float64), torch.randint(c, (n,))


def of_p(formula: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    """A loss of p_y as one writes it down, without care for rounding."""

    def loss(input: Tensor, target: Tensor, reduction: str) -> Tensor:
        assert reduction == "none"
        return formula(input.softmax(-1).gather(-1, target.unsqueeze(-1)).squeeze(-1))

    return loss


def agce(a: float, q: float) -> Callable[..., Tensor]:
    return of_p(lambda p: ((a + 1) ** q - (a + p) ** q) / q)


def aul(a: float, q: float) -> Callable[..., Tensor]:
    return of_p(lambda p: ((a - p) ** q - (a - 1) ** q) / q)


def ael(a: float) -> Callable[..., Tensor]:
    return of_p(lambda p: (-p / a).exp())


def at_label_zero(loss: Callable[..., Tensor], row: Tensor) -> Tensor:
    return loss(row, torch.tensor(0), reduction="none")


def at_each(loss: Callable[..., Tensor], p: Tensor) -> Tensor:
    """The loss at probabilities p of the label, of two classes."""
    rows = torch.stack([p, 1 - p], 1).log()
    return loss(rows, torch.zeros(len(p), dtype=torch.int64), reduction="none")


SYMMETRIZED = {
    "ce to muh": (NF.ce_loss, NF.muh_loss),
    "torch's ce to muh": (F.cross_entropy, NF.muh_loss),
    "module": (nk.CELoss(reduction="none"), NF.muh_loss),
    "reference": (reference.gce_loss, NF.sgce_loss),
    "gce(0.3) to sgce(0.3)": (partial(NF.gce_loss, q=0.3), partial(NF.sgce_loss, q=0.3)),
    "a symmetric loss to itself": (NF.sgce_loss, NF.sgce_loss),
}


@pytest.mark.parametrize("name", SYMMETRIZED)
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_symmetrize(name: str, reduction: str) -> None:
    loss, expected = SYMMETRIZED[name]
    logits, target = batch()
    target[3] = -1
    logits[3] = math.nan  # an ignored row is never read
    logits.requires_grad_()
    options = {"weight": torch.rand(10).double(), "ignore_index": -1, "reduction": reduction}
    ours = theory.symmetrize(loss)(logits, target, **options)
    theirs = expected(logits, target, **options)
    close(ours, theirs)
    gradients = [torch.autograd.grad(value.sum(), logits)[0] for value in (ours, theirs)]
    close(*gradients)


def test_symmetrize_images() -> None:
    logits, target = torch.randn(2, 5, 3, 4), torch.randint(5, (2, 3, 4))
    symmetric = theory.symmetrize(NF.ce_loss)
    torch.testing.assert_close(symmetric(logits, target), NF.muh_loss(logits, target))


def test_symmetrized_losses_are_symmetric() -> None:
    logits, _ = batch()
    per_sample = theory.symmetrize(of_p(lambda p: (1 - p).square()))
    assert theory.symmetry_gap(per_sample, logits) < 1e-12


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": torch.tensor([0, 10])}, r"target\[1\] is 10"),
        ({"target": torch.tensor([0])}, "target must have shape"),
        ({"reduction": "max"}, "reduction must be"),
        ({"ignore_index": 0.5}, "ignore_index must be an int"),
    ],
    ids=["label", "shape", "reduction", "ignore_index"],
)
def test_symmetrize_refuses(change: dict[str, object], message: str) -> None:
    arguments = {"input": torch.zeros(2, 10), "target": torch.tensor([0, 1])}
    with pytest.raises((ValueError, TypeError, IndexError), match=message):
        theory.symmetrize(NF.ce_loss)(**(arguments | change))


@pytest.mark.parametrize(
    "use",
    [
        lambda loss: theory.symmetry_gap(loss, torch.zeros(2, 3)),
        lambda loss: theory.symmetrize(loss)(torch.zeros(2, 3), torch.tensor([0, 1])),
        lambda loss: theory.bounds(loss, 3),
    ],
)
def test_reduced_losses_are_refused(use: Callable[..., object]) -> None:
    with pytest.raises(ValueError, match=r"one number per sample.*reduction='none'"):
        use(nk.CELoss())


@each_loss
def test_symmetry_gap_agrees_with_the_table(case: Case) -> None:
    gap = theory.symmetry_gap(case, batch()[0])
    symmetric = {"yes": True, "no": False, "at quadratic = 0": not case.parameters.get("quadratic")}
    # At their defaults, those that are symmetric at another value only are not.
    assert (gap < 1e-10) == symmetric.get(LOSSES[case.name].symmetric, False)


@each_loss
def test_bounds_agree_with_the_table(case: Case) -> None:
    low, high = theory.bounds(case, 10)
    bounded = LOSSES[case.name].bounded
    if bounded in ("yes", "no"):
        assert math.isfinite(high - low) == (bounded == "yes")
    assert low < high


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (NF.ce_loss, (0, math.inf)),
        (NF.mae_loss, (0, 2)),
        (partial(NF.rce_loss, A=-9.21), (0, 9.21)),
        (partial(NF.gce_loss, q=0.3), (0, 1 / 0.3)),
        (partial(NF.alpha_mae_loss, alpha=0.3), (0, 1 / 0.3)),
        # p_y = 1, and the others with 1/(C-1) each
        (partial(NF.sgce_loss, q=0.3), (-0.9 / 0.3, 9**0.7 / 10 / 0.3)),
        (NF.muh_loss, (-math.inf, math.inf)),
        # at z = (onehot - 1/C) / (2 quadratic)
        (partial(NF.muh_loss, quadratic=0.1), (-0.9 / 0.4, math.inf)),
        # Label smoothing has its minimum at p_y = 1 - e (1 - 1/C), the entropy of the soft label.
        (
            partial(NF.ce_loss, label_smoothing=0.1),
            (-0.91 * math.log(0.91) - 9 * 0.01 * math.log(0.01), math.inf),
        ),
    ],
)
def test_bounds(loss: Callable[..., Tensor], expected: tuple[float, float]) -> None:
    assert theory.bounds(loss, 10) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize(
    ("loss", "beta"),
    [
        (NF.ce_loss, 0.5),
        (of_p(lambda p: 1 - p), BETA_MAE),
        (NF.mae_loss, 2 * BETA_MAE),
        (NF.rce_loss, 4 * BETA_MAE),
        (partial(NF.sgce_loss, q=1), BETA_MAE),
        (partial(NF.alpha_mae_loss, alpha=0.3), 0.3 * BETA_MAE),
        (partial(NF.alpha_mae_loss, alpha=0.3, form="convex"), 0.3 * BETA_MAE),
        (NF.muh_loss, 0),
        (partial(NF.muh_loss, quadratic=0.1), 0.2),
    ],
)
def test_smoothness(loss: Callable[..., Tensor], beta: float, classes: int) -> None:
    assert theory.smoothness(loss, classes) == pytest.approx(beta, rel=1e-7)


SGCE_Q = (0.01, 0.1, 0.3, 0.5, 0.7)
SGCE_BETA = {
    2: (0.010, 0.081, 0.166, 0.199, 0.207),
    10: (0.422, 0.347, 0.288, 0.254, 0.227),
    100: (0.482, 0.420, 0.330, 0.274, 0.234),
}
"""Also what gradient ascent from 400 random rows reaches or stays below, up to ten classes."""


@pytest.mark.parametrize("classes", SGCE_BETA)
def test_smoothness_of_sgce(classes: int) -> None:
    beta = [theory.smoothness(partial(NF.sgce_loss, q=q), classes) for q in SGCE_Q]
    assert beta == pytest.approx(SGCE_BETA[classes], abs=6e-4)


def test_sgce_with_unbounded_scores_does_not_become_smooth() -> None:
    """As q goes to 0: the label's p^q vanishes, all others stay 1, two of them at p = 1/2."""
    assert theory.smoothness(partial(NF.sgce_loss, q=1e-7), 10) == pytest.approx(0.45, abs=1e-4)
    assert theory.smoothness(partial(NF.sgce_loss, q=1e-7), 2) < 1e-6


@each_core_loss
def test_no_hessian_is_larger_than_smoothness_says(case: Case) -> None:
    curvature = torch.func.jacrev(torch.func.grad(partial(at_label_zero, case)))
    rows = torch.randn(50, 4, dtype=torch.float64) * torch.logspace(-1, 2, 50)[:, None]
    norms = torch.stack([torch.linalg.matrix_norm(curvature(row), 2) for row in rows])
    assert norms.max() <= theory.smoothness(case, 4) + 1e-9


@pytest.mark.parametrize("classes", [2, 10, 100])
@pytest.mark.parametrize(
    ("loss", "gain"),
    [
        (NF.ce_loss, lambda c: 1),
        (NF.muh_loss, lambda c: 1),
        (NF.mae_loss, lambda c: 2 / c),
        (NF.rce_loss, lambda c: 4 / c),
        (NF.gce_loss, lambda c: c**-0.7),
        (partial(NF.sgce_loss, q=0.3), lambda c: c**-0.3),
        (partial(NF.alpha_mae_loss, alpha=0.1), lambda c: 1 / c),
        (partial(NF.alpha_mae_loss, alpha=2), lambda c: 1 / c),
        (partial(NF.sce_loss, alpha=0.1, beta=1), lambda c: 0.1 + 4 / c),
        (partial(NF.sce_loss, alpha=6, beta=0.1), lambda c: 6 + 0.4 / c),
        (nk.loss("2*ce - mae/2", reduction="none"), lambda c: 2 - 1 / c),
    ],
)
def test_gain(loss: Callable[..., Tensor], gain: Callable[[int], float], classes: int) -> None:
    assert theory.gain(loss, classes) == pytest.approx(gain(classes), rel=1e-12)


@pytest.mark.parametrize("function", [theory.gain, theory.bounds, theory.smoothness])
@pytest.mark.parametrize("classes", [1, -3])
def test_fewer_than_two_classes_are_refused(function: Callable[..., object], classes: int) -> None:
    with pytest.raises(ValueError, match=f"num_classes must be at least 2, got {classes}"):
        function(NF.ce_loss, classes)


@pytest.mark.parametrize(
    ("loss", "ratio"),
    [
        (NF.mae_loss, 1),
        (NF.rce_loss, 1),
        (NF.ce_loss, 0),
        (NF.sce_loss, 0),
        (NF.gce_loss, 0),
        (partial(NF.gce_loss, q=1), 1),
        # the conditions on w_m / w_n that the paper derives, with the published parameters
        (agce(0.6, 0.6), (0.6 / 1.6) ** 0.4),
        (agce(1e-5, 0.5), (1e-5 / (1 + 1e-5)) ** 0.5),
        (agce(6, 1.5), 1),
        (aul(5.5, 3), (4.5 / 5.5) ** 2),
        (aul(3, 0.1), 1),
        (ael(2.5), math.exp(-1 / 2.5)),
    ],
)
def test_asymmetry_ratio(loss: Callable[..., Tensor], ratio: float) -> None:
    assert theory.asymmetry_ratio(loss) == pytest.approx(ratio, abs=1e-6)


@pytest.mark.parametrize("loss", [agce(0.6, 0.6), aul(5.5, 3), ael(2.5)])
def test_asymmetry_ratio_says_which_majority_is_enough(loss: Callable[..., Tensor]) -> None:
    p = torch.linspace(0, 1, 1001, dtype=torch.float64)
    losses = at_each(loss, p)
    enough = 1 / theory.asymmetry_ratio(loss)
    for majority, is_enough in ((1.01 * enough, True), (0.99 * enough, False)):
        noisy_risk = majority * losses + losses.flip(0)
        assert (noisy_risk.argmin() == 1000) == is_enough


@pytest.mark.parametrize("loss", [NF.muh_loss, NF.sgce_loss, NF.alpha_mae_loss])
def test_asymmetry_ratio_refuses_losses_of_the_row(loss: Callable[..., Tensor]) -> None:
    with pytest.raises(ValueError, match="the probability of the label alone"):
        theory.asymmetry_ratio(loss)


def uniform(rate: float, classes: int) -> Tensor:
    others = torch.full((classes, classes), rate / (classes - 1), dtype=torch.float64)
    return others.fill_diagonal_(1 - rate)


@each_loss
def test_noisy_risk_under_uniform_noise(case: Case) -> None:
    logits, target = batch()
    rate, classes = 0.6, 10
    clean = case(logits, target)
    every = sum(case(logits, torch.full_like(target, k)) for k in range(classes))
    expected = (1 - rate * classes / (classes - 1)) * clean + rate / (classes - 1) * every
    close(theory.noisy_risk(case, logits, target, uniform(rate, classes)), expected)


def test_noisy_risk_follows_the_transition() -> None:
    logits, target = batch()
    next_class = torch.eye(10).roll(1, 1)  # every label moves to the next class
    risk = theory.noisy_risk(NF.gce_loss, logits, target, next_class)
    close(risk, NF.gce_loss(logits, (target + 1) % 10))


def test_symmetric_losses_keep_the_direction_of_the_gradient() -> None:
    logits, target = batch()
    logits.requires_grad_()
    noisy = theory.noisy_risk(NF.mae_loss, logits, target, uniform(0.6, 10))
    clean = NF.mae_loss(logits, target)
    (noisy_gradient,), (clean_gradient,) = (torch.autograd.grad(r, logits) for r in (noisy, clean))
    close(noisy_gradient, (1 - 0.6 * 10 / 9) * clean_gradient)


@pytest.mark.parametrize(
    ("logits", "transition", "message"),
    [
        (torch.zeros(2, 3), torch.eye(4), r"transition must have shape \(3, 3\)"),
        (torch.zeros(2, 3), torch.ones(3, 3), "transition must have rows that sum to 1"),
        (torch.zeros(2, 3, 4), torch.eye(3), r"logits must have shape \(N, C\)"),
    ],
)
def test_noisy_risk_refuses(logits: Tensor, transition: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        theory.noisy_risk(NF.ce_loss, logits, torch.tensor([0, 1]), transition)
