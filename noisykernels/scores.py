"""Bounded scores: logits scaled to a length, or down to it, before they enter a loss.

Losses that are unbounded below, such as MUH, need them, and clipped logits make any loss bounded.
`Normalized` and `Clipped` make a loss that takes its scores in the same pass. `normalize` and
`clip` are two passes over the logits forward and two backward, beside those of the loss.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from noisykernels import validation
from noisykernels.bounded import CLIPPED, NORMALIZED, Scores, rescaled
from noisykernels.modules import Loss


def normalize(input: Tensor, scale: float = 1.0) -> Tensor:
    """Logits of one length, ``scale * z / ||z||``.

    Args:
        input: Logits of shape (C,), (N, C) or (N, C, d1, ...), dtype float16, bfloat16, float32 or
            float64, with any strides. Logits that are all 0 stay so and have gradient 0.
        scale: Euclidean length of the result, scale > 0.

    Returns:
        Scores of input's shape and dtype; half precision is computed in float32. Where the logits
        of a sample are not all finite its scores are NaN; its gradient is 0 if nothing depends on
        them, as where its label is ignored.

    Raises:
        ValueError: If scale is out of range or input has no class dimension.
        TypeError: If an argument has the wrong type or dtype.

    Source:
        Lemire Paquin et al. 2026, arXiv:2605.20347, for losses that are unbounded below.

    Example:
        >>> import torch
        >>> normalize(torch.tensor([[3.0, 4.0]]), scale=10.0)
        tensor([[6., 8.]])
    """
    validation.check_logits(input)
    return rescaled(input, Scores(NORMALIZED, _length("scale", scale)))


def clip(input: Tensor, delta: float) -> Tensor:
    """Logits no longer than delta, ``z * min(1, delta / ||z||)``: LogitClip.

    Args:
        input: As in `normalize`.
        delta: Largest Euclidean length of the result, delta > 0: in published code 2.5 for
            CIFAR-10 and 0.5 for CIFAR-100.

    Returns:
        As `normalize`.

    Raises:
        ValueError: If delta is out of range or input has no class dimension.
        TypeError: If an argument has the wrong type or dtype.

    Source:
        Wei et al. 2023, Mitigating memorization of noisy labels by clipping the model prediction,
        arXiv:2212.04055.

    Example:
        >>> import torch
        >>> clip(torch.tensor([[3.0, 4.0], [0.3, 0.4]]), delta=1.0)
        tensor([[0.6000, 0.8000],
                [0.3000, 0.4000]])
    """
    validation.check_logits(input)
    return rescaled(input, Scores(CLIPPED, _length("delta", delta)))


class Normalized(Loss):
    """A loss of normalized scores, ``loss(scale * z / ||z||, y)``, in one pass each way.

    Takes what the loss takes. Statistics are those of the scores, and half-precision logits are not
    rounded again on the way. Two losses of scores of one length add to a loss of those.

    Args:
        loss: A loss or a weighted sum of losses, of logits as they are.
        scale: Euclidean length of the scores, scale > 0.

    Raises:
        ValueError: If scale is out of range, or the loss takes bounded scores already.
        TypeError: If loss is not a loss of this package or scale is not a number.

    Source:
        As `normalize`.

    Example:
        >>> import torch, noisykernels as nk
        >>> criterion = Normalized(nk.MUHLoss(), scale=10.0)
        >>> criterion
        Normalized(muh(quadratic=0.0), scale=10.0)
        >>> criterion(torch.tensor([[3.0, 4.0]]), torch.tensor([1]))
        tensor(-1.)
    """

    def __init__(self, loss: Loss, scale: float = 1.0) -> None:
        """Check the arguments and take the loss's parts and options."""
        scores = Scores(NORMALIZED, _length("scale", scale))
        super().__init__(**_parts_and_options(loss), scores=scores)


class Clipped(Loss):
    """A loss of clipped scores, ``loss(z * min(1, delta / ||z||), y)``, in one pass each way.

    Takes what the loss takes, see `Normalized`.

    Args:
        loss: A loss or a weighted sum of losses, of logits as they are.
        delta: Largest Euclidean length of the scores, delta > 0.

    Raises:
        ValueError: If delta is out of range, or the loss takes bounded scores already.
        TypeError: If loss is not a loss of this package or delta is not a number.

    Source:
        As `clip`.

    Example:
        >>> import torch, noisykernels as nk
        >>> criterion = Clipped(nk.CELoss() + nk.MAELoss(), delta=1.0)
        >>> criterion
        Clipped(ce + mae, delta=1.0)
        >>> criterion(torch.tensor([[3.0, 4.0], [0.3, 0.4]]), torch.tensor([1, 0]))
        tensor(1.6464)
    """

    def __init__(self, loss: Loss, delta: float) -> None:
        """Check the arguments and take the loss's parts and options."""
        scores = Scores(CLIPPED, _length("delta", delta))
        super().__init__(**_parts_and_options(loss), scores=scores)


def _length(name: str, length: Any) -> float:
    if isinstance(length, Tensor):
        raise TypeError(f"{name} must be a number, got {validation.describe(length)}")
    number = validation.number(name, length)
    if number <= 0:
        raise ValueError(f"{name} must satisfy {name} > 0, got {length!r}")
    return number


def _parts_and_options(loss: Loss) -> dict[str, Any]:
    if not isinstance(loss, Loss):
        raise TypeError(f"loss must be a loss of noisykernels, got {validation.describe(loss)}")
    if loss._scores:
        raise ValueError(f"loss must be of logits as they are, got {loss}")
    return {
        "parts": loss._parts,
        "weight": loss.weight,
        "ignore_index": loss.ignore_index,
        "reduction": loss.reduction,
    }
