"""Fused loss kernels for learning with noisy labels.

`noisykernels.functional` has functions with the interface of `torch.nn.functional.cross_entropy`.
Their modules are here; they add and scale into one fused loss.
"""

from importlib.metadata import PackageNotFoundError, version

from noisykernels import (
    autograd,
    backends,
    functional,
    methods,
    noise,
    presets,
    published,
    reference,
    scores,
    theory,
)
from noisykernels.expression import loss
from noisykernels.extend import register_loss, register_term, unregister_loss, unregister_term
from noisykernels.loss_functions import *  # noqa: F403
from noisykernels.loss_functions import CLASSES
from noisykernels.modules import SumLoss
from noisykernels.registry import losses
from noisykernels.row_statistics import RowStatistics, row_statistics
from noisykernels.statistics import Stats

try:
    __version__ = version("noisykernels")
except PackageNotFoundError:  # imported from a source tree
    __version__ = "unknown"

__all__ = [
    *CLASSES,
    "RowStatistics",
    "Stats",
    "SumLoss",
    "__version__",
    "autograd",
    "backends",
    "functional",
    "loss",
    "losses",
    "methods",
    "noise",
    "presets",
    "published",
    "reference",
    "register_loss",
    "register_term",
    "row_statistics",
    "scores",
    "theory",
    "unregister_loss",
    "unregister_term",
]


def __dir__() -> list[str]:
    """The public names: of losses the modules, whose functions are in `functional`."""
    return [*__all__]
