"""Every error about arguments. Each names the argument, what it takes and what it got.

The checks run on every call, so the valid path is a handful of attribute reads and builds no text;
messages are put together only when an argument is refused.
"""

from __future__ import annotations

import math
import numbers
import operator
from typing import Any

import torch
from torch import Tensor

from noisykernels.ops import REDUCTIONS

FLOATING = frozenset({torch.float16, torch.bfloat16, torch.float32, torch.float64})
CLASS_INDICES = frozenset({torch.int64, torch.int32, torch.uint8})

ROW_TOLERANCE = 1e-4
"""How far from 1 the sum of a row of a transition matrix may be: estimates are printed rounded."""

LARGEST_CONDITION = 1e6
"""Of a matrix that is inverted: beyond it the noise in its entries is all that the inverse has."""

PLAIN_TENSORS = frozenset({Tensor, torch.nn.Parameter})
"""Types of tensor without a mind of their own."""


def check_tensors(input: Tensor, target: Tensor, weight: Tensor | None) -> None:
    """Check the logits, the labels and the class weights of a call against each other."""
    _check_kind("input", input, FLOATING)
    _check_kind("target", target, CLASS_INDICES, input)
    shape, labels = input.shape, target.shape
    if len(shape) == 2:  # the common case, without building a shape
        matches = len(labels) == 1 and labels[0] == shape[0]
    else:
        matches = len(shape) > 0 and labels == shape[:1] * (len(shape) > 1) + shape[2:]
    if not matches:
        raise ValueError(_shape_message(tuple(shape), tuple(labels)))
    classes = _check_classes(shape)
    if target.device != input.device:
        raise RuntimeError(_device_message("target", target, input))
    if weight is not None:
        _check_weight_of(weight, input, classes)


def check_weight(weight: Tensor) -> None:
    """Check what can be known about class weights without the logits."""
    _check_kind("weight", weight, FLOATING)
    if weight.dim() != 1:
        raise ValueError(
            f"weight must have shape (C,), one number for each class, got shape "
            f"{tuple(weight.shape)}"
        )


def check_sample_weight(sample_weight: Tensor, input: Tensor) -> None:
    """Raise what is wrong with weights of samples."""
    _check_kind("sample_weight", sample_weight, FLOATING)
    shape = tuple(input.shape)
    samples = shape[: len(shape) > 1] + shape[2:]
    if sample_weight.shape != samples:
        raise ValueError(
            f"sample_weight must have shape {samples}, that of input without its class dimension, "
            f"got {tuple(sample_weight.shape)}"
        )
    if sample_weight.device != input.device:
        raise RuntimeError(_device_message("sample_weight", sample_weight, input))


def check_probabilities(input: Tensor, target: Tensor, weight: Tensor | None) -> None:
    """Raise what is wrong with class probabilities as the target."""
    _check_kind("input", input, FLOATING)
    _check_kind("target", target, FLOATING)
    if target.shape != input.shape or input.dim() == 0:
        raise ValueError(
            f"a floating-point target holds class probabilities and must have the shape of input, "
            f"{tuple(input.shape)}, got {tuple(target.shape)}; class indices are integers"
        )
    classes = _check_classes(input.shape)
    if target.device != input.device:
        raise RuntimeError(_device_message("target", target, input))
    if weight is not None:
        _check_weight_of(weight, input, classes)


def reduction_code(reduction: str) -> int:
    """The number of a reduction, as the operators take it."""
    if isinstance(reduction, str) and reduction in REDUCTIONS:
        return REDUCTIONS[reduction]
    raise ValueError(f"reduction must be {choices(REDUCTIONS)}, got {reduction!r}")


def integer(name: str, value: int) -> int:
    """The value of an argument that takes one integer, such as `ignore_index`."""
    if type(value) is not int:
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise TypeError(f"{name} must be an int, got {describe(value)}")
        value = operator.index(value)
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"{name} must fit in 64 bits, got {value}")
    return value


def number(name: str, value: Any) -> float:
    """The value of an argument that takes one finite real number, such as `q`."""
    if isinstance(value, Tensor):
        value = scalar(name, value).detach().item()
    elif isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a real number, got {describe(value)}")
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not -math.inf < result < math.inf:  # Dynamo cannot trace math.isfinite
        raise ValueError(f"{name} must be a finite number, got {value!r}")
    return result


def scalar(name: str, value: Tensor) -> Tensor:
    """A tensor that stands for one real number, as a 0-d tensor."""
    if value.numel() != 1:
        raise TypeError(
            f"{name} must be a number, got {describe(value)}; class weights are passed as weight="
        )
    if value.dtype == torch.bool or value.is_complex():
        raise TypeError(f"{name} must be a real number, got {describe(value)}")
    return value.reshape(()) if value.dim() else value


def at_hand(number: Tensor) -> bool:
    """Whether the value of a 0-d tensor can be looked at without waiting for a GPU."""
    return number.is_cpu and readable(number)


def transition_matrix(name: str, value: Any, invertible: bool) -> Tensor:
    """The value of an argument that takes a matrix whose rows are probabilities."""
    _check_kind(name, value, FLOATING)
    shape = tuple(value.shape)
    if value.dim() != 2 or shape[0] != shape[1]:
        raise ValueError(f"{name} must have shape (C, C), got shape {shape}")
    if value.requires_grad and torch.is_grad_enabled():
        raise RuntimeError(
            f"{name} must not require grad: the losses are not differentiable with respect to it; "
            f"pass {name}.detach()"
        )
    if readable(value):
        _check_entries(name, value.double(), invertible)
    matrix: Tensor = value
    return matrix


def check_matrix(name: str, matrix: Tensor, input: Tensor) -> None:
    """Raise what is wrong with a transition matrix for these logits."""
    classes = input.shape[input.dim() > 1]
    if matrix.shape[0] != classes:
        raise ValueError(
            f"{name} must have shape ({classes}, {classes}) for input of shape "
            f"{tuple(input.shape)}, got shape {tuple(matrix.shape)}"
        )
    if matrix.device != input.device:
        raise RuntimeError(_device_message(name, matrix, input))


def readable(tensor: Tensor) -> bool:
    """Whether numbers can be looked at: not while tracing, nor under a transform of torch.func."""
    return not (
        torch.compiler.is_compiling()
        or type(tensor) not in PLAIN_TENSORS  # fake tensors
        or tensor.is_meta
        or torch._C._functorch.is_functorch_wrapped_tensor(tensor)
    )


def check_labels(target: Tensor, classes: int, ignore_index: int) -> None:
    """Raise IndexError for the first label that is neither in [0, classes) nor `ignore_index`."""
    target = target.long()  # a uint8 label must not be compared with -100 modulo 256
    outside = ((target < 0) | (target >= classes)) & (target != ignore_index)
    if outside.any():
        index = tuple(outside.nonzero()[0].tolist())
        place = f"[{', '.join(map(str, index))}]" if index else ""
        raise IndexError(
            f"target{place} is {int(target[index])}, expected 0 <= target < {classes} "
            f"or ignore_index={ignore_index}"
        )


def choices(names: Any) -> str:
    """Names as prose: "'none', 'mean' or 'sum'"."""
    *others, last = map(repr, names)
    return f"{', '.join(others)} or {last}" if others else last


def describe(value: object) -> str:
    """What an argument is, in a few words."""
    if isinstance(value, Tensor):
        return f"a {str(value.dtype).removeprefix('torch.')} tensor of shape {tuple(value.shape)}"
    if value is None or isinstance(value, str | bool | numbers.Number):
        return repr(value)
    return f"an object of type {type(value).__name__}"


def _check_kind(
    name: str, value: Any, dtypes: frozenset[torch.dtype], logits: Tensor | None = None
) -> None:
    if type(value) not in PLAIN_TENSORS:
        if not isinstance(value, Tensor):
            raise TypeError(f"{name} must be a tensor, got {describe(value)}")
        if any(cls.__name__ == "DTensor" for cls in type(value).__mro__):
            raise RuntimeError(
                f"{name} must not be a DTensor, whose classes or rows may lie on other processes; "
                f"pass {name}.full_tensor() or {name}.to_local()"
            )
    if value.layout is not torch.strided:
        raise TypeError(f"{name} must be a dense tensor, got layout {value.layout}")
    if value.dtype not in dtypes:
        raise TypeError(_dtype_message(name, value, dtypes, logits))


def _check_entries(name: str, matrix: Tensor, invertible: bool) -> None:
    if not matrix.isfinite().all():
        raise ValueError(f"{name} must hold finite numbers")
    if (smallest := float(matrix.min())) < 0:
        raise ValueError(f"{name} must hold probabilities, got {smallest:g}")
    sums = matrix.sum(1)
    if float((error := (sums - 1).abs()).max()) > ROW_TOLERANCE:
        row = int(error.argmax())
        raise ValueError(
            f"{name} must have rows that sum to 1, got {float(sums[row]):g} in row {row}"
        )
    if invertible and not (condition := float(torch.linalg.cond(matrix, 1))) < LARGEST_CONDITION:
        raise ValueError(
            f"{name} must be invertible, with a condition number below {LARGEST_CONDITION:g}, got "
            f"{condition:g}"
        )


def _check_classes(shape: torch.Size) -> int:
    classes = shape[0] if len(shape) == 1 else shape[1]
    if classes == 0:
        raise ValueError(f"input must have at least one class, got shape {tuple(shape)}")
    return classes


def _check_weight_of(weight: Tensor, input: Tensor, classes: int) -> None:
    check_weight(weight)
    if weight.shape[0] != classes:
        raise ValueError(
            f"weight must have shape ({classes},), one number for each class of input of shape "
            f"{tuple(input.shape)}, got shape {tuple(weight.shape)}"
        )
    if weight.device != input.device:
        raise RuntimeError(_device_message("weight", weight, input))
    if weight.requires_grad and torch.is_grad_enabled():
        raise RuntimeError(
            "weight must not require grad: the losses are not differentiable with respect to it; "
            "pass weight.detach()"
        )


def _dtype_message(
    name: str, value: Tensor, dtypes: frozenset[torch.dtype], logits: Tensor | None
) -> str:
    takes = ", ".join(sorted(str(dtype).removeprefix("torch.") for dtype in dtypes))
    if logits is not None:
        takes = f"class indices ({takes})"
        if value.is_floating_point() and value.shape == logits.shape:
            return (
                f"target must be {takes}: of the losses only ce takes probabilities; for mixup use "
                f"lam * loss(input, target_a) + (1 - lam) * loss(input, target_b). Got "
                f"{describe(value)}"
            )
    return f"{name} must be {takes}, got {describe(value)}"


def _shape_message(shape: tuple[int, ...], labels: tuple[int, ...]) -> str:
    if not shape:
        return "input must have shape (C,), (N, C) or (N, C, d1, ...), got a tensor of shape ()"
    expected = shape[: len(shape) > 1] + shape[2:]
    return (
        f"target must have shape {expected}, that of input without its class dimension, got "
        f"{labels} for input of shape {shape}"
    )


def _device_message(name: str, value: Tensor, logits: Tensor) -> str:
    return f"{name} must be on the device of input, {logits.device}, got {value.device}"
