"""Label noise: controlled corruption of clean labels, with the transition matrix it amounts to.

Each noise model is a function from clean labels to :class:`NoisyLabels`. It draws on the CPU from a
generator of its own: one seed gives the same labels on every device, and the global random state of
the program is neither read nor changed.
"""

from __future__ import annotations

import math
import operator
from numbers import Real
from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["NoisyLabels", "symmetric", "transition_matrix"]


class NoisyLabels(NamedTuple):
    """Labels after corruption, and what the corruption did.

    Attributes:
        labels: Noisy labels, int64, shape (N,), on the device of the clean ones.
        transition: The matrix of :func:`transition_matrix` from the clean to the noisy labels.
    """

    labels: Tensor
    transition: Tensor


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
        Uniform noise: Ghosh et al. 2017, arXiv:1712.09482. Exact counts of flipped labels: the
        code of Wang et al. 2019, arXiv:1908.06112, which counts per class instead of overall.

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
    num_classes = _integer("num_classes", num_classes)
    if num_classes < 1 + exclude_true:
        raise ValueError(
            f"num_classes must be at least {1 + exclude_true} with exclude_true={exclude_true}, "
            f"got {num_classes}"
        )
    labels = _class_indices("labels", labels, num_classes)
    clean = labels.cpu()
    generator = _generator(seed)
    chosen = _choose(len(clean), rate, generator)

    if exclude_true:
        # A shift by 1 ... C-1 reaches each other class from exactly one draw.
        shift = torch.randint(1, num_classes, chosen.shape, generator=generator, device="cpu")
        drawn = (clean[chosen] + shift) % num_classes
    else:
        drawn = torch.randint(num_classes, chosen.shape, generator=generator, device="cpu")
    noisy = clean.index_copy(0, chosen, drawn)
    return NoisyLabels(noisy.to(labels.device), transition_matrix(clean, noisy, num_classes))


def transition_matrix(clean: Any, noisy: Any, num_classes: int) -> Tensor:
    """Empirical transition matrix, ``T_ij`` = share of samples of clean class i with noisy label j.

    Args:
        clean: Clean class indices, N integers in [0, num_classes).
        noisy: Noisy class indices, same shape.
        num_classes: Number of classes C, at least 1.

    Returns:
        A float64 tensor (C, C) on the CPU whose rows sum to 1. A class without samples has the row
        of the identity.

    Raises:
        TypeError: An argument has the wrong type, such as labels that are bool or float.
        ValueError: A label is outside [0, num_classes), or the lengths differ.

    Example:
        >>> from noisykernels import noise
        >>> noise.transition_matrix(clean=[0, 0, 1], noisy=[0, 1, 1], num_classes=3)
        tensor([[0.5000, 0.5000, 0.0000],
                [0.0000, 1.0000, 0.0000],
                [0.0000, 0.0000, 1.0000]], dtype=torch.float64)
    """
    num_classes = _integer("num_classes", num_classes)
    if num_classes < 1:
        raise ValueError(f"num_classes must be at least 1, got {num_classes}")
    clean = _class_indices("clean", clean, num_classes).cpu()
    noisy = _class_indices("noisy", noisy, num_classes).cpu()
    if clean.shape != noisy.shape:
        raise ValueError(
            f"noisy must have as many labels as clean, got {len(noisy)} and {len(clean)}"
        )
    pairs = torch.bincount(clean * num_classes + noisy, minlength=num_classes**2)
    counts = pairs.reshape(num_classes, num_classes).to(torch.float64)
    samples = counts.sum(1, keepdim=True)
    identity = torch.eye(num_classes, dtype=torch.float64, device="cpu")
    return torch.where(samples > 0, counts / samples, identity)


def _choose(samples: int, rate: float, generator: torch.Generator) -> Tensor:
    """Positions of ``round(rate * samples)`` samples, each sample at most once."""
    if isinstance(rate, bool) or not isinstance(rate, Real):
        raise TypeError(f"rate must be a number, got {type(rate).__name__}")
    if math.isnan(rate) or not 0 <= rate <= 1:
        raise ValueError(f"rate must be in [0, 1], got {rate}")
    return torch.randperm(samples, generator=generator, device="cpu")[: round(rate * samples)]


def _generator(seed: int) -> torch.Generator:
    """A generator that depends on nothing but ``seed``."""
    seed = _integer("seed", seed)
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed must be in [0, 2^64), got {seed}")
    return torch.Generator(device="cpu").manual_seed(seed)


def _integer(name: str, value: Any) -> int:
    """``value`` as an int; bool is not one."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be an integer, got {type(value).__name__}")
    return operator.index(value)


def _class_indices(name: str, labels: Any, num_classes: int) -> Tensor:
    """``labels`` as a 1-D int64 tensor of class indices; may share memory with its argument."""
    expected = "a 1-D tensor or sequence of integer class indices"
    try:
        # as_tensor would move a tensor to the default device.
        indices = labels if isinstance(labels, Tensor) else torch.as_tensor(labels)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"{name} must be {expected}, got {type(labels).__name__}") from error
    if indices.dtype == torch.bool or indices.is_floating_point() or indices.is_complex():
        raise TypeError(f"{name} must be {expected}, got dtype {indices.dtype}")
    if indices.dim() != 1:
        raise ValueError(f"{name} must be {expected}, got shape {tuple(indices.shape)}")
    indices = indices.to(torch.int64)
    outside = ((indices < 0) | (indices >= num_classes)).nonzero()
    if len(outside):
        first = int(outside[0])
        raise ValueError(
            f"{name} must be in [0, {num_classes}), got {name}[{first}] = {int(indices[first])}"
        )
    return indices
