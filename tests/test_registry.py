"""The registry agrees with everything that follows it, and ranges say and do the same."""

from __future__ import annotations

import inspect
import pickle
import re
from math import inf, nan

import pytest
import torch

import noisykernels as nk
from noisykernels import functional, reference
from noisykernels.modules import MODULES
from noisykernels.registry import LOSSES, Choice, Flag, Integer, Matrix, Range, RangeBy
from noisykernels.terms import TERMS

OF_A_CALL = {"input", "target", "sample_weight", "return_stats"}
OPTIONS = {"sample_weight", "return_stats", "published"}
SHARED = {"weight", "ignore_index", "reduction", "published"} | OF_A_CALL


def signature(module: object, name: str) -> inspect.Signature:
    return inspect.signature(getattr(module, f"{name}_loss"))


def defaults(name: str) -> dict[str, object]:
    """Of the function, with the identity for a matrix, which has no default."""
    parameters = signature(functional, name).parameters
    return {
        parameter: torch.eye(2) if isinstance(domain, Matrix) else parameters[parameter].default
        for parameter, domain in LOSSES[name].parameters.items()
    }


def test_every_loss_has_a_function_a_reference_and_a_module_and_nothing_else_does():
    names = set(nk.losses())
    functions = {f"{name}_loss" for name in names}
    assert set(functional.__all__) == set(dir(functional)) == functions
    assert set(reference.__all__) == functions
    assert set(MODULES) == names
    assert {cls.__name__ for cls in MODULES.values()} <= set(nk.__all__) == set(dir(nk))


@pytest.mark.parametrize("name", nk.losses())
def test_all_of_a_loss_can_be_pickled_and_found_again(name):
    module, function = MODULES[name], f"{name}_loss"
    assert getattr(nk, module.__name__) is module
    for part in (module, getattr(functional, function), getattr(reference, function)):
        assert pickle.loads(pickle.dumps(part)) is part


@pytest.mark.parametrize("name", nk.losses())
def test_signatures_agree(name):
    parameters = signature(functional, name).parameters
    assert list(signature(reference, name).parameters.values()) == [
        p for p in parameters.values() if p.name not in OPTIONS
    ]
    assert list(inspect.signature(MODULES[name]).parameters.values()) == [
        p for p in parameters.values() if p.name not in OF_A_CALL
    ]
    assert list(LOSSES[name].parameters) == [p for p in parameters if p not in SHARED]


@pytest.mark.parametrize("name", nk.losses())
def test_defaults_are_allowed_and_give_known_terms(name):
    given = defaults(name)
    checked = LOSSES[name].check(given)
    assert all(checked[key] is value or checked[key] == value for key, value in given.items())
    assert {term.name for term in LOSSES[name].terms(**checked)} <= set(TERMS)


@pytest.mark.parametrize("name", nk.losses())
def test_facts_are_complete(name):
    loss = LOSSES[name]
    assert all((loss.title, loss.formula, loss.symmetric, loss.bounded))
    assert re.search(r"arXiv:\d{4}\.\d{4,5}|(19|20)\d\d, .+, \w+$", loss.source)


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


def test_integer():
    order = Integer(1, 16)
    assert order.describe("order") == "order = a whole number from 1 to 16"
    assert [order.check("order", value, {}) for value in (1, 16, 3.0)] == [1, 16, 3]
    for value in (0, 17, 2.5):
        with pytest.raises(ValueError, match=f"order must be a whole number .* got {value}"):
            order.check("order", value, {})
    with pytest.raises(TypeError, match="order must be a real number, got True"):
        order.check("order", True, {})


def test_flag():
    assert Flag().describe("detach") == "detach = True or False"
    assert Flag().check("detach", True, {}) is True
    for value in (1, "yes", None):
        with pytest.raises(TypeError, match="detach must be True or False, got"):
            Flag().check("detach", value, {})


def test_matrix():
    T = torch.tensor([[0.9, 0.1], [0.3, 0.7]])
    for matrix in (Matrix(), Matrix(invertible=True)):
        assert matrix.check("T", T, {}) is T
        assert matrix.check("T", T + 4e-5, {}) is not T  # estimates are printed rounded
    assert Matrix(invertible=True).describe("T") == "T of shape (C, C), rows sum to 1, invertible"


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ([[1.0]], TypeError, "T must be a tensor, got an object of type list"),
        (torch.eye(2).long(), TypeError, "T must be .*float32.*, got a int64 tensor"),
        (torch.eye(2)[0], ValueError, r"T must have shape \(C, C\), got shape \(2,\)"),
        (torch.eye(3)[:2], ValueError, r"T must have shape \(C, C\), got shape \(2, 3\)"),
        (torch.eye(2) * nan, ValueError, "T must hold finite numbers"),
        (torch.tensor([[1.5, -0.5], [0, 1]]), ValueError, "T must hold probabilities, got -0.5"),
        (torch.tensor([[1, 0], [0.5, 0.4]]), ValueError, "rows that sum to 1, got 0.9 in row 1"),
        (torch.full((2, 2), 0.5), ValueError, "T must be invertible, .* below 1e.06, got inf"),
        (
            torch.tensor([[0.5, 0.5], [0.5 + 1e-7, 0.5 - 1e-7]]).double(),
            ValueError,
            "T must be invertible, with a condition number",
        ),
        (torch.eye(2, requires_grad=True), RuntimeError, r"T must not require grad: .* T.detach"),
    ],
)
def test_matrices_that_are_refused(value, error, message):
    with pytest.raises(error, match=message):
        Matrix(invertible=True).check("T", value, {})
