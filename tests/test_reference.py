"""The reference losses against their papers' formulas in 400 digits, and at known relations."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import torch
from oracle import exact, paper
from reference_cases import (
    CASES,
    all_cases,
    batch,
    for_oracles,
    transition_matrix,
    value_and_grad,
    without_reduction,
)

from noisykernels import reference


def to_long_double(value, gradient):
    return tuple(np.longdouble(mpmath.nstr(number, 40)) for number in (value, *gradient))


@all_cases
@pytest.mark.parametrize(
    "row",
    [
        pytest.param([0.3, -1.2, 2.5, 0.0], id="ordinary"),
        pytest.param([1.5, 1.5, 1.5], id="ties"),
        pytest.param([1e4 + 1, 1e4 - 2, 1e4], id="offset"),
        pytest.param([-200.0, 1.0, 0.5, -1.0], id="hopeless"),
        pytest.param([-200.0, 80.0, 0.5, -1.0], id="hopeless-beside-a-certain-one"),
        pytest.param([-20.0, 1.0, 0.5, -1.0], id="wrong"),
        pytest.param([40.0, 1.0, 0.5, -1.0], id="confident"),
        pytest.param([80.0, 1.0, 0.5, -1.0], id="certain"),
    ],
)
def test_value_and_gradient_to_the_last_digits(case, row):
    """Of the reference, and of the oracle in long double; the label is the first class."""
    logits, label = torch.tensor([row], dtype=torch.float64), 0
    parameters = for_oracles(case.parameters(len(row)))
    value, *slopes = to_long_double(*paper(case.name, parameters, row, label))

    oracle = exact(case.name, parameters, logits.numpy(), np.array([label]))
    bar = 1e4 * np.finfo(np.longdouble).eps  # exp multiplies errors by its argument
    assert abs(oracle.value - value) <= bar * oracle.value_scale
    assert abs(oracle.gradient - slopes).max() <= bar * oracle.gradient_scale

    ours, grad = value_and_grad(case, logits, torch.tensor([label]), reduction="sum")
    upstream = 0.5
    assert abs(ours.item() - value) <= 1e-13 * oracle.value_scale
    error = abs(grad.numpy() - upstream * np.array(slopes)).max()
    assert error <= 1e-13 * upstream * oracle.gradient_scale


@all_cases
def test_class_weights_are_those_of_the_oracle(case):
    logits, target = batch(9, 4)
    weight = torch.tensor([0.0, 5.0, 1.0, 2.0], dtype=torch.float64)
    loss, grad = value_and_grad(case, logits, target, weight=weight, reduction="none")
    upstream = np.linspace(0.5, 2, 9)[:, None]
    parameters = for_oracles(case.parameters(4))
    oracle = exact(case.name, parameters, logits.numpy(), target.numpy(), weight.numpy())
    assert (abs(loss.numpy() - oracle.value) <= 1e-13 * oracle.value_scale).all()
    error = abs(grad.numpy() - upstream * oracle.gradient).max(1)
    assert (error <= 1e-13 * upstream[:, 0] * oracle.gradient_scale).all()


def losses_of_all_labels(loss, logits):
    """The losses (C, N) of all rows under each of the labels."""
    labels = torch.arange(logits.shape[1])
    return torch.stack([loss(logits, y.expand(len(logits)), reduction="none") for y in labels])


SYMMETRIC = {  # the constant for C = 5
    "rce": 16.0,
    "mae": 8.0,
    "taylor_ce-1": 4.0,
    "nce": 1.0,
    "nfl": 1.0,
    "ngce": 1.0,
    "nnce": 4.0,
    "nnce-clipping": 4.0,
    "nnfl": 4.0,
    "nnfl-clipping": 4.0,
    "muh": 0.0,
    "sgce": 0.0,
    "alpha_mae": 8.0,
    "alpha_mae-convex": 1.2,
    "nce_mae": 1.0 + 4.0,
    "nce_rce": 1.0 + 16.0,
    "nfl_mae": 1.0 + 4.0,
    "nfl_rce": 1.0 + 16.0,
    "anl_ce": 5.0 + 20.0,
    "anl_fl": 5.0 + 20.0,
}


@pytest.mark.parametrize(("name", "constant"), SYMMETRIC.items())
def test_symmetric_losses_sum_to_a_constant_over_labels(name, constant):
    logits, _ = batch(6, 5)
    total = losses_of_all_labels(CASES[name], logits).sum(0)
    torch.testing.assert_close(total, torch.full_like(total, constant), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "ce",
            "gce",
            "sce",
            "truncated_gce",
            "taylor_ce",
            "phuber_ce",
            "focal",
            "agce",
            "aul",
            "ael",
        ),
        *("eps_softmax_ce", "amse", "amse-1", "lsr", "confidence_penalty", "bootstrap_soft"),
        *("nce_agce", "nce_aul", "nce_ael", "jal_ce", "forward", "backward", "centered_square"),
    ],
)
def test_other_losses_are_not_symmetric(name):
    logits, _ = batch(6, 5)
    assert losses_of_all_labels(CASES[name], logits).sum(0).std() > 1e-3


def p_of(z, y):
    return z.softmax(1).gather(1, y[:, None])[:, 0]


def entropy_of(z, y):
    return torch.distributions.Categorical(logits=z).entropy()


def mean_over_labels(loss):
    def mean(z, y):
        return losses_of_all_labels(lambda *a, reduction: loss(*a), z).mean(0)

    return mean


of = without_reduction
identity = torch.eye(5, dtype=torch.float64)
ce, muh, mae = of("ce"), of("muh"), of("mae")
A = -math.log(1e-9)


@pytest.mark.parametrize(
    ("loss", "same"),
    [
        pytest.param(of("gce", q=1.0), lambda z, y: mae(z, y) / 2, id="gce-1"),
        pytest.param(of("truncated_gce", k=0.0), of("gce"), id="truncated-gce-at-0"),
        pytest.param(of("truncated_gce", k=1.0, q=0.5), lambda z, y: 0 * y.double(), id="at-1"),
        pytest.param(of("taylor_ce", order=1), lambda z, y: mae(z, y) / 2, id="taylor-1"),
        pytest.param(of("phuber_ce", tau=1.0), lambda z, y: mae(z, y) / 2, id="phuber-1"),
        pytest.param(of("phuber_ce", tau=1e9), ce, id="phuber-without-a-tangent"),
        pytest.param(of("focal", gamma=0.0), ce, id="focal-0"),
        pytest.param(of("focal", detach=True), of("focal"), id="focal-detached"),
        pytest.param(of("agce", q=1.0), lambda z, y: mae(z, y) / 2, id="agce-1"),
        pytest.param(of("agce", a=1e-18, q=0.5), of("gce", q=0.5), id="agce-at-0"),
        pytest.param(of("aul", q=1.0), lambda z, y: mae(z, y) / 2, id="aul-1"),
        pytest.param(of("eps_softmax_ce", m=0.0), ce, id="eps-softmax-0"),
        pytest.param(of("rce", A=-2.0), mae, id="rce-2"),
        pytest.param(of("sgce", q=1.0), lambda z, y: 1 / 5 - p_of(z, y), id="sgce-1"),
        pytest.param(of("alpha_mae", alpha=1.0), lambda z, y: 1 - p_of(z, y), id="alpha-mae-1"),
        pytest.param(
            of("alpha_mae", alpha=1.0, form="convex"),
            lambda z, y: 1 - p_of(z, y),
            id="alpha-mae-convex-1",
        ),
        pytest.param(of("alpha_mae", alpha=0.0, form="convex"), muh, id="alpha-mae-convex-0"),
        pytest.param(of("nfl", gamma=0.0), of("nce"), id="nfl-0"),
        pytest.param(of("nnfl", gamma=0.0), of("nnce"), id="nnfl-0"),
        pytest.param(
            of("nnce", p_min=1e-9),  # below all probabilities here
            lambda z, y: 1 - (A - ce(z, y)) / (5 * A - 5 * of("uniform_ce")(z, y)),
            id="nnce-without-clipping",
        ),
        pytest.param(of("ngce", q=1.0), lambda z, y: mae(z, y) / (2 * (5 - 1)), id="ngce-1"),
        pytest.param(
            of("nce_rce", beta=0.5, A=-4.0), of("nce_mae", beta=0.5 * 4.0), id="nce-rce-is-nce-mae"
        ),
        pytest.param(of("nfl_rce", A=-4.0), of("nfl_mae", beta=4.0), id="nfl-rce-is-nfl-mae"),
        pytest.param(
            of("amse", a=30.0),
            lambda z, y: (z.softmax(1).square().sum(1) + 30**2 - 2 * 30 * p_of(z, y)) / 5,
            id="amse",
        ),
        pytest.param(
            of("jal_ce", a=3.0),
            lambda z, y: of("nce")(z, y) + of("amse", a=3.0)(z, y),
            id="jal-ce",
        ),
        pytest.param(
            of("centered_square"),
            lambda z, y: muh(z, y) + z.square().sum(1) / 2 + (1 - 1 / 5) / 2,
            id="centered-square",
        ),
        pytest.param(of("uniform_ce"), mean_over_labels(ce), id="uniform-ce"),
        pytest.param(muh, lambda z, y: ce(z, y) - of("uniform_ce")(z, y), id="muh-from-ce"),
        pytest.param(
            of("sgce"),
            lambda z, y: of("gce")(z, y) - mean_over_labels(of("gce"))(z, y),
            id="sgce-from-gce",
        ),
        pytest.param(of("entropy"), entropy_of, id="entropy"),
        pytest.param(of("confidence_penalty", beta=0.0), ce, id="confidence-penalty-0"),
        pytest.param(of("bootstrap_soft", beta=0.0), entropy_of, id="bootstrap-soft-0"),
        pytest.param(of("bootstrap_hard", beta=1.0), ce, id="bootstrap-hard-1"),
        pytest.param(
            of("bootstrap_hard", beta=0.0),
            lambda z, y: ce(z, z.argmax(1)),
            id="bootstrap-hard-0",
        ),
        pytest.param(of("pnorm", s=1.0), lambda z, y: torch.ones(len(z)).double(), id="pnorm-1"),
        pytest.param(of("forward", T=identity), ce, id="forward-identity"),
        pytest.param(of("backward", T=identity), ce, id="backward-identity"),
        pytest.param(
            of("forward_rce", T=identity, beta=0.5), of("sce", alpha=1.0, beta=0.5), id="forward-sl"
        ),
        pytest.param(of("lsr_sce", epsilon=0.0), of("sce"), id="lsr-sce-0"),
    ],
)
def test_relations(loss, same):
    logits, target = batch(20, 5)
    torch.testing.assert_close(loss(logits, target), same(logits, target), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(
    ("loss", "limit"),
    [
        pytest.param(of("gce", q=1e-7), ce, id="gce"),
        pytest.param(of("ngce", q=1e-7), of("nce"), id="ngce"),
        pytest.param(of("sgce", q=1e-7), muh, id="sgce"),
        pytest.param(
            lambda z, y: of("alpha_mae", alpha=1e-7)(z, y) - (1 - 1 / 5) / 1e-7,
            lambda z, y: muh(z, y) / 5,
            id="alpha-mae",
        ),
        pytest.param(  # whose series needs many terms where p_y is small
            lambda z, y: of("taylor_ce", order=1000)(z / 3, y),
            lambda z, y: ce(z / 3, y),
            id="taylor",
        ),
    ],
)
def test_limits(loss, limit):
    logits, target = batch(20, 5)
    torch.testing.assert_close(loss(logits, target), limit(logits, target), rtol=1e-5, atol=1e-5)


def test_backward_correction_is_unbiased():
    """Its mean over the noisy labels of a clean one is cross entropy with the clean one."""
    logits, _ = batch(6, 5)
    T = transition_matrix(5)
    noisy = losses_of_all_labels(CASES["backward"], logits)
    torch.testing.assert_close(T @ noisy, losses_of_all_labels(CASES["ce"], logits))


def test_forward_correction_is_cross_entropy_of_the_predicted_noisy_labels():
    logits, _ = batch(6, 5)
    predicted = logits.softmax(1) @ transition_matrix(5)
    torch.testing.assert_close(losses_of_all_labels(CASES["forward"], logits), -predicted.log().T)


def test_detached_weights_give_cross_entropy_times_the_weight():
    logits, target = batch(6, 4)
    _, published = value_and_grad(CASES["focal-detached"], logits, target, reduction="none")
    _, of_ce = value_and_grad(ce, logits, target)
    torch.testing.assert_close(published, (1 - p_of(logits, target)).sqrt()[:, None] * of_ce)


def test_eps_softmax_holds_who_leads_constant():
    """All labels that share the first place are hits."""
    tied = torch.zeros(1, 4, dtype=torch.float64)
    loss = reference.eps_softmax_ce_loss(tied, torch.tensor([2]), m=1.0)
    assert loss.item() == pytest.approx(-math.log((1 / 4 + 1) / 2))


def test_hard_bootstrap_predicts_the_first_of_several():
    tied = torch.zeros(1, 4, dtype=torch.float64)
    _, grad = value_and_grad(CASES["bootstrap_hard"], tied, torch.tensor([2]), reduction="sum")
    expected = torch.tensor([[1 / 4 - 0.2, 1 / 4, 1 / 4 - 0.8, 1 / 4]], dtype=torch.float64)
    torch.testing.assert_close(grad, expected / 2)


@pytest.mark.parametrize("name", ["entropy", "pnorm", "uniform_ce"])
def test_regularizers_take_no_label(name):
    logits, _ = batch(6, 5)
    losses = losses_of_all_labels(CASES[name], logits)
    assert torch.equal(losses, losses[:1].expand_as(losses))
