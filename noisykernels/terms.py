r"""The terms a loss is made of, each as a scalar function of a row's statistics.

A term maps the statistics of a row of logits `x` with label `y` to its value and to the few numbers
that give the gradient of the whole row,

    dz_k = sum_i d_i p_k^{q_i} + b x_k + c + v w_k    (k != y),        dz_y = g_y,

with `g_y` written out, never found by cancellation. Only the softmax is O(C), so a weighted sum of
terms adds its coefficients and costs one pass. This module is the list of terms, in plain,
differentiable torch: the order of `TERMS` gives the ids that the kernels know (`csrc/terms.h`), and
`gradient` is what double backward differentiates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Flag, auto
from typing import NamedTuple

import torch
from torch import Tensor

MAX_POWERS = 3
"""Distinct exponents that one pass can carry, 1 included where the softmax is needed."""

MAX_TERMS = 16
"""Terms that one pass of a kernel can carry."""


class WeightedTerm(NamedTuple):
    """A term with its weight in a sum and its parameter (`q`, `alpha`), if it has one."""

    name: str
    weight: float
    parameter: float = 0.0


@dataclass(frozen=True)
class Row:
    """Statistics of rows: `logits` and `is_label` are (..., C), all else is (...)."""

    logits: Tensor
    is_label: Tensor
    log_probs: Tensor
    class_weight: Tensor  # (C,)
    label_weight: Tensor  # w_y

    @property
    def classes(self) -> int:
        """C."""
        return self.logits.shape[-1]

    @property
    def logit(self) -> Tensor:
        """x_y."""
        return self.at_label(self.logits)

    @property
    def log_p(self) -> Tensor:
        """The logarithm of p_y."""
        return self.at_label(self.log_probs)

    @property
    def p(self) -> Tensor:
        """p_y."""
        return self.log_p.exp()

    @property
    def miss(self) -> Tensor:
        """1 - p_y, as the sum of the others: exact where p_y rounds to one."""
        return self.others(1.0)

    def at_label(self, values: Tensor) -> Tensor:
        """The label's entry of each row of (..., C) values."""
        return torch.where(self.is_label, values, 0.0).sum(-1)

    def others(self, q: float) -> Tensor:
        """O_q, the sum of p_k^q over the classes that are not the label."""
        return torch.where(self.is_label, 0.0, (q * self.log_probs).exp()).sum(-1)


@dataclass(frozen=True)
class Coefficients:
    """A term's value and the numbers of its row gradient; a float holds for every row."""

    value: Tensor
    label: Tensor | float
    powers: tuple[tuple[float, Tensor | float], ...] = ()
    linear: float = 0.0
    constant: float = 0.0
    class_weight: float = 0.0


class Need(Flag):
    """What a kernel has to sum over the row for a term."""

    SOFTMAX = auto()  # exp(x_k - m)
    POWER = auto()  # exp(q (x_k - m)), q the term's parameter
    LINEAR = auto()  # x_k
    SQUARE = auto()  # x_k^2
    WEIGHTED = auto()  # w_k x_k


@dataclass(frozen=True)
class Term:
    """A term: its formula, what it needs, and whether the row's class weight w_y multiplies it."""

    formula: Callable[[Row, float], Coefficients]
    needs: Need
    by_label_weight: bool

    def __call__(self, row: Row, parameter: float) -> Coefficients:
        """The term's value and coefficients."""
        return self.formula(row, parameter)


TERMS: dict[str, Term] = {}


def _term(
    needs: Need, *, by_label_weight: bool = True
) -> Callable[[Callable[[Row, float], Coefficients]], Callable[[Row, float], Coefficients]]:
    def add(formula: Callable[[Row, float], Coefficients]) -> Callable[[Row, float], Coefficients]:
        TERMS[formula.__name__] = Term(formula, needs, by_label_weight)
        return formula

    return add


@_term(Need.SOFTMAX)
def ce(row: Row, _: float) -> Coefficients:
    """-log p_y."""
    return Coefficients(value=-row.log_p, label=-row.miss, powers=((1.0, 1.0),))


@_term(Need.SOFTMAX)
def mae(row: Row, _: float) -> Coefficients:
    """1 - p_y: half the L1 distance to the one-hot label."""
    return Coefficients(value=row.miss, label=-row.p * row.miss, powers=((1.0, row.p),))


@_term(Need.SOFTMAX)
def gce(row: Row, q: float) -> Coefficients:
    """(1 - p_y^q) / q."""
    p_q = (q * row.log_p).exp()
    return Coefficients(
        value=-torch.expm1(q * row.log_p) / q, label=-p_q * row.miss, powers=((1.0, p_q),)
    )


@_term(Need.LINEAR)
def muh(row: Row, _: float) -> Coefficients:
    """mean(z) - z_y."""
    return Coefficients(
        value=row.logits.mean(-1) - row.logit, label=1 / row.classes - 1, constant=1 / row.classes
    )


@_term(Need.SOFTMAX | Need.POWER)
def sgce(row: Row, q: float) -> Coefficients:
    """(mean_k p_k^q - p_y^q) / q."""
    classes, p_q, others = row.classes, (q * row.log_p).exp(), row.others(q)
    return Coefficients(
        value=(others - (classes - 1) * p_q) / (classes * q),
        label=-p_q * row.miss * (1 - 1 / classes) - others * row.p / classes,
        powers=((1.0, p_q - (p_q + others) / classes), (q, 1 / classes)),
    )


@_term(Need.POWER)
def alpha_mae(row: Row, alpha: float) -> Coefficients:
    """(1 - s_y) / alpha with s = softmax(alpha z)."""
    log_s = torch.log_softmax(alpha * row.logits, -1)
    s = row.at_label(log_s).exp()
    miss = torch.where(row.is_label, 0.0, log_s.exp()).sum(-1)
    # s_k = p_k^alpha / sum_j p_j^alpha, so the power's coefficient is s_y over that sum.
    power_sum = row.others(alpha) + (alpha * row.log_p).exp()
    return Coefficients(value=miss / alpha, label=-s * miss, powers=((alpha, s / power_sum),))


@_term(Need.SOFTMAX | Need.WEIGHTED, by_label_weight=False)
def smoothing(row: Row, _: float) -> Coefficients:
    """-(1/C) sum_k w_k log p_k: what label smoothing adds, not weighted by w_y."""
    weight, classes = row.class_weight, row.classes
    total = weight.sum()
    return Coefficients(
        value=-(weight * row.log_probs).sum(-1) / classes,
        label=(total * row.p - row.label_weight) / classes,
        powers=((1.0, total / classes),),
        class_weight=-1 / classes,
    )


@_term(Need.SQUARE)
def square(row: Row, _: float) -> Coefficients:
    """||z||^2, summed over the classes."""
    return Coefficients(value=row.logits.square().sum(-1), label=2 * row.logit, linear=2.0)


NAMES: tuple[str, ...] = tuple(TERMS)
"""Names of the terms, in the order of their ids."""


def exponents(term: WeightedTerm) -> set[float]:
    """The powers of the softmax that a kernel sums over the row for this term."""
    needs = TERMS[term.name].needs
    powers = {1.0} if Need.SOFTMAX in needs else set()
    return powers | {term.parameter} if Need.POWER in needs else powers


def passes(terms: Sequence[WeightedTerm]) -> Iterator[tuple[WeightedTerm, ...]]:
    """Split a sum into groups of terms that one pass can carry; nearly always there is one."""
    group: list[WeightedTerm] = []
    powers: set[float] = set()
    for term in terms:
        joint = powers | exponents(term)
        if group and (len(joint) > MAX_POWERS or len(group) == MAX_TERMS):
            yield tuple(group)
            group, joint = [], exponents(term)
        group.append(term)
        powers = joint
    yield tuple(group)


def gradient(
    upstream: Tensor,
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None,
    terms: Sequence[WeightedTerm],
    ignore_index: int,
    mean: bool,
) -> Tensor:
    """The gradient of a weighted sum of terms with respect to the logits, itself differentiable.

    Args:
        upstream: gradient of the reduced loss, () or the shape of `target`.
        logits: (C,), (N, C) or (N, C, d1, ...).
        target: class indices, the shape of `logits` without its class axis.
        weight: (C,) class weights or None.
        terms: the sum.
        ignore_index: rows with this label get gradient zero.
        mean: whether the reduction divides by the weight of the kept rows.
    """
    axis = 0 if logits.dim() == 1 else 1
    target = target.long()  # a smaller type would compare modulo its range
    kept = (target != ignore_index).unsqueeze(-1)
    x = torch.where(kept, logits.movedim(axis, -1), 0.0)
    x = x.to(torch.promote_types(x.dtype, torch.float32))  # half precision is computed in float32
    classes = x.shape[-1]
    w = x.new_ones(classes) if weight is None else weight.to(x.dtype)
    is_label = kept & (target.unsqueeze(-1) == torch.arange(classes, device=x.device))
    label_weight = torch.where(is_label, w, 0.0).sum(-1)
    row = Row(x, is_label, torch.log_softmax(x, -1), w, label_weight)

    result = torch.zeros_like(x)
    for name, term_weight, parameter in terms:
        k = TERMS[name](row, parameter)
        elsewhere = k.constant + k.linear * x + k.class_weight * w
        for q, coefficient in k.powers:
            if isinstance(coefficient, Tensor) and coefficient.dim():
                coefficient = coefficient.unsqueeze(-1)
            elsewhere = elsewhere + coefficient * (q * row.log_probs).exp()
        label = k.label.unsqueeze(-1) if isinstance(k.label, Tensor) else k.label
        part = term_weight * torch.where(is_label, label, elsewhere)
        by_label_weight = TERMS[name].by_label_weight
        result = result + (part * label_weight.unsqueeze(-1) if by_label_weight else part)
    if mean:
        upstream = upstream / label_weight.sum()
    result = torch.where(kept, result * upstream.to(x.dtype).unsqueeze(-1), 0.0)
    return result.movedim(-1, axis).to(logits.dtype)
