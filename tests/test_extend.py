"""A term and a loss from outside the package, used in every way that those inside are."""

from __future__ import annotations

import copy
import importlib
import pickle
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

import noisykernels as nk
from noisykernels import backends, plan
from noisykernels.modules import RegisteredLoss
from noisykernels.registry import LOSSES, Range, Terms
from noisykernels.terms import TERMS, Coefficients, Need, Row, WeightedTerm

WEIGHT = torch.tensor([0.5, 2.0, 0.0, 1.0, 0.25], dtype=torch.float64)
TARGET = torch.tensor([3, -100, 0, 1])


def poly(row: Row, epsilon: float, _: float) -> Coefficients:
    """-log p_y + epsilon (1 - p_y), the term of PolyLoss (arXiv:2204.12511)."""
    c = 1 + epsilon * row.p
    return Coefficients(
        value=epsilon * row.miss - row.log_p, label=-c * row.miss, powers=((1.0, c),)
    )


def poly_ce(epsilon: float = 2.0) -> Terms:
    """Poly-1 cross entropy."""
    return (WeightedTerm("poly", 1.0, epsilon),)


class PolyCELoss:
    """Replaced by the module while the loss is registered; pickle looks for it here."""


@pytest.fixture(params=["formula", "jit function"])
def poly_ce_loss(request: pytest.FixtureRequest, monkeypatch) -> Iterator[object]:
    """The function of a loss whose term has, or has not, a jit function too."""
    triton = None
    if request.param == "jit function":
        pytest.importorskip("triton")
        triton = importlib.import_module("outside_triton").poly
    nk.register_term(Need.SOFTMAX, triton=triton)(poly)
    function = nk.register_loss(epsilon=Range(at_least=-1))(poly_ce)

    class PolyCELoss(RegisteredLoss, function=function):
        """The module of it."""

    PolyCELoss.__qualname__ = "PolyCELoss"
    monkeypatch.setitem(globals(), "PolyCELoss", PolyCELoss)
    yield function
    nk.unregister_loss("poly_ce")
    nk.unregister_term("poly")


@pytest.fixture
def logits() -> Tensor:
    return torch.randn(4, 5, dtype=torch.float64, requires_grad=True)


def expected(logits: Tensor, epsilon: float = 2.0, **options) -> Tensor:
    """The same from losses of the package."""
    options = {"weight": WEIGHT} | options
    with backends.use("reference"):
        return nk.loss(f"ce + {epsilon / 2}*mae", **options)(logits, TARGET)


@pytest.mark.usefixtures("backend")
def test_function(poly_ce_loss, logits):
    found = poly_ce_loss(logits, TARGET, epsilon=3.0, weight=WEIGHT)
    torch.testing.assert_close(found, expected(logits, 3.0))
    found, wanted = (
        torch.autograd.grad(loss, logits)[0] for loss in (found, expected(logits, 3.0))
    )
    torch.testing.assert_close(found, wanted)


@pytest.mark.usefixtures("backend")
def test_derivatives_of_two_orders(poly_ce_loss, logits):
    assert gradcheck(poly_ce_loss, (logits, TARGET))
    assert gradgradcheck(poly_ce_loss, (logits, TARGET))


@pytest.mark.usefixtures("backend")
def test_modules_sums_and_text(poly_ce_loss, logits):
    options = {"weight": WEIGHT, "reduction": "sum"}
    module = PolyCELoss(2.0, **options)
    assert str(module) == "PolyCELoss(epsilon=2.0, weight=<tensor of 5>, reduction='sum')"
    torch.testing.assert_close(module(logits, TARGET), expected(logits, reduction="sum"))
    wanted = 0.5 * expected(logits, reduction="sum") - nk.GCELoss(**options)(logits, TARGET)
    for total in (
        0.5 * module - nk.GCELoss(**options),
        nk.loss("0.5*poly_ce(epsilon=2) - gce", **options),
    ):
        torch.testing.assert_close(total(logits, TARGET), wanted)


@pytest.mark.usefixtures("backend")
def test_options_of_a_call(poly_ce_loss, logits):
    sample_weight = torch.rand(4)
    loss, stats = poly_ce_loss(
        logits, TARGET, reduction="none", sample_weight=sample_weight, return_stats=True
    )
    wanted = sample_weight * expected(logits, weight=None, reduction="none")
    torch.testing.assert_close(loss, wanted)
    torch.testing.assert_close(stats.p_y[2], logits.softmax(1)[2, 0].detach())


def test_a_sum_may_be_learned_but_not_a_parameter(poly_ce_loss, logits):
    factor = torch.nn.Parameter(torch.tensor(0.5, dtype=torch.float64))
    loss = (factor * PolyCELoss(weight=WEIGHT))(logits, TARGET)
    torch.testing.assert_close(loss, 0.5 * expected(logits))
    torch.testing.assert_close(torch.autograd.grad(loss, factor)[0], expected(logits).detach())
    with pytest.raises(TypeError, match=r"poly_ce was registered from outside .* not tensors"):
        poly_ce_loss(logits, TARGET, epsilon=factor)


@pytest.mark.parametrize("shape", [(5,), (2, 5, 3), (0, 5)])
def test_layouts_and_half_precision(poly_ce_loss, shape):
    z = torch.randn(shape).to(torch.bfloat16)
    target = torch.randint(5, shape[: len(shape) > 1] + shape[2:])
    loss = poly_ce_loss(z, target, reduction="none")
    wanted = nk.loss("ce + mae", reduction="none")(z, target)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, wanted)


def test_transforms_and_compilation(poly_ce_loss, logits):
    z = logits.detach()
    batched = torch.func.vmap(lambda z: poly_ce_loss(z, TARGET))(torch.stack([z, 2 * z]))
    torch.testing.assert_close(
        batched, torch.stack([poly_ce_loss(z, TARGET), poly_ce_loss(2 * z, TARGET)])
    )
    compiled = torch.compile(PolyCELoss(), fullgraph=True, backend="aot_eager")
    compiled(logits, TARGET).backward()
    (wanted,) = torch.autograd.grad(expected(logits, weight=None), logits)
    torch.testing.assert_close(logits.grad, wanted)


def test_modules_are_copied_and_pickled(poly_ce_loss, logits):
    module = PolyCELoss(epsilon=0.5)
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert other.epsilon == 0.5
        assert torch.equal(other(logits, TARGET), module(logits, TARGET))


def test_a_loss_of_known_terms_runs_on_the_kernels(kernels, logits):
    def mixed(share: float = 0.3) -> Terms:
        return WeightedTerm("ce", share), WeightedTerm("mae", 1 - share)

    function = nk.register_loss(share=Range(at_least=0, at_most=1))(mixed)
    assert plan.single("mixed", share=0.3).runs_on(backends.CPU)
    wanted = (0.3 * nk.CELoss() + 0.35 * nk.MAELoss())(logits, TARGET)
    assert torch.equal(function(logits, TARGET), wanted)
    nk.unregister_loss("mixed")


def test_nothing_is_left_behind(poly_ce_loss, logits):
    """Another loss of the same name is another loss, with a term of the same number."""
    poly_ce_loss(logits, TARGET)
    nk.unregister_loss("poly_ce")
    nk.unregister_term("poly")
    assert "poly_ce" not in nk.losses()
    with pytest.raises(ValueError, match="unknown loss 'poly_ce'"):
        nk.loss("poly_ce")

    @nk.register_term(Need.SOFTMAX)
    def poly(row: Row, epsilon: float, _: float) -> Coefficients:
        return TERMS["mae"](row, 0.0, 0.0)

    function = nk.register_loss(epsilon=Range())(poly_ce)
    torch.testing.assert_close(2 * function(logits, TARGET), nk.MAELoss()(logits, TARGET))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nk.register_term(Need.SOFTMAX)(poly), ValueError, "there is a term 'poly' alr"),
        (
            lambda: nk.register_loss(epsilon=Range())(poly_ce),
            ValueError,
            "there is a loss 'poly_ce' already",
        ),
        (
            lambda: nk.register_loss(gamma=Range())(poly_ce),
            ValueError,
            r"the parameters of poly_ce are \['epsilon'\], got what \['gamma'\] may be",
        ),
        (lambda: nk.unregister_loss("ce"), ValueError, "no loss 'ce' was registered from outside"),
        (lambda: nk.unregister_term("ce"), ValueError, "no term 'ce' was registered from outside"),
    ],
)
@pytest.mark.usefixtures("poly_ce_loss")
def test_what_is_refused(call, error, message):
    before = list(LOSSES), list(TERMS)
    with pytest.raises(error, match=message):
        call()
    assert (list(LOSSES), list(TERMS)) == before


def test_wrong_arguments_are_named(poly_ce_loss, logits):
    with pytest.raises(ValueError, match="epsilon must satisfy epsilon >= -1, got -2"):
        poly_ce_loss(logits, TARGET, epsilon=-2)
    with pytest.raises(TypeError, match="unexpected keyword argument 'gamma'"):
        poly_ce_loss(logits, TARGET, gamma=1.0)


def test_a_loss_without_a_module_cannot_be_text():
    @nk.register_loss()
    def plain_loss() -> Terms:
        return (WeightedTerm("ce", 1.0),)

    with pytest.raises(ValueError, match="plain has no module, a RegisteredLoss of its function"):
        nk.loss("plain")
    nk.unregister_loss("plain")
