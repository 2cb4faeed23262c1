"""Rows of logits in numpy's longdouble, and losses with the scales that errors are measured by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Array = np.ndarray


class Exact:
    """The losses of rows, the gradients of their rows, and the scales of both.

    The scale of a row is the largest of the numbers that the formula adds up: the loss, or the
    row's largest gradient, where it does not subtract.
    """

    __array_ufunc__ = None  # weight * exact is ours, not numpy's to distribute

    def __init__(
        self,
        value: Array,
        gradient: Array,
        value_parts: Sequence[Array] = (),
        gradient_parts: Sequence[Array] = (),
    ) -> None:
        self.value = value
        self.gradient = gradient
        self.value_scale = _largest(np.stack([value, *value_parts], -1))
        self.gradient_scale = _largest(
            np.concatenate(
                [np.broadcast_to(g, gradient.shape) for g in (gradient, *gradient_parts)], -1
            )
        )

    def __radd__(self, other: int) -> Exact:
        """Let sum() start from 0."""
        return self

    def __add__(self, other: Exact) -> Exact:
        result = Exact(self.value + other.value, self.gradient + other.gradient)
        result.value_scale = self.value_scale + other.value_scale
        result.gradient_scale = self.gradient_scale + other.gradient_scale
        return result

    def __rmul__(self, factor: float | Array) -> Exact:
        """Times a number, or one number for each row."""
        per_row = np.broadcast_to(np.asarray(factor, np.longdouble), self.value.shape)
        result = Exact(per_row * self.value, per_row[:, None] * self.gradient)
        result.value_scale = abs(per_row) * self.value_scale
        result.gradient_scale = abs(per_row) * self.gradient_scale
        return result


def weighted_sum(*parts: tuple[float | Array, Exact]) -> Exact:
    """A part of weight zero is left out: 0 times an infinite loss is no number."""
    return sum(weight * part for weight, part in parts if np.any(weight != 0))


class Rows:
    """Statistics of rows, the leading class kept apart from the others where it would hide them."""

    def __init__(self, logits: Array, labels: Array, weight: Array | None = None) -> None:
        self.x = logits.astype(np.longdouble)
        self.y = labels
        self.classes = logits.shape[1]
        self.weight = np.ones(self.classes, np.longdouble) if weight is None else weight
        self.label_weight = self.weight[labels]
        self.is_label = np.arange(self.classes) == labels[:, None]
        self.leader = self.x.argmax(1)
        self.is_leader = np.arange(self.classes) == self.leader[:, None]
        below = self.x.max(1, keepdims=True) - self.x
        e = np.exp(-below)
        rest = np.where(self.is_leader, 0, e).sum(1, keepdims=True)
        self.minus_log_p = below + np.log1p(rest)  # two numbers that are not negative
        self.p = e / (1 + rest)
        self.one_minus_p = np.where(self.is_leader, rest / (1 + rest), 1 - self.p)
        self.x_y = self.at_label(self.x)
        self.log_p_y = -self.at_label(self.minus_log_p)
        self.p_y = self.at_label(self.p)
        self.miss = self.at_label(self.one_minus_p)
        self.p_minus_onehot = self.p_minus(self.is_label)

    def at_label(self, values: Array) -> Array:
        return values[np.arange(len(values)), self.y]

    def p_minus(self, chosen: Array) -> Array:
        """p - e_k of the chosen class k of each row."""
        return np.where(chosen, -self.one_minus_p, self.p)

    def sum_others(self, values: Array) -> Array:
        """Over all classes but the label, (N,)."""
        return np.where(self.is_label, 0, values).sum(1)

    def sum_except(self, values: Array) -> Array:
        """Over all classes but each in turn, (N, C), of values that are largest at the leader."""
        rest = np.where(self.is_leader, 0, values).sum(1, keepdims=True)
        top = np.where(self.is_leader, values, 0).sum(1, keepdims=True)
        return np.where(self.is_leader, rest, top + (rest - values))


def _largest(parts: Array) -> Array:
    """The largest magnitude of the finite numbers in each row."""
    return np.where(np.isfinite(parts), abs(parts), 0).max(-1)
