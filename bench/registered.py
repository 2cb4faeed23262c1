"""The registered loss of a case, and its terms: what a sum is compared with."""

from __future__ import annotations

import inspect
from typing import Any

import torch

import noisykernels.functional as NF
from bench.cases import Case
from bench.contenders import Loss
from noisykernels import register_loss, unregister_loss
from noisykernels.modules import MODULES, RegisteredLoss
from noisykernels.registry import LOSSES
from noisykernels.terms import WeightedTerm

NOISE_RATE = 0.3
"""Of the symmetric noise whose transition matrix the corrections get."""


def parameters(case: Case) -> dict[str, Any]:
    """The parameters that are not the defaults; a matrix has none."""
    name, changed = case.function
    if not _takes_matrix(name):
        return changed
    wrong = NOISE_RATE / (case.classes - 1)
    matrix = torch.full((case.classes, case.classes), wrong).fill_diagonal_(1 - NOISE_RATE)
    return {**LOSSES[name].matrices(matrix), **changed}


def fused(case: Case) -> Loss:
    """The loss as users call it: the function, or a module, which checks a matrix only once."""
    name, changed = case.function
    if _takes_matrix(name):
        return MODULES[name](**parameters(case))
    function: Loss = getattr(NF, f"{name}_loss")
    if not changed:
        return function  # without a call in between
    return lambda logits, target: function(logits, target, **changed)


def terms(case: Case) -> dict[str, WeightedTerm]:
    """What the loss is a weighted sum of, by the names of the terms."""
    name, _ = case.function
    loss = LOSSES[name]
    signature = inspect.signature(getattr(NF, f"{name}_loss")).parameters
    defaults = {key: signature[key].default for key in loss.parameters}
    found = [term for term in loss.terms(**{**defaults, **parameters(case)}) if term.weight != 0]
    by_name = {term.name: term for term in found}
    assert len(by_name) == len(found), "terms are told apart by their names"
    return by_name


def alone(term: WeightedTerm) -> Loss:
    """The loss that is this term with weight 1, computed the way every loss is."""

    @register_loss()
    def alone_loss() -> tuple[WeightedTerm]:
        return (term._replace(weight=1.0),)

    class AloneLoss(RegisteredLoss, function=alone_loss):
        pass

    try:
        return AloneLoss()  # its plan is made here, and needs the name no more
    finally:
        unregister_loss("alone")


def _takes_matrix(name: str) -> bool:
    return bool(LOSSES[name].matrices(torch.empty(0)))
