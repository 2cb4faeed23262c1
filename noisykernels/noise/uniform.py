"""Noise that makes every other class equally likely."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from noisykernels.noise.arguments import class_count, class_indices, generator, share
from noisykernels.noise.draws import choose, members, other_class
from noisykernels.noise.labels import NoisyLabels, corrupted


def symmetric(
    labels: Any,
    rate: float,
    num_classes: int,
    *,
    exclude_true: bool = True,
    seed: int = 0,
) -> NoisyLabels:
    """Symmetric (uniform) noise: exactly ``round(rate * N)`` labels, chosen at random, are redrawn.

    With ``exclude_true=True`` a redrawn label is one of the other C - 1 classes with equal
    probability. So exactly ``round(rate * N)`` labels are wrong, and the expected transition matrix
    is ``T_ii = 1 - rate``, ``T_ij = rate / (C - 1)``. With ``exclude_true=False`` it is any of the
    C classes and may stay as it was, so about ``rate * (1 - 1/C)`` of the labels are wrong: what
    code that does so (DivideMix, ELR) calls 80 % is 72 % on ten classes.

    For one seed, the labels redrawn at a lower rate are also redrawn at every higher one.

    Args:
        labels: Clean class indices, N integers in [0, num_classes): a 1-D tensor or anything that
            :func:`torch.as_tensor` makes one of.
        rate: Share of labels to redraw, in [0, 1]. The count is rounded half to even.
        num_classes: Number of classes C; at least 2 with ``exclude_true=True``.
        exclude_true: Whether a redrawn label must differ from the clean one.
        seed: Seed of the draw, in [0, 2^64).

    Returns:
        The noisy labels and their empirical transition matrix.

    Raises:
        TypeError: An argument has the wrong type, such as labels that are bool or float.
        ValueError: A label is outside [0, num_classes), or another argument outside its range.

    Source:
        Uniform noise: Ghosh et al. 2017, arXiv:1712.09482.

    Example:
        >>> import torch
        >>> from noisykernels import noise
        >>> clean = torch.arange(10).repeat(100)
        >>> noisy, transition = noise.symmetric(clean, rate=0.4, num_classes=10, seed=1)
        >>> int((noisy != clean).sum())
        400
        >>> tuple(transition.shape)
        (10, 10)
    """
    because = f" with exclude_true={exclude_true}"
    num_classes = class_count(num_classes, 1 + exclude_true, because)
    labels = class_indices("labels", labels, num_classes)
    clean = labels.cpu()
    source = generator(seed)
    chosen = choose(len(clean), share(rate), source)

    if exclude_true:
        drawn = other_class(clean[chosen], num_classes, source)
    else:
        drawn = torch.randint(num_classes, chosen.shape, generator=source, device="cpu")
    return corrupted(labels, clean.index_copy(0, chosen, drawn), num_classes)


def symmetric_per_class(
    labels: Any, rate: float, num_classes: int, *, seed: int = 0
) -> NoisyLabels:
    """Symmetric noise with as many wrong labels in each class: ``int(int(rate * N) / C)``.

    A wrong label is one of the other C - 1 classes with equal probability. Both divisions
    truncate, so the true rate can be a little below ``rate``.

    Args:
        labels: Clean class indices, N integers in [0, num_classes).
        rate: Share of labels to redraw, in [0, 1].
        num_classes: Number of classes C, at least 2.
        seed: Seed of the draw, in [0, 2^64).

    Returns:
        The noisy labels and their empirical transition matrix.

    Raises:
        TypeError: An argument has the wrong type, such as labels that are bool or float.
        ValueError: A label is outside [0, num_classes), another argument outside its range, or a
            class has fewer samples than labels to redraw.

    Source:
        The code of Wang et al. 2019 (SCE), arXiv:1908.06112; Ma et al. 2020 (APL),
        arXiv:2006.13554; Zhou et al. 2021 (ALF), arXiv:2106.03110.

    Example:
        >>> from noisykernels import noise
        >>> noisy, transition = noise.symmetric_per_class([0, 0, 0, 1, 1, 1], 0.5, num_classes=2)
        >>> transition.diagonal()  # int(3 / 2) = 1 of each class
        tensor([0.6667, 0.6667], dtype=torch.float64)
    """
    num_classes = class_count(num_classes, 2)
    labels = class_indices("labels", labels, num_classes)
    clean = labels.cpu()
    count = int(share(rate) * len(clean)) // num_classes
    available = clean.bincount(minlength=num_classes)
    if available.min() < count:
        index = int(available.argmin())
        raise ValueError(
            f"rate must leave no class with fewer samples than labels to redraw, got {rate}: "
            f"{count} of each class, and class {index} has {int(available[index])}"
        )
    source = generator(seed)
    chosen = torch.cat([members(clean, index, source)[:count] for index in range(num_classes)])
    drawn = other_class(clean[chosen], num_classes, source)
    return corrupted(labels, clean.index_copy(0, chosen, drawn), num_classes)


def symmetric_per_pair(labels: Any, rate: float, num_classes: int, *, seed: int = 0) -> NoisyLabels:
    """Symmetric noise with as many wrong labels for each ordered pair of classes.

    Of the n_i samples of class i, exactly ``int(rate * n_i / (C - 1))`` get each other class, so
    the transition matrix is no draw but known beforehand. The truncation lowers the rate: nominal
    0.2, 0.4, 0.6, 0.8 are 0.198, 0.396, 0.594, 0.792 on CIFAR-100.

    Args:
        labels: Clean class indices, N integers in [0, num_classes).
        rate: Share of labels to redraw, in [0, 1].
        num_classes: Number of classes C, at least 2.
        seed: Seed of the draw, in [0, 2^64).

    Returns:
        The noisy labels and their empirical transition matrix.

    Raises:
        TypeError: An argument has the wrong type, such as labels that are bool or float.
        ValueError: A label is outside [0, num_classes), or another argument outside its range.

    Source:
        The code of Ye et al. 2023 (ANL), NeurIPS 2023, and of Wang et al. 2025 (JAL),
        arXiv:2507.17692.

    Example:
        >>> import torch
        >>> from noisykernels import noise
        >>> clean = torch.arange(100).repeat(500)
        >>> noisy, _ = noise.symmetric_per_pair(clean, rate=0.4, num_classes=100)
        >>> float((noisy != clean).double().mean())
        0.396
    """
    num_classes = class_count(num_classes, 2)
    labels = class_indices("labels", labels, num_classes)
    rate = share(rate)
    clean: Tensor = labels.cpu()
    noisy = clean.clone()
    source = generator(seed)
    shifts = torch.arange(1, num_classes, device="cpu")
    for index in range(num_classes):
        positions = members(clean, index, source)
        count = int(rate * len(positions) / (num_classes - 1))
        drawn = (index + shifts).repeat_interleave(count) % num_classes
        noisy[positions[: len(drawn)]] = drawn
    return corrupted(labels, noisy, num_classes)
