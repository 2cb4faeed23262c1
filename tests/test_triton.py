"""The Triton kernels in Triton's interpreter: the arithmetic, the indexing, the reductions.

What the interpreter cannot show is in test_triton_compile.py (what the compiler makes of the
kernels) and test_triton_exponential.py (the arithmetic that a GPU does and numpy does not). It
takes milliseconds for each program, so batches are small, and rows are split at numbers of classes
where no GPU would do it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from cases import Case, each_attached_loss, each_core_loss, each_kind_of_pass
from test_accuracy import FAMILIES, errors, normal
from test_edge_cases import ROWS_OF_INFINITIES, assert_like_torch, same, value_and_gradient
from test_layouts import LAYOUTS, assert_like_rows, labels_for, logits
from torch import Tensor

import noisykernels as nk
import noisykernels.functional as NF
from noisykernels import backends
from noisykernels.autograd import FusedLoss
from noisykernels.ops import NONE, pack
from noisykernels.terms import NAMES, WeightedTerm

if backends.available()["triton"] is not True:
    pytest.skip(f"{backends.available()['triton']}", allow_module_level=True)

import triton.language as tl
from triton.runtime import interpreter

from noisykernels.triton import kernels, launch, regimes
from noisykernels.triton import terms as jit_terms
from noisykernels.triton.regimes import Tile

NAN, INF = float("nan"), float("inf")

KERNELS = "evaluate_tiles", "sum_rows", "sum_rows_again", "evaluate_sums", "finish", "gradient"

ROWS = {
    0: "no launch",
    1: "one program, most of its tile empty",
    31: "a tile less one row",
    128: "two whole tiles, one after the other",
    129: "a third tile with one row",
    600: "a program for each tile, and one that adds up",
}

CLASSES = {
    1: "p is always one",
    2: "most of a tile's block is padding",
    3: "a block of 16, the smallest",
    10: "CIFAR-10",
    14: "Clothing1M",
    17: "one more than a block",
    100: "CIFAR-100",
    101: "an odd row stride",
    1000: "ImageNet: one row in a tile",
    1025: "no longer compiled for exactly C",
    4096: "the longest row on chip, in a block without padding",
    4097: "the shortest row that is streamed: a second step for one class",
    5001: "a ragged end",
}

# Between them: all powers and sums that a visit of a row can take.
SUMS = [
    Case("sgce", {"q": 0.7}),
    Case("alpha_mae", {"alpha": 0.5, "form": "temperature"}),
    Case("ce", {"label_smoothing": 0.1}),
    Case("muh", {"quadratic": 0.1}),
]
each_sum = pytest.mark.parametrize("case", SUMS, ids=str)
each_dtype = pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16], ids=str
)


@pytest.fixture(autouse=True)
def _triton() -> Iterator[None]:
    with backends.use("triton"):
        yield


@pytest.fixture(autouse=True)
def _round_to_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a GPU does: the interpreter cuts float32 off to bfloat16."""
    convert = interpreter._convert_float

    def convert_and_round(x: np.ndarray, of: tl.dtype, to: tl.dtype, mode: Any) -> np.ndarray:
        if (of, to) != (tl.float32, tl.bfloat16):
            return convert(x, of, to, mode)
        return torch.tensor(x).bfloat16().view(torch.uint16).numpy()

    monkeypatch.setattr(interpreter, "_convert_float", convert_and_round)


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the kernels that are launched."""
    names: list[str] = []

    class Watched:
        def __init__(self, kernel: Any) -> None:
            self.kernel = kernel

        def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., None]:
            names.append(self.kernel.__name__)
            return self.kernel[grid]

    for name in KERNELS:
        monkeypatch.setattr(kernels, name, Watched(getattr(kernels, name)))
    return names


def step(case: Case, x: Tensor, labels: Tensor, **options: Any) -> tuple[Tensor, Tensor]:
    return value_and_gradient(case.function, x, labels, **case.parameters, **options)


def test_the_lists_of_terms_agree() -> None:
    assert tuple(jit_terms.TERMS) == NAMES
    if backends.extension:
        assert tuple(backends.extension.terms()) == NAMES


@pytest.mark.parametrize("function", ["operator", "FusedLoss"])
def test_the_kernels_are_what_runs(function: str, launched: list[str]) -> None:
    x, labels = torch.randn(600, 5, requires_grad=True), torch.randint(5, (600,))
    spec = (*pack([WeightedTerm("ce", 1.0)]), -100, NONE, False, backends.TRITON)
    loss = (
        FusedLoss.apply(x, labels, None, None, *spec)[0]
        if function == "FusedLoss"
        else NF.ce_loss(x, labels, reduction="none")
    )
    assert launched == ["evaluate_tiles"]
    with backends.use("reference"):  # the backward follows its forward
        loss.sum().backward()
    assert launched == ["evaluate_tiles", "gradient"]
    expected = F.cross_entropy(x, labels, reduction="sum")
    same(x.grad, torch.autograd.grad(expected, x)[0])


def test_launches_of_each_regime(launched: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def launches_of(rows: int, classes: int) -> list[str]:
        launched.clear()
        NF.ce_loss(torch.randn(rows, classes), torch.randint(classes, (rows,)))
        return launched[:]

    assert launches_of(128, 10) == ["evaluate_tiles"]
    assert launches_of(128, 100) == ["evaluate_tiles"]
    assert launches_of(600, 10) == ["evaluate_tiles", "finish"]
    assert launches_of(2, 4097) == ["sum_rows", "evaluate_sums"]
    # Then it takes more programs than one.
    assert regimes.sums_tile(16 * 32 + 1, 1, powers=1, reduces=True).programs > 1
    monkeypatch.setattr(regimes, "sums_tile", lambda n, *_, **__: Tile(1, 16, 4, n))
    assert launches_of(2, 4097) == ["sum_rows", "evaluate_sums", "finish"]


def test_a_second_visit_is_another_launch_where_rows_stream(launched: list[str]) -> None:
    for classes, names in {
        10: ["evaluate_tiles"],
        4097: ["sum_rows", "sum_rows_again", "evaluate_sums"],
    }.items():
        launched.clear()
        spec = (*pack([WeightedTerm("nfl", 1.0, 0.5, -INF)]), -100, NONE, False, backends.TRITON)
        FusedLoss.apply(torch.randn(2, classes), torch.tensor([0, 1]), None, None, *spec)
        assert launched == names


@pytest.mark.parametrize("family", FAMILIES)
@each_kind_of_pass
def test_families_of_logits(case: Case, family: str) -> None:
    x, labels = FAMILIES[family](24, 21)
    assert max(errors(case, x.float(), labels)) <= 1


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.usefixtures("split")
@each_sum
def test_families_of_long_rows(case: Case, family: str) -> None:
    x, labels = FAMILIES[family](2, 65)
    assert max(errors(case, x.float(), labels)) <= 1


@each_dtype
@each_kind_of_pass
def test_dtypes(case: Case, dtype: torch.dtype) -> None:
    for family in "normal", "right", "wrong":
        x, labels = FAMILIES[family](24, 21)
        assert max(errors(case, x.to(dtype), labels)) <= 1


@each_dtype
@pytest.mark.usefixtures("split")
@each_sum
def test_dtypes_of_long_rows(case: Case, dtype: torch.dtype) -> None:
    x, labels = FAMILIES["wrong"](3, 65)
    assert max(errors(case, x.to(dtype), labels)) <= 1


@pytest.mark.parametrize("rows", ROWS)
@each_sum
def test_numbers_of_rows(case: Case, rows: int) -> None:
    x, labels = normal(2)(rows, 10)
    assert max(errors(case, x.float(), labels)) <= 1
    if rows:
        assert max(errors(case, x.float(), labels, reduction="mean")) <= 1


@pytest.mark.parametrize("classes", CLASSES)
@each_sum
def test_numbers_of_classes(case: Case, classes: int) -> None:
    x, labels = normal(2)(3, classes)
    assert max(errors(case, x.float(), labels)) <= 1


def test_rows_split_as_on_a_gpu(monkeypatch: pytest.MonkeyPatch, launched: list[str]) -> None:
    """Two rows for 132 multiprocessors: each is split in four, of which three have classes."""
    monkeypatch.setattr(launch, "processors", lambda device: 132)
    x, labels = normal(2)(2, 18000)
    assert regimes.forward_loop(2, 18000, powers=1, processors=132).splits == 4
    assert max(errors(SUMS[0], x.float(), labels)) <= 1


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@each_sum
def test_reductions_and_class_weights(
    case: Case, reduction: str, weighted: bool, regime: str
) -> None:
    x, labels = normal(2)(3, 33)
    weight = torch.rand(33) if weighted else None
    assert max(errors(case, x.float(), labels, weight, reduction)) <= 1


@pytest.mark.parametrize(
    "expression",
    [
        "0.1*ce + rce(A=-4)",
        "ce + mae + gce(q=0.3) + muh(quadratic=0.1) + sgce(q=0.4) + alpha_mae(alpha=0.6)",
        "alpha_mae(alpha=0.2) + alpha_mae(alpha=0.4) + alpha_mae(alpha=0.6)",
        "sgce(q=1) - 0.5*sgce(q=0.7)",
        "sgce(q=0.2) + sgce(q=0.4) + sgce(q=0.6) + sgce(q=0.8)",  # two passes
    ],
)
def test_sums(expression: str, regime: str) -> None:
    x, labels = normal(2)(3, 33)
    criterion = nk.loss(expression)
    found = value_and_gradient(criterion, x.float(), labels)
    with backends.use("reference"):
        expected = value_and_gradient(criterion, x, labels)
    same(found[0].double(), expected[0], atol=1e-6)
    same(found[1].double(), expected[1], atol=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str) -> None:
    x = logits(layout)
    assert_like_rows(SUMS[2], x, labels_for(x), reduction="none", weight=torch.rand(19))


@pytest.mark.parametrize("layout", ["(C,) strided", "(N, C, 1)", "tokens"])
@pytest.mark.usefixtures("split")
def test_layouts_of_long_rows(layout: str) -> None:
    x = logits(layout)
    assert_like_rows(SUMS[2], x, labels_for(x), reduction="none")


@each_attached_loss
def test_derivatives(case: Case) -> None:
    x = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    labels, weight = torch.tensor([4, -100, 0]), torch.rand(5, dtype=torch.float64)
    for reduction in "none", "mean":
        assert torch.autograd.gradcheck(
            lambda x, r=reduction: case(x, labels, weight=weight, reduction=r), x, fast_mode=True
        )


@pytest.mark.usefixtures("split")
@each_sum
def test_derivatives_of_long_rows(case: Case) -> None:
    x = torch.randn(2, 33, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: case(x, torch.tensor([32, 0])), x, fast_mode=True)


@each_core_loss
def test_second_derivatives(case: Case) -> None:
    x = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: case(x, torch.tensor([3, 0])), x)


def test_upstream_gradients_of_any_stride() -> None:
    x, labels = torch.randn(40, 5, requires_grad=True), torch.randint(5, (40,))
    upstream = torch.randn(40)
    expanded = torch.randn(1).expand(40)
    for value in upstream, expanded:
        for strided in value, value.repeat_interleave(3)[::3]:
            loss = NF.sgce_loss(x, labels, reduction="none")
            (found,) = torch.autograd.grad(loss, x, strided)
            (ones,) = torch.autograd.grad(NF.sgce_loss(x, labels, reduction="sum"), x)
            same(found, ones * value[:, None])


@pytest.mark.parametrize("dtype", [torch.int32, torch.uint8], ids=str)
def test_dtypes_of_labels(dtype: torch.dtype, regime: str) -> None:
    x, labels = torch.randn(3, 200), torch.tensor([7, 199, 130])
    for ignore_index in -100, 255, 7:
        expected = step(SUMS[0], x, labels, ignore_index=ignore_index)
        found = step(SUMS[0], x, labels.to(dtype), ignore_index=ignore_index)
        assert torch.equal(found[0], expected[0])
        assert torch.equal(found[1], expected[1])


@pytest.mark.parametrize("label", [-1, 7, 2**62])
@each_sum
def test_a_label_out_of_range_makes_its_row_nan(case: Case, label: int, regime: str) -> None:
    """No GPU can raise without being waited for."""
    x, labels = torch.randn(5, 7), torch.tensor([1, 6, 2, -100, 0])
    options = {"weight": torch.rand(7), "reduction": "none"}
    expected, expected_gradient = step(case, x, labels, **options)
    labels[2] = label
    value, gradient = step(case, x, labels, **options)
    assert value[2].isnan()
    assert gradient[2].isnan().all()
    kept = torch.arange(5) != 2
    assert torch.equal(value[kept], expected[kept])
    assert torch.equal(gradient[kept], expected_gradient[kept])


@pytest.mark.parametrize("labels", ["[3, -1, -100]", "[10]", "[3, 156], dtype=torch.uint8"])
def test_a_label_out_of_range_fails_with_checks(labels: str) -> None:
    """Of uint8, 156 is what -100 would be."""
    program = f"""
import torch
import noisykernels as nk
for labels in (torch.tensor([3, 9, -100]), torch.tensor({labels})):
    print(nk.GCELoss()(torch.zeros(len(labels), 10), labels).isfinite())
"""
    settings = {"NOISYKERNELS_BACKEND": "triton", "NOISYKERNELS_CHECK": "1"}
    environment = os.environ | settings | {"TRITON_INTERPRET": "1"}
    run = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert run.stdout == "tensor(True)\n"
    complaint = "RuntimeError: target has labels that are neither classes nor ignore_index"
    assert run.stderr.splitlines()[-1] == complaint


@pytest.mark.parametrize("reduction", ["none", "mean"])
@pytest.mark.parametrize("poison", [NAN, INF])
@each_sum
def test_an_ignored_row_may_hold_anything(
    case: Case, poison: float, reduction: str, regime: str
) -> None:
    clean, labels = torch.randn(5, 7), torch.tensor([1, -100, 0, 6, -100])
    spoiled = clean.masked_fill((labels == -100)[:, None], poison)
    found, expected = (step(case, x, labels, reduction=reduction) for x in (spoiled, clean))
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[1])
    assert not found[1][labels == -100].any()


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_nothing_to_sum_as_in_torch(reduction: str, regime: str) -> None:
    assert_like_torch(torch.randn(3, 10), torch.full((3,), -100), reduction=reduction)
    assert_like_torch(torch.empty(0, 10), torch.empty(0).long(), reduction=reduction)
    assert_like_torch(torch.randn(3, 1), torch.zeros(3).long(), reduction=reduction)
    weight = torch.zeros(10)
    assert_like_torch(torch.randn(3, 10), torch.arange(3), weight=weight, reduction=reduction)


@pytest.mark.parametrize("kind", ROWS_OF_INFINITIES)
def test_infinities_as_in_torch(kind: str, regime: str) -> None:
    x = torch.randn(2, 40)
    if "everywhere" in kind:
        x[0] = -INF
    x[0, :3] = torch.tensor(ROWS_OF_INFINITIES[kind])
    for reduction in "none", "sum":
        assert_like_torch(x, torch.tensor([0, 2]), reduction=reduction)


def test_repeats(regime: str) -> None:
    x, labels = torch.randn(5, 65), torch.randint(65, (5,))
    first = step(SUMS[0], x, labels)
    for _ in range(3):
        again = step(SUMS[0], x, labels)
        assert torch.equal(again[0], first[0])
        assert torch.equal(again[1], first[1])
