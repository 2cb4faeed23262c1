"""The authors' code, as the benchmark has it, beside this package's `published=True`."""

from __future__ import annotations

import inspect
from functools import partial

import pytest
import torch
from reference_cases import batch, transition_matrix, value_and_grad

import noisykernels.functional as NF
from bench.published import PUBLISHED, published
from noisykernels import published as published_here
from noisykernels import reference
from noisykernels.registry import LOSSES

CLASSES = 5
FACTORS = {"mae": 2.0}
"""What the loss is of the code's, where that has another factor."""


def of_package(name):
    """The loss with the code's clamps, if it has any."""
    matrices = LOSSES[name].matrices(transition_matrix(CLASSES))
    if hasattr(published_here, f"{name}_loss"):
        function = getattr(NF, f"{name}_loss")
        return lambda logits, target: function(logits, target, **matrices, published=True)
    function = getattr(reference, f"{name}_loss")
    return lambda logits, target: function(logits, target, **matrices)


def test_code_that_differs_is_here():
    assert {name.removesuffix("_loss") for name in published_here.__all__} <= set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_those_of_the_loss(name):
    _, _, *parameters = inspect.signature(PUBLISHED[name]).parameters
    assert parameters == list(LOSSES[name].parameters)


@pytest.mark.parametrize("scale", [0.5, 10.0], ids=["moderate", "clamped"])
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_code_computes_the_loss(name, scale):
    logits, target = batch(64, CLASSES, dtype=torch.float64)
    matrices = LOSSES[name].matrices(transition_matrix(CLASSES))
    expected = value_and_grad(of_package(name), scale * logits, target)
    for code in (published(name, **matrices), partial(PUBLISHED[name], **matrices)):
        found = value_and_grad(code, scale * logits, target)
        for ours, theirs in zip(expected, found, strict=True):
            torch.testing.assert_close(FACTORS.get(name, 1.0) * theirs, ours, rtol=1e-6, atol=1e-9)
