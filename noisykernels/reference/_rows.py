"""What the formulas are written in: rows of logits, their labels, and accurate statistics of both.

``log p``, ``p`` and ``1 - p`` of every class, and their gradients, keep their relative accuracy
whether the probability is next to 0 or next to 1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


class Rows:
    """Logits ``z`` (N, C, ...), labels ``y`` (N, 1, ...), and the class weights of both."""

    def __init__(self, z: Tensor, y: Tensor, class_weight: Tensor, label_weight: Tensor) -> None:
        self.z = z
        self.y = y
        self.class_weight = class_weight
        self.label_weight = label_weight
        self._log_p: Tensor | None = None

    @property
    def classes(self) -> int:
        """C."""
        return self.z.shape[1]

    @property
    def log_p(self) -> Tensor:
        """The logarithm of the softmax, computed once."""
        if self._log_p is None:  # not a cached_property: torch.compile does not know its lock
            self._log_p = log_softmax(self.z)
        return self._log_p

    @property
    def p(self) -> Tensor:
        """The softmax."""
        return self.log_p.exp()

    @property
    def log_p_y(self) -> Tensor:
        """The label's log probability."""
        return self.at_label(self.log_p)

    @property
    def p_y(self) -> Tensor:
        """The label's probability."""
        return self.log_p_y.exp()

    @property
    def miss(self) -> Tensor:
        """``1 - p_y``."""
        return one_minus_exp(self.log_p_y)

    @property
    def log_miss(self) -> Tensor:
        """``log(1 - p_y)``, from the other classes: its slope is finite where ``1 - p_y`` is 0."""
        others = self.log_p.scatter(1, self.y, -math.inf)
        # logsumexp of nothing but -inf has no gradient; of the smallest numbers it has.
        return finite(others).logsumexp(1, keepdim=True)

    @property
    def one_hot(self) -> Tensor:
        """``e``, 1 at the label and 0 elsewhere."""
        return torch.zeros_like(self.z).scatter(1, self.y, 1.0)

    def at_label(self, values: Tensor) -> Tensor:
        """The label's entry of (N, C, ...) values."""
        return values.gather(1, self.y)

    def sum_of_others(self, values: Tensor) -> Tensor:
        """The sum of (N, C, ...) values over all classes but the label."""
        return values.scatter(1, self.y, 0.0).sum(1, keepdim=True)


def is_zero(factor: float | Tensor) -> bool:
    """Whether a factor is the number 0; a tensor never is, it may change, be learned or traced."""
    return not isinstance(factor, Tensor) and factor == 0


def leader(z: Tensor) -> Tensor:
    """The index (N, 1, ...) of the largest logit, the first of several."""
    return z.argmax(1, keepdim=True)


def log_softmax(z: Tensor) -> Tensor:
    """``log p`` relative to the leading class, whose ``log p`` is ``-log(1 + sum of the others)``.

    ``torch.log_softmax`` rounds the ``log p`` of a confident class to 0, and its backward computes
    1 - 1 there. Here the difference at the leader is a constant 0, not z - z: so its gradient is
    the sum of what the other classes get, in which nothing cancels.
    """
    first = leader(z)
    top = z.gather(1, first)
    # inf - inf: rows that hold inf, or -inf alone, become NaN as in torch.
    top = top + (top - top).detach()
    below = (z - top).scatter(1, first, 0.0)
    others = below.exp().scatter(1, first, 0.0).sum(1, keepdim=True)
    return below - torch.log1p(others)


def one_minus_exp(x: Tensor) -> Tensor:
    """``1 - e^x`` for ``x <= 0``, neither the value nor the slope ``-e^x`` from a cancellation.

    Autograd's slope of ``expm1`` is ``expm1(x) + 1``, which rounds to 0 for very negative ``x``.
    """
    return torch.where(x > -math.log(2), -torch.expm1(x), 1 - torch.exp(x))


def finite(x: Tensor) -> Tensor:
    """``x`` with the smallest number for the -inf of a masked class: 0 times it is 0, not NaN."""
    return x.clamp_min(torch.finfo(x.dtype).min)


def times(q: float | Tensor, x: Tensor) -> Tensor:
    """``q x``; if ``q`` learns, its gradient too is finite where a class is masked."""
    return q * (finite(x) if isinstance(q, Tensor) else x)


def unhinged(rows: Rows) -> Tensor:
    """``mean_k z_k - z_y``, as a mean of differences so that a common offset drops out first."""
    return (rows.z - rows.at_label(rows.z)).mean(1, keepdim=True)
