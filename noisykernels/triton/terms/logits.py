"""Terms of the logits themselves: no softmax, no exponential."""

from __future__ import annotations

import triton
import triton.language as tl

from noisykernels.triton.terms.row import Gradient


@triton.jit
def muh(row, _, __):
    """mean(z) - z_y."""
    share = 1.0 / row.classes
    return Gradient(value=row.linear * share - row.logit, label=share - 1.0, constant=share)


@triton.jit
def square(row, _, __):
    """||z||^2."""
    return Gradient(value=row.square, label=2.0 * row.label_value, linear=2.0)


@triton.jit
def centered_square(row, _, __):
    """||z - (onehot - 1/C)||^2 / 2, which is muh + square / 2 + (1 - 1/C) / 2."""
    share = 1.0 / row.classes
    # Where the square is infinite it is all there is, not one infinity less another.
    finite = row.square - row.square == 0.0
    unhinged = tl.where(finite, row.linear * share - row.logit, 0.0)
    return Gradient(
        value=unhinged + 0.5 * (row.square + 1.0 - share),
        label=row.label_value + share - 1.0,
        linear=1.0,
        constant=share,
    )


TERMS = muh, square, centered_square
