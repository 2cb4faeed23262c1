"""From a formula for rows to a loss function: arguments, ignored rows, class weights, reduction."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import torch
from torch import Tensor

from noisykernels.reference._rows import Rows

Formula = Callable[..., Tensor]
"""Maps rows and parameters to the losses (N, 1, ...) of the rows."""


def loss(formula: Formula, *, by_label_weight: bool = True) -> Callable[..., Tensor]:
    """Make ``name_loss(input, target, <parameters>, *, weight, ignore_index, reduction)``.

    ``by_label_weight=False`` is for formulas that bring in the class weights themselves.
    """

    def function(
        input: Tensor,
        target: Tensor,
        *arguments: object,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        **parameters: object,
    ) -> Tensor:
        def of_rows(rows: Rows) -> Tensor:
            losses = formula(rows, *arguments, **parameters)
            return rows.label_weight * losses if by_label_weight else losses

        return evaluate(of_rows, input, target, weight, ignore_index, reduction)

    function.__name__ = function.__qualname__ = f"{formula.__name__}_loss"
    function.__module__ = formula.__module__
    function.__doc__ = formula.__doc__
    _, *of_formula = inspect.signature(formula).parameters.values()
    input, target, _, *options, _ = inspect.signature(function).parameters.values()
    function.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [input, target, *of_formula, *options], return_annotation="Tensor"
    )
    return function


def evaluate(
    formula: Formula,
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
) -> Tensor:
    """Apply a formula that brings in the class weights to the rows, and reduce."""
    z = input if input.dim() > 1 else input.unsqueeze(0)
    y = target.to(torch.int64).reshape(z[:, :1].shape)
    # Ignored rows become rows of zeros: NaN would survive being multiplied by 0 afterwards.
    kept = y != ignore_index
    y = torch.where(kept, y, 0)
    z = torch.where(kept, z.to(torch.promote_types(z.dtype, torch.float32)), 0.0)
    w = z.new_ones(z.shape[1]) if weight is None else weight.to(z.dtype)
    w = w.reshape(-1, *[1] * (z.dim() - 2)).expand_as(z)
    w_y = torch.where(kept, w.gather(1, y), 0.0)

    losses = formula(Rows(z, y, w, w_y))
    losses = torch.where(kept, losses, 0.0).reshape(target.shape)
    if reduction == "none":
        return losses
    return losses.sum() / w_y.sum() if reduction == "mean" else losses.sum()
