"""The jit function of the term that `test_extend` registers from outside the package."""

from __future__ import annotations

import triton
import triton.language as tl  # noqa: F401 -- the interpreter looks for it here

from noisykernels.triton.terms.row import Gradient


@triton.jit
def poly(row, epsilon, _):
    """-log p_y + epsilon (1 - p_y)."""
    c = 1.0 + epsilon * row.softmax.p
    value = epsilon * row.softmax.miss - row.softmax.log_p
    return Gradient(value=value, label=-c * row.softmax.miss, softmax=c)
