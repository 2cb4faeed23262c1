"""Statistics of rows as differentiable tensors: a loss of your own is a line of PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from noisykernels import backends, validation
from noisykernels.ops import NONE, pack
from noisykernels.terms import MAX_POWERS, WeightedTerm, columns, gradient, resources

_forward = torch.ops.noisykernels.forward.default
_backward = torch.ops.noisykernels.backward.default


class RowStatistics(NamedTuple):
    """What losses are made of, of the shape of the targets and differentiable."""

    log_p: Tensor
    """The logarithm of the label's probability, exact at both ends."""
    sum_log_p: Tensor | None
    """sum_k log p_k, if asked for."""
    entropy: Tensor | None
    """-sum_k p_k log p_k, if asked for."""
    power_sums: tuple[Tensor, ...]
    """sum_k p_k^s for each s of `powers`."""


def row_statistics(
    input: Tensor,
    target: Tensor,
    *,
    sum_log_p: bool = False,
    entropy: bool = False,
    powers: Sequence[float] = (),
    ignore_index: int = -100,
) -> RowStatistics:
    """Statistics of the softmax of each row, for losses that this package does not have.

    Any function of them has the kernels' accuracy and memory: the forward reads the logits once for
    each statistic, and the backward reads and writes them once for all.

    Args:
        input: Logits of shape (C,), (N, C) or (N, C, d1, ...), floating point.
        target: Class indices of shape (), (N,) or (N, d1, ...), dtype int64, int32 or uint8.
        sum_log_p: Whether to compute ``sum_k log p_k``.
        entropy: Whether to compute ``-sum_k p_k log p_k``.
        powers: Up to two exponents s > 0, not 1, of ``sum_k p_k^s``.
        ignore_index: Where the target is this, all statistics are 0 and so is the gradient.

    Returns:
        The statistics, float64 for float64 logits, else float32.

    Raises:
        ValueError: If a shape or an exponent is out of range.
        TypeError: If an argument has the wrong type or dtype.
        RuntimeError: If tensors are on different devices.
        IndexError: If a label on the CPU is neither in [0, C) nor ignore_index.

    Example:
        Generalized cross entropy with a penalty for uncertainty:

        >>> import torch
        >>> logits, target = torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0])
        >>> row = row_statistics(logits, target, entropy=True)
        >>> (-torch.expm1(0.7 * row.log_p) / 0.7 + 0.1 * row.entropy).mean()
        tensor(0.2871)
    """
    validation.check_tensors(input, target, None)
    ignore_index = validation.integer("ignore_index", ignore_index)
    exponents = [_exponent(s) for s in powers]
    if len(exponents) > MAX_POWERS - 1:
        raise ValueError(f"powers takes up to {MAX_POWERS - 1} exponents, got {len(exponents)}")
    classes = input.shape[input.dim() > 1]
    terms = [
        WeightedTerm("ce", -1.0),
        *[WeightedTerm("smoothing", -float(classes))] * sum_log_p,
        *[WeightedTerm("entropy", 1.0)] * entropy,
        *[WeightedTerm("power_sum", 1.0, s) for s in exponents],
    ]
    backend = backends.choose(input.device.type)
    if backend == backends.REFERENCE:
        found = _reference(input, target, terms, ignore_index)
    else:
        function: Any = _Statistics.apply
        found = function(input, target, terms, ignore_index, backend)[: len(terms)]
    rest = iter(found)
    return RowStatistics(
        next(rest),
        next(rest) if sum_log_p else None,
        next(rest) if entropy else None,
        tuple(rest),
    )


class _Statistics(torch.autograd.Function):
    """Values of terms, one forward each; their gradients are merged into one backward."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        logits: Tensor,
        target: Tensor,
        terms: Sequence[WeightedTerm],
        ignore_index: int,
        backend: int,
    ) -> tuple[Tensor, ...]:
        """The values, then what each forward leaves for its rows, then the divisor, which is 1."""
        results = [
            _forward(logits, target, None, None, *pack([term]), ignore_index, NONE, False, backend)
            for term in terms
        ]
        return (
            *[value for value, _, _ in results],
            *[rows for _, rows, _ in results],
            results[0][2],
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        """Save the tensors; the values alone are differentiable."""
        logits, target, ctx.terms, ctx.ignore_index, ctx.backend = inputs
        others = output[len(ctx.terms) :]
        ctx.mark_non_differentiable(*others)
        ctx.save_for_backward(logits, target, *others)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Any, ...]:
        """One kernel for all values, or plain torch when the gradient is itself differentiated."""
        logits, target, *rows, divisor = ctx.saved_tensors
        upstream = upstream[: len(ctx.terms)]
        if torch.is_grad_enabled():
            parts = [
                gradient(u, logits, target, None, [term], ctx.ignore_index, False)
                for u, term in zip(upstream, ctx.terms, strict=True)
            ]
            return sum(parts[1:], parts[0]), None, None, None, None
        result = _backward(
            torch.ones_like(upstream[0]),
            logits,
            target,
            None,
            None,
            _merge(ctx.terms, rows, upstream),
            divisor,
            *pack(ctx.terms),
            ctx.ignore_index,
            NONE,
            False,
            ctx.backend,
        )
        return result, None, None, None, None


def _merge(
    terms: Sequence[WeightedTerm], rows: Sequence[Tensor], upstream: Sequence[Tensor]
) -> Tensor:
    """The coefficients of the sum of terms, each term with a weight for every row."""
    joint = columns(terms, False, False)
    exponents = resources(terms).exponents
    merged = dict.fromkeys(joint, torch.zeros_like(rows[0][0]))
    for term, own, u in zip(terms, rows, upstream, strict=True):
        of_term = resources([term]).exponents
        for name, column in zip(columns([term], False, False), own, strict=True):
            if name == "shift":  # the row's largest logit, the same for all
                merged[name] = column
                continue
            if name.startswith("power"):
                name = f"power{exponents.index(of_term[int(name.removeprefix('power'))])}"
            merged[name] = merged[name] + u.reshape(-1) * column
    return torch.stack(list(merged.values()))


def _reference(
    input: Tensor, target: Tensor, terms: Sequence[WeightedTerm], ignore_index: int
) -> list[Tensor]:
    """The same in plain torch, twice differentiable by autograd."""
    from noisykernels import reference

    if input.is_cpu and validation.readable(target):
        validation.check_labels(target, input.shape[input.dim() > 1], ignore_index)
    options: Any = {"ignore_index": ignore_index, "reduction": "none"}
    values: dict[str, Callable[[float], Tensor]] = {
        "ce": lambda _: reference.ce_loss(input, target, **options),
        "smoothing": lambda _: reference.uniform_ce_loss(input, target, **options),
        "entropy": lambda _: reference.entropy_loss(input, target, **options),
        "power_sum": lambda s: reference.pnorm_loss(input, target, s, **options),
    }
    return [term.weight * values[term.name](term.parameter) for term in terms]


def _exponent(s: float) -> float:
    number = validation.number("powers", s)
    if not (number > 0 and number != 1):
        raise ValueError(f"powers must be positive and not 1, whose sum is 1, got {s!r}")
    return number
