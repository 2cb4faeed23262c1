"""What a preset holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from noisykernels import expression
from noisykernels.modules import Loss


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A loss and the training it was published with: SGD with momentum 0.9, step sizes apart."""

    name: str
    """Short name of the loss."""
    dataset: str
    variant: str = ""
    """The kind of noise, where the numbers depend on it."""
    loss: str
    """The loss as `noisykernels.loss` takes it."""
    lr: float
    """The learning rate at the start."""
    weight_decay: float
    decay_kind: str
    """l2, which optimizers call weight decay, or l1, the norm of all weights added to the loss."""
    clip: float | None
    """Largest norm of the gradient of all weights."""
    epochs: int
    source: str

    def criterion(self, **options: Any) -> Loss:
        """The loss as a module.

        Args:
            options: weight, ignore_index and reduction, as `noisykernels.loss` takes them.

        Returns:
            The module.

        Example:
            >>> import noisykernels as nk
            >>> nk.presets.get("jal_ce", "cifar10").criterion()
            JALCELoss(alpha=1.0, beta=1.0, a=30.0)
        """
        return expression.loss(self.loss, **options)
