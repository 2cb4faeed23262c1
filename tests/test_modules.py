"""Modules: the same losses as the functions, with arithmetic, and good citizens of torch.nn."""

from __future__ import annotations

import copy
import inspect
import io
import pickle
from math import inf, nan

import numpy as np
import pytest
import torch
from cases import other_parameters
from reference_cases import transition_matrix
from torch import nn

import noisykernels as nk
from noisykernels import functional as NF
from noisykernels.modules import MODULES
from noisykernels.registry import LOSSES
from noisykernels.terms import passes

torch.manual_seed(0)
LOGITS = torch.randn(6, 5)
TARGET = torch.tensor([0, 1, 2, 3, 4, 0])
WEIGHT = torch.rand(5)
SUM = 0.1 * nk.CELoss() + nk.RCELoss(A=-4.0)
PARAMETERS = {name: other_parameters(name, classes=5) for name in nk.losses()}
ALL = {name: cls(**PARAMETERS[name]) for name, cls in MODULES.items()} | {"sum": SUM}


@pytest.mark.parametrize("name", nk.losses())
@pytest.mark.parametrize("options", [{}, {"weight": WEIGHT, "ignore_index": 2, "reduction": "sum"}])
def test_a_module_is_its_function(name, options):
    module = MODULES[name](**PARAMETERS[name], **options)
    function = getattr(NF, f"{name}_loss")
    assert torch.equal(
        module(LOGITS, TARGET), function(LOGITS, TARGET, **PARAMETERS[name], **options)
    )


@pytest.mark.parametrize("name", nk.losses())
def test_parameters_can_be_read_and_not_changed(name):
    module = MODULES[name](**PARAMETERS[name], ignore_index=3, reduction="none")
    for parameter, value in {**PARAMETERS[name], "ignore_index": 3, "reduction": "none"}.items():
        kept = getattr(module, parameter)
        assert kept is value or kept == value
        if not isinstance(value, torch.Tensor):
            with pytest.raises(AttributeError, match=parameter):
                setattr(module, parameter, value)


def test_a_matrix_that_is_replaced_is_used():
    """Setting a buffer is how `load_state_dict(assign=True)` works: it cannot be refused."""
    module = nk.ForwardLoss(torch.eye(5))
    module.T = transition_matrix(5)
    assert torch.equal(module(LOGITS, TARGET), NF.forward_loss(LOGITS, TARGET, module.T))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nk.GCELoss(q=0.0), ValueError, "q must satisfy 0 < q <= 1, got 0.0"),
        (lambda: nk.GCELoss(p=1), TypeError, "GCELoss: .*'p'"),
        (lambda: nk.GCELoss(0.7, WEIGHT), TypeError, "GCELoss: too many positional arguments"),
        (lambda: nk.GCELoss(WEIGHT), TypeError, "q must be a number, .* weight="),
        (lambda: nk.GCELoss(weight=[1.0]), TypeError, "weight must be a tensor"),
        (lambda: nk.GCELoss(weight=torch.ones(2, 2)), ValueError, r"weight must have shape \(C,\)"),
        (lambda: nk.GCELoss(ignore_index=1.5), TypeError, "ignore_index must be an int"),
        (lambda: nk.GCELoss(reduction="avg"), ValueError, "reduction must be"),
    ],
)
def test_arguments_are_checked_at_construction(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_signature_is_what_the_function_takes():
    assert list(inspect.signature(nk.CELoss).parameters) == [
        *("weight", "ignore_index", "reduction", "label_smoothing"),
    ]
    assert torch.equal(nk.CELoss(WEIGHT).weight, WEIGHT)  # positional, as in nn.CrossEntropyLoss


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (nk.CELoss(), "CELoss()"),
        (nk.CELoss(label_smoothing=0.1), "CELoss(label_smoothing=0.1)"),
        (nk.GCELoss(q=0.7), "GCELoss(q=0.7)"),
        (nk.GCELoss(reduction="sum"), "GCELoss(q=0.7, reduction='sum')"),
        (nk.MAELoss(), "MAELoss()"),
        (
            nk.MAELoss(weight=WEIGHT, ignore_index=0),
            "MAELoss(weight=<tensor of 5>, ignore_index=0)",
        ),
        (nk.AlphaMAELoss(form="convex"), "AlphaMAELoss(alpha=0.5, form='convex')"),
        (SUM, "SumLoss(0.1*ce + rce(A=-4.0))"),
        (-SUM, "SumLoss(-0.1*ce - rce(A=-4.0))"),
        (SUM / 2 - 1e-5 * nk.MAELoss(), "SumLoss(0.05*ce + 0.5*rce(A=-4.0) - 1e-05*mae)"),
        (1 * nk.CELoss(reduction="none"), "SumLoss(ce, reduction='none')"),
        (nk.FocalLoss(detach=True), "FocalLoss(gamma=0.5, detach=True)"),
        (nk.TaylorCELoss(order=3), "TaylorCELoss(order=3)"),
        (nk.ForwardLoss(torch.eye(5)), "ForwardLoss(T=<tensor of 5 x 5>)"),
        (
            nk.NCELoss() - nk.BackwardLoss(torch.eye(5)),
            "SumLoss(nce - backward(T=<tensor of 5 x 5>))",
        ),
    ],
)
def test_repr(module, text):
    assert repr(module) == str(module) == text


def test_a_sum_has_the_terms_of_its_named_combination():
    named = nk.SCELoss(0.1, 1.0, -4.0)
    assert SUM._plan[1:] == named._plan[1:]
    assert torch.equal(SUM(LOGITS, TARGET), named(LOGITS, TARGET))


@pytest.mark.parametrize(
    ("combine", "expected"),
    [
        (lambda a, b: a + b, lambda x, y: x + y),
        (lambda a, b: a - b, lambda x, y: x - y),
        (lambda a, b: 2 * a + b * 3, lambda x, y: 2 * x + 3 * y),
        (lambda a, b: (a + b) / 4, lambda x, y: (x + y) / 4),
        (lambda a, b: -(a - (b - a)), lambda x, y: -(x - (y - x))),
        (lambda a, b: sum([a, b, a]), lambda x, y: x + y + x),
        (lambda a, b: np.float32(0.5) * a + b * torch.tensor(2.0), lambda x, y: x / 2 + 2 * y),
    ],
)
def test_arithmetic(combine, expected):
    a, b = nk.GCELoss(reduction="none"), nk.CELoss(reduction="none")
    module = combine(a, b)
    assert isinstance(module, nk.SumLoss)
    torch.testing.assert_close(
        module(LOGITS, TARGET), expected(a(LOGITS, TARGET), b(LOGITS, TARGET))
    )


def test_a_sum_with_more_powers_than_a_pass_carries_is_split_and_right():
    parts = [nk.SGCELoss(q, reduction="none") for q in (0.1, 0.3, 0.5, 0.7, 0.9)]
    module = sum(parts)
    terms = [term for part in parts for term in LOSSES["sgce"].terms(q=part.q)]
    assert len(module._plan.passes) == len(list(passes(terms))) > 1
    logits = LOGITS.clone().requires_grad_()
    module(logits, TARGET).sum().backward()
    gradient = logits.grad.clone()
    logits.grad = None
    for part in parts:
        part(logits, TARGET).sum().backward()
    torch.testing.assert_close(gradient, logits.grad)


@pytest.mark.parametrize(
    ("other", "option", "both"),
    [
        (nk.MAELoss(weight=WEIGHT), "weight", "None and a float32 tensor"),
        (nk.MAELoss(ignore_index=1), "ignore_index", "-100 and 1"),
        (nk.MAELoss(reduction="sum"), "reduction", "'mean' and 'sum'"),
        (nk.CELoss(label_smoothing=0.1), "label_smoothing", "0.0 and 0.1"),
    ],
)
def test_parts_must_share_their_options(other, option, both):
    with pytest.raises(ValueError, match=f"their {option} is the same, got {both}"):
        nk.MAELoss() + other
    with pytest.raises(ValueError, match=option):
        SUM - 2 * other


def test_equal_weights_may_be_different_tensors():
    module = nk.MAELoss(weight=WEIGHT) + nk.GCELoss(weight=WEIGHT.clone())
    assert module.weight is WEIGHT or torch.equal(module.weight, WEIGHT)
    with pytest.raises(ValueError, match="their weight is the same"):
        nk.MAELoss(weight=WEIGHT) + nk.GCELoss(weight=WEIGHT + 1)


@pytest.mark.parametrize(
    ("factor", "error", "message"),
    [
        (True, TypeError, "the factor of a loss must be a real number, got True"),
        ("2", TypeError, "the factor of a loss must be a real number, got '2'"),
        (None, TypeError, "the factor of a loss must be a real number, got None"),
        (nan, ValueError, "the factor of a loss must be a finite number, got nan"),
        (inf, ValueError, "the factor of a loss must be a finite number, got inf"),
        (nk.CELoss(), TypeError, "not by another loss"),
    ],
)
def test_losses_are_scaled_by_real_numbers_only(factor, error, message):
    for scale in (lambda: nk.MAELoss() * factor, lambda: nk.MAELoss() / factor):
        with pytest.raises(error, match=message):
            scale()


def test_scales_stay_finite():
    with pytest.raises(ZeroDivisionError):
        nk.MAELoss() / 0
    with pytest.raises(ValueError, match="the scale of a loss must be a finite number, got inf"):
        1e200 * (1e200 * nk.MAELoss())


@pytest.mark.parametrize("other", [1, 0.5, None, nn.CrossEntropyLoss(), False])
def test_only_losses_are_added(other):
    for add in (
        lambda: nk.MAELoss() + other,
        lambda: other + nk.MAELoss(),
        lambda: nk.MAELoss() - other,
        lambda: other - nk.MAELoss(),
    ):
        with pytest.raises(TypeError, match="unsupported operand"):
            add()


@pytest.mark.parametrize("module", ALL.values(), ids=ALL)
@pytest.mark.parametrize("again", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_are_the_same_loss(module, again):
    twin = again(module)
    assert repr(twin) == repr(module)
    assert torch.equal(twin(LOGITS, TARGET), module(LOGITS, TARGET))


def test_the_numbers_of_terms_are_not_pickled():
    assert b"Plan" not in pickle.dumps(SUM)


def test_save_and_load():
    file = io.BytesIO()
    torch.save(nn.Sequential(nk.GCELoss(weight=WEIGHT)), file)
    file.seek(0)
    assert torch.equal(torch.load(file, weights_only=False)[0].weight, WEIGHT)


def test_weight_is_a_buffer_as_in_cross_entropy():
    for cls, torch_cls in [(nk.CELoss, nn.CrossEntropyLoss)]:
        assert list(cls().state_dict()) == list(torch_cls().state_dict()) == []
        assert list(cls(WEIGHT).state_dict()) == list(torch_cls(WEIGHT).state_dict()) == ["weight"]
    module = (nk.MAELoss(weight=WEIGHT) + nk.CELoss(WEIGHT)).to(torch.float64)
    assert module.weight.dtype == torch.float64
    module.load_state_dict({"weight": torch.zeros(5)})
    assert module(LOGITS, TARGET).isnan()  # all weights 0: as in torch
    module.weight = None  # read at every call
    assert module(LOGITS, TARGET).isfinite()


DYNAMIC = ("ce", "sgce", "alpha_mae", "nfl", "forward", "sum")


@pytest.mark.parametrize(
    ("name", "dynamic"), [*((name, False) for name in ALL), *((name, True) for name in DYNAMIC)]
)
def test_compiles_to_one_graph(name, dynamic):
    torch._dynamo.reset()
    compiled = torch.compile(ALL[name], fullgraph=True, dynamic=dynamic, backend="eager")
    assert torch.equal(compiled(LOGITS, TARGET), ALL[name](LOGITS, TARGET))


def test_compiled_function_with_a_parameter_that_changes():
    torch._dynamo.reset()
    compiled = torch.compile(NF.gce_loss, fullgraph=True, backend="eager")
    for q in (0.2, 0.4, 0.6):
        assert torch.equal(compiled(LOGITS, TARGET, q), NF.gce_loss(LOGITS, TARGET, q))


@pytest.mark.parametrize("strict", [False, True])
def test_export(strict):
    rows = torch.export.Dim("rows")
    exported = torch.export.export(
        SUM, (LOGITS, TARGET), dynamic_shapes=({0: rows}, {0: rows}), strict=strict
    )
    assert torch.equal(exported.module()(LOGITS[:4], TARGET[:4]), SUM(LOGITS[:4], TARGET[:4]))


@pytest.mark.parametrize("name", ALL)
def test_contexts_change_nothing(name):
    expected = ALL[name](LOGITS, TARGET)
    for context in (torch.no_grad(), torch.inference_mode(), torch.autocast("cpu", torch.bfloat16)):
        with context:
            assert torch.equal(ALL[name](LOGITS, TARGET), expected)
