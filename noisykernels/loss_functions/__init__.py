"""The losses by kind, each in one place: facts, terms, formula, function and module.

A loss is a weighted sum of terms (`noisykernels.terms`). Its function in `noisykernels.functional`
is decorated with what else there is to say about it: the facts that the table of losses shows, what
its parameters may be, its terms, and its paper's formula in plain torch, which becomes the function
of the same name in `noisykernels.reference`. The class below is its module. Tests, sums, losses
from text, the self-check and the table follow what is registered so.
"""

# ruff: noqa: F403, I001 -- the order of the table of losses
from typing import TYPE_CHECKING

from noisykernels.loss_functions.cross_entropy import *
from noisykernels.loss_functions.mean_absolute_error import *
from noisykernels.loss_functions.generalized_cross_entropy import *
from noisykernels.loss_functions.label_probability import *
from noisykernels.loss_functions.asymmetric import *
from noisykernels.loss_functions.epsilon_softmax import *
from noisykernels.loss_functions.normalized import *
from noisykernels.loss_functions.normalized_negative import *
from noisykernels.loss_functions.unhinged import *
from noisykernels.loss_functions.mean_square_error import *
from noisykernels.loss_functions.entropy import *
from noisykernels.loss_functions.bootstrapping import *
from noisykernels.loss_functions.sparsity import *
from noisykernels.loss_functions.symmetric_cross_entropy import *
from noisykernels.loss_functions.active_passive import *
from noisykernels.loss_functions.active_asymmetric import *
from noisykernels.loss_functions.active_negative import *
from noisykernels.loss_functions.joint_asymmetric import *
from noisykernels.loss_functions.transition import *
from noisykernels.modules import MODULES
from noisykernels.registry import LOSSES

FUNCTIONS = [f"{name}_loss" for name in LOSSES]
CLASSES = [module.__name__ for module in MODULES.values()]

if not TYPE_CHECKING:  # type checkers follow the stars, and read no list that is computed
    __all__ = FUNCTIONS + CLASSES
