"""Losses from text: `loss("0.1*ce + rce(A=-4)")`."""

from __future__ import annotations

import ast
import difflib
import functools
import inspect
import math
import operator
import re
from collections.abc import Callable
from typing import Any, NoReturn

from torch import Tensor

from noisykernels import published, validation
from noisykernels.modules import MODULES, Loss
from noisykernels.registry import LOSSES, Domain, Flag, losses

_OPERATIONS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.UAdd: lambda value: value,
    ast.USub: operator.neg,
}


def loss(
    text: str,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    **tensors: Tensor,
) -> Loss:
    """Make a loss from text: a weighted sum of registered losses, computed in one pass.

    Args:
        text: Losses by their short names (`noisykernels.losses()`), each with its parameters as its
            function takes them, combined with numbers by + - * / and parentheses.
        weight: Factor for the loss of each class, a floating-point tensor of shape (C,).
        ignore_index: Samples with this label are left out.
        reduction: "none", "mean" or "sum".
        **tensors: Parameters that are tensors, such as a transition matrix, by their names in the
            text.

    Returns:
        The module that the same arithmetic with modules gives.

    Raises:
        ValueError: If the text is not understood or a parameter is out of range, with a caret under
            the place; or if the text lacks the name of a tensor.
        TypeError: If text is not a string, or what has a name in the text is no tensor.

    Example:
        >>> loss("0.1*ce + rce(A=-4)")
        SumLoss(0.1*ce + rce(A=-4.0))
        >>> loss("gce(0.5)", reduction="sum")
        GCELoss(q=0.5, reduction='sum')
        >>> import torch
        >>> loss("forward(T) + rce(A=-4)", T=torch.eye(10))
        SumLoss(forward(T=<tensor of 10 x 10>) + rce(A=-4.0))
        >>> loss("0.1*ce + rec")
        Traceback (most recent call last):
            ...
        ValueError: unknown loss 'rec'; did you mean 'rce'?
            0.1*ce + rec
                     ^
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be a str, got {validation.describe(text)}")
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name} must be a tensor, got {validation.describe(tensor)}")
        if name in LOSSES:
            raise ValueError(f"a tensor must have another name than a loss, got {name}")
    options = {"weight": weight, "ignore_index": ignore_index, "reduction": reduction}
    return _Expression(text, options, tensors).loss()


def _takes(name: str) -> dict[str, Domain]:
    """The parameters of a loss, and whether it is computed as published if that is another loss."""
    choice: dict[str, Domain] = {"published": Flag()}
    return {**LOSSES[name].parameters, **(choice if hasattr(published, f"{name}_loss") else {})}


class _Expression:
    """A text and the options of its losses; values are losses and floats, errors show a place."""

    def __init__(self, text: str, options: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        self.text = re.sub(r"\s", " ", text).strip()  # one line, in which a column is a place
        self.options = options
        self.tensors = tensors
        self.unused = set(tensors)

    def loss(self) -> Loss:
        try:
            result = self.value(self.parse())
        except (RecursionError, MemoryError):
            self.fail("the loss is nested too deeply", 0)
        if not isinstance(result, Loss):
            self.fail("this is a number, not a loss", 0)
        if self.unused:
            self.fail(f"no parameter is {', '.join(sorted(self.unused))}", 0)
        return result

    def parse(self) -> ast.expr:
        if not self.text:
            self.fail(f"the loss is empty; known losses: {', '.join(losses())}", 0)
        if "#" in self.text:  # Python would skip the rest as a comment
            self.fail("unexpected character '#'", self.text.index("#"))
        try:
            return ast.parse(self.text, mode="eval").body
        except SyntaxError as error:
            self.fail(f"syntax error: {error.msg}", (error.offset or 1) - 1)
        except ValueError as error:  # a null character, or an integer of thousands of digits
            self.fail(f"syntax error: {error}", 0)

    def value(self, node: ast.expr) -> Loss | float:
        match node:
            case ast.Name() | ast.Call(func=ast.Name()):
                return self.registered(node)
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATIONS:
                result: Loss | float = _OPERATIONS[type(op)](self.value(operand))
                return result
            case ast.BinOp():
                return self.binary(node)
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                return float(self.checked(node, lambda: validation.number("the number", number)))
        self.fail("expected losses and numbers combined by + - * /", self.place(node))

    def binary(self, node: ast.BinOp) -> Loss | float:
        left, right = self.value(node.left), self.value(node.right)
        # ast does not keep the operator's place; beside it there can only be parentheses.
        place = self.place(node.left, end=True)
        while self.text[place] in " )":
            place += 1
        if type(node.op) not in _OPERATIONS:
            self.fail("expected one of the operators + - * /", place)
        both = isinstance(left, Loss) and isinstance(right, Loss)
        if isinstance(node.op, ast.Add | ast.Sub):
            if isinstance(left, Loss) != isinstance(right, Loss):
                self.fail("a number cannot be added to a loss or subtracted from it", place)
        elif both or (isinstance(node.op, ast.Div) and isinstance(right, Loss)):
            self.fail("a loss can only be multiplied or divided by a number", place)
        if isinstance(node.op, ast.Div) and right == 0:
            self.fail("division by zero", place)
        try:
            result: Loss | float = _OPERATIONS[type(node.op)](left, right)
        except ValueError as error:
            self.fail(str(error), place)
        if isinstance(result, float) and not math.isfinite(result):
            self.fail("the result is too large", place)
        return result

    def registered(self, node: ast.Name | ast.Call) -> Loss:
        name = node.id if isinstance(node, ast.Name) else node.func.id  # type: ignore[attr-defined]
        if name not in LOSSES:
            hint = f"known losses: {', '.join(losses())}"
            if close := difflib.get_close_matches(name, losses(), cutoff=0.5):
                hint = f"did you mean {validation.choices(close)}?"
            self.fail(f"unknown loss {name!r}; {hint}", self.place(node))
        if name not in MODULES:
            self.fail(f"{name} has no module, a RegisteredLoss of its function", self.place(node))
        given = self.arguments(name, node) if isinstance(node, ast.Call) else {}
        values = {parameter: self.argument(value) for parameter, value in given.items()}
        signature = MODULES[name].__signature__.parameters
        allowed = _takes(name)
        complete = {parameter: signature[parameter].default for parameter in allowed} | values
        for parameter, value in complete.items():
            if value is inspect.Parameter.empty:
                how = f"loss('{name}({parameter})', {parameter}=tensor)"
                self.fail(f"{name} needs {parameter}, as in {how}", self.place(node))
        for parameter, place in given.items():
            check = functools.partial(
                allowed[parameter].check, parameter, complete[parameter], complete
            )
            self.checked(place, check)
        return MODULES[name](**values, **self.options)

    def arguments(self, name: str, call: ast.Call) -> dict[str, ast.expr]:
        """The parameters of a loss that are given, each with the place of its value."""
        takes = list(_takes(name))
        signature = MODULES[name].__signature__.parameters
        positional = [p for p in takes if signature[p].kind is not signature[p].KEYWORD_ONLY]
        known = f"{name} takes {', '.join(takes)}" if takes else f"{name} takes no parameters"
        given: dict[str, ast.expr] = {}
        for i, value in enumerate(call.args):
            if i == len(positional):
                self.fail(f"too many positional parameters; {known}", self.place(value))
            given[positional[i]] = value
        for keyword in call.keywords:
            if keyword.arg is None:
                self.fail("expected parameters as name=value", self.place(keyword))
            if keyword.arg not in takes:
                self.fail(f"unknown parameter {keyword.arg!r}; {known}", self.place(keyword))
            if keyword.arg in given:
                self.fail(f"parameter {keyword.arg!r} is given twice", self.place(keyword))
            given[keyword.arg] = keyword.value
        return given

    def argument(self, node: ast.expr) -> float | str | Tensor:
        match node:
            case ast.Constant(value=str() | bool() as constant):
                return constant
            case ast.Name(id=name) if name in self.tensors:
                self.unused.discard(name)
                return self.tensors[name]
            case ast.Name(id=name) if name not in LOSSES:
                message = f"{name} is unknown: a tensor is given beside the text, as {name}=tensor"
                self.fail(message, self.place(node))
        value = self.value(node)
        if isinstance(value, Loss):
            self.fail(
                "a parameter must be a number, True, False, a name in quotes or a tensor's name",
                self.place(node),
            )
        return value

    def checked(self, node: ast.expr, check: Callable[[], Any]) -> Any:
        try:
            return check()
        except (ValueError, TypeError) as error:
            self.fail(str(error), self.place(node))

    def place(self, node: ast.expr | ast.keyword, *, end: bool = False) -> int:
        """The column where a node begins or ends; ast counts bytes."""
        offset = node.end_col_offset if end else node.col_offset
        return len(self.text.encode()[:offset].decode())

    def fail(self, message: str, place: int) -> NoReturn:
        place = min(max(place, 0), len(self.text))
        raise ValueError(f"{message}\n    {self.text}\n    {' ' * place}^") from None
