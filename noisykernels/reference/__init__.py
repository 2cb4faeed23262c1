"""Every loss in plain PyTorch, written from the formula of its paper.

The kernels are tested against this package, and it is the backend where no kernel is available. It
shares no code with them: gradients of every order come from autograd. A formula stands beside its
loss in `noisykernels.loss_functions`.

Notation: ``z`` logits, ``C`` classes, ``y`` label, ``e`` its one-hot vector, ``p = softmax(z)``.
Every function takes ``input`` of shape (C,), (N, C) or (N, C, d1, ...), ``target`` with class
indices of that shape without the class dimension, then the loss's parameters, and ``weight`` (C,),
``ignore_index`` and ``reduction`` as in :func:`torch.nn.functional.cross_entropy`. A row whose
target is ``ignore_index`` has loss 0 and gradient 0 whatever it holds. Class weights multiply a
row's whole loss by ``w_y``, but smoothed labels bring in each class's own. Half precision is
computed in, and the loss returned as, float32. A parameter that is a number may also be a tensor of
no dimension, and then gets a gradient too.

Two things differ from most published code. Nothing is clamped, but where a paper has it in the
formula: a clamp zeroes the gradient of exactly the rows that are most wrong. And ``p_y``,
``1 - p_y`` and their gradients keep their relative accuracy at both ends, so a float64 result can
serve as the truth at any margin.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    def __getattr__(name: str) -> Callable[..., Tensor]:
        """`<name>_loss` of a registered loss."""


__all__: list[str] = []
"""Each loss adds its own, see `noisykernels.loss_functions`."""
