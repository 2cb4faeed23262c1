"""Every loss in 400 digits as its paper prints it; the gradient by the rules of dual numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import mpmath
import numpy as np
from mpmath import mpf

from oracle.dual import Dual, exp, log

Parameters = Mapping[str, Any]

DIGITS = 400
"""The smallest p_k of a row whose logits differ by 700 has 304 zeros."""


class Row:
    """Logits, label, and the softmax, by which formulas are differentiated first."""

    def __init__(self, z: Sequence[mpf], y: int) -> None:
        classes = len(z)
        unit = [[mpf(i == k) for i in range(2 * classes)] for k in range(2 * classes)]
        powers = [mpmath.exp(x) for x in z]
        total = mpmath.fsum(powers)
        self.y, self.classes = y, classes
        self.z = [Dual(x, unit[k]) for k, x in enumerate(z)]
        self.p = [Dual(e / total, unit[classes + k]) for k, e in enumerate(powers)]

    @property
    def e(self) -> list[mpf]:
        return self.one_hot(self.y)

    @property
    def leader(self) -> int:
        """The first of the largest logits."""
        values = [x.value for x in self.z]
        return values.index(max(values))

    def one_hot(self, label: int) -> list[mpf]:
        return [mpf(k == label) for k in range(self.classes)]

    def gradient(self, loss: Dual) -> list[mpf]:
        """By the logits: what depends on p goes through J = diag(p) - p p^T."""
        by_z, by_p = loss.partials[: self.classes], loss.partials[self.classes :]
        p = [x.value for x in self.p]
        inner = mpmath.fsum(a * b for a, b in zip(p, by_p, strict=True))
        return [g + a * (b - inner) for g, a, b in zip(by_z, p, by_p, strict=True)]


def paper(
    name: str, parameters: Parameters, logits: Sequence[float], label: int
) -> tuple[mpf, list[mpf]]:
    """The loss of one row and its gradient from the formula as it is printed."""
    with mpmath.workdps(DIGITS):
        row = Row([mpf(float(x)) for x in logits], label)
        p = {key: mpf(v) if isinstance(v, int | float) else v for key, v in parameters.items()}
        loss = FORMULAS[name](row, **p)
        return loss.value, row.gradient(loss)


FORMULAS: dict[str, Callable[..., Dual]] = {}


def _formula(function: Callable[..., Dual]) -> Callable[..., Dual]:
    FORMULAS[function.__name__] = function
    return function


def _cross_entropy(t: Sequence[mpf | Dual], p: Sequence[Dual]) -> Dual:
    return -sum(t_k * log(p_k) for t_k, p_k in zip(t, p, strict=True))


def _mean(terms: Sequence[Dual]) -> Dual:
    return sum(terms) / len(terms)


@_formula
def lsr(row, epsilon):
    t = [(1 - epsilon) * e_k + epsilon / row.classes for e_k in row.e]
    return _cross_entropy(t, row.p)


@_formula
def ce(row, label_smoothing=0):
    return lsr(row, label_smoothing)


@_formula
def uniform_ce(row):
    return lsr(row, 1)


@_formula
def rce(row, A):
    log_t = [mpf(0) if e_k else A for e_k in row.e]
    return -sum(p_k * a for p_k, a in zip(row.p, log_t, strict=True))


@_formula
def mae(row):
    return sum(1 - p_k if e_k else p_k for p_k, e_k in zip(row.p, row.e, strict=True))


def _gce(p, q):
    return (1 - p**q) / q


@_formula
def gce(row, q):
    return _gce(row.p[row.y], q)


@_formula
def truncated_gce(row, q, k):
    return gce(row, q) if row.p[row.y] > k else (1 - k**q) / q + 0 * row.p[row.y]


@_formula
def taylor_ce(row, order):
    return sum((1 - row.p[row.y]) ** i / i for i in range(1, int(order) + 1))


@_formula
def phuber_ce(row, tau):
    p = row.p[row.y]
    return -log(p) if p > 1 / tau else mpmath.log(tau) + 1 - tau * p


def _focal(p, gamma, detach=True):
    miss = 1 - p
    return -((miss.value if detach else miss) ** gamma) * log(p)


@_formula
def focal(row, gamma, detach):
    return _focal(row.p[row.y], gamma, detach)


@_formula
def agce(row, a, q):
    return ((a + 1) ** q - (a + row.p[row.y]) ** q) / q


@_formula
def aul(row, a, q):
    return ((a - row.p[row.y]) ** q - (a - 1) ** q) / q


@_formula
def ael(row, a):
    return exp(-row.p[row.y] / a)


@_formula
def eps_softmax_ce(row, m):
    hit = row.z[row.y].value == row.z[row.leader].value
    return -log((row.p[row.y] + m * hit) / (m + 1))


@_formula
def nce(row):
    return log(row.p[row.y]) / sum(log(p_k) for p_k in row.p)


@_formula
def nfl(row, gamma):
    return _focal(row.p[row.y], gamma) / sum(_focal(p_k, gamma) for p_k in row.p)


@_formula
def ngce(row, q):
    return _gce(row.p[row.y], q) / sum(_gce(p_k, q) for p_k in row.p)


def _clipped(p, p_min):
    return p if p > p_min else p_min + 0 * p


@_formula
def nnce(row, p_min):
    A = -mpmath.log(p_min)
    negative = [A + log(_clipped(p_k, p_min)) for p_k in row.p]
    return 1 - negative[row.y] / sum(negative)


@_formula
def nnfl(row, gamma, p_min):
    A = -((1 - p_min) ** gamma) * mpmath.log(p_min)
    negative = [A - _focal(_clipped(p_k, p_min), gamma) for p_k in row.p]
    return 1 - negative[row.y] / sum(negative)


@_formula
def muh(row, quadratic=0):
    return _mean(row.z) - row.z[row.y] + quadratic * sum(x**2 for x in row.z)


@_formula
def centered_square(row):
    t = [e_k - mpf(1) / row.classes for e_k in row.e]
    return sum((x - t_k) ** 2 for x, t_k in zip(row.z, t, strict=True)) / 2


@_formula
def sgce(row, q):
    return gce(row, q) - _mean([_gce(p_k, q) for p_k in row.p])


@_formula
def alpha_mae(row, alpha, form):
    if form == "convex":
        return alpha * (1 - row.p[row.y]) + (1 - alpha) * muh(row)
    tempered = Row([alpha * x.value for x in row.z], row.y)
    loss = (1 - tempered.p[row.y]) / alpha
    by_logits = [alpha * g for g in tempered.gradient(loss)]
    return Dual(loss.value, by_logits + [mpf(0)] * row.classes)


@_formula
def amse(row, a):
    return _mean([(a * e_k - p_k) ** 2 for e_k, p_k in zip(row.e, row.p, strict=True)])


@_formula
def entropy(row):
    return _cross_entropy(row.p, row.p)


@_formula
def confidence_penalty(row, beta):
    return ce(row) - beta * entropy(row)


@_formula
def bootstrap_soft(row, beta):
    t = [beta * e_k + (1 - beta) * p_k for e_k, p_k in zip(row.e, row.p, strict=True)]
    return _cross_entropy(t, row.p)


@_formula
def bootstrap_hard(row, beta):
    predicted = row.one_hot(row.leader)
    t = [beta * e_k + (1 - beta) * h_k for e_k, h_k in zip(row.e, predicted, strict=True)]
    return _cross_entropy(t, row.p)


@_formula
def pnorm(row, s):
    return sum(p_k**s for p_k in row.p)


@_formula
def forward(row, T):
    return -log(sum(mpf(float(T[i, row.y])) * p_i for i, p_i in enumerate(row.p)))


@_formula
def backward(row, T):
    inverse = mpmath.matrix(np.asarray(T, float).tolist()) ** -1
    return sum(-inverse[row.y, j] * log(p_j) for j, p_j in enumerate(row.p))


@_formula
def forward_rce(row, T, beta, A):
    return forward(row, T) + beta * rce(row, A)


@_formula
def sce(row, alpha, beta, A):
    return alpha * ce(row) + beta * rce(row, A)


@_formula
def lsr_sce(row, epsilon, alpha, beta, A):
    return alpha * lsr(row, epsilon) + beta * rce(row, A)


@_formula
def nce_mae(row, alpha, beta):
    return alpha * nce(row) + beta * (1 - row.p[row.y])


@_formula
def nce_rce(row, alpha, beta, A):
    return alpha * nce(row) + beta * rce(row, A)


@_formula
def nfl_mae(row, alpha, beta, gamma):
    return alpha * nfl(row, gamma) + beta * (1 - row.p[row.y])


@_formula
def nfl_rce(row, alpha, beta, gamma, A):
    return alpha * nfl(row, gamma) + beta * rce(row, A)


@_formula
def nce_agce(row, alpha, beta, a, q):
    return alpha * nce(row) + beta * agce(row, a, q)


@_formula
def nce_aul(row, alpha, beta, a, q):
    return alpha * nce(row) + beta * aul(row, a, q)


@_formula
def nce_ael(row, alpha, beta, a):
    return alpha * nce(row) + beta * ael(row, a)


@_formula
def anl_ce(row, alpha, beta, p_min):
    return alpha * nce(row) + beta * nnce(row, p_min)


@_formula
def anl_fl(row, alpha, beta, gamma, p_min):
    return alpha * nfl(row, gamma) + beta * nnfl(row, gamma, p_min)


@_formula
def jal_ce(row, alpha, beta, a):
    return alpha * nce(row) + beta * amse(row, a)


@_formula
def jal_fl(row, alpha, beta, a, gamma):
    return alpha * nfl(row, gamma) + beta * amse(row, a)
