"""What each loss and its gradient are, with more digits than any kernel has.

There are two oracles, written from the papers and independent of the package and of each other.
`exact` computes batches in numpy's longdouble, in forms that do not cancel, and says against what
an error is to be measured. `paper` computes one row in mpmath, straight from the printed formula,
with so many digits that cancellation does not matter; it proves the first.
"""

from oracle.losses import exact
from oracle.printed import paper
from oracle.rows import Exact
from oracle.scores import exact_of_scores

__all__ = ["Exact", "exact", "exact_of_scores", "paper"]
