"""Learning rate and weight decay chosen on held-out noisy labels, the same way for every loss.

A ranking of losses at one weight decay can be one of how well it suits them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from bench.errors import UsageError
from bench.training.recipes import Recipe, changed

KEYS = {"lr": "lr", "wd": "weight_decay", "l1": "l1"}
"""What can be swept, by the name of the option."""

FACTORS = (0.1, 1.0, 10.0)
"""Of the recipe's value, where no values are given."""

HELD_OUT = 0.1
"""Share of the training images on which the values are compared."""


def candidates(texts: Sequence[str], recipe: Recipe) -> list[Recipe]:
    """The recipe with each combination of values.

    Args:
        texts: Each "lr,wd" or "lr=0.1,0.01".
        recipe: Its values are multiplied by `FACTORS` where a text gives none.
    """
    axes: dict[str, list[float]] = {}
    for text in texts:
        names, equals, values = text.partition("=")
        for name in names.split(","):
            if name not in KEYS:
                raise UsageError(f"--sweep takes {', '.join(KEYS)}, got {name!r}")
            own = getattr(recipe, KEYS[name])
            if not equals and not own:
                raise UsageError(f"--sweep {name}: the recipe's value is 0, so give values")
            axes[KEYS[name]] = _numbers(text, values) if equals else _around(own)
    return [
        changed(recipe, dict(zip(axes, values, strict=True))) for values in product(*axes.values())
    ]


def _around(value: float) -> list[float]:
    return [float(f"{factor * value:.6g}") for factor in FACTORS]  # 0.005, not 0.005000000000000001


def _numbers(text: str, values: str) -> list[float]:
    try:
        return [float(value) for value in values.split(",")]
    except ValueError:
        raise UsageError(f"--sweep takes NAME=NUMBER,NUMBER, got {text!r}") from None
