"""What training minimizes: a loss of logits and labels, or a method that remembers more than those.

A text is either an expression of `nk.loss`, or `d2l` or `elr`, with parameters in parentheses.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import Tensor, nn

from bench.contenders import Loss
from bench.errors import UsageError
from bench.training.criteria import criterion
from bench.training.evaluation import outputs
from bench.training.parallel import Group
from bench.training.sources import Source
from noisykernels import methods

LID_BATCH, LID_BATCHES = 128, 10
"""Of training images whose dimensionality D2L looks at after each epoch, as many as its authors."""


class Method:
    """A loss of logits and labels, which remembers nothing."""

    def __init__(self, loss: Loss) -> None:
        self._loss = loss

    def of(self, images: Tensor) -> Loss:
        """The loss for a batch of the training images with these indices."""
        return self._loss

    def end_epoch(self, model: nn.Module, source: Source) -> None:
        """Take note of what the network is after an epoch."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint has to hold."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""


class _Module(Method):
    """A module of `nk.methods`."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__(module)
        self._module = module

    def state(self) -> dict[str, Any]:
        return self._module.state_dict()

    def restore(self, state: Mapping[str, Any]) -> None:
        self._module.load_state_dict(state)


class _D2L(_Module):
    def __init__(self, module: methods.D2L) -> None:
        super().__init__(module)
        self._d2l = module

    def end_epoch(self, model: nn.Module, source: Source) -> None:
        features = outputs(model, source, "train", first=LID_BATCH * LID_BATCHES).features
        count = min(LID_BATCHES, len(features) // LID_BATCH)
        self._d2l.end_epoch(features[: count * LID_BATCH].view(count, LID_BATCH, -1))


class _ELR(_Module):
    def of(self, images: Tensor) -> Loss:
        return partial(self._module, index=images)


def method(
    text: str,
    backend: str,
    group: Group,
    *,
    epochs: int = 1,
    images: int = LID_BATCH,
    classes: int = 2,
    T: Tensor | None = None,
) -> Method:
    """What the text stands for. The numbers matter to `d2l` and `elr` alone.

    Args:
        text: An expression, `d2l(window=5)` or `elr(strength=3, beta=0.7)`.
        backend: What computes an expression, see `criterion`.
        group: The processes that train.
        epochs: Of the whole training.
        images: Number of training images.
        classes: Number of classes.
        T: What an expression calls T.

    Raises:
        UsageError: If the text is not understood or asks for what there is not.
    """
    name, _, _ = text.partition("(")
    if name.strip() not in ("d2l", "elr"):
        return Method(criterion(text, backend, T))
    if backend != "fused":
        raise UsageError(f"--backend {backend} does not have {name.strip()}")
    try:
        if name.strip() == "d2l":
            if images < LID_BATCH:
                raise UsageError(f"d2l needs {LID_BATCH} training images, there are {images}")
            return _D2L(methods.D2L(epochs, **_parameters(text)))
        if group.size > 1:
            raise UsageError("elr remembers every image, in one process: it cannot be shared")
        module = methods.ELR(images, classes, **_parameters(text))
        return _ELR(module.to(group.device))
    except (TypeError, ValueError) as error:
        raise UsageError(f"--loss {text!r}: {error}") from None


def _parameters(text: str) -> dict[str, Any]:
    """The parameters of a call, all of them with their names."""
    try:
        match ast.parse(text.strip(), mode="eval").body:
            case ast.Name():
                return {}
            case ast.Call(func=ast.Name(), args=[], keywords=keywords):
                return {str(k.arg): ast.literal_eval(k.value) for k in keywords}
    except SyntaxError:
        pass
    raise ValueError("expected a name, or name(parameter=number)")
