"""Which classes of the standard data sets are mistaken for which."""

MNIST_FLIPS = {7: 1, 2: 7, 5: 6, 6: 5, 3: 8}
"""Digits that look alike. Source: Patrini et al. 2017, arXiv:1609.03683."""

CIFAR10_FLIPS = {9: 1, 2: 0, 3: 5, 5: 3, 4: 7}
"""truck to automobile, bird to airplane, cat to dog, dog to cat, deer to horse; in the order in
which published code goes through them. Source: Patrini et al. 2017, arXiv:1609.03683."""

# fmt: off
CIFAR100_SUPERCLASSES = (
    4, 1, 14, 8, 0, 6, 7, 7, 18, 3,
    3, 14, 9, 18, 7, 11, 3, 9, 7, 11,
    6, 11, 5, 10, 7, 6, 13, 15, 3, 15,
    0, 11, 1, 10, 12, 14, 16, 9, 11, 5,
    5, 19, 8, 8, 15, 13, 14, 17, 18, 10,
    16, 4, 17, 4, 2, 0, 17, 4, 18, 17,
    10, 3, 2, 12, 12, 16, 12, 1, 9, 19,
    2, 10, 0, 1, 16, 12, 9, 13, 15, 13,
    16, 19, 2, 4, 6, 19, 5, 5, 8, 19,
    18, 1, 2, 15, 6, 0, 17, 8, 14, 13,
)
"""The superclass (coarse label) of each class (fine label) of CIFAR-100; five classes have each.
Source: the labels of the data set, Krizhevsky 2009."""
# fmt: on
