"""What each loss and its gradient are, with more digits than any kernel has.

There are two oracles, written from the papers and independent of the package and of each other.
`exact` computes batches in numpy's longdouble, in forms that do not cancel, and says against what
an error is to be measured. `paper` computes one row in mpmath, straight from the naive formula and
the softmax's Jacobian, with so many digits that cancellation does not matter; it proves the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import mpmath
import numpy as np
from mpmath import mpf

Array = np.ndarray
Parameters = Mapping[str, Any]

DIGITS = 400
"""Of `paper`: the smallest p_k of a row whose logits differ by 700 has 304 zeros."""


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
    """Statistics of rows, the label kept apart from the other classes."""

    def __init__(self, logits: Array, labels: Array) -> None:
        self.x = logits.astype(np.longdouble)
        self.y = labels
        self.classes = logits.shape[1]
        self.is_label = np.arange(self.classes) == labels[:, None]
        self.x_y = self.at_label(self.x)
        m = self.x.max(1, keepdims=True)
        e = np.exp(self.x - m)
        e_y, others = self.at_label(e), self.sum_others(e)
        leads = e_y >= others
        log_leading = -np.log1p(others / np.where(leads, e_y, 1))
        self.log_sum = np.where(leads, self.x_y - m[:, 0] - log_leading, np.log1p(e_y + others - 1))
        self.log_p_y = np.where(leads, log_leading, self.x_y - m[:, 0] - self.log_sum)
        self.minus_log_p = (m - self.x) + self.log_sum[
            :, None
        ]  # a sum of two that are not negative
        self.p = e / (e_y + others)[:, None]
        self.p_y = self.at_label(self.p)
        self.miss = others / (e_y + others)  # 1 - p_y
        self.p_minus_onehot = np.where(self.is_label, -self.miss[:, None], self.p)

    def at_label(self, values: Array) -> Array:
        return values[np.arange(len(values)), self.y]

    def sum_others(self, values: Array) -> Array:
        return np.where(self.is_label, 0, values).sum(1)


def cross_entropy(rows: Rows) -> Exact:
    return Exact(-rows.log_p_y, rows.p_minus_onehot)


def smoothing(rows: Rows, weight: Array) -> Exact:
    """-(1/C) sum_k w_k log p_k."""
    share = weight / rows.classes
    with np.errstate(invalid="ignore"):
        value = np.where(share == 0, 0, share * rows.minus_log_p).sum(1)
    towards = share.sum() * rows.p
    return Exact(value, towards - share, gradient_parts=[share])


def one_minus_p(rows: Rows) -> Exact:
    return Exact(rows.miss, rows.p_y[:, None] * rows.p_minus_onehot)


def unhinged(rows: Rows) -> Exact:
    """mean_k z_k - z_y, whose parts are the (z_k - z_y) / C."""
    differences = (rows.x - rows.x_y[:, None]) / rows.classes
    gradient = 1 / np.longdouble(rows.classes) - rows.is_label
    return Exact(differences.sum(1), gradient, [abs(differences).sum(1)])


def quadratic_penalty(rows: Rows) -> Exact:
    return Exact((rows.x**2).sum(1), 2 * rows.x)


def ce(rows: Rows, label_smoothing: float) -> Exact:
    """Without what label smoothing adds, see `exact`."""
    return cross_entropy(rows)


def rce(rows: Rows, A: float) -> Exact:
    return -A * one_minus_p(rows)


def mae(rows: Rows) -> Exact:
    return 2 * one_minus_p(rows)


def gce(rows: Rows, q: float) -> Exact:
    q = np.longdouble(q)
    q_log_p = q * rows.log_p_y
    return Exact(-np.expm1(q_log_p) / q, np.exp(q_log_p)[:, None] * rows.p_minus_onehot)


def muh(rows: Rows, quadratic: float) -> Exact:
    return weighted_sum((1, unhinged(rows)), (quadratic, quadratic_penalty(rows)))


def sgce(rows: Rows, q: float) -> Exact:
    q, classes = np.longdouble(q), rows.classes
    share = 1 / np.longdouble(classes)
    p_q = np.exp(-q * rows.minus_log_p)
    p_y_q = np.exp(q * rows.log_p_y)
    others = rows.sum_others(p_q)
    # At k = y the difference p_y^q - S_q p_y is written as p_y^q (1 - p_y) - O_q p_y.
    label = -p_y_q * rows.miss * (1 - share) - others * rows.p_y * share
    toward_mean = (p_y_q * (1 - share) - others * share)[:, None] * rows.p
    return Exact(
        (others * share - p_y_q * (1 - share)) / q,
        np.where(rows.is_label, label[:, None], toward_mean + p_q * share),
        [others * share / q, p_y_q * (1 - share) / q],
        [np.where(rows.is_label, 0, p_q * share)],
    )


def alpha_mae(rows: Rows, alpha: float, form: str) -> Exact:
    if form == "temperature":
        differences = rows.x - rows.x.max(1, keepdims=True)
        # Scaled logits multiply the gradient by alpha, which 1/alpha undoes.
        tempered = one_minus_p(Rows(np.longdouble(alpha) * differences, rows.y))
        tempered.value /= np.longdouble(alpha)
        tempered.value_scale /= np.longdouble(alpha)
        return tempered
    return weighted_sum((alpha, one_minus_p(rows)), (1 - np.longdouble(alpha), unhinged(rows)))


def sce(rows: Rows, alpha: float, beta: float, A: float) -> Exact:
    return weighted_sum((alpha, cross_entropy(rows)), (beta, rce(rows, A)))


LOSSES: dict[str, Callable[..., Exact]] = {
    loss.__name__: loss for loss in (ce, rce, mae, gce, muh, sgce, alpha_mae, sce)
}


def exact(
    name: str, parameters: Parameters, logits: Array, labels: Array, weight: Array | None = None
) -> Exact:
    """The losses of rows and their gradients, class weights included."""
    with np.errstate(invalid="ignore", over="ignore", divide="ignore", under="ignore"):
        rows = Rows(logits, labels)
        loss = LOSSES[name](rows, **parameters)
        if weight is not None:
            loss = weight[labels] * loss
        if share := np.longdouble(parameters.get("label_smoothing", 0)):
            # The label's weight does not multiply this part: each class brings its own.
            weights = np.ones(rows.classes, np.longdouble) if weight is None else weight
            loss = weighted_sum((1 - share, loss), (share, smoothing(rows, weights)))
        return loss


def _largest(parts: Array) -> Array:
    """The largest magnitude of the finite numbers in each row."""
    return np.where(np.isfinite(parts), abs(parts), 0).max(-1)


# ---- the second oracle


def paper(
    name: str, parameters: Parameters, logits: Sequence[float], label: int
) -> tuple[mpf, list[mpf]]:
    """The loss of one row and its gradient from the formula as it is printed."""
    with mpmath.workdps(DIGITS):
        p = {key: v if isinstance(v, str) else mpf(v) for key, v in parameters.items()}
        return _PAPERS[name]([mpf(x) for x in logits], label, **p)


def _softmax(z: list[mpf]) -> list[mpf]:
    powers = [mpmath.exp(x) for x in z]
    return [e / mpmath.fsum(powers) for e in powers]


def _chain(p: list[mpf], dp: list[mpf]) -> list[mpf]:
    """From the gradient with respect to p to that with respect to z: J = diag(p) - p p^T."""
    inner = mpmath.fsum(a * b for a, b in zip(p, dp, strict=True))
    return [a * (b - inner) for a, b in zip(p, dp, strict=True)]


def _paper_ce(z, y, label_smoothing):
    p, classes = _softmax(z), len(z)
    t = [(1 - label_smoothing) * (k == y) + label_smoothing / classes for k in range(classes)]
    value = -mpmath.fsum(t[k] * mpmath.log(p[k]) for k in range(classes))
    return value, _chain(p, [-t[k] / p[k] for k in range(classes)])


def _paper_rce(z, y, A):
    p = _softmax(z)
    log_t = [mpf(0) if k == y else A for k in range(len(z))]
    return -mpmath.fsum(a * b for a, b in zip(p, log_t, strict=True)), _chain(
        p, [-a for a in log_t]
    )


def _paper_mae(z, y):
    p = _softmax(z)
    value = mpmath.fsum(abs(p[k] - (k == y)) for k in range(len(z)))
    return value, _chain(p, [mpf(-1 if k == y else 1) for k in range(len(z))])


def _paper_gce(z, y, q):
    p = _softmax(z)
    return (1 - p[y] ** q) / q, _chain(p, [-(k == y) * p[y] ** (q - 1) for k in range(len(z))])


def _paper_muh(z, y, quadratic):
    classes = len(z)
    value = mpmath.fsum(z) / classes - z[y] + quadratic * mpmath.fsum(x * x for x in z)
    return value, [mpf(1) / classes - (k == y) + 2 * quadratic * z[k] for k in range(classes)]


def _paper_sgce(z, y, q):
    """GCE less its mean over all labels."""
    losses, gradients = zip(*(_paper_gce(z, k, q) for k in range(len(z))), strict=True)
    mean = [mpmath.fsum(g[k] for g in gradients) / len(z) for k in range(len(z))]
    value = losses[y] - mpmath.fsum(losses) / len(z)
    return value, [a - b for a, b in zip(gradients[y], mean, strict=True)]


def _paper_alpha_mae(z, y, alpha, form):
    if form == "temperature":
        s = _softmax([alpha * x for x in z])
        ds = [mpf(-(k == y)) / alpha for k in range(len(z))]
        return (1 - s[y]) / alpha, [alpha * g for g in _chain(s, ds)]
    p = _softmax(z)
    value, gradient = _paper_muh(z, y, mpf(0))
    bounded = _chain(p, [mpf(-(k == y)) for k in range(len(z))])
    mixed = [alpha * a + (1 - alpha) * b for a, b in zip(bounded, gradient, strict=True)]
    return alpha * (1 - p[y]) + (1 - alpha) * value, mixed


def _paper_sce(z, y, alpha, beta, A):
    (ce, d_ce), (rce, d_rce) = _paper_ce(z, y, mpf(0)), _paper_rce(z, y, A)
    gradient = [alpha * a + beta * b for a, b in zip(d_ce, d_rce, strict=True)]
    return alpha * ce + beta * rce, gradient


_PAPERS = {
    "ce": _paper_ce,
    "rce": _paper_rce,
    "mae": _paper_mae,
    "gce": _paper_gce,
    "muh": _paper_muh,
    "sgce": _paper_sgce,
    "alpha_mae": _paper_alpha_mae,
    "sce": _paper_sce,
}
