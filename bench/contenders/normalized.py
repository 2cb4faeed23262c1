"""Losses divided by their sum over all labels, and the negative ones."""

from __future__ import annotations

import math

from torch import Tensor

from bench.contenders.rows import at_label, log_probabilities


def share(values: Tensor, of_label: Tensor) -> Tensor:
    """The label's part of the sum over all classes: NCE of log p, NFL of the focal losses."""
    return of_label / values.sum(1)


def negative(values: Tensor, of_label: Tensor, least: float) -> Tensor:
    """The share of what exceeds `least`, from 1: NNCE of log p, NNFL of the focal losses."""
    return 1 - share((values - least).relu(), (of_label - least).relu())


def minus_focal(log_p: Tensor, gamma: float) -> Tensor:
    """(1 - p)^gamma log p, with a constant weight as in the authors' code."""
    weight: Tensor = (-log_p.detach().expm1()) ** gamma
    return weight * log_p


def least_focal(p_min: float, gamma: float) -> float:
    """`minus_focal` at the probability `p_min`."""
    return float((1 - p_min) ** gamma * math.log(p_min))


def nce(logits: Tensor, target: Tensor) -> Tensor:
    return share(*log_probabilities(logits, target)).mean()


def nfl(logits: Tensor, target: Tensor, gamma: float = 0.5) -> Tensor:
    focal = minus_focal(logits.log_softmax(1), gamma)
    return share(focal, at_label(focal, target)).mean()


def ngce(logits: Tensor, target: Tensor, q: float = 0.7) -> Tensor:
    p_q = (q * logits.log_softmax(1)).exp()
    return ((1 - at_label(p_q, target)) / (logits.shape[1] - p_q.sum(1))).mean()


def nnce(logits: Tensor, target: Tensor, p_min: float = 1e-7) -> Tensor:
    excess = (logits.log_softmax(1) - math.log(p_min)).relu()
    return 1 - share(excess, at_label(excess, target)).mean()


def nnfl(logits: Tensor, target: Tensor, gamma: float = 0.5, p_min: float = 1e-7) -> Tensor:
    focal = minus_focal(logits.log_softmax(1), gamma)
    excess = (focal - least_focal(p_min, gamma)).relu()
    return 1 - share(excess, at_label(excess, target)).mean()


FORMULAS = {loss.__name__: loss for loss in (nce, nfl, ngce, nnce, nnfl)}
