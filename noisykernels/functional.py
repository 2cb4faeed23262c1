"""Loss functions with the interface of `torch.nn.functional.cross_entropy`.

In all formulas z are the logits of a sample, p = softmax(z), y is its label and C the number of
classes. A loss is symmetric if its sum over all labels is the same for all logits: then uniform
label noise does not move its minimum.
"""

from typing import TYPE_CHECKING

from noisykernels.loss_functions import *  # noqa: F403
from noisykernels.loss_functions import FUNCTIONS

if not TYPE_CHECKING:  # type checkers follow the star, and read no list that is computed
    __all__ = FUNCTIONS


def __dir__() -> list[str]:
    """The functions, without their modules."""
    return [*FUNCTIONS]
