"""Presets: every one is a loss that can be made, and says where it is from."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

import noisykernels as nk
from noisykernels.presets import Preset, available, get

LOGITS, TARGET = torch.linspace(-2, 2, 40).reshape(4, 10), torch.tensor([0, 9, 3, 3])


@pytest.mark.parametrize("preset", available(), ids=lambda p: f"{p.name}-{p.dataset}-{p.variant}")
def test_preset_is_complete(preset):
    assert get(preset.name, preset.dataset, preset.variant) is preset
    assert preset.criterion()(LOGITS, TARGET).isfinite()
    assert preset.name in preset.loss
    assert preset.lr > 0
    assert preset.weight_decay > 0
    assert preset.decay_kind in ("l1", "l2")
    assert preset.clip is None or preset.clip > 0
    assert preset.source


def test_no_two_presets_have_the_same_place():
    places = [(preset.name, preset.dataset, preset.variant) for preset in available()]
    assert len(set(places)) == len(places)


def test_options_reach_the_loss():
    criterion = get("jal_ce", "cifar10").criterion(reduction="none", ignore_index=3)
    assert isinstance(criterion, nk.JALCELoss)
    assert (criterion(LOGITS, TARGET) == 0).tolist() == [False, False, True, True]


def test_asymmetric_noise_has_weights_of_its_own():
    assert get("sce", "cifar10", "asymmetric 0.4").criterion().beta == 5
    assert get("sce", "cifar100", "asymmetric 0.4").criterion().alpha == 2
    assert math.isclose(get("sce", "cifar10").criterion().A, math.log(1e-4), abs_tol=1e-4)


def test_mae_of_the_published_code_is_one_minus_p():
    preset = get("eps_softmax_ce", "cifar10", "symmetric")
    expected = 0.01 * nk.EpsSoftmaxCELoss(m=1e5) + 5 * nk.GCELoss(q=1.0)
    torch.testing.assert_close(preset.criterion()(LOGITS, TARGET), expected(LOGITS, TARGET))


def test_a_preset_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        get("gce", "cifar10").lr = 1.0
    assert isinstance(dataclasses.replace(get("gce", "cifar10"), lr=1.0), Preset)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (("dice", "cifar10"), "name must be 'ce', .* got 'dice'"),
        (("jal_ce", "mnist"), "dataset must be 'cifar10', .* for jal_ce, got 'mnist'"),
        (("sce", "cifar10", "pairs"), "variant must be '' or 'asym.* for sce on cifar10, got 'p"),
        (("eps_softmax_ce", "cifar10"), "variant must be 'symmetric', .* got ''"),
    ],
)
def test_what_is_not_there_is_named(place, message):
    with pytest.raises(ValueError, match=message):
        get(*place)
