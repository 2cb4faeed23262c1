"""Terms of the logits themselves: no softmax, no exponential."""

from __future__ import annotations

import torch

from noisykernels.terms.row import Coefficients, Need, Row, term


@term(Need.LINEAR)
def muh(row: Row, _: float, __: float) -> Coefficients:
    """mean(z) - z_y."""
    return Coefficients(
        value=row.logits.mean(-1) - row.logit, label=1 / row.classes - 1, constant=1 / row.classes
    )


@term(Need.SQUARE)
def square(row: Row, _: float, __: float) -> Coefficients:
    """||z||^2, summed over the classes."""
    return Coefficients(value=row.logits.square().sum(-1), label=2 * row.logit, linear=2.0)


@term(Need.LINEAR | Need.SQUARE)
def centered_square(row: Row, _: float, __: float) -> Coefficients:
    """||z - (onehot - 1/C)||^2 / 2, which is muh + square / 2 + (1 - 1/C) / 2."""
    share = 1 / row.classes
    square = row.logits.square().sum(-1)
    # Where the square is infinite it is all there is, not one infinity less another.
    unhinged = torch.where(square.isfinite(), row.logits.mean(-1) - row.logit, 0.0)
    value = unhinged + (square + 1 - share) / 2
    return Coefficients(value=value, label=row.logit + share - 1, linear=1.0, constant=share)
