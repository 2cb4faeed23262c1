"""Published hyperparameters: a loss for a data set, and how the model was trained with it.

The numbers are those of the authors' configuration files. A loss works with the learning rate, the
weight decay and the gradient clipping it was tuned with, so they come together.
"""

from __future__ import annotations

from noisykernels import validation
from noisykernels.presets.preset import Preset
from noisykernels.presets.published import PUBLISHED

__all__ = ["Preset", "available", "get"]

_PRESETS = {(preset.name, preset.dataset, preset.variant): preset for preset in PUBLISHED}


def available() -> list[Preset]:
    """All presets.

    Example:
        >>> [preset.dataset for preset in available() if preset.name == "jal_fl"]
        ['cifar10', 'cifar100', 'webvision', 'clothing1m']
    """
    return list(_PRESETS.values())


def get(name: str, dataset: str, variant: str = "") -> Preset:
    """The published hyperparameters of a loss for a data set.

    Args:
        name: Short name of a loss.
        dataset: "mnist", "cifar10", "cifar100", "webvision" or "clothing1m".
        variant: The kind of noise where the numbers depend on it, as in "asymmetric 0.4" for "sce".

    Returns:
        The preset.

    Raises:
        ValueError: If there is none, with those that there are.

    Example:
        >>> preset = get("jal_ce", "cifar100")
        >>> preset.loss, preset.weight_decay, preset.decay_kind
        ('jal_ce(alpha=5, beta=1, a=20)', 5e-06, 'l1')
    """
    if (name, dataset, variant) in _PRESETS:
        return _PRESETS[name, dataset, variant]
    asked: dict[str, str] = {}
    for field, value in {"name": name, "dataset": dataset, "variant": variant}.items():
        known = {
            getattr(preset, field): None
            for preset in PUBLISHED
            if all(getattr(preset, key) == before for key, before in asked.items())
        }
        if value not in known:
            of = f" for {' on '.join(asked.values())}" if asked else ""
            raise ValueError(f"{field} must be {validation.choices(known)}{of}, got {value!r}")
        asked[field] = value
    raise AssertionError("a preset whose every field is known is known")
