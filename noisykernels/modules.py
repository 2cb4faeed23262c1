"""What all modules of losses are: they add and scale into one fused loss.

A module has the parameters of its function in `noisykernels.functional`. They are fixed when it is
made, so that a sum made from it can never disagree with it; `weight` is a buffer, as in
`torch.nn.CrossEntropyLoss`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from noisykernels import validation
from noisykernels.bounded import Scores
from noisykernels.evaluate import LossAndStats, evaluate
from noisykernels.plan import Part, Plan, checked_part, plan
from noisykernels.registry import LOSSES, Parameter

OF_A_CALL = frozenset({"input", "target", "sample_weight", "return_stats"})
"""Arguments of functions that a module takes when it is called, not when it is made."""


class Loss(nn.Module):
    """A weighted sum of registered losses that share their options; base of all modules here."""

    weight: Tensor | None
    _plan: Plan | None
    """None where numbers are tensors: they are read at each call."""

    def __init__(
        self,
        parts: tuple[Part, ...],
        weight: Tensor | None,
        ignore_index: int,
        reduction: str,
        scores: Scores | tuple[()] = (),
    ) -> None:
        """Take parts whose parameters have been checked; check the options."""
        super().__init__()
        if weight is not None:
            validation.check_weight(weight)
        validation.reduction_code(reduction)
        self.register_buffer("weight", weight)
        self._ignore_index = validation.integer("ignore_index", ignore_index)
        self._reduction = reduction
        self._scores = scores
        self._made_of = parts
        for prefix, part in self._prefixed():
            self._register_tensors(part, prefix)
        self._make_plan()

    def _prefixed(self) -> list[tuple[str, Part]]:
        """The parts with what the names of their tensors start with."""
        single = len(self._made_of) == 1
        return [("" if single else f"{p.name}{i}_", p) for i, p in enumerate(self._made_of)]

    def _register_tensors(self, part: Part, prefix: str) -> None:
        """Let state_dict, optimizers and moves to a device find the tensors of a part."""
        for name, value in part.parameters.items():
            # The methods that register would take the property of this name for an attribute.
            if isinstance(value, nn.Parameter):
                self._parameters[prefix + name] = value
            elif isinstance(value, Tensor) and value.dim():
                self._buffers[prefix + name] = value
        for i, factor in enumerate(part.factors):
            if isinstance(factor, nn.Parameter):
                self.register_parameter(f"{prefix}factor{i}", factor)

    @property
    def _parts(self) -> tuple[Part, ...]:
        """The parts with the tensors that are registered now.

        Moves to a device, `load_state_dict(assign=True)` and `torch.func.functional_call` put
        others in the place of those that the loss was made of.
        """
        tensors = self._parameters | self._buffers
        now = {name: p for name, p in tensors.items() if p is not None and name != "weight"}
        if not now:
            return self._made_of
        return tuple(
            part._replace(
                parameters={k: now.get(prefix + k, v) for k, v in part.parameters.items()},
                factors=tuple(
                    now.get(f"{prefix}factor{i}", factor) for i, factor in enumerate(part.factors)
                ),
            )
            for prefix, part in self._prefixed()
        )

    def _make_plan(self) -> None:
        varies = any(part.numbers() for part in self._parts)
        self._plan = None if varies else plan(self._parts)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Loss:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self._make_plan()
        return self

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; a matrix that `load_state_dict(assign=True)` sets makes a new plan."""
        super().__setattr__(name, value)
        if name != "weight" and name in self._buffers:
            self._make_plan()

    def _load_from_state_dict(self, *args: Any) -> None:
        super()._load_from_state_dict(*args)
        self._make_plan()

    @property
    def ignore_index(self) -> int:
        """Samples with this label are left out."""
        return self._ignore_index

    @property
    def reduction(self) -> str:
        """The reduction: "none", "mean" or "sum"."""
        return self._reduction

    def forward(
        self,
        input: Tensor,
        target: Tensor,
        *,
        sample_weight: Tensor | None = None,
        return_stats: bool = False,
    ) -> LossAndStats:
        """The loss of logits `input` for class indices `target`, with `return_stats` also `Stats`.

        The arguments are those of `noisykernels.functional`.
        """
        return evaluate(
            self._plan or plan(self._parts),
            input,
            target,
            self._buffers["weight"],  # self.weight takes the detour of Module.__getattr__
            self._ignore_index,
            self._reduction,
            sample_weight,
            return_stats,
            self._scores,
        )

    def __add__(self, other: Loss) -> SumLoss:
        """One fused loss; the options of both must agree."""
        if not isinstance(other, Loss):
            return NotImplemented
        for name, mine in self._options().items():
            theirs = other._options()[name]
            if not _same(mine, theirs):
                raise ValueError(
                    f"losses can be added only if their {name} is the same, got "
                    f"{validation.describe(mine)} and {validation.describe(theirs)}"
                )
        return self._with_parts(self._parts + other._parts)

    def __radd__(self, other: int) -> Loss:
        """Let sum() start from 0."""
        return self if type(other) is int and other == 0 else NotImplemented

    def __sub__(self, other: Loss) -> SumLoss:
        """One fused loss; the options of both must agree."""
        return self + -other if isinstance(other, Loss) else NotImplemented

    def __mul__(self, factor: float | Tensor) -> SumLoss:
        """The loss times a real number, or a 0-d tensor that is read at each call or learned."""
        if isinstance(factor, Tensor) and factor.dim() == 0:
            parts = (part._replace(factors=(*part.factors, factor)) for part in self._parts)
            return self._with_parts(tuple(parts))
        number = _factor(factor)
        return self._scaled(lambda scale: scale * number)

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> SumLoss:
        """The loss divided by a real number."""
        number = _factor(divisor)
        return self._scaled(lambda scale: scale / number)

    def __neg__(self) -> SumLoss:
        """The loss times -1."""
        return self * -1.0

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the plan: the numbers of terms may differ in the version that unpickles."""
        return {name: value for name, value in self.__dict__.items() if name != "_plan"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make the plan anew."""
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._make_plan()

    def extra_repr(self) -> str:
        """The loss as text that `loss` understands, and the options that are not the default."""
        options = []
        if self.weight is not None:
            options.append(f"weight=<tensor of {self.weight.shape[0]}>")
        if self._ignore_index != -100:
            options.append(f"ignore_index={self._ignore_index}")
        if self._reduction != "mean":
            options.append(f"reduction={self._reduction!r}")
        bound = [str(self._scores)] if self._scores else []
        return ", ".join([*self._describe_parts(), *bound, *options])

    def _describe_parts(self) -> list[str]:
        text = " + ".join("*".join([*_scale(part), _call(part)]) for part in self._parts)
        return [text.replace("+ -1.0*", "- ").replace("+ -", "- ")]

    def _options(self) -> dict[str, Any]:
        """What all parts of a sum share; a loss without label smoothing counts as one with 0."""
        return {
            "weight": self.weight,
            "ignore_index": self._ignore_index,
            "label_smoothing": self._parts[0].parameters.get("label_smoothing", 0.0),
            "reduction": self._reduction,
            "scores": str(self._scores or "not bounded"),
        }

    def _with_parts(self, parts: tuple[Part, ...]) -> SumLoss:
        return SumLoss(parts, self.weight, self._ignore_index, self._reduction, self._scores)

    def _scaled(self, scaling: Callable[[float], float]) -> SumLoss:
        scales = [validation.number("the scale of a loss", scaling(p.scale)) for p in self._parts]
        return self._with_parts(
            tuple(
                part._replace(scale=scale) for part, scale in zip(self._parts, scales, strict=True)
            )
        )


class SumLoss(Loss):
    """What adding and scaling losses gives: their weighted sum, computed in one pass.

    Example:
        >>> import noisykernels as nk
        >>> 0.1 * nk.CELoss() + nk.RCELoss(A=-4.0)
        SumLoss(0.1*ce + rce(A=-4.0))
    """


def _parameter(name: str) -> property:
    def get(self: Loss) -> Parameter:
        return self._parts[0].parameters[name]

    def refuse(self: Loss, value: object) -> None:
        kind = type(self).__name__
        raise AttributeError(
            f"{name} is fixed when a {kind} is made: make a new {kind}({name}=...)"
        )

    return property(get, refuse, doc=f"The parameter {name}.")


class RegisteredLoss(Loss):
    """Base of the modules of single losses: the constructor takes what their function takes.

    What belongs to a call, such as the logits and the weights of samples, it does not take.
    """

    __signature__: ClassVar[inspect.Signature]
    _name: ClassVar[str]

    def __init_subclass__(cls, function: Callable[..., Tensor] | None = None) -> None:
        """Take signature and parameters from `function`."""
        super().__init_subclass__()
        if function is None:  # a subclass of one of the classes below
            return
        cls._name = function.__name__.removesuffix("_loss")
        parameters = inspect.signature(function).parameters
        cls.__signature__ = inspect.Signature(
            [value for name, value in parameters.items() if name not in OF_A_CALL]
        )
        for name in LOSSES[cls._name].parameters:
            setattr(cls, name, _parameter(name))
        MODULES[cls._name] = cls

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Check the arguments and keep them."""
        try:
            bound = self.__signature__.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}: {error}") from None
        bound.apply_defaults()
        arguments = bound.arguments
        part = checked_part(self._name, arguments, arguments.get("published", False))
        options = (arguments[name] for name in ("weight", "ignore_index", "reduction"))
        super().__init__((part,), *options)

    @property
    def published(self) -> bool:
        """Whether it is computed as its authors' code does."""
        return self._parts[0].published

    def _describe_parts(self) -> list[str]:
        return _arguments(self._parts[0])


MODULES: dict[str, type[RegisteredLoss]] = {}
"""The module of each loss by its short name."""


def _factor(value: Any) -> float:
    if isinstance(value, Loss):
        raise TypeError("a loss can be scaled only by a number, not by another loss")
    return validation.number("the factor of a loss", value)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a is b or (a.device == b.device and a.dtype == b.dtype and torch.equal(a, b))
    return bool(a == b) if not isinstance(a, Tensor) and not isinstance(b, Tensor) else False


def _scale(part: Part) -> list[str]:
    numbers = [part.scale] if part.scale != 1 else []
    return [repr(number) for number in numbers] + [_shown(factor) for factor in part.factors]


def _arguments(part: Part) -> list[str]:
    shown = [
        f"{name}={_shown(value)}"
        for name, value in part.parameters.items()
        if not (name == "label_smoothing" and value == 0)
    ]
    return [*shown, "published=True"] if part.published else shown


def _shown(value: Parameter) -> str:
    if isinstance(value, Tensor) and value.dim():
        return f"<tensor of {' x '.join(map(str, value.shape))}>"
    return f"tensor({value.item():g})" if isinstance(value, Tensor) else repr(value)


def _call(part: Part) -> str:
    arguments = ", ".join(_arguments(part))
    return f"{part.name}({arguments})" if arguments else part.name
