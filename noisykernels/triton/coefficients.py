"""What the forward leaves for the backward."""

from __future__ import annotations

from typing import Any, NamedTuple


class Coefficients(NamedTuple):
    """The coefficients of the gradient of rows, as `noisykernels.terms.columns` has them.

    Those that no term needs are not stored.
    """

    label: Any
    shift: Any
    power0: Any
    power1: Any
    power2: Any
    entropy: Any
    vector_power: Any
    linear: Any
    constant: Any
    class_weight: Any
    vector: Any
    top: Any
    top_class: Any
    log_sum: Any
    top_miss: Any
    element0: Any
    element1: Any
    ratio: Any
    ratio_rest: Any
