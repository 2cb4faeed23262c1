"""Label noise: controlled corruption of clean labels, with the transition matrix it amounts to.

Each noise model is a function from clean labels to :class:`NoisyLabels`. It draws on the CPU from a
generator of its own: one seed gives the same labels on every device, and the global random state of
the program is neither read nor changed.

Published code differs in what it calls noise of some rate. Each way has its name here:

====================================================  ==============================================
what published code does                              here
====================================================  ==============================================
DivideMix, ELR: a redrawn label may be the true one,  ``symmetric(exclude_true=False)``
so 80 % is 72 % on ten classes
SCE, APL, ALF: as many of each class, truncated       ``symmetric_per_class``
ANL, JAL: as many of each ordered pair of classes,    ``symmetric_per_pair``
truncated, so 40 % is 39.6 % on CIFAR-100
APL, ALF, ELR: flips dogs to cats after cats to       ``asymmetric_cifar10(sequential=True)``
dogs, so that a share of the cats returns
CIFAR-100 "superclasses" that are consecutive         ``asymmetric_cifar100(blocks="index")``
indices, in all of this code
SCE: one random pair of each such block is swapped    ``asymmetric_cifar100(blocks="index",
                                                      flip="pair")``
Forward correction, GCE: independent draws            ``from_matrix``
====================================================  ==============================================
"""

from noisykernels.noise.class_dependent import (
    asymmetric,
    asymmetric_cifar10,
    asymmetric_cifar100,
    asymmetric_mnist,
    from_matrix,
    pair_flip,
)
from noisykernels.noise.classes import CIFAR10_FLIPS, CIFAR100_SUPERCLASSES, MNIST_FLIPS
from noisykernels.noise.estimation import estimate_transition, estimate_transition_from_anchors
from noisykernels.noise.instance import instance_dependent
from noisykernels.noise.labels import NoisyLabels, transition_matrix
from noisykernels.noise.uniform import symmetric, symmetric_per_class, symmetric_per_pair

__all__ = [
    "CIFAR10_FLIPS",
    "CIFAR100_SUPERCLASSES",
    "MNIST_FLIPS",
    "NoisyLabels",
    "asymmetric",
    "asymmetric_cifar10",
    "asymmetric_cifar100",
    "asymmetric_mnist",
    "estimate_transition",
    "estimate_transition_from_anchors",
    "from_matrix",
    "instance_dependent",
    "pair_flip",
    "symmetric",
    "symmetric_per_class",
    "symmetric_per_pair",
    "transition_matrix",
]
