"""Fused loss kernels for learning with noisy labels.

`noisykernels.functional` has functions with the interface of `torch.nn.functional.cross_entropy`.
Their modules are here; they add and scale into one fused loss.
"""

from importlib.metadata import PackageNotFoundError, version

from noisykernels import autograd, backends, functional, methods, noise, reference
from noisykernels.expression import loss
from noisykernels.modules import (
    AlphaMAELoss,
    CELoss,
    GCELoss,
    MAELoss,
    MUHLoss,
    RCELoss,
    SCELoss,
    SGCELoss,
    SumLoss,
)
from noisykernels.registry import losses
from noisykernels.row_statistics import RowStatistics, row_statistics
from noisykernels.statistics import Stats

try:
    __version__ = version("noisykernels")
except PackageNotFoundError:  # imported from a source tree
    __version__ = "unknown"

__all__ = [
    "AlphaMAELoss",
    "CELoss",
    "GCELoss",
    "MAELoss",
    "MUHLoss",
    "RCELoss",
    "RowStatistics",
    "SCELoss",
    "SGCELoss",
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
    "reference",
    "row_statistics",
]
