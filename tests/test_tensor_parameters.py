"""Numbers of losses as 0-d tensors: annealed in place without compiling again, or learned."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from functools import partial
from math import inf, nan
from typing import Any, NamedTuple

import pytest
import torch
from cases import CORE, REPRESENTATIVES, TRIED, Case
from criteria import assert_same_bits, value_and_gradient
from torch import Tensor, nn

import noisykernels as nk
import noisykernels.functional as NF
from noisykernels.loss_modules import MODULES
from noisykernels.registry import LOSSES

LOGITS = 3 * torch.randn(7, 5, generator=torch.Generator().manual_seed(0)).double()
LABELS = torch.tensor([0, 1, -100, 3, 4, 0, 2])
WEIGHT = torch.tensor([0.5, 2.0, 0.25, 1.0, 1.5])


class Number(NamedTuple):
    """A number that a loss takes, and two values inside its range."""

    case: Case
    name: str
    value: float
    other: float

    def arguments(self, number: float | Tensor) -> dict[str, Any]:
        return self.case.parameters | {self.name: number}

    def __call__(self, number: float | Tensor, **options: Any) -> Callable[[Tensor], Tensor]:
        """The function of the logits at this number."""
        return lambda x: self.case.function(x, LABELS, **self.arguments(number), **options)

    def module(self, number: float | Tensor) -> nk.modules.Loss:
        return MODULES[self.case.name](**self.arguments(number))

    def __str__(self) -> str:
        chosen = [value for value in self.case.parameters.values() if isinstance(value, str)]
        return ".".join([self.case.name, *chosen, self.name])


def _inside(case: Case, name: str, value: float) -> bool:
    """Whether there is room on both sides, for finite differences."""
    try:
        for neighbor in (value - 1e-3, value + 1e-3):
            LOSSES[case.name].check(case.parameters | {name: neighbor})
    except ValueError:
        return False
    return value != 0


def _numbers() -> dict[str, Number]:
    found: dict[str, Number] = {}
    for case in REPRESENTATIVES:
        for name, default in case.parameters.items():
            if isinstance(default, float) and not case.takes_matrix:
                more = TRIED.get(name, ())
                tried = dict.fromkeys(
                    [
                        default,
                        *more,
                        *(v / 2 for v in (default, *more)),
                        0.02,
                        0.01,
                        0.25,
                        2 * default,
                    ]
                )
                value, other, *_ = (value for value in tried if _inside(case, name, value))
                number = Number(case, name, value, other)
                found.setdefault(str(number), number)
    return found


NUMBERS = _numbers()


def each_of(numbers: dict[str, Number]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("number", numbers.values(), ids=numbers)


every_number = each_of(NUMBERS)
each_attached_number = each_of({k: n for k, n in NUMBERS.items() if not n.case.detached})
each_number = each_of({k: n for k, n in NUMBERS.items() if n.case.name in CORE})
close = partial(torch.testing.assert_close, rtol=1e-9, atol=1e-11)


def tensor(value: float, **options: Any) -> Tensor:
    return torch.tensor(value, dtype=torch.float64, **options)


@every_number
def test_a_tensor_is_its_number(number: Number) -> None:
    expected = value_and_gradient(number(number.value, weight=WEIGHT), LOGITS)
    for shape in ((), (1,)):
        found = value_and_gradient(
            number(tensor(number.value).reshape(shape), weight=WEIGHT), LOGITS
        )
        assert_same_bits(found, expected)


@each_number
def test_annealed_in_place(number: Number) -> None:
    """By the module, made once, and by sums made from it."""
    schedule = tensor(number.value)
    module = number.module(schedule)
    twice = 2 * module
    for value in (number.value, number.other):
        schedule.fill_(value)
        assert torch.equal(module(LOGITS, LABELS), number.module(value)(LOGITS, LABELS))
        assert torch.equal(twice(LOGITS, LABELS), (2 * number.module(value))(LOGITS, LABELS))


def test_the_weight_of_a_sum_annealed_in_place() -> None:
    """As a warm-up from CE to a robust loss is; with weight 0 a part counts for nothing."""
    share = tensor(0.25)
    module = share * nk.CELoss() + (1 - share) * nk.MAELoss()  # 1 - share is a tensor of its own
    expected = 0.25 * nk.CELoss() + 0.75 * nk.MAELoss()
    assert torch.equal(module(LOGITS, LABELS), expected(LOGITS, LABELS))
    share.zero_()
    impossible = LOGITS.clone()
    impossible[0, 0] = -inf
    assert torch.equal(module(impossible, LABELS), (0.75 * nk.MAELoss())(impossible, LABELS))


@each_number
@pytest.mark.parametrize("requires_grad", [False, True], ids=["annealed", "learned"])
def test_no_compilation_for_a_new_value(number: Number, requires_grad: bool) -> None:
    torch.compiler.reset()
    value = tensor(number.value, requires_grad=requires_grad)
    compiled = torch.compile(
        lambda x, a: number(a, weight=WEIGHT)(x), fullgraph=True, backend="aot_eager"
    )
    compiled(LOGITS, value)
    with torch._dynamo.config.patch(error_on_recompile=True):
        for at in (number.other, (number.value + number.other) / 2):
            with torch.no_grad():
                value.fill_(at)
            close(compiled(LOGITS, value).detach(), number(at, weight=WEIGHT)(LOGITS))


def test_a_compiled_module_follows_its_schedule() -> None:
    torch.compiler.reset()
    q, share = tensor(0.7), tensor(0.25)
    module = share * nk.GCELoss(q) + nk.MAELoss()
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    compiled(LOGITS, LABELS)
    with torch._dynamo.config.patch(error_on_recompile=True):
        q.fill_(0.2), share.fill_(0.5)
        expected = 0.5 * nk.GCELoss(0.2) + nk.MAELoss()
        close(compiled(LOGITS, LABELS), expected(LOGITS, LABELS))


@each_attached_number
def test_gradients_of_learned_numbers(number: Number) -> None:
    def of_both(x: Tensor, a: Tensor) -> Tensor:
        return number(a, weight=WEIGHT)(x)

    inputs = LOGITS[:, :].clone().requires_grad_(), tensor(number.value, requires_grad=True)
    assert torch.autograd.gradcheck(of_both, inputs)
    assert torch.autograd.gradgradcheck(of_both, inputs)


@pytest.mark.parametrize("name", ["ce.label_smoothing", "muh.quadratic"])
def test_a_learned_number_leaves_zero(name: str) -> None:
    """A part with factor 0 is left out, unless that factor is to be learned."""
    number = NUMBERS[name]
    zero = tensor(0.0, requires_grad=True)
    (gradient,) = torch.autograd.grad(number(zero)(LOGITS), zero)
    step = 1e-6
    slope = (number(step)(LOGITS) - number(0.0)(LOGITS)) / step
    torch.testing.assert_close(gradient, slope, rtol=1e-4, atol=1e-4)


def test_gradients_of_the_weights_of_a_sum() -> None:
    a, b = (tensor(value, requires_grad=True) for value in (0.3, 2.0))
    (a * nk.CELoss() - b * nk.MAELoss())(LOGITS, LABELS).backward()
    close(a.grad, nk.CELoss()(LOGITS, LABELS))
    close(b.grad, -nk.MAELoss()(LOGITS, LABELS))


@each_number
def test_statistics_and_sample_weights_beside_a_learned_number(number: Number) -> None:
    s = torch.rand(7).double().requires_grad_()
    learned = number.module(tensor(number.value, requires_grad=True))
    value, stats = learned(LOGITS, LABELS, sample_weight=s, return_stats=True)
    plain = number.module(number.value)
    expected, expected_stats = plain(LOGITS, LABELS, sample_weight=s, return_stats=True)
    close(value, expected)
    torch.testing.assert_close(tuple(stats), tuple(expected_stats), equal_nan=True)


def test_a_range_of_values_by_vmap(backend: str) -> None:
    qs = torch.tensor([0.1, 0.5, 1.0], dtype=torch.float64)
    found = torch.func.vmap(lambda q: NF.gce_loss(LOGITS, LABELS, q))(qs)
    close(found, torch.stack([NF.gce_loss(LOGITS, LABELS, q) for q in qs.tolist()]))


def learnable() -> nk.modules.Loss:
    return nn.Parameter(tensor(0.3)) * nk.GCELoss(nn.Parameter(tensor(0.7))) + nk.CELoss()


def test_parameters_are_found() -> None:
    """By state_dict and optimizers; tensors that are no Parameters belong to the caller."""
    single = nk.GCELoss(nn.Parameter(tensor(0.7)))
    assert dict(single.named_parameters()) == {"q": single.q}
    assert list(single.state_dict()) == ["q"]
    assert list(learnable().state_dict()) == ["gce0_q", "gce0_factor0"]
    assert not list((tensor(0.5) * nk.GCELoss(tensor(0.5))).parameters())


def test_an_optimizer_learns_them() -> None:
    module = nk.GCELoss(nn.Parameter(tensor(0.5)))
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01)
    before = module(LOGITS, LABELS)
    before.backward()
    optimizer.step()
    after = module(LOGITS, LABELS)
    assert after < before
    close(after.detach(), nk.GCELoss(module.q.item())(LOGITS, LABELS))


LOADED = {"gce0_q": tensor(0.2), "gce0_factor0": tensor(2.0)}
EXPECTED = 2.0 * nk.GCELoss(0.2) + nk.CELoss()


@pytest.mark.parametrize("assign", [False, True], ids=["copied", "assigned"])
def test_a_state_that_is_loaded_is_used(assign: bool) -> None:
    module = learnable()
    module(LOGITS, LABELS)
    module.load_state_dict(LOADED, assign=assign)
    close(module(LOGITS, LABELS).detach(), EXPECTED(LOGITS, LABELS))
    assert repr(module) == "SumLoss(tensor(2)*gce(q=tensor(0.2)) + ce)"


def test_a_functional_call_uses_its_parameters() -> None:
    """As meta-learning does."""
    found = torch.func.functional_call(learnable(), LOADED, (LOGITS, LABELS))
    close(found, EXPECTED(LOGITS, LABELS))
    gradient = torch.func.grad(
        lambda q: torch.func.functional_call(nk.GCELoss(nn.Parameter(tensor(0.7))), {"q": q},
                                             (LOGITS, LABELS))
    )(tensor(0.2))  # fmt: skip
    q = tensor(0.2, requires_grad=True)
    close(gradient, torch.autograd.grad(NF.gce_loss(LOGITS, LABELS, q), q)[0])


def test_a_parameter_that_is_replaced_is_used() -> None:
    module = nk.GCELoss(nn.Parameter(tensor(0.7)))
    module.q = nn.Parameter(tensor(0.2))
    close(module(LOGITS, LABELS).detach(), nk.GCELoss(0.2)(LOGITS, LABELS))
    assert (2 * module)._parts[0].parameters["q"] is module.q


def saved(module: nk.modules.Loss) -> nk.modules.Loss:
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize(
    "again", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m)), saved],
    ids=["deepcopy", "pickle", "save"],
)  # fmt: skip
def test_copies_have_numbers_of_their_own(again: Callable[[Any], Any]) -> None:
    module = learnable()
    module.load_state_dict(LOADED)
    twin = again(module)
    assert torch.equal(twin(LOGITS, LABELS), module(LOGITS, LABELS))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(0.9)
    close(twin(LOGITS, LABELS).detach(), EXPECTED(LOGITS, LABELS))
    twin(LOGITS, LABELS).backward()
    assert all(parameter.grad is not None for parameter in twin.parameters())


def test_moved_to_another_precision() -> None:
    module = learnable().float()
    assert {parameter.dtype for parameter in module.parameters()} == {torch.float32}
    expected = 0.3 * nk.GCELoss(0.7) + nk.CELoss()
    torch.testing.assert_close(module(LOGITS, LABELS).detach(), expected(LOGITS, LABELS))


OUT_OF_RANGE = [
    ("gce", "q", 0.0, "q must satisfy 0 < q <= 1, got 0.0"),
    ("sgce", "q", 1.5, "q must satisfy 0 < q <= 1, got 1.5"),
    ("rce", "A", 1.0, "A must satisfy A < 0, got 1.0"),
    ("alpha_mae", "alpha", -1.0, "alpha must satisfy alpha > 0, got -1.0"),
    ("ce", "label_smoothing", 2.0, "label_smoothing must satisfy .*, got 2.0"),
    ("gce", "q", nan, "q must be a finite number, got nan"),
]


@pytest.mark.parametrize("requires_grad", [False, True], ids=["annealed", "learned"])
@pytest.mark.parametrize(("name", "parameter", "value", "message"), OUT_OF_RANGE)
def test_out_of_range(
    name: str, parameter: str, value: float, message: str, requires_grad: bool
) -> None:
    """Said when the loss is made, and at the call where it has left its range since."""
    wrong = tensor(value, requires_grad=requires_grad)
    function = getattr(NF, f"{name}_loss")
    with pytest.raises(ValueError, match=message):
        function(LOGITS, LABELS, **{parameter: wrong})
    with pytest.raises(ValueError, match=message):
        MODULES[name](**{parameter: wrong})
    number = next(n for n in NUMBERS.values() if (n.case.name, n.name) == (name, parameter))
    changing = tensor(number.value, requires_grad=requires_grad)
    module = number.module(changing)
    module(LOGITS, LABELS)
    changing.detach().fill_(value)
    for loss in (module, 2 * module):
        with pytest.raises(ValueError, match=message):
            loss(LOGITS, LABELS)


@pytest.mark.parametrize("requires_grad", [False, True], ids=["annealed", "learned"])
def test_a_weight_of_a_sum_stays_finite(requires_grad: bool) -> None:
    share = tensor(1.0, requires_grad=requires_grad)
    module = share * nk.MAELoss()
    share.detach().fill_(nan)
    with pytest.raises(ValueError, match="the factor of a loss must be a finite number, got nan"):
        module(LOGITS, LABELS)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (torch.ones(2), "q must be a number, got a float32 tensor of shape .*weight="),
        (torch.tensor(True), "q must be a real number, got a bool tensor"),
        (torch.tensor(0.5 + 0j), "q must be a real number, got a complex64 tensor"),
    ],
)
def test_tensors_that_are_no_number(wrong: Tensor, message: str) -> None:
    for make in (lambda: NF.gce_loss(LOGITS, LABELS, wrong), lambda: nk.GCELoss(wrong)):
        with pytest.raises(TypeError, match=message):
            make()
