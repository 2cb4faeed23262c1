"""Terms of the logits themselves: no softmax, no exponential."""

from __future__ import annotations

import triton
import triton.language as tl  # noqa: F401 - the interpreter wants to see it

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


TERMS = muh, square
