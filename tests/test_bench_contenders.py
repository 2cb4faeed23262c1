"""The rivals compute the losses: tidy eager formulas beside the reference."""

from __future__ import annotations

import inspect

import pytest
import torch
from reference_cases import all_cases, batch, value_and_grad

import noisykernels.functional as NF
from bench.contenders import FORMULAS, compiled, tidy
from noisykernels.registry import LOSSES

CLASSES = 5


def test_every_loss_has_a_formula():
    assert set(FORMULAS) == set(LOSSES)


@pytest.mark.parametrize("name", FORMULAS)
def test_parameters_are_those_of_the_fused_function(name):
    fused = inspect.signature(getattr(NF, f"{name}_loss")).parameters
    _, _, *parameters = inspect.signature(FORMULAS[name]).parameters.values()
    assert {p.name: p.default for p in parameters} == {
        parameter: fused[parameter].default for parameter in LOSSES[name].parameters
    }


@all_cases
def test_tidy_formula_is_the_loss(case):
    logits, target = batch(64, CLASSES)
    formula = tidy(case.name, **case.parameters(CLASSES))
    for found, expected in zip(
        value_and_grad(formula, logits, target), value_and_grad(case, logits, target), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", FORMULAS)
def test_tidy_formulas_take_half_precision(name):
    logits, target = batch(64, CLASSES, dtype=torch.bfloat16)
    formula = tidy(name, **LOSSES[name].matrices(torch.eye(CLASSES)))
    _, gradient = value_and_grad(formula, logits / 8, target)
    assert gradient.dtype == torch.bfloat16
    assert gradient.isfinite().all()


def test_compiled_contenders_share_no_cache(monkeypatch):
    """Two parameters of one loss are two graphs, each with its number as a constant."""
    graphs = []

    def backend(graph, inputs):
        graphs.append((graph.code, [tuple(value.shape) for value in inputs]))
        return graph.forward

    compile_ = torch.compile
    monkeypatch.setattr(
        torch, "compile", lambda fn, dynamic: compile_(fn, dynamic=dynamic, backend=backend)
    )
    target = torch.tensor([0, 1, 2])
    for q in (0.3, 0.7):
        for classes in (4, 5):
            logits = torch.randn(3, classes)
            loss = tidy("gce", q=q)
            torch.testing.assert_close(compiled(loss)(logits, target), loss(logits, target))
    assert [inputs for _, inputs in graphs] == 2 * [[(3, 4), (3,)], [(3, 5), (3,)]]
    assert [("0.3" in code, "0.7" in code) for code, _ in graphs] == 2 * [(True, False)] + 2 * [
        (False, True)
    ]
