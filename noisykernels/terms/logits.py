"""Terms of the logits themselves: no softmax, no exponential."""

from __future__ import annotations

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
