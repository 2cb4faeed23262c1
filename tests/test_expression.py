"""Losses from text: the same as from modules, and errors with a caret at the place."""

from __future__ import annotations

import re

import pytest
import torch

import noisykernels as nk
from noisykernels.modules import MODULES
from noisykernels.plan import plan
from noisykernels.registry import LOSSES

FORMULAS = {
    "ce": nk.CELoss(),
    "ce()": nk.CELoss(),
    "(ce)": nk.CELoss(),
    "+ce": nk.CELoss(),
    "ce(label_smoothing=0.1)": nk.CELoss(label_smoothing=0.1),
    "gce(0.5)": nk.GCELoss(0.5),
    "gce(q=1)": nk.GCELoss(1.0),
    "alpha_mae(0.25, form='convex')": nk.AlphaMAELoss(0.25, form="convex"),
    "sce(0.1, beta=2, A=-6)": nk.SCELoss(0.1, 2.0, -6.0),
    "rce(A=-(1 + 3))": nk.RCELoss(-4.0),
    "0.1*ce + rce(A=-4)": 0.1 * nk.CELoss() + nk.RCELoss(A=-4.0),
    "-ce/2 - (mae - 3*gce*2)": -nk.CELoss() / 2 - (nk.MAELoss() - 3 * nk.GCELoss() * 2),
    "(1/4)*(ce + 1e-3*mae)": 0.25 * (nk.CELoss() + 1e-3 * nk.MAELoss()),
    "  ce\n\t+ mae ": nk.CELoss() + nk.MAELoss(),
    "ce+ce": nk.CELoss() + nk.CELoss(),
}

# A caret stands for the place where the message must point, before the character that follows it.
ERRORS = {
    "^cee": "unknown loss 'cee'; did you mean 'ce'",
    "0.1*ce + ^xyzzy": "unknown loss 'xyzzy'; known losses: ce, lsr",
    "gce('α', ^p=1)": "unknown parameter 'p'",  # ast counts bytes
    "ce + 2*^'α' + foo": "expected losses and numbers",
    "gce(^p=1)": "unknown parameter 'p'; gce takes q",
    "ce(^reduction='sum')": "unknown parameter 'reduction'; ce takes label_smoothing",
    "mae(^1)": "too many positional parameters; mae takes no parameters",
    "gce(0.5, ^0.7)": "too many positional parameters; gce takes q",
    "ce(^0.1)": "too many positional parameters; ce takes label_smoothing",
    "gce(0.5, ^q=0.7)": "parameter 'q' is given twice",
    "gce(^**{})": "expected parameters as name=value",
    "gce(^*[1])": "expected losses and numbers",
    "gce(q=^1.5)": "q must satisfy 0 < q <= 1, got 1.5",
    "ce + gce(^0)": "q must satisfy 0 < q <= 1, got 0",
    "rce(A=^'x')": "A must be a real number, got 'x'",
    "rce(A=^mae)": "a parameter must be a number, True, False, a name in quotes or a tensor's name",
    "gce(q=^True)": "q must be a real number, got True",
    "focal(detach=^1)": "detach must be True or False, got 1.0",
    "taylor_ce(^2.5)": "order must be a whole number from 1 to 16, got 2.5",
    "ce + ^forward": "forward needs T, as in loss('forward(T)', T=tensor)",
    "ce + ^forward_rce(beta=2)": "forward_rce needs T",
    "forward(^1)": "T must be a tensor, got 1.0",
    "ce + forward(^T)": "T is unknown: a tensor is given beside the text, as T=tensor",
    "alpha_mae(form=^'convx')": "form must be 'temperature' or 'convex', got 'convx'",
    "alpha_mae(^2, form='convex')": "alpha must satisfy 0 <= alpha <= 1, got 2",
    "2 ^+ ce": "a number cannot be added",
    "(ce) ^- (2)": "a number cannot be added",
    "ce^*rce": "a loss can only be multiplied or divided by a number",
    "1 ^/ ce": "a loss can only be multiplied or divided by a number",
    "ce^/0": "division by zero",
    "ce ^** 2": "expected one of the operators",
    "ce(label_smoothing=0.1) ^+ rce": "their label_smoothing is the same, got 0.1 and 0.0",
    "^": "the loss is empty",
    "^2 + 2": "this is a number, not a loss",
    "^not ce": "expected losses and numbers",
    "^True*ce": "expected losses and numbers",
    "^1j*ce": "expected losses and numbers",
    "^1e999*ce": "must be a finite number",
    "1e308^*10*ce": "the result is too large",
    "^ce(1)(2)": "expected losses and numbers",
    "^torch.ones(3)": "expected losses and numbers",
    "^__import__('os').system('x')": "expected losses and numbers",
    "^lambda: ce": "expected losses and numbers",
    "^(ce": "syntax error",
    "ce ^rce": "syntax error",
    "ce ^# + rce": "unexpected character '#'",
    "^ce\0": "syntax error",
}


@pytest.mark.parametrize(("text", "expected"), FORMULAS.items())
def test_text_gives_the_same_loss_as_modules(text, expected):
    parsed = nk.loss(text)
    assert parsed._plan == expected._plan
    assert repr(parsed) == repr(expected)
    assert type(parsed) is type(expected)


PRINTED = [
    *FORMULAS.values(),
    *(cls() for name, cls in MODULES.items() if not LOSSES[name].matrices(torch.eye(3))),
    nk.FocalLoss(detach=True),
    nk.TaylorCELoss(order=3),
]


@pytest.mark.parametrize("module", PRINTED)
def test_printed_sums_are_read_back(module):
    text = repr(nk.loss("0*mae") + module) if type(module) is not nk.CELoss else repr(2 * module)
    assert repr(nk.loss(text.removeprefix("SumLoss(").removesuffix(")"))) == text


@pytest.mark.parametrize(("marked", "message"), ERRORS.items())
def test_errors_point_at_the_place(marked, message):
    text = marked.replace("^", "")
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        nk.loss(text)
    _, shown, caret = str(caught.value).split("\n")
    assert shown == f"    {text}"
    assert caret == " " * (4 + marked.index("^")) + "^"


def test_the_place_is_right_in_text_of_several_lines():
    with pytest.raises(ValueError, match="unknown loss 'foo'") as caught:
        nk.loss("\n  ce\n  + foo\n")
    _, shown, caret = str(caught.value).split("\n")
    assert shown[caret.index("^") :] == "foo"


@pytest.mark.parametrize("text", ["(" * 500 + "ce", "-" * 50_000 + "ce", "+".join(["ce"] * 50_000)])
def test_absurd_nesting_is_a_value_error(text):
    with pytest.raises(ValueError, match="nested"):
        nk.loss(text)


@pytest.mark.parametrize("text", [None, 1, b"ce", nk.CELoss()])
def test_text_must_be_a_string(text):
    with pytest.raises(TypeError, match="text must be a str"):
        nk.loss(text)


def test_options_reach_every_part():
    weight = torch.rand(3)
    loss = nk.loss("ce + 2*gce", weight=weight, ignore_index=1, reduction="sum")
    expected = nk.CELoss(weight, ignore_index=1, reduction="sum") + 2 * nk.GCELoss(
        weight=weight, ignore_index=1, reduction="sum"
    )
    logits, target = torch.randn(8, 3), torch.randint(3, (8,))
    assert torch.equal(loss(logits, target), expected(logits, target))
    assert loss.weight is weight


T = torch.tensor([[0.8, 0.2, 0.0], [0.0, 0.7, 0.3], [0.1, 0.0, 0.9]])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("forward(T) + 0.5*rce", nk.ForwardLoss(T) + 0.5 * nk.RCELoss()),
        ("backward(T=T)", nk.BackwardLoss(T)),
        ("forward(T) - 2*forward(T)", nk.ForwardLoss(T) - 2 * nk.ForwardLoss(T)),
        ("sce(alpha=alpha, beta=2)", nk.SCELoss(torch.tensor(0.3), 2.0)),
    ],
)
def test_tensors_have_names(text, expected):
    values = {"T": T, "alpha": torch.tensor(0.3)}
    given = {name: value for name, value in values.items() if re.search(rf"\b{name}\b(?!=)", text)}
    loss = nk.loss(text, **given)
    logits, target = torch.randn(8, 3), torch.randint(3, (8,))
    assert torch.equal(loss(logits, target), expected(logits, target))
    assert type(loss) is type(expected)


@pytest.mark.parametrize(
    ("text", "tensors", "error", "message"),
    [
        ("gce", {"T": T}, ValueError, "no parameter is T"),
        ("forward(S)", {"T": T}, ValueError, "S is unknown"),
        ("T*ce", {"T": T}, ValueError, "unknown loss 'T'"),
        ("forward(T)", {"T": 2 * T}, ValueError, "rows that sum to 1, got 2 in row 0"),
        ("gce(q=T)", {"T": T}, ValueError, "q must"),
        ("forward(ce)", {"ce": T}, ValueError, "another name than a loss, got ce"),
        ("ce", {"reducton": "sum"}, TypeError, "reducton must be a tensor, got 'sum'"),
    ],
)
def test_wrong_tensors_are_named(text, tensors, error, message):
    with pytest.raises(error, match=re.escape(message)):
        nk.loss(text, **tensors)


def test_wrong_options_are_named():
    with pytest.raises(ValueError, match="reduction must be"):
        nk.loss("ce", reduction="avg")


def test_merging_adds_the_weights_of_equal_terms():
    assert nk.loss("ce + 2*ce")._plan.passes[0].values == [3.0, 0.0, 0.0]
    assert nk.loss("mae + rce(A=-4)")._plan == plan(nk.loss("mae + rce(A=-4)")._parts)
    assert nk.loss("mae + rce(A=-4)")._plan.passes[0].values == [6.0, 0.0, 0.0]
