"""The presets of the package as a loss and values of a recipe."""

from __future__ import annotations

import math

import noisykernels as nk
from bench.errors import UsageError

_DECAY = {"l2": "weight_decay", "l1": "l1"}


def find(text: str, data: str) -> tuple[str, dict[str, float]]:
    """The loss, and what it was published with.

    Args:
        text: NAME or NAME:VARIANT, as `nk.presets.get` takes them.
        data: Name of the data set.

    Raises:
        UsageError: If there is no such preset.
    """
    name, _, variant = text.partition(":")
    try:
        preset = nk.presets.get(name, data, variant)
    except ValueError as error:
        raise UsageError(f"--preset {text}: {error}") from None
    decay = {**dict.fromkeys(_DECAY.values(), 0.0), _DECAY[preset.decay_kind]: preset.weight_decay}
    return preset.loss, {"lr": preset.lr, "clip": preset.clip or math.inf, **decay}
