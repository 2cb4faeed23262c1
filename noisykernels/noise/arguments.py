"""Checks of the arguments that the noise models share; each error names the argument."""

from __future__ import annotations

import operator
from numbers import Real
from typing import Any

import torch
from torch import Tensor


def class_count(value: Any, minimum: int = 1, because: str = "") -> int:
    """The value of ``num_classes``; ``because`` says what asks for the minimum."""
    count = integer("num_classes", value)
    if count < minimum:
        raise ValueError(f"num_classes must be at least {minimum}{because}, got {count}")
    return count


def share(value: Any) -> float:
    """The value of ``rate``, a number in [0, 1]."""
    rate = real("rate", value)
    if not 0 <= rate <= 1:
        raise ValueError(f"rate must be in [0, 1], got {value}")
    return rate


def generator(seed: Any) -> torch.Generator:
    """A generator on the CPU that depends on nothing but ``seed``."""
    seed = integer("seed", seed)
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed must be in [0, 2^64), got {seed}")
    return torch.Generator(device="cpu").manual_seed(seed)


def real(name: str, value: Any) -> float:
    """``value`` as a float; bool is not one."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {type(value).__name__}")
    return float(value)


def integer(name: str, value: Any) -> int:
    """``value`` as an int; bool is not one."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be an integer, got {type(value).__name__}")
    return operator.index(value)


def class_indices(name: str, labels: Any, num_classes: int) -> Tensor:
    """``labels`` as a 1-D int64 tensor of class indices; may share memory with its argument."""
    expected = "a 1-D tensor or sequence of integer class indices"
    indices = _tensor(name, labels, expected)
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


def distributions(name: str, values: Any) -> Tensor:
    """``values`` as a float64 tensor on the CPU whose rows are distributions over the classes."""
    expected = "a 2-D tensor or nested sequence whose rows are distributions over the classes"
    rows = _tensor(name, values, expected)
    if rows.is_complex():
        raise TypeError(f"{name} must be {expected}, got dtype {rows.dtype}")
    if rows.dim() != 2 or rows.shape[1] == 0:
        raise ValueError(f"{name} must be {expected}, got shape {tuple(rows.shape)}")
    # A softmax in half precision sums to 1 within the precision of its dtype, and no better.
    tolerance = torch.finfo(rows.dtype).eps if rows.is_floating_point() else 0.0
    tolerance = max(1e-6, tolerance * rows.shape[1])
    rows = rows.detach().to("cpu", torch.float64)
    wrong = (~((rows >= 0).all(1) & ((rows.sum(1) - 1).abs() <= tolerance))).nonzero()
    if len(wrong):
        first = int(wrong[0])
        raise ValueError(
            f"{name} must have rows of non-negative numbers that sum to 1, got {name}[{first}] "
            f"with minimum {rows[first].min():.6g} and sum {rows[first].sum():.6g}"
        )
    return rows


def finite_features(name: str, values: Any, samples: int) -> Tensor:
    """``values`` as a detached tensor (samples, features) of floating point numbers."""
    if not isinstance(values, Tensor) or not values.is_floating_point():
        kind = values.dtype if isinstance(values, Tensor) else type(values).__name__
        raise TypeError(f"{name} must be a tensor of floating point numbers, got {kind}")
    if values.dim() < 2 or len(values) != samples:
        raise ValueError(
            f"{name} must have shape ({samples}, ...), a row for each label, got shape "
            f"{tuple(values.shape)}"
        )
    if not values.isfinite().all():
        raise ValueError(f"{name} must be finite, got {name} with NaN or infinity")
    return values.detach().flatten(1)


def _tensor(name: str, values: Any, expected: str) -> Tensor:
    try:
        # as_tensor would move a tensor to the default device.
        return values if isinstance(values, Tensor) else torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"{name} must be {expected}, got {type(values).__name__}") from error
