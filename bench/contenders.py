"""The rivals every benchmark compares with: tidy eager formulas and torch.compile of them."""

from __future__ import annotations

import types
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]


def tidy(name: str, **parameters: float | str) -> Loss:
    """The loss as a careful user writes it in eager PyTorch.

    Args:
        name: Short name of the loss, as in ``FORMULAS``.
        **parameters: Parameters of the loss; the defaults are those of the fused function.

    Returns:
        A function from (N, C) logits and (N,) class indices to the mean loss.
    """
    formula = FORMULAS[name]

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        return formula(logits, target, **parameters)

    return loss


def compiled(loss: Loss) -> Loss:
    """``torch.compile(dynamic=False)`` of ``loss``, compiled afresh: call it once per shape.

    Dynamo caches by code object. A fresh one keeps contenders apart: no recompilation limit is
    reached, and no shape or parameter turns dynamic because another contender had a different one.
    """
    assert isinstance(loss, types.FunctionType), "only a plain function has code of its own"
    code = loss.__code__.replace()
    fresh = types.FunctionType(code, loss.__globals__, closure=loss.__closure__)
    return torch.compile(fresh, dynamic=False)


def _log_p(logits: Tensor, target: Tensor) -> Tensor:
    # One fused kernel each way and the softmax saved once; faster than log_softmax + gather,
    # whose backward scatters into a second zeroed buffer.
    return -F.cross_entropy(logits, target, reduction="none")


def _ce(logits: Tensor, target: Tensor, label_smoothing: float = 0.0) -> Tensor:
    return F.cross_entropy(logits, target, label_smoothing=label_smoothing)


def _mae(logits: Tensor, target: Tensor) -> Tensor:
    return 2 * (1 - _log_p(logits, target).exp()).mean()


def _rce(logits: Tensor, target: Tensor, A: float = -4.0) -> Tensor:
    return -A * (1 - _log_p(logits, target).exp()).mean()


def _sce(
    logits: Tensor, target: Tensor, alpha: float = 0.1, beta: float = 1.0, A: float = -4.0
) -> Tensor:
    log_p = _log_p(logits, target)
    return (-alpha * log_p - beta * A * (1 - log_p.exp())).mean()


def _gce(logits: Tensor, target: Tensor, q: float = 0.7) -> Tensor:
    return (1 - (q * _log_p(logits, target)).exp()).mean() / q


def _muh(logits: Tensor, target: Tensor, quadratic: float = 0.0) -> Tensor:
    loss = logits.mean(1) - logits.gather(1, target[:, None]).squeeze(1)
    if quadratic:
        loss = loss + quadratic * logits.square().sum(1)
    return loss.mean()


def _sgce(logits: Tensor, target: Tensor, q: float = 0.7) -> Tensor:
    power = (q * logits.log_softmax(1)).exp()
    return (power.mean() - power.gather(1, target[:, None]).mean()) / q


def _alpha_mae(
    logits: Tensor, target: Tensor, alpha: float = 0.5, form: str = "temperature"
) -> Tensor:
    if form == "temperature":
        return (1 - _log_p(alpha * logits, target).exp()).mean() / alpha
    return alpha * _mae(logits, target) / 2 + (1 - alpha) * _muh(logits, target)


FORMULAS: dict[str, Callable[..., Tensor]] = {
    "ce": _ce,
    "rce": _rce,
    "mae": _mae,
    "gce": _gce,
    "muh": _muh,
    "sgce": _sgce,
    "alpha_mae": _alpha_mae,
    "sce": _sce,
}
