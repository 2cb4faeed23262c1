"""Losses and gradients of the kernels against the exact ones, at every SIMD level.

The base case is reduction="none" with a random upstream gradient: an upstream of ones hides what is
multiplied in wrongly. Errors are relative to the loss, or to the row's largest gradient, and where
a formula subtracts to its largest part (`oracle.Exact`); so the mean's 1/N changes no error.
"""

from __future__ import annotations

from collections.abc import Callable

import mpmath
import numpy as np
import pytest
import torch
from cases import REPRESENTATIVES, Case, each_core_loss, each_other_loss, every_core_case
from conftest import LEVELS
from oracle import Exact, exact, paper
from reference_cases import for_oracles
from torch import Tensor

Family = Callable[[int, int], tuple[Tensor, Tensor]]
"""Makes n rows of c logits in float64, and labels."""


def labels_for(n: int, c: int) -> Tensor:
    return torch.randint(c, (n,))


def normal(scale: float, offset: float = 0.0) -> Family:
    def make(n: int, c: int) -> tuple[Tensor, Tensor]:
        return scale * torch.randn(n, c, dtype=torch.float64) + offset, labels_for(n, c)

    return make


def margins(lowest: float, highest: float) -> Family:
    """The label's logit above the largest of the others by the margin, below it where negative."""

    def make(n: int, c: int) -> tuple[Tensor, Tensor]:
        logits, y = normal(0.5)(n, c)
        margin = torch.linspace(lowest, highest, n, dtype=torch.float64)
        if c > 1:
            margin += logits.scatter(1, y[:, None], -torch.inf).amax(1)
        return logits.scatter(1, y[:, None], margin[:, None]), y

    return make


def ties(n: int, c: int) -> tuple[Tensor, Tensor]:
    """Few distinct logits: the label shares the first place, or others do, or all are equal."""
    return torch.randint(-1, 2, (n, c)).double(), labels_for(n, c)


def tied_others(n: int, c: int) -> tuple[Tensor, Tensor]:
    """All but the label equal: where equal numbers are summed, errors do not average out."""
    y = labels_for(n, c)
    logits = torch.zeros(n, c, dtype=torch.float64)
    return logits.scatter(1, y[:, None], torch.linspace(0.01, 8, n).double()[:, None]), y


def masked(n: int, c: int) -> tuple[Tensor, Tensor]:
    """A third of the logits that are not the label's are -inf, as masked classes are."""
    logits, y = normal(3)(n, c)
    hidden = (torch.rand(n, c) < 1 / 3).scatter(1, y[:, None], False)
    return logits.masked_fill(hidden, -torch.inf), y


def masked_label(n: int, c: int) -> tuple[Tensor, Tensor]:
    """The label's own logit is -inf: cross entropy is infinite, its gradient is not."""
    logits, y = normal(3)(n, c)
    return logits.scatter(1, y[:, None], -torch.inf), y


FAMILIES: dict[str, Family] = {
    "nearly-uniform": normal(0.1),
    "normal": normal(1),
    "confident": normal(10),
    "extreme": normal(100),
    "offset+1e4": normal(3, 1e4),
    "offset-1e4": normal(3, -1e4),
    "offset+1e6": normal(3, 1e6),
    "offset-1e6": normal(3, -1e6),
    "wrong": margins(-200, 0),
    "right": margins(0, 80),
    "ties": ties,
    "tied-others": tied_others,
    "masked": masked,
    "masked-label": masked_label,
}

ROWS = {
    0: "an empty batch",
    1: "one row, most of its block of rows empty",
    31: "a full block of rows and all but one of the next",
    128: "whole blocks, the usual batch size",
    129: "a last batch of one row more",
}

CLASSES = {
    1: "p is always one",
    2: "two classes, the smallest softmax",
    3: "less than any vector",
    10: "CIFAR-10: less than an AVX-512 vector, a vector and a tail elsewhere",
    14: "Clothing1M",
    100: "CIFAR-100: whole vectors of 4, a tail for longer ones",
    101: "a tail at every level, of one lane at two of them",
    128: "no tail at any level",
    1000: "ImageNet",
    1001: "ImageNet and a background class: whole vectors and a tail of one",
    4096: "exactly the elements that AVX-512 sums in float before it moves on to double",
    32000: "a vocabulary: several such sums, for every level",
    70000: "more than 65536, which are summed on their own",
}

each_family = pytest.mark.parametrize("family", FAMILIES)


def largest_excess(error: np.ndarray, tolerance: np.ndarray) -> float:
    """The largest error in units of what is tolerated."""
    return float((error / tolerance).max(initial=0))


def distance(actual: Tensor, expected: np.ndarray) -> np.ndarray:
    """|actual - expected|, zero between equal infinities and between NaNs."""
    found = actual.detach().double().numpy().astype(np.longdouble)
    with np.errstate(invalid="ignore"):
        same = (found == expected) | (np.isnan(found) & np.isnan(expected))
        error = np.where(same, 0, abs(found - expected))
    return np.where(np.isnan(error), np.inf, error)


def half_spacing(values: np.ndarray, dtype: torch.dtype) -> np.ndarray:
    """Half the distance of neighbouring numbers of the dtype, subnormal ones included."""
    info = torch.finfo(dtype)
    _, exponent = np.frexp(np.maximum(abs(values.astype(float)), info.smallest_normal))
    return np.ldexp(info.eps / 2, exponent - 1)


def errors(
    case: Case,
    logits: Tensor,
    labels: Tensor,
    weight: Tensor | None = None,
    reduction: str = "none",
) -> tuple[float, float]:
    """The largest errors of loss and gradient in units of what the project allows."""
    wide, y = logits.double().numpy(), labels.numpy()
    w = None if weight is None else weight.double().numpy().astype(np.longdouble)
    truth = exact(case.name, for_oracles(case.all_parameters(wide.shape[1])), wide, y, w)
    divisor = (len(y) if w is None else w[y].sum()) if reduction == "mean" else 1

    def loss(x: Tensor) -> Tensor:
        return case(x, labels, weight=weight, reduction=reduction)

    return errors_against(truth, loss, logits, wide, divisor)


def errors_against(
    truth: Exact,
    function: Callable[[Tensor], Tensor],
    logits: Tensor,
    scores: np.ndarray,
    divisor: float = 1,
) -> tuple[float, float]:
    """The same of a function of logits, from which it takes the softmax of these scores."""
    x = logits.clone().requires_grad_()
    loss = function(x)
    upstream = torch.randn(loss.shape, dtype=loss.dtype)
    loss.backward(upstream)
    assert x.grad is not None
    assert x.grad.dtype == logits.dtype

    rows = len(scores)
    spread = np.ptp(np.where(np.isfinite(scores), scores, scores.max(1, keepdims=True)), axis=1)
    single = np.where(spread > 32, 5e-6, 2e-6)  # from 32 on x - max(x) itself rounds
    bar = np.full(rows, 1e-13) if loss.dtype == torch.float64 else single
    # Products below the smallest normal number are flushed or lose digits.
    floor = 16 * torch.finfo(loss.dtype).smallest_normal

    value, value_allowed = truth.value, bar * truth.value_scale + floor
    if loss.dim() == 0:
        value, value_allowed = value.sum() / divisor, value_allowed.sum() / divisor
    of_value = largest_excess(distance(loss, value), value_allowed)

    u = np.broadcast_to(upstream.double().numpy().astype(np.longdouble) / divisor, rows)
    gradient = u[:, None] * truth.gradient
    allowed = (bar * abs(u) * truth.gradient_scale + floor * np.maximum(1, abs(u)))[:, None]
    if logits.dtype in (torch.float16, torch.bfloat16):
        allowed = allowed + half_spacing(gradient, logits.dtype)
    return of_value, largest_excess(distance(x.grad, gradient), allowed)


# Masked classes have p = 0, of which the formula on paper takes the logarithm.
@pytest.mark.parametrize("family", [name for name in FAMILIES if "masked" not in name])
@every_core_case
def test_oracles_agree(case: Case, family: str) -> None:
    logits, labels = FAMILIES[family](5, 4)
    parameters = for_oracles(case.all_parameters(logits.shape[1]))
    truth = exact(case.name, parameters, logits.numpy(), labels.numpy())
    bar = 1e4 * np.finfo(np.longdouble).eps  # exp multiplies errors by its argument
    for row in range(len(labels)):
        value, gradient = paper(case.name, parameters, logits[row].tolist(), int(labels[row]))
        expected, *slopes = (np.longdouble(mpmath.nstr(v, 40)) for v in (value, *gradient))
        assert abs(truth.value[row] - expected) <= bar * truth.value_scale[row]
        assert abs(truth.gradient[row] - slopes).max() <= bar * truth.gradient_scale[row]


@each_family
@every_core_case
def test_families_of_logits(case: Case, family: str, simd_level: str) -> None:
    for classes in 10, 101:
        logits, labels = FAMILIES[family](48, classes)
        assert max(errors(case, logits.float(), labels)) <= 1


@each_family
@each_core_loss
def test_double_precision(case: Case, family: str, simd_level: str) -> None:
    assert max(errors(case, *FAMILIES[family](64, 21))) <= 1


@pytest.mark.parametrize(
    ("dtype", "family"),
    [
        (dtype, name)
        for dtype in (torch.float16, torch.bfloat16)
        for name in FAMILIES
        if not (dtype == torch.float16 and "1e6" in name)
    ],  # more than its largest number
    ids=str,
)
@each_core_loss
def test_half_precision(case: Case, family: str, dtype: torch.dtype, simd_level: str) -> None:
    """The gradient is the exact one rounded once; the loss is as good as single precision's."""
    logits, labels = FAMILIES[family](64, 21)
    assert max(errors(case, logits.to(dtype), labels)) <= 1


@pytest.mark.parametrize("name", ["nnfl", "anl_fl"])
def test_most_classes_next_to_the_floor(name: str, simd_level: str) -> None:
    """docs/numerics.md says by how much these two miss the bound there, and it is no more."""
    (case,) = (case for case in REPRESENTATIVES if case.name == name)
    for _ in range(10):
        logits, labels = margins(10, 20)(48, 101)
        of_value, of_gradient = errors(case, logits.float(), labels)
        assert of_value <= 1
        assert of_gradient <= 4.5e-6 / 2e-6


@pytest.mark.parametrize("rows", ROWS)
@each_core_loss
def test_numbers_of_rows(case: Case, rows: int, simd_level: str) -> None:
    logits, labels = normal(2)(rows, 10)
    assert max(errors(case, logits.float(), labels)) <= 1


@pytest.mark.parametrize("family", ["normal", "wrong"])
@pytest.mark.parametrize("classes", CLASSES)
@each_core_loss
def test_numbers_of_classes(case: Case, classes: int, family: str, simd_level: str) -> None:
    logits, labels = FAMILIES[family](3, classes)
    assert max(errors(case, logits.float(), labels)) <= 1


@each_core_loss
def test_long_sums_of_equal_numbers(case: Case, simd_level: str) -> None:
    """A float sum that runs too long before it is widened drifts, and only here it shows."""
    logits, labels = tied_others(24, 4096)
    assert max(errors(case, logits.float(), labels)) <= 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@each_core_loss
def test_reductions_and_class_weights(
    case: Case, reduction: str, weighted: bool, dtype: torch.dtype, simd_level: str
) -> None:
    logits, labels = normal(2)(40, 19)
    weight = torch.rand(19) if weighted else None
    assert max(errors(case, logits.to(dtype), labels, weight, reduction)) <= 1


extreme_levels = pytest.mark.parametrize(
    "simd_level", [LEVELS[0], LEVELS[-1]] if LEVELS else [None], indirect=True
)


@extreme_levels
@pytest.mark.parametrize(
    "family", ["normal", "extreme", "offset+1e4", "wrong", "right", "ties", "masked"]
)
@each_other_loss
def test_other_losses(case: Case, family: str, simd_level: str) -> None:
    for classes in 10, 101:
        logits, labels = FAMILIES[family](48, classes)
        assert max(errors(case, logits.float(), labels)) <= 1


@extreme_levels
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
@each_other_loss
def test_other_losses_in_other_precisions(case: Case, dtype: torch.dtype, simd_level: str) -> None:
    for family in "normal", "wrong", "right":
        logits, labels = FAMILIES[family](64, 21)
        assert max(errors(case, logits.to(dtype), labels)) <= 1


@extreme_levels
@pytest.mark.parametrize("classes", [2, 3, 128, 257])
@each_other_loss
def test_other_losses_and_numbers_of_classes(case: Case, classes: int, simd_level: str) -> None:
    logits, labels = normal(2)(17, classes)
    assert max(errors(case, logits.float(), labels)) <= 1


@pytest.mark.parametrize("reduction", ["none", "mean"])
@each_other_loss
def test_other_losses_with_class_weights(case: Case, reduction: str) -> None:
    logits, labels = normal(2)(40, 19)
    assert max(errors(case, logits.float(), labels, torch.rand(19), reduction)) <= 1
