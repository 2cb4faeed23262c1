"""Recipes: everything of a run but data, labels, loss and seed, each in a file beside this one.

A file holds the keys of `Recipe`, and a table for each data set it is for, whose keys come first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import tomllib

from bench.errors import UsageError
from bench.models import MODELS

FOLDER = Path(__file__).parent

CHOICES = {"model": tuple(MODELS), "schedule": ("step", "cosine"), "crop": ("center", "random")}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train; the optimizer is SGD."""

    name: str
    source: str
    """Where the recipe is from, and how it differs from there."""
    model: str
    epochs: int
    batch_size: int = 128
    """Over all processes."""
    lr: float
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0
    weight_decay_of: Mapping[str, float] = field(default_factory=dict)
    """Another weight decay for the parameters whose names begin so."""
    l1: float = 0.0
    """Weight of the sum of all absolute parameters, which is a part of the loss."""
    clip: float = math.inf
    """Bound of the gradient's norm."""
    schedule: str = "cosine"
    milestones: Sequence[int] = ()
    """Epochs before which the step schedule divides the learning rate by 10."""
    lr_min: float = 0.0
    """Where the cosine schedule ends."""
    lr_decay: float = 0.0
    """The learning rate at step n is divided by 1 + lr_decay * n as well, as Keras' decay does."""
    crop: str = "center"
    """Where a large photo is cut in training: "center", or "random", which also flips."""
    padding: int = 0
    """Pixels that a random crop can shift the image by."""
    flip: bool = False
    rotation: float = 0.0
    """Degrees that a random rotation can reach."""
    loss: str = ""
    """The loss, unless another one is asked for."""

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            self._require(name, getattr(self, name) in choices, f"one of {', '.join(choices)}")
        for name in ("epochs", "batch_size"):
            self._require(name, getattr(self, name) >= 1, "a number from 1")
        for name in ("lr", "clip"):
            self._require(name, getattr(self, name) > 0, "a number above 0")
        for name in ("momentum", "weight_decay", "l1", "lr_min", "lr_decay", "padding", "rotation"):
            self._require(name, 0 <= getattr(self, name) < math.inf, "a number from 0")

    def learning_rate(self, epoch: int, step: int, steps: int) -> float:
        """The learning rate at ``step`` of the ``steps`` steps of ``epoch``, all from 0."""
        if self.schedule == "cosine":
            share = (1 + math.cos(math.pi * epoch / self.epochs)) / 2
            rate = self.lr_min + (self.lr - self.lr_min) * share
        else:
            rate = self.lr * 0.1 ** sum(epoch >= milestone for milestone in self.milestones)
        return rate / (1 + self.lr_decay * (epoch * steps + step))

    def _require(self, name: str, right: bool, takes: str) -> None:
        if not right:
            raise UsageError(f"recipe {self.name}: {name} takes {takes}, got {getattr(self, name)}")


def names() -> list[str]:
    """The recipes that are here."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str, data: str, changes: Mapping[str, Any]) -> Recipe:
    """The recipe for a data set.

    Args:
        name: A name of `names`, or the path of a file of your own.
        data: Name of the data set.
        changes: Values that replace those of the file; the recipe's name then says so.
    """
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(names())
        raise UsageError(f"there is no recipe {name}; there are {known}, or FILE.toml") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"recipe {path} is not TOML: {error}") from None
    general = {key: value for key, value in content.items() if not _is_data(key, value)}
    special = {key: value for key, value in content.items() if _is_data(key, value)}
    if data not in special:
        raise UsageError(f"recipe {path.stem} is for {', '.join(special) or 'no data'}, not {data}")
    return _recipe({**general, **special[data], **changes, "name": _name(path.stem, changes)})


def changed(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """The recipe with other values, and a name that says so."""
    return replace(recipe, name=_name(recipe.name, changes), **changes)


def parse_changes(texts: list[str]) -> dict[str, Any]:
    """Values from KEY=VALUE, the value as in TOML or a bare word."""
    changes: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--set takes KEY=VALUE, got {text!r}")
        try:
            changes[key] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            changes[key] = value
    return changes


def _name(name: str, changes: Mapping[str, Any]) -> str:
    texts = {k: f"{v:g}" if isinstance(v, float) else str(v) for k, v in changes.items()}
    return ", ".join([name, *(f"{key}={text}" for key, text in texts.items())])


def _is_data(key: str, value: Any) -> bool:
    return isinstance(value, dict) and key not in _KINDS


def _recipe(values: Mapping[str, Any]) -> Recipe:
    name = values["name"]
    for key, value in values.items():
        if key not in _KINDS:
            known = ", ".join(_KINDS)
            raise UsageError(f"recipe {name}: there is no key {key}; there are {known}")
        fits, takes = _KINDS[key]
        if not fits(value):
            raise UsageError(f"recipe {name}: {key} takes {takes}, got {value!r}")
    required = [entry.name for entry in fields(Recipe) if _has_no_default(entry)]
    if missing := [key for key in required if key not in values]:
        raise UsageError(f"recipe {name} lacks {', '.join(missing)}")
    return Recipe(**values)


def _has_no_default(entry: Field[Any]) -> bool:
    return entry.default is MISSING and entry.default_factory is MISSING


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_TYPES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "str": (lambda value: isinstance(value, str), "text"),
    "int": (_is_whole, "a whole number"),
    "float": (_is_number, "a number"),
    "bool": (lambda value: isinstance(value, bool), "true or false"),
    "Sequence[int]": (
        lambda value: isinstance(value, list) and all(map(_is_whole, value)),
        "a list of whole numbers",
    ),
    "Mapping[str, float]": (
        lambda value: isinstance(value, dict) and all(map(_is_number, value.values())),
        "a table of numbers",
    ),
}

_KINDS = {entry.name: _TYPES[str(entry.type)] for entry in fields(Recipe)}
"""What a file can have for each key, and how to say so."""
