"""Terms with a function of each class's probability, which takes a second visit of the row.

As published, the factors (1 - p_k)^gamma count as constants in the gradient.
"""

from __future__ import annotations

import torch

from noisykernels.terms.row import Coefficients, Element, Need, Row, term


@term(Need.SOFTMAX | Need.ELEMENT)
def nfl(row: Row, gamma: float, floor: float) -> Coefficients:
    """f_y / sum_k f_k with f_k = -(1 - p_k)^gamma log p_k; there is no floor, it is -inf."""
    element = Element(gamma, floor)
    factors = row.element(element)
    focal = torch.where(factors > 0, -factors * row.log_probs, 0.0)
    return _normalized(row, element, factors, row.at_label(focal), row.elsewhere(focal), False)


@term(Need.SOFTMAX | Need.ELEMENT)
def nnfl(row: Row, gamma: float, floor: float) -> Coefficients:
    """1 - g_y / sum_k g_k, g_k = A + (1 - p_k)^gamma log p_k down to the floor, its zero."""
    element = Element(gamma, floor)
    factors = row.element(element)
    above = row.log_probs >= floor
    gap = torch.where(above, element.offset + factors * row.log_probs, 0.0)
    return _normalized(row, element, factors, row.at_label(gap), row.elsewhere(gap), True)


def _normalized(
    row: Row,
    element: Element,
    factors: torch.Tensor,
    label: torch.Tensor,
    others: torch.Tensor,
    negative: bool,
) -> Coefficients:
    total, factor, factor_sum = label + others, row.at_label(factors), row.elsewhere(factors)
    share = label / total
    return Coefficients(
        value=others / total if negative else share,
        label=-(factor * row.miss * (1 - share) + share * row.p * factor_sum) / total,
        powers=((1.0, (factor - share * (factor + factor_sum)) / total),),
        elements=((element, share / total),),
    )
