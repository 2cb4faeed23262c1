"""What a term is given, what it returns, and the list that it joins."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Flag, auto
from typing import NamedTuple

import torch
from torch import Tensor

MAX_POWERS = 3
"""Distinct exponents that one pass can carry, 1 included where the softmax is needed."""

MAX_ELEMENTS = 2
"""Distinct elementwise functions that one pass can carry."""

MAX_TERMS = 16
"""Terms that one pass of a kernel can carry."""


class WeightedTerm(NamedTuple):
    """A term with its weight in a sum, its parameters if it has any, and its vectors if it does.

    A term that sums a power of the softmax has the exponent as its first parameter.
    """

    name: str
    weight: float
    parameter: float = 0.0
    second: float = 0.0
    vectors: Tensor | None = None


class Element(NamedTuple):
    """The function (1 - p_k)^gamma where log p_k is not below the floor, else zero."""

    gamma: float
    floor: float = -math.inf

    @property
    def offset(self) -> float:
        """What makes `offset + (1 - p)^gamma log p` zero at the floor."""
        if self.floor == -math.inf:
            return 0.0
        return -math.pow(-math.expm1(self.floor), self.gamma) * self.floor


@dataclass(frozen=True)
class Row:
    """Statistics of rows: what has an entry for each class is (..., C), all else is (...)."""

    logits: Tensor
    is_label: Tensor
    log_probs: Tensor
    class_weight: Tensor  # (C,)
    label_weight: Tensor  # w_y
    vector: Tensor | None  # v, of the label or of the row

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

    @property
    def leads(self) -> Tensor:
        """Whether no class has a larger logit than the label."""
        return self.logit >= self.logits.amax(-1)

    @property
    def is_top(self) -> Tensor:
        """The first of the classes with the largest logit."""
        top = self.logits.argmax(-1, keepdim=True)
        return top == torch.arange(self.classes, device=self.logits.device)

    def at_label(self, values: Tensor) -> Tensor:
        """The label's entry of each row of (..., C) values."""
        return torch.where(self.is_label, values, 0.0).sum(-1)

    def elsewhere(self, values: Tensor) -> Tensor:
        """The sum of (..., C) values over the classes that are not the label."""
        return torch.where(self.is_label, 0.0, values).sum(-1)

    def others(self, q: float) -> Tensor:
        """O_q, the sum of p_k^q over the classes that are not the label."""
        return self.elsewhere((q * self.log_probs).exp())

    def element(self, element: Element) -> Tensor:
        """The elementwise function at each class."""
        # The label's own 1 - p is known from the others; that of another class that is nearly
        # certain comes from the sum of all but it.
        p = self.log_probs.exp()
        miss = torch.where(self.is_label, self.miss.unsqueeze(-1), p.sum(-1, keepdim=True) - p)
        return torch.where(self.log_probs >= element.floor, miss.pow(element.gamma), 0.0)


@dataclass(frozen=True)
class Coefficients:
    """A term's value and the numbers of its row gradient; a float holds for every row."""

    value: Tensor
    label: Tensor | float
    powers: tuple[tuple[float, Tensor | float], ...] = ()
    entropy: Tensor | float = 0.0  # of p_k log p_k
    linear: float = 0.0
    constant: Tensor | float = 0.0
    class_weight: float = 0.0
    vector: float = 0.0  # of v_k
    vector_power: Tensor | float = 0.0  # of v_k p_k
    top: float = 0.0  # for the class with the largest logit alone
    elements: tuple[tuple[Element, Tensor], ...] = ()


class Need(Flag):
    """What a kernel has to sum over the row for a term."""

    SOFTMAX = auto()  # exp(x_k - m)
    POWER = auto()  # exp(q (x_k - m)), q the term's first parameter
    LINEAR = auto()  # x_k
    SQUARE = auto()  # x_k^2
    WEIGHTED = auto()  # w_k x_k
    ENTROPY = auto()  # exp(x_k - m) (x_k - m)
    TOP = auto()  # which class has the largest logit
    VECTOR = auto()  # v_k x_k
    VECTOR_POWER = auto()  # v_k exp(x_k - m)
    ELEMENT = auto()  # an Element of the term's two parameters, in a second visit
    BY_SAMPLE = auto()  # v is the row's own, not its label's


@dataclass(frozen=True)
class Term:
    """A term: its formula, what it needs, and whether the row's class weight w_y multiplies it."""

    formula: Callable[[Row, float, float], Coefficients]
    needs: Need
    by_label_weight: bool

    def __call__(self, row: Row, parameter: float, second: float) -> Coefficients:
        """The term's value and coefficients."""
        return self.formula(row, parameter, second)


TERMS: dict[str, Term] = {}
"""All terms by name; the order gives the ids that the kernels know."""

_Formula = Callable[[Row, float, float], Coefficients]


def term(needs: Need, *, by_label_weight: bool = True) -> Callable[[_Formula], _Formula]:
    """Add a formula to `TERMS` under its own name."""

    def add(formula: _Formula) -> _Formula:
        TERMS[formula.__name__] = Term(formula, needs, by_label_weight)
        return formula

    return add
