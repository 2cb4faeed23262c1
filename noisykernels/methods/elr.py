"""Early-learning regularization."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from noisykernels import backends, validation
from noisykernels.autograd import fused_loss
from noisykernels.ops import REDUCTIONS, pack
from noisykernels.terms import WeightedTerm

LOWEST = 1e-4
"""What the published code clamps probabilities to before they enter a target."""


class ELR(nn.Module):
    """Cross entropy held back by what the model believed earlier.

    Each training sample i has a target t_i, a running mean of the model's predictions, and

        loss = -log p_y + strength * log(1 - <t_i, p>),        t_i <- beta t_i + (1 - beta) p,

    where the target is updated before it is used and has no gradient. Both parts are one kernel.

    Args:
        num_samples: Training samples N; the targets are an (N, C) float32 buffer in `state_dict`.
        num_classes: Classes C, at least 2.
        strength: Weight of the regularizer, lambda in the paper, >= 0: 3 for CIFAR-10, 7 for
            CIFAR-100.
        beta: Share of the target that an update keeps, 0 <= beta < 1: 0.7 for CIFAR-10 with
            symmetric noise, 0.9 elsewhere.
        reduction: "none", "mean" or "sum".

    Source:
        Liu et al. 2020, arXiv:2007.00151. As in its code, probabilities are clamped to 1e-4 and
        normalized before they enter a target; in the loss itself nothing is clamped.

    Example:
        >>> criterion = ELR(num_samples=1000, num_classes=10)
        >>> logits, target = torch.zeros(2, 10), torch.tensor([3, 7])
        >>> criterion(logits, target, index=torch.tensor([17, 5]))
        tensor(2.2112)
    """

    targets: Tensor

    def __init__(
        self,
        num_samples: int,
        num_classes: int,
        *,
        strength: float = 3.0,
        beta: float = 0.7,
        reduction: str = "mean",
    ) -> None:
        """Check the arguments and start with targets of zero."""
        super().__init__()
        sizes = {"num_samples": (num_samples, 1), "num_classes": (num_classes, 2)}
        for name, (size, least) in sizes.items():
            if validation.integer(name, size) < least:
                raise ValueError(f"{name} must be at least {least}, got {size}")
        self.strength = validation.number("strength", strength)
        self.beta = validation.number("beta", beta)
        if self.strength < 0:
            raise ValueError(f"strength must satisfy strength >= 0, got {strength!r}")
        if not 0 <= self.beta < 1:
            raise ValueError(f"beta must satisfy 0 <= beta < 1, got {beta!r}")
        self._reduction = validation.reduction_code(reduction)
        self.register_buffer("targets", torch.zeros(num_samples, num_classes))

    def forward(self, input: Tensor, target: Tensor, index: Tensor) -> Tensor:
        """The loss of logits (N, C) for class indices (N,) of the training samples `index` (N,)."""
        validation.check_tensors(input, target, None)
        samples, classes = self.targets.shape
        if input.dim() != 2 or input.shape[1] != classes:
            raise ValueError(f"input must have shape (N, {classes}), got {tuple(input.shape)}")
        if index.shape != target.shape:
            raise ValueError(
                f"index must have the shape of target, {tuple(target.shape)}, got "
                f"{tuple(index.shape)}"
            )
        if index.is_cpu and len(index) and not 0 <= index.min() <= index.max() < samples:
            raise IndexError(f"index must be in [0, {samples}), got {index.tolist()}")
        targets = self._updated(input, index)
        backend = backends.choose(input.device.type)
        if backend == backends.REFERENCE:
            return self._reference(input, target, targets)
        terms = [WeightedTerm("ce", 1.0), WeightedTerm("elr", self.strength, vectors=targets)]
        loss, _ = fused_loss(
            input, target, None, targets, *pack(terms), -100, self._reduction, False, backend
        )
        return loss

    def extra_repr(self) -> str:
        """The sizes and parameters."""
        samples, classes = self.targets.shape
        return (
            f"num_samples={samples}, num_classes={classes}, strength={self.strength}, "
            f"beta={self.beta}"
        )

    @torch.no_grad()
    def _updated(self, input: Tensor, index: Tensor) -> Tensor:
        p = input.to(self.targets.dtype).softmax(1).clamp(LOWEST, 1 - LOWEST)
        targets = self.beta * self.targets[index] + (1 - self.beta) * p / p.sum(1, keepdim=True)
        self.targets[index] = targets
        return targets

    def _reference(self, input: Tensor, target: Tensor, targets: Tensor) -> Tensor:
        log_p = input.to(torch.promote_types(input.dtype, torch.float32)).log_softmax(1)
        kept = target != -100
        label = log_p.gather(1, torch.where(kept, target, 0).long().unsqueeze(1)).squeeze(1)
        regularizer = torch.log(((1 - targets) * log_p.exp()).sum(1))
        losses = torch.where(kept, -label + self.strength * regularizer, 0.0)
        if self._reduction == REDUCTIONS["none"]:
            return losses
        return losses.sum() / kept.sum() if self._reduction == REDUCTIONS["mean"] else losses.sum()
