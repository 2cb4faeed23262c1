"""Noise whose wrong label depends on the clean class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from noisykernels.noise.arguments import (
    class_count,
    class_indices,
    distributions,
    generator,
    integer,
    share,
)
from noisykernels.noise.classes import CIFAR10_FLIPS, CIFAR100_SUPERCLASSES, MNIST_FLIPS
from noisykernels.noise.draws import draw, members
from noisykernels.noise.labels import NoisyLabels, corrupted
from noisykernels.validation import choices

BLOCKS = {
    "superclass": CIFAR100_SUPERCLASSES,
    "index": tuple(index // 5 for index in range(100)),
}
FLIPS_IN_A_BLOCK = ("circular", "pair")


def asymmetric(
    labels: Any,
    rate: float,
    flips: Mapping[int, int],
    num_classes: int,
    *,
    sequential: bool = False,
    seed: int = 0,
) -> NoisyLabels:
    """Asymmetric noise: of each source class exactly ``round(rate * n)`` labels get its target.

    Classes that are no source keep their labels, so the share of wrong labels in all is below
    ``rate``.

    With ``sequential=True`` the flips are made one after the other, each on the labels that the
    ones before it left, as published code does. Where classes are flipped to each other, such as
    cats and dogs, some labels that the first flip made wrong are then flipped back: of the first
    class only ``rate - rate**2`` are wrong, 24 % instead of 40 %.

    For one seed, the labels flipped at a lower rate are also flipped at every higher one, unless
    the flips are sequential.

    Args:
        labels: Clean class indices, N integers in [0, num_classes): a 1-D tensor or anything that
            :func:`torch.as_tensor` makes one of.
        rate: Share of each source class to flip, in [0, 1]. Counts are rounded half to even.
        flips: The target of each source class, such as ``{9: 1, 3: 5, 5: 3}``.
        num_classes: Number of classes C, at least 2.
        sequential: Whether a flip sees the labels that the flips before it made.
        seed: Seed of the draw, in [0, 2^64).

    Returns:
        The noisy labels and their empirical transition matrix.

    Raises:
        TypeError: An argument has the wrong type, such as labels that are bool or float.
        ValueError: A label or a class of ``flips`` is outside [0, num_classes), a class is flipped
            to itself, or another argument is outside its range.

    Source:
        Patrini et al. 2017, arXiv:1609.03683, which draws each label; exact counts: the code of
        Wang et al. 2019, arXiv:1908.06112. Sequential flips: the code of Ma et al. 2020,
        arXiv:2006.13554, and of Liu et al. 2020, arXiv:2007.00151.

    Example:
        >>> from noisykernels import noise
        >>> noisy, _ = noise.asymmetric([0, 0, 1, 1, 2, 2], 0.5, flips={0: 1}, num_classes=3)
        >>> noisy.bincount()
        tensor([1, 3, 2])
    """
    num_classes = class_count(num_classes, 2)
    flips = _checked_flips(flips, num_classes)
    return _flip(labels, rate, flips, num_classes, generator(seed), sequential)


def asymmetric_mnist(
    labels: Any, rate: float, *, sequential: bool = False, seed: int = 0
) -> NoisyLabels:
    """:func:`asymmetric` noise of MNIST: 7 to 1, 2 to 7, 5 to 6, 6 to 5 and 3 to 8.

    Args:
        labels: Clean class indices, N integers in [0, 10).
        rate: Share of each source class to flip, in [0, 1].
        sequential: Whether a flip sees the labels that the flips before it made.
        seed: Seed of the draw, in [0, 2^64).

    Returns:
        The noisy labels and their empirical transition matrix.

    Raises:
        TypeError: An argument has the wrong type, such as labels that are bool or float.
        ValueError: A label is outside [0, 10), or another argument outside its range.

    Source:
        Patrini et al. 2017, arXiv:1609.03683.

    Example:
        >>> from noisykernels import noise
        >>> noise.asymmetric_mnist([0, 1, 2, 3], rate=1.0).labels
        tensor([0, 1, 7, 8])
    """
    return asymmetric(labels, rate, MNIST_FLIPS, 10, sequential=sequential, seed=seed)


def asymmetric_cifar10(
    labels: Any, rate: float, *, sequential: bool = False, seed: int = 0
) -> NoisyLabels:
    """:func:`asymmetric` noise of CIFAR-10: similar things are mistaken for each other.

    Trucks become automobiles, birds airplanes, cats dogs, dogs cats and deer horses.

    Args:
        labels: Clean class indices, N integers in [0, 10).
        rate: Share of each source class to flip, in [0, 1].
        sequential: Whether a flip sees the labels that the flips before it made. At rate 0.4, 24 %
            of the cats are then wrong, and 18.4 % of all labels instead of 20 %.
        seed: Seed of the draw, in [0, 2^64).

    Returns:
        The noisy labels and their empirical transition matrix.

    Raises:
        TypeError: An argument has the wrong type, such as labels that are bool or float.
        ValueError: A label is outside [0, 10), or another argument outside its range.

    Source:
        Patrini et al. 2017, arXiv:1609.03683.

    Example:
        >>> import torch
        >>> from noisykernels import noise
        >>> _, transition = noise.asymmetric_cifar10(torch.arange(10).repeat(100), rate=0.4)
        >>> transition[9, 1]  # trucks called automobiles
        tensor(0.4000, dtype=torch.float64)
    """
    return asymmetric(labels, rate, CIFAR10_FLIPS, 10, sequential=sequential, seed=seed)


def asymmetric_cifar100(
    labels: Any,
    rate: float,
    *,
    blocks: Literal["superclass", "index"] = "superclass",
    flip: Literal["circular", "pair"] = "circular",
    seed: int = 0,
) -> NoisyLabels:
    """:func:`asymmetric` noise of CIFAR-100: classes of one block are mistaken for each other.

    There are 20 blocks of five classes. With ``flip="circular"`` each class of a block is flipped
    to the next one and the last to the first, in the order of their indices. With ``flip="pair"``
    two classes of each block, drawn at random, are flipped to each other and three stay clean, so
    that ``0.4 * rate`` of all labels are wrong.

    Published code means superclasses too, but takes consecutive indices for them, as if classes
    were sorted by superclass; they are sorted by name. ``blocks="index"`` does the same: apples are
    then called aquarium fish.

    Args:
        labels: Clean fine class indices, N integers in [0, 100).
        rate: Share of each source class to flip, in [0, 1].
        blocks: ``"superclass"``, the superclasses of the data set, or ``"index"``, the classes 0
            to 4, 5 to 9 and so on.
        flip: ``"circular"`` or ``"pair"``.
        seed: Seed of the draw, in [0, 2^64).

    Returns:
        The noisy labels and their empirical transition matrix.

    Raises:
        TypeError: An argument has the wrong type, such as labels that are bool or float.
        ValueError: A label is outside [0, 100), or another argument outside its range.

    Source:
        Patrini et al. 2017, arXiv:1609.03683; pairs: the code of Wang et al. 2019,
        arXiv:1908.06112, with ``blocks="index"``.

    Example:
        >>> from noisykernels import noise
        >>> orchid = 54
        >>> noise.asymmetric_cifar100([orchid], rate=1.0).labels  # to poppy
        tensor([62])
        >>> noise.asymmetric_cifar100([orchid], rate=1.0, blocks="index").labels  # to mouse
        tensor([50])
    """
    if blocks not in BLOCKS:
        raise ValueError(f"blocks must be {choices(BLOCKS)}, got {blocks!r}")
    if flip not in FLIPS_IN_A_BLOCK:
        raise ValueError(f"flip must be {choices(FLIPS_IN_A_BLOCK)}, got {flip!r}")
    source = generator(seed)
    flips: dict[int, int] = {}
    for block in range(20):
        classes = [index for index in range(100) if BLOCKS[blocks][index] == block]
        if flip == "pair":
            pair = torch.randperm(len(classes), generator=source, device="cpu")[:2]
            classes = [classes[index] for index in pair.tolist()]
        flips |= _circular(classes)
    return _flip(labels, rate, flips, 100, source)


def pair_flip(labels: Any, rate: float, num_classes: int, *, seed: int = 0) -> NoisyLabels:
    """Pair flip noise: of class i exactly ``round(rate * n)`` labels become i + 1, of the last 0.

    Args:
        labels: Clean class indices, N integers in [0, num_classes).
        rate: Share of each class to flip, in [0, 1]. Counts are rounded half to even.
        num_classes: Number of classes C, at least 2.
        seed: Seed of the draw, in [0, 2^64).

    Returns:
        The noisy labels and their empirical transition matrix.

    Raises:
        TypeError: An argument has the wrong type, such as labels that are bool or float.
        ValueError: A label is outside [0, num_classes), or another argument outside its range.

    Source:
        Han et al. 2018, arXiv:1804.06872.

    Example:
        >>> from noisykernels import noise
        >>> noise.pair_flip([0, 1, 2], rate=1.0, num_classes=3).labels
        tensor([1, 2, 0])
    """
    num_classes = class_count(num_classes, 2)
    return _flip(labels, rate, _circular(list(range(num_classes))), num_classes, generator(seed))


def from_matrix(labels: Any, matrix: Any, *, seed: int = 0) -> NoisyLabels:
    """Noise of any transition matrix: the label of a sample of class i is drawn from row i.

    Samples are drawn independently, so counts vary around their expectation; a class of
    probability 0 is never drawn.

    Args:
        labels: Clean class indices, N integers in [0, C).
        matrix: Transition matrix (C, C), ``matrix[i][j]`` the probability that a sample of class i
            is labeled j: a tensor or anything that :func:`torch.as_tensor` makes one of.
        seed: Seed of the draw, in [0, 2^64).

    Returns:
        The noisy labels and their empirical transition matrix, which is near ``matrix``.

    Raises:
        TypeError: An argument has the wrong type, such as labels that are bool or float.
        ValueError: A label is outside [0, C), ``matrix`` is not square, has a negative entry or a
            row that does not sum to 1, or ``seed`` is outside its range.

    Source:
        Patrini et al. 2017, arXiv:1609.03683.

    Example:
        >>> from noisykernels import noise
        >>> noise.from_matrix([0, 1, 1], [[1, 0], [1, 0]]).labels
        tensor([0, 0, 0])
    """
    rows = distributions("matrix", matrix)
    if rows.shape[0] != rows.shape[1]:
        raise ValueError(f"matrix must be square, got shape {tuple(rows.shape)}")
    labels = class_indices("labels", labels, len(rows))
    return corrupted(labels, draw(rows[labels.cpu()], generator(seed)), len(rows))


def _flip(
    labels: Any,
    rate: Any,
    flips: Mapping[int, int],
    num_classes: int,
    source: torch.Generator,
    sequential: bool = False,
) -> NoisyLabels:
    labels = class_indices("labels", labels, num_classes)
    rate = share(rate)
    clean: Tensor = labels.cpu()
    noisy = clean.clone()
    for index, target in flips.items():
        positions = members(noisy if sequential else clean, index, source)
        noisy[positions[: round(rate * len(positions))]] = target
    return corrupted(labels, noisy, num_classes)


def _circular(classes: list[int]) -> dict[int, int]:
    """Each class to the next, the last to the first."""
    return dict(zip(classes, [*classes[1:], classes[0]], strict=True))


def _checked_flips(flips: Any, num_classes: int) -> dict[int, int]:
    if not isinstance(flips, Mapping):
        raise TypeError(
            f"flips must be a mapping from source to target class, got {type(flips).__name__}"
        )
    checked = {integer("flips", index): integer("flips", target) for index, target in flips.items()}
    for index, target in checked.items():
        if not (0 <= index < num_classes and 0 <= target < num_classes):
            raise ValueError(f"flips must be in [0, {num_classes}), got {index}: {target}")
        if index == target:
            raise ValueError(f"flips must change the class, got {index}: {target}")
    return checked
