"""Methods that keep state between steps or epochs, as thin modules over the fused losses."""

from noisykernels.methods.d2l import D2L, local_intrinsic_dimensionality
from noisykernels.methods.elr import ELR

__all__ = ["D2L", "ELR", "local_intrinsic_dimensionality"]
