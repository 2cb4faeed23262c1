"""Losses as their authors' code computes them, where that is not what their paper says.

`published=True` selects them: `functional.sce_loss(x, y, published=True)`. They are for comparing
with numbers that were obtained with that code. They run in plain torch on every device, with
several passes over the logits, and a clamp zeroes the gradient of exactly the rows that are most
wrong. Arguments, ignored rows, class weights and the reduction are those of `reference`.

`docs/migration.md` lists for each repository what differs. The code of losses that are not here,
such as NCE, NFL, NNCE, AGCE and AMSE, computes what the formula says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeVar

from noisykernels.published.active_passive import (
    focal_loss,
    gce_loss,
    nce_rce_loss,
    nfl_rce_loss,
    ngce_loss,
    rce_loss,
    sce_loss,
)
from noisykernels.published.loss_correction import (
    backward_loss,
    bootstrap_hard_loss,
    bootstrap_soft_loss,
    forward_loss,
)

_Value = TypeVar("_Value")

__all__ = [
    "backward_loss",
    "bootstrap_hard_loss",
    "bootstrap_soft_loss",
    "focal_loss",
    "forward_loss",
    "gce_loss",
    "nce_rce_loss",
    "nfl_rce_loss",
    "ngce_loss",
    "rce_loss",
    "sce_loss",
]

PAPER_A = -4.0
"""The log 0 of reverse cross entropy in its paper, and the default of the functions."""

CODE_A = math.log(1e-4)
"""What clipping the one-hot label at 1e-4 makes of it in all published code."""


def with_constants(parameters: Mapping[str, _Value | float]) -> dict[str, _Value | float]:
    """The parameters of a loss with the constants of the code in the place of the paper's."""
    return {
        name: CODE_A if name == "A" and type(value) is float and value == PAPER_A else value
        for name, value in parameters.items()
    }
