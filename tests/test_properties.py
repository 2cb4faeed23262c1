"""What the theory says of the losses: symmetry, limits, invariances, and sums in one pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from cases import REPRESENTATIVES, Case, each_loss, each_of
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import noisykernels as nk
import noisykernels.functional as NF
from noisykernels.registry import LOSSES


def is_symmetric(case: Case) -> bool:
    says = LOSSES[case.name].symmetric
    at = {"no": False, "yes": True, "at quadratic = 0": case.parameters.get("quadratic") == 0}
    return at.get(says, False)


SYMMETRIC = [case for case in REPRESENTATIVES if is_symmetric(case)]
UNPENALIZED = [
    case
    for case in REPRESENTATIVES
    if not case.parameters.get("quadratic") and case.name != "centered_square"
]
WITHOUT_MATRIX = [case for case in REPRESENTATIVES if not case.takes_matrix]


def batch(n: int = 40, c: int = 10, scale: float = 3.0, **kwargs: Any) -> tuple[Tensor, Tensor]:
    return scale * torch.randn(n, c, **kwargs), torch.randint(c, (n,))


def gradient(loss: Callable[..., Tensor], logits: Tensor, target: Tensor, **options: Any) -> Tensor:
    """Of a loss at an upstream gradient that differs from row to row."""
    x = logits.clone().requires_grad_()
    value = loss(x, target, **options)
    value.backward(torch.linspace(-1, 2, value.numel(), dtype=value.dtype).reshape(value.shape))
    assert x.grad is not None
    return x.grad


def test_the_papers_call_these_symmetric() -> None:
    assert {case.name for case in SYMMETRIC} == {
        *("rce", "mae", "muh", "sgce", "alpha_mae"),
        *("nce", "nfl", "ngce", "nnce", "nnfl", "nce_mae", "nce_rce", "nfl_mae", "nfl_rce"),
        *("anl_ce", "anl_fl"),
    }


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("classes", [2, 10, 100])
@pytest.mark.parametrize("case", SYMMETRIC, ids=str)
def test_sum_over_labels_is_constant(
    case: Case, classes: int, scale: float, simd_level: str
) -> None:
    logits, _ = batch(20, classes, scale)
    every_label = torch.arange(classes).expand(20, classes).reshape(-1)
    losses = case(logits.repeat_interleave(classes, 0), every_label, reduction="none")
    losses = losses.double().reshape(20, classes)
    at_zero = case(torch.zeros(1, classes), torch.zeros(1, dtype=torch.long)).double() * classes
    # MUH and SGCE sum to zero, so relative means to the sum of the magnitudes.
    torch.testing.assert_close(
        (losses.sum(1) - at_zero) / losses.abs().sum(1), torch.zeros(20).double(), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("case", SYMMETRIC, ids=str)
def test_gradients_of_all_labels_cancel(case: Case, simd_level: str) -> None:
    logits, _ = batch(6, 10)
    gradients = torch.stack(
        [gradient(case, logits, torch.full((6,), k), reduction="none") for k in range(10)]
    )
    assert (gradients.sum(0).abs() <= 1e-5 * gradients.abs().sum(0).amax(1, keepdim=True)).all()


def muh_over_classes(x: Tensor, y: Tensor, alpha: float = 1e-7) -> Tensor:
    return NF.muh_loss(x, y) / 10 + 0.9 / alpha


LIMITS: dict[str, tuple[Callable[..., Tensor], Callable[..., Tensor]]] = {
    "gce, q to 0, is ce": (partial(NF.gce_loss, q=1e-9), NF.ce_loss),
    "gce(1) is mae/2": (partial(NF.gce_loss, q=1), lambda x, y: NF.mae_loss(x, y) / 2),
    "sgce, q to 0, is muh": (partial(NF.sgce_loss, q=1e-7), NF.muh_loss),
    "sgce(1) is 1/C - p_y": (
        partial(NF.sgce_loss, q=1),
        lambda x, y: (0.1 - x.softmax(1).gather(1, y[:, None])).mean(),
    ),
    "alpha-mae, alpha to 0, is muh/C": (partial(NF.alpha_mae_loss, alpha=1e-7), muh_over_classes),
    "alpha-mae(1) is 1 - p_y": (
        partial(NF.alpha_mae_loss, alpha=1),
        lambda x, y: (1 - x.softmax(1).gather(1, y[:, None])).mean(),
    ),
    "convex alpha-mae(0) is muh": (partial(NF.alpha_mae_loss, alpha=0, form="convex"), NF.muh_loss),
    "convex alpha-mae(1) is mae/2": (
        partial(NF.alpha_mae_loss, alpha=1, form="convex"),
        lambda x, y: NF.mae_loss(x, y) / 2,
    ),
    "rce(-2) is mae": (partial(NF.rce_loss, A=-2), NF.mae_loss),
    "sce is alpha ce + beta rce": (
        partial(NF.sce_loss, alpha=0.3, beta=2, A=-5),
        lambda x, y: 0.3 * NF.ce_loss(x, y) + 2 * NF.rce_loss(x, y, A=-5),
    ),
    "ce is torch's": (NF.ce_loss, F.cross_entropy),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_limits(limit: str, simd_level: str) -> None:
    loss, expected = LIMITS[limit]
    logits, labels = batch(dtype=torch.float64)
    close = partial(torch.testing.assert_close, rtol=2e-6, atol=1e-8)
    close(loss(logits, labels), expected(logits, labels))
    close(gradient(loss, logits, labels), gradient(expected, logits, labels))


@pytest.mark.parametrize("case", UNPENALIZED, ids=str)
@given(shift=st.integers(-1000, 1000), seed=st.integers(0, 2**32))
def test_a_constant_added_to_the_logits_changes_nothing(case: Case, shift: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = (
        torch.randint(-64, 64, (5, 7), generator=generator) / 8
    )  # and the shift: sums are exact
    labels = torch.randint(7, (5,), generator=generator)
    assert torch.equal(case(logits, labels), case(logits + shift, labels))
    assert torch.equal(gradient(case, logits, labels), gradient(case, logits + shift, labels))


@each_of(WITHOUT_MATRIX)
@given(seed=st.integers(0, 2**32), classes=st.integers(1, 40))
def test_classes_have_no_order(case: Case, seed: int, classes: int) -> None:
    classes += case.normalized  # 0 / 0 for one class
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(5, classes, generator=generator, dtype=torch.float64)
    labels = torch.randint(classes, (5,), generator=generator)
    order = torch.randperm(classes, generator=generator)
    permuted = gradient(case, logits[:, order], order.argsort()[labels], reduction="none")
    expected = gradient(case, logits, labels, reduction="none")[:, order]
    torch.testing.assert_close(permuted, expected, rtol=1e-12, atol=1e-14)


@each_loss
@given(seed=st.integers(0, 2**32), rows=st.integers(1, 40))
def test_rows_do_not_see_each_other(case: Case, seed: int, rows: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(rows, 9, generator=generator)
    labels = torch.randint(9, (rows,), generator=generator)
    together = case(logits, labels, reduction="none")
    assert torch.equal(
        together, torch.stack([case(x, y) for x, y in zip(logits, labels, strict=True)])
    )


class Operators(TorchDispatchMode):
    """Counts the operators that run."""

    def __init__(self) -> None:
        super().__init__()
        self.ran: Counter[str] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.ran[func.name()] += 1
        return func(*args, **(kwargs or {}))


SUMS = {
    "sce from its parts": lambda: 0.1 * nk.CELoss() + nk.RCELoss(A=-4.0),
    "every loss": lambda: sum(
        [
            nk.CELoss(),
            nk.RCELoss(),
            nk.MAELoss(),
            nk.GCELoss(),
            nk.MUHLoss(),
            nk.SGCELoss(q=0.5),
            nk.AlphaMAELoss(),
            nk.SCELoss(),
        ]
    ),
    "differences and multiples": lambda: nk.GCELoss(0.5) - nk.MAELoss() / 2 + 3 * nk.MUHLoss(0.1),
    "two powers": lambda: nk.SGCELoss(q=0.5) + nk.SGCELoss(q=0.3) + nk.CELoss(),
    "from text": lambda: nk.loss("0.1*ce + rce(A=-4) - 2*alpha_mae(alpha=0.3, form='convex')"),
}


def parts_of(criterion: nk.SumLoss) -> Callable[..., Tensor]:
    """The sum, each of its losses computed for itself."""

    def total(logits: Tensor, target: Tensor, **options: Any) -> Tensor:
        losses = [
            part.scale * getattr(NF, f"{part.name}_loss")(logits, target, **part.parameters)
            for part in criterion._parts
        ]
        return torch.stack(losses).sum(0)

    return total


@pytest.mark.parametrize("name", SUMS)
def test_a_sum_is_the_sum_of_its_parts(name: str, simd_level: str) -> None:
    criterion = SUMS[name]()
    logits, labels = batch(dtype=torch.float64)
    expected = parts_of(criterion)
    close = partial(torch.testing.assert_close, rtol=1e-12, atol=1e-13)
    close(criterion(logits, labels), expected(logits, labels))
    close(gradient(criterion, logits, labels), gradient(expected, logits, labels))


def operators_of_a_step(loss: Callable[[Tensor, Tensor], Tensor]) -> Counter[str]:
    logits, labels = batch()
    logits.requires_grad_()
    upstream = torch.tensor(0.7)
    with Operators() as operators:
        loss(logits, labels).backward(upstream)
    return operators.ran


ONE_OPERATOR = [
    *WITHOUT_MATRIX,
    *(case.module(10) for case in REPRESENTATIVES if case.takes_matrix),
    *(make() for make in SUMS.values()),
]


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("loss", ONE_OPERATOR, ids=str)
def test_a_step_is_one_operator_each_way(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    ran = operators_of_a_step(loss)
    assert ran.pop("noisykernels::forward") == 1
    assert ran.pop("noisykernels::backward") == 1
    assert ran.keys() <= {"aten::detach"}  # autograd takes the gradient over


@pytest.mark.usefixtures("kernels")
def test_a_sum_of_many_powers_takes_several_passes() -> None:
    criterion = sum(nk.SGCELoss(q=q / 10) for q in range(1, 8))
    assert operators_of_a_step(criterion)["noisykernels::forward"] == 4
    logits, labels = batch(dtype=torch.float64)
    expected = parts_of(criterion)
    torch.testing.assert_close(criterion(logits, labels), expected(logits, labels))
    torch.testing.assert_close(
        gradient(criterion, logits, labels), gradient(expected, logits, labels)
    )
