"""One training step, with marks between the network and the loss."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from bench.contenders import Loss

Forward = Callable[[Tensor], Tensor]


def take_step(
    forward: Forward,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    *,
    mark: Callable[[], None],
    precision: AbstractContextManager[object],
    bound: Callable[[], None] = lambda: None,
) -> tuple[Tensor, Tensor]:
    """Forward, backward and update.

    The loss gets a copy of the logits without history, and the network's backward begins with the
    copy's gradient: the same numbers, and the loss's own backward can be told from the network's.

    Args:
        forward: The network.
        loss: What to minimize.
        optimizer: Of the network's parameters.
        images: A batch.
        labels: Its labels.
        mark: Called at the beginning, before and after the loss, and at the end.
        precision: What network and loss are computed under.
        bound: Called between backward and update.

    Returns:
        The loss and the logits, without history.
    """
    mark()
    with precision:
        logits = forward(images)
        end = logits.detach().requires_grad_()
        mark()
        value = loss(end, labels)
    value.backward()
    mark()
    optimizer.zero_grad()
    logits.backward(end.grad)
    bound()
    optimizer.step()
    mark()
    return value.detach(), end.detach()
