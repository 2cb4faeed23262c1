"""The registry agrees with everything that follows it, and ranges say and do the same."""

from __future__ import annotations

import inspect
from math import inf, nan

import pytest

import noisykernels as nk
from noisykernels import functional, reference
from noisykernels.modules import MODULES
from noisykernels.registry import LOSSES, Choice, Range, RangeBy
from noisykernels.terms import TERMS

SHARED = {"input", "target", "weight", "ignore_index", "reduction"}


def signature(module: object, name: str) -> inspect.Signature:
    return inspect.signature(getattr(module, f"{name}_loss"))


def defaults(name: str) -> dict[str, object]:
    parameters = signature(functional, name).parameters
    return {parameter: parameters[parameter].default for parameter in LOSSES[name].parameters}


def test_every_loss_has_a_function_a_reference_and_a_module_and_nothing_else_does():
    names = set(nk.losses())
    assert {
        name.removesuffix("_loss") for name in vars(functional) if name.endswith("_loss")
    } == names
    assert {name.removesuffix("_loss") for name in reference.__all__} == names
    assert set(MODULES) == names
    assert {cls.__name__ for cls in MODULES.values()} <= set(nk.__all__)


@pytest.mark.parametrize("name", nk.losses())
def test_signatures_agree(name):
    function = signature(functional, name)
    assert function.replace(return_annotation=inspect.Signature.empty) == signature(
        reference, name
    ).replace(return_annotation=inspect.Signature.empty)
    assert list(inspect.signature(MODULES[name]).parameters.values()) == [
        parameter
        for parameter in function.parameters.values()
        if parameter.name not in ("input", "target")
    ]
    assert set(function.parameters) - SHARED == set(LOSSES[name].parameters)


@pytest.mark.parametrize("name", nk.losses())
def test_defaults_are_allowed_and_give_known_terms(name):
    checked = LOSSES[name].check(defaults(name))
    assert checked == defaults(name)
    assert {term.name for term in LOSSES[name].terms(**checked)} <= set(TERMS)


@pytest.mark.parametrize("name", nk.losses())
def test_facts_are_complete(name):
    loss = LOSSES[name]
    assert all((loss.title, loss.formula, loss.symmetric, loss.bounded))
    assert "arXiv:" in loss.source


@pytest.mark.parametrize(
    ("allowed", "text", "inside", "outside"),
    [
        (Range(above=0, at_most=1), "0 < q <= 1", (1e-9, 0.5, 1), (0, 1.001, -1)),
        (Range(at_least=0, at_most=1), "0 <= q <= 1", (0, 1), (-1e-9, 1.001)),
        (Range(at_least=0, below=1), "0 <= q < 1", (0, 0.99), (-1e-9, 1)),
        (Range(above=0), "q > 0", (1e-9, 1e9), (0, -1)),
        (Range(at_least=0), "q >= 0", (0, 1e9), (-1e-9,)),
        (Range(below=0), "q < 0", (-1e-9, -1e9), (0, 1)),
        (Range(at_most=0), "q <= 0", (0, -1e9), (1e-9,)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_range(allowed, text, inside, outside):
    assert allowed.describe("q") == text
    for value in inside:
        assert allowed.check("q", value, {}) == value
    for value in (*outside, inf, -inf, nan):
        with pytest.raises(ValueError, match="q must"):
            allowed.check("q", value, {})


def test_choice():
    form = Choice(("one", "two"))
    assert form.describe("form") == "form = 'one' or 'two'"
    assert form.check("form", "two", {}) == "two"
    with pytest.raises(ValueError, match="form must be 'one' or 'two', got 'three'"):
        form.check("form", "three", {})
    with pytest.raises(TypeError, match="form must be 'one' or 'two', got an object of type list"):
        form.check("form", ["one"], {})


def test_a_range_can_depend_on_a_choice():
    alpha = RangeBy("form", {"one": Range(above=0), "two": Range(at_most=1)})
    assert alpha.describe("alpha") == "alpha > 0 if form = 'one'; alpha <= 1 if form = 'two'"
    assert alpha.check("alpha", 2, {"form": "one"}) == 2
    with pytest.raises(ValueError, match="alpha must satisfy alpha <= 1, got 2"):
        alpha.check("alpha", 2, {"form": "two"})
