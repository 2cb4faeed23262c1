"""Arguments at random, all of them at once, for every registered loss: as the reference has it.

200 examples; 2,000 that are new each time with --hypothesis-profile=slow.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import hypothesis.strategies as st
import torch
from hypothesis import assume, given, note, settings
from reference_cases import NORMALIZED, transition_matrix
from torch import Tensor

import noisykernels as nk
from noisykernels import backends
from noisykernels.loss_modules import MODULES
from noisykernels.registry import LOSSES, Choice, Flag, Integer, Matrix, Range, RangeBy

DTYPES = {torch.float64: 1e-9, torch.float32: 2e-5, torch.bfloat16: 1.6e-2, torch.float16: 2e-3}
"""With the error that is allowed, of a row's largest number."""

numbers = st.integers(0, 2**32 - 1)


class Call(NamedTuple):
    """A loss and what it is called with."""

    loss: nk.modules.Loss
    logits: Tensor
    target: Tensor
    options: dict[str, Any]

    def in_float64(self) -> Call:
        return self._replace(logits=self.logits.double())

    def run(self) -> tuple[Tensor, ...]:
        """The loss, and its gradients by the logits and the weights of samples."""
        x = self.logits.detach().requires_grad_()
        inputs, options = [x], dict(self.options)
        # By a mean it is a difference, which may cancel to any degree.
        if "sample_weight" in options and self.loss.reduction != "mean":
            options["sample_weight"] = options["sample_weight"].detach().requires_grad_()
            inputs.append(options["sample_weight"])
        value = self.loss(x, self.target, **options)
        upstream = torch.linspace(0.5, 2, value.numel(), dtype=value.dtype).reshape(value.shape)
        return value.detach(), *torch.autograd.grad(value, inputs, upstream)


def parameter(domain: Range) -> st.SearchStrategy[float]:
    """Numbers of moderate size, the ends of the range among them where it has some."""
    low, high = max(domain.above, domain.at_least, -10.0), min(domain.below, domain.at_most, 10.0)
    return st.floats(
        # Losses divide by what must be above zero.
        max(low, 0.05) if domain.above == 0 else low,
        min(high, -0.05) if domain.below == 0 else high,
        exclude_min=domain.above == low != 0,
        exclude_max=domain.below == high != 0,
    ).filter(lambda number: number == 0 or abs(number) > 1e-30)  # float32 has no 1 / 1e-39


@st.composite
def parameters(draw: st.DrawFn, name: str, classes: int) -> dict[str, Any]:
    domains = LOSSES[name].parameters
    drawn: dict[str, Any] = {
        key: draw(st.sampled_from(domain.names))
        for key, domain in domains.items()
        if isinstance(domain, Choice)
    }
    for key, domain in domains.items():
        if isinstance(domain, Flag):
            drawn[key] = draw(st.booleans())
        elif isinstance(domain, Integer):
            drawn[key] = draw(st.integers(domain.least, domain.most))
        elif isinstance(domain, Range | RangeBy):
            chosen = domain if isinstance(domain, Range) else domain.ranges[drawn[domain.choice]]
            number = draw(parameter(chosen))
            if key == "p_min":  # some class must be above it, or the loss is 0 / 0
                number = min(number, 0.9 / classes)
            tensor = draw(st.booleans())
            drawn[key] = torch.tensor(number, dtype=torch.float64) if tensor else number
        elif isinstance(domain, Matrix):
            drawn |= LOSSES[name].matrices(transition_matrix(classes))
    return drawn


@st.composite
def calls(draw: st.DrawFn) -> Call:
    name = draw(st.sampled_from(nk.losses()))
    # Of one class a loss divided by its sum over all labels is 0 / 0.
    classes = draw(st.integers(2 if name in NORMALIZED else 1, 70))
    inner = draw(st.lists(st.integers(1, 4), max_size=2))
    shape = (
        (classes,)
        if draw(st.booleans()) and not inner
        else (draw(st.integers(1, 9)), classes, *inner)
    )
    generator = torch.Generator().manual_seed(draw(numbers))
    order = draw(st.permutations(range(len(shape))))
    memory = torch.randn([shape[i] for i in order], generator=generator, dtype=torch.float64)
    memory *= draw(st.sampled_from([0.1, 1.0, 5.0, 30.0]))
    logits = memory.permute([order.index(i) for i in range(len(shape))])
    logits = logits.to(draw(st.sampled_from(list(DTYPES))))

    samples = logits.select(int(len(shape) > 1), 0).shape
    target = torch.randint(classes, samples, generator=generator)
    ignore_index = draw(st.sampled_from([-100, -1, 0, classes - 1]))
    if ignore_index < 0 and draw(st.booleans()):
        target = target.masked_fill(torch.rand(samples, generator=generator) < 0.3, ignore_index)
    target = target.to(draw(st.sampled_from([torch.int64, torch.int32])))
    options: dict[str, Any] = {}
    if draw(st.booleans()):
        options["sample_weight"] = torch.rand(samples, generator=generator, dtype=torch.float64)
    weight = torch.rand(classes, generator=generator) if draw(st.booleans()) else None
    loss = MODULES[name](
        **draw(parameters(name, classes)),
        weight=weight,
        ignore_index=ignore_index,
        reduction=draw(st.sampled_from(["none", "mean", "sum"])),
    )
    return Call(loss, logits, target, options)


def assert_near(found: Tensor, expected: Tensor, error: float, parts: float) -> None:
    """Relative to the largest number of the last axis, or to the parts of which it is the sum."""
    found = found.double()
    scale = expected.nan_to_num(0).abs().amax(-1, keepdim=True).clamp(min=parts)
    wrong = ((found - expected).abs() > error * scale) | (found.isnan() != expected.isnan())
    assert not wrong.any(), f"{found[wrong]} where the reference has {expected[wrong]}"


@settings(max_examples=10 * settings.default.max_examples)
@given(call=calls())
def test_as_the_reference_has_it(call: Call) -> None:
    note(f"{call.loss} of {tuple(call.logits.shape)}, strides {call.logits.stride()}")
    found, found_gradient, *found_others = call.run()
    with backends.use("reference"):
        expected, gradient, *others = call.in_float64().run()
        _, exact = call.in_float64().loss(call.logits.double(), call.target, return_stats=True)
    dtype, axis = call.logits.dtype, int(call.logits.dim() > 1)
    error = DTYPES[torch.float64 if dtype == torch.float64 else torch.float32]
    largest = max([1.0, *call.logits.double().abs().flatten().tolist()])
    samples = max(1, call.target.numel())

    def per_sample(x: Tensor) -> Tensor:
        return x.reshape(-1, 1)

    assert_near(per_sample(found), per_sample(expected), error, largest * samples)
    assume(expected.isfinite().all())  # 0 / 0 has no gradient to agree on
    gradient = gradient.to(dtype).double()  # which float16 may not reach
    assert_near(found_gradient.movedim(axis, -1), gradient.movedim(axis, -1), DTYPES[dtype], 0.01)
    for mine, other in zip(found_others, others, strict=True):
        assert_near(per_sample(mine), per_sample(other), error, largest)

    _, stats = call.loss(call.logits, call.target, return_stats=True, **call.options)
    for mine, other in zip(stats, exact, strict=True):
        if mine.is_floating_point():
            assert_near(per_sample(mine), per_sample(other), error, 1.0)
        else:
            assert torch.equal(mine, other)
