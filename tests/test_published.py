"""`published=True`: the code of the authors, chosen by a keyword, treated like any other loss.

That it is their code is tested in `test_migration`.
"""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest
import torch
from reference_cases import transition_matrix

import noisykernels as nk
import noisykernels.functional as NF
from noisykernels import published, reference
from noisykernels.modules import MODULES
from noisykernels.registry import LOSSES

NAMES = [name.removesuffix("_loss") for name in published.__all__]
TARGET = torch.tensor([3, -100, 0, 1])
WEIGHT = torch.tensor([0.5, 2.0, 0.0, 1.0, 0.25], dtype=torch.float64)
T = transition_matrix(5)

CLEAN = {"focal": {"detach": True}}
"""What the formula is called with to be the same where nothing is clamped; A apart."""

each_loss = pytest.mark.parametrize("name", NAMES)


def as_published(name, **options):
    return MODULES[name](**LOSSES[name].matrices(T), **options, published=True)


def clean(name, **options):
    constants = {"A": published.CODE_A} if "A" in LOSSES[name].parameters else {}
    parameters = LOSSES[name].matrices(T) | constants | CLEAN.get(name, {})
    return MODULES[name](**parameters, **options)


@pytest.fixture
def logits():
    return torch.randn(4, 5, dtype=torch.float64, requires_grad=True)


def test_losses_that_differ_have_the_keyword_and_no_others_do():
    functions = {name: getattr(NF, f"{name}_loss") for name in nk.losses()}
    taking = {n for n, f in functions.items() if "published" in inspect.signature(f).parameters}
    assert taking == set(NAMES)


@each_loss
def test_signatures_are_those_of_the_reference(name):
    theirs, ours = (
        [p.replace(annotation="") for p in inspect.signature(loss).parameters.values()]
        for loss in (getattr(module, f"{name}_loss") for module in (reference, published))
    )
    assert ours == theirs


@each_loss
@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_where_nothing_is_clamped_it_is_the_formula(name, reduction, logits):
    options = {"weight": WEIGHT, "reduction": reduction}
    losses = [loss(name, **options)(logits, TARGET) for loss in (as_published, clean)]
    torch.testing.assert_close(*losses)
    gradients = [torch.autograd.grad(loss.sum(), logits)[0] for loss in losses]
    torch.testing.assert_close(*gradients)


@each_loss
@pytest.mark.parametrize("shape", [(5,), (2, 5, 3), (0, 5)])
def test_layouts_and_ignored_rows(name, shape):
    z = torch.randn(shape).to(torch.bfloat16)
    target = torch.randint(5, shape[: len(shape) > 1] + shape[2:])
    if len(shape) == 3:
        z[1, :, 2] = torch.nan
        target[1, 2] = -100
    z.requires_grad_()
    losses = [loss(name, reduction="none")(z, target) for loss in (as_published, clean)]
    assert losses[0].dtype == torch.float32
    torch.testing.assert_close(*losses)
    losses[0].sum().backward()
    assert z.grad.isfinite().all()


@pytest.mark.parametrize("name", ["gce", "backward"])
def test_the_rows_that_are_most_wrong_get_no_gradient(name):
    z = torch.zeros(1, 5)
    z[0, 3] = 20.0  # e^-20 is below 1e-7
    for loss, learns in ((as_published, False), (clean, True)):
        z.requires_grad_()
        (gradient,) = torch.autograd.grad(loss(name)(z, torch.tensor([1])), z)
        assert bool(gradient[0, 1]) == learns


@pytest.mark.parametrize("name", ["rce", "sce", "nce_rce", "nfl_rce"])
def test_A_is_that_of_the_code_unless_another_is_asked_for(name, logits):
    loss = as_published(name)
    assert loss.published
    assert loss.A == published.CODE_A
    assert as_published(name, A=-6.0).A == -6.0
    function = getattr(NF, f"{name}_loss")
    wanted = function(logits, TARGET, A=published.CODE_A)
    torch.testing.assert_close(function(logits, TARGET, published=True), wanted)
    assert clean(name).published is False


def test_sums_text_and_copies(logits):
    loss = 0.5 * nk.GCELoss(q=0.6, published=True) - nk.CELoss()
    assert str(loss) == "SumLoss(0.5*gce(q=0.6, published=True) - ce)"
    wanted = 0.5 * nk.GCELoss(q=0.6)(logits, TARGET) - nk.CELoss()(logits, TARGET)
    for same in (
        loss,
        nk.loss("0.5*gce(q=0.6, published=True) - ce"),
        copy.deepcopy(loss),
        pickle.loads(pickle.dumps(loss)),
    ):
        torch.testing.assert_close(same(logits, TARGET), wanted)


def test_options_of_a_call_learned_numbers_and_compilation(logits):
    q = torch.nn.Parameter(torch.tensor(0.7, dtype=torch.float64))
    sample_weight = torch.rand(4, dtype=torch.float64)
    options = {"sample_weight": sample_weight, "return_stats": True}
    loss, stats = NF.gce_loss(logits, TARGET, q, published=True, **options)
    wanted, wanted_stats = NF.gce_loss(logits, TARGET, q, **options)
    torch.testing.assert_close(loss, wanted)
    torch.testing.assert_close(stats, wanted_stats, equal_nan=True)
    torch.testing.assert_close(*(torch.autograd.grad(x, q)[0] for x in (loss, wanted)))
    compiled = torch.compile(nk.SCELoss(published=True), fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(logits, TARGET), clean("sce")(logits, TARGET))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda z: NF.gce_loss(z, TARGET, published=1), TypeError, "published must be True or Fa"),
        (lambda z: nk.GCELoss(published="yes"), TypeError, "published must be True or False"),
        (lambda z: NF.gce_loss(z, TARGET, 2.0, published=True), ValueError, "0 < q <= 1, got 2"),
        (lambda z: NF.nce_loss(z, TARGET, published=True), TypeError, "argument 'published'"),
        (lambda z: nk.NCELoss(published=True), TypeError, "NCELoss: .* argument 'published'"),
        (
            lambda z: nk.loss("nce(published=True)"),
            ValueError,
            "parameter 'published'; nce takes no",
        ),
        (lambda z: nk.loss("gce(published=1)"), ValueError, "published must be True or False"),
        (lambda z: nk.GCELoss(published=True)(z, TARGET + 9), IndexError, r"target\[0\] is 12"),
    ],
)
def test_what_is_refused(call, error, message, logits):
    with pytest.raises(error, match=message):
        call(logits)
