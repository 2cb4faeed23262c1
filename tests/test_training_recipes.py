"""Recipes: each file is what its paper says, and a mistake in one is named."""

from __future__ import annotations

import math

import pytest
import torch

from bench.errors import UsageError
from bench.models import MODELS
from bench.training import recipes
from bench.training.criteria import criterion
from bench.training.recipes import Recipe
from bench.training.sweep import candidates

PAPERS = [
    ("sce-5.1", "cifar10", {"lr": 0.01, "weight_decay": 1e-4, "epochs": 120, "model": "cnn8"}),
    ("sce-5.2", "mnist", {"lr": 0.1, "weight_decay": 5e-3, "epochs": 50, "model": "cnn4"}),
    ("sce-5.2", "cifar10", {"lr": 0.1, "weight_decay": 5e-3, "epochs": 120, "model": "cnn8"}),
    ("sce-5.2", "cifar100", {"lr": 0.1, "weight_decay": 5e-3, "epochs": 150, "model": "resnet44"}),
    ("sce-5.3", "clothing1m", {"lr": 1e-3, "weight_decay": 1e-3, "epochs": 10, "batch_size": 64}),
    ("sce-code", "cifar10", {"lr": 0.01, "weight_decay": 0.0, "lr_decay": 5e-3}),
    ("alf", "cifar10", {"lr": 0.01, "weight_decay": 1e-4, "clip": 5.0, "schedule": "cosine"}),
    ("alf", "cifar100", {"lr": 0.1, "weight_decay": 1e-5, "epochs": 200, "model": "resnet34"}),
    ("jal", "cifar10", {"l1": 5e-5, "weight_decay": 0.0}),
    ("jal", "cifar100", {"l1": 5e-6, "weight_decay": 0.0}),
    ("jal", "clothing1m", {"lr": 5e-3, "weight_decay": 1e-3, "clip": math.inf, "batch_size": 256}),
]

LOSSES = [
    ("sce-5.1", "cifar10", {"alpha": 0.1, "beta": 1.0, "A": -6.0}),
    ("sce-5.2", "mnist", {"alpha": 0.01, "beta": 1.0, "A": -4.0}),
    ("sce-5.2", "cifar10", {"alpha": 0.1, "beta": 1.0, "A": -4.0}),
    ("sce-5.2", "cifar100", {"alpha": 6.0, "beta": 0.1, "A": -4.0}),
    ("sce-code", "cifar10", {"alpha": 0.1, "beta": 1.0, "A": math.log(1e-4)}),
]


@pytest.mark.parametrize(("name", "data", "expected"), PAPERS)
def test_recipe_of_a_paper(name, data, expected):
    recipe = recipes.load(name, data, {})
    assert {key: getattr(recipe, key) for key in expected} == expected
    assert recipe.momentum == 0.9


@pytest.mark.parametrize(("name", "data", "expected"), LOSSES)
def test_loss_of_a_paper(name, data, expected):
    loss = criterion(recipes.load(name, data, {}).loss, "fused")
    assert {key: getattr(loss, key) for key in expected} == pytest.approx(expected)


def test_special_weight_decays_are_of_layers_that_exist():
    special = recipes.load("sce-code", "cifar10", {})
    names = [name for name, _ in MODELS[special.model](10).named_parameters()]
    assert [name for name in names if name.startswith("fc1")] == ["fc1.weight", "fc1.bias"]
    assert special.weight_decay_of == {"fc1": 0.02}


def recipe(**values):
    return Recipe(**{"name": "r", "source": "", "model": "mlp", "epochs": 10, "lr": 0.1} | values)


def test_step_schedule():
    rates = [
        recipe(schedule="step", milestones=[4, 8]).learning_rate(epoch, 0, 5)
        for epoch in (0, 3, 4, 7, 8, 9)
    ]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])


def test_cosine_schedule_is_that_of_torch():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10, eta_min=0.01)
    ours = recipe(schedule="cosine", lr_min=0.01)
    for epoch in range(10):
        assert ours.learning_rate(epoch, 3, 5) == pytest.approx(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()


def test_decay_of_the_learning_rate_is_that_of_keras():
    decaying = recipe(schedule="step", lr_decay=0.5)
    assert decaying.learning_rate(0, 0, 5) == 0.1
    assert decaying.learning_rate(2, 3, 5) == pytest.approx(0.1 / (1 + 0.5 * 13))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("lr = ", "is not TOML"),
        ("lr = 0.1", "is for no data, not cifar10"),
        ("[cifar100]\nlr = 0.1", "is for cifar100, not cifar10"),
        ("[cifar10]\nlr = 0.1", "lacks source, model, epochs"),
        ("learning_rate = 0.1\n[cifar10]", "there is no key learning_rate"),
        ('lr = "high"\n[cifar10]', "lr takes a number, got 'high'"),
        ('milestones = ["a"]\n[cifar10]', "milestones takes a list of whole numbers"),
        ('weight_decay_of = { a = "b" }\n[cifar10]', "weight_decay_of takes a table of numbers"),
        ("epochs = true\n[cifar10]", "epochs takes a whole number, got True"),
        ('[cifar10]\nsource=""\nmodel="vgg"\nepochs=1\nlr=1', "model takes one of mlp"),
        ('[cifar10]\nsource=""\nmodel="mlp"\nepochs=0\nlr=1', "epochs takes a number from 1"),
        ('[cifar10]\nsource=""\nmodel="mlp"\nepochs=1\nlr=nan', "lr takes a number above 0"),
    ],
)
def test_mistake_in_a_recipe_is_named(tmp_path, content, complaint):
    path = tmp_path / "mine.toml"
    path.write_text(content)
    with pytest.raises(UsageError, match=complaint):
        recipes.load(str(path), "cifar10", {})


def test_changes_come_last():
    changes = recipes.parse_changes(["lr=0.5", "schedule=step", "milestones=[1, 2]"])
    changed = recipes.load("quick", "digits", changes)
    assert (changed.lr, changed.schedule, changed.milestones) == (0.5, "step", [1, 2])
    assert changed.name == "quick, lr=0.5, schedule=step, milestones=[1, 2]"


def test_sweep_has_all_combinations():
    swept = candidates(["lr,wd"], recipe(weight_decay=0.01))
    assert [(one.lr, one.weight_decay) for one in swept] == [
        pytest.approx((lr, decay)) for lr in (0.01, 0.1, 1) for decay in (0.001, 0.01, 0.1)
    ]
    swept = candidates(["lr=0.5", "wd=0,1e-4"], recipe())
    assert [(one.lr, one.weight_decay) for one in swept] == [(0.5, 0), (0.5, 1e-4)]


@pytest.mark.parametrize(
    ("texts", "complaint"),
    [
        (["momentum"], "takes lr, wd, l1, got 'momentum'"),
        (["lr=high"], "takes NAME=NUMBER"),
        (["wd"], "the recipe's value is 0"),
        (["lr=0"], "lr takes a number above 0"),
    ],
)
def test_sweep_of_something_else_is_refused(texts, complaint):
    with pytest.raises(UsageError, match=complaint):
        candidates(texts, recipe())
