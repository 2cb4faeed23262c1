"""The CUDA kernels, run on the host: every regime, dtype and term against float64.

`emulated` compiles the kernels' own files with the host's compiler, over an emulation of CUDA's
threads. That shows wrong results, bad addresses, and barriers that not all threads reach. It does
not show races, and nothing of a GPU's speed or of its approximations.
"""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from cases import PARAMETERS_OF_TERMS
from emulated import (
    DTYPES,
    FOLDER,
    HOST,
    KERNELS,
    SANITIZERS,
    Kernels,
    compile_files,
    link,
    toolkit,
)
from torch import Tensor

from noisykernels import ops
from noisykernels.backends import CPU
from noisykernels.bounded import CLIPPED, NORMALIZED
from noisykernels.terms import TERMS, Need, WeightedTerm, columns, gradient, values

pytestmark = [
    pytest.mark.skipif(toolkit() is None, reason="no nvcc, and so no headers of the CUDA toolkit"),
    pytest.mark.usefixtures("kernels"),  # those of the CPU, in float64, are what is compared with
]

SHAPES = {
    (1, 2): "a single row of the fewest classes",
    (64, 14): "a block does all, a thread a row",
    (300, 10): "several blocks, and the last adds up",
    (40, 100): "four lanes a row",
    (9, 1000): "a warp a row, all of it in registers",
    (3, 1001): "rows start anywhere: vectors are shifted",
    (5, 5000): "several warps a row",
    (2, 40000): "a row is split over blocks",
}
LONG = 2000
"""Classes from which a vector for each class would be a large matrix."""

LOSS_ERROR = {torch.float32: 3e-6, torch.float64: 1e-12, torch.float16: 4e-6, torch.bfloat16: 4e-6}
GRADIENT_ERROR = {
    torch.float32: 5e-6,
    torch.float64: 1e-12,
    torch.float16: 2**-11,  # rounding once
    torch.bfloat16: 2**-8,
}

EVERYTHING = (
    ("ce",),
    ("sgce", "alpha_mae"),
    ("muh", "square"),
    ("nce", "smoothing"),
    ("entropy", "top_ce"),
    ("nfl", "nnfl"),
)
"""Sums that take three powers, none, all polynomial sums, and all that needs loops of its own."""

VECTORS = Need.VECTOR | Need.VECTOR_POWER
LOOPS_OF_THEIR_OWN = [
    name for name in TERMS if TERMS[name].needs & (Need.ENTROPY | Need.TOP | Need.ELEMENT | VECTORS)
]


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("emulated")
    sources = [*KERNELS, *HOST, FOLDER / "binding.cpp"]
    return {path.name: path for path in compile_files(sources, folder)}


@pytest.fixture(scope="module")
def emulated(objects: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    library = tmp_path_factory.mktemp("library") / "libemulated.so"
    return Kernels(link(list(objects.values()), library, "-shared"))


def terms_of(*names: str, vectors: Tensor | None = None) -> list[WeightedTerm]:
    return [
        WeightedTerm(
            name,
            1.3 - 0.2 * i,
            *PARAMETERS_OF_TERMS.get(name, (0.0, 0.0)),
            vectors if TERMS[name].needs & VECTORS else None,
        )
        for i, name in enumerate(names)
    ]


def shapes_of(name: str) -> Iterator[tuple[int, int, list[WeightedTerm]]]:
    """The shapes at which a term can be tried: not where its vectors would be a large matrix."""
    for n, c in SHAPES:
        vectors = None
        if TERMS[name].needs & VECTORS:
            if c >= LONG:
                continue
            by_sample = Need.BY_SAMPLE in TERMS[name].needs
            vectors = torch.rand(n if by_sample else c, c).softmax(1)
        yield n, c, terms_of(name, vectors=vectors)


def batch(n: int, c: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    return (3 * torch.randn(n, c, dtype=torch.float64)).to(dtype), torch.randint(c, (n,))


def exact_loss(
    logits: Tensor,
    target: Tensor,
    terms: list[WeightedTerm],
    weight: Tensor | None = None,
    reduction: int = ops.NONE,
) -> Tensor:
    """The CPU kernels' in float64."""
    vectors = next((t.vectors.double() for t in terms if t.vectors is not None), None)
    spec = (*ops.pack(terms), -100, reduction, False, CPU)
    weight = None if weight is None else weight.double()
    return torch.ops.noisykernels.forward(logits.double(), target, weight, vectors, *spec)[0]


def assert_gradient(got: Tensor, exact: Tensor, upstream: Tensor) -> None:
    """Errors are relative to the row's largest gradient, or to a part of what it subtracts."""
    scale = torch.maximum(exact.abs().amax(1), 0.05 * upstream.abs().double().expand(len(exact)))
    error = (got.double() - exact).abs().amax(1)
    if got.dtype == torch.float16:
        error = (error - 2**-25).clamp(min=0)  # half of the smallest number
    assert (error / scale).max().item() <= GRADIENT_ERROR[got.dtype]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", TERMS)
def test_every_term(emulated: Kernels, name: str, dtype: torch.dtype) -> None:
    for n, c, terms in shapes_of(name):
        logits, target = batch(n, c, dtype)
        upstream = torch.randn(n, dtype=ops.arithmetic_dtype(dtype))
        options = {"vectors": terms[0].vectors}
        loss, rows, divisor = emulated.forward(logits, target, terms, **options)
        exact = exact_loss(logits, target, terms)
        worst = ((loss - exact).abs() / exact.abs().clamp(min=1)).max().item()
        assert worst <= LOSS_ERROR[dtype]
        assert divisor == 1
        got = emulated.backward(upstream, logits, target, rows, divisor, terms, **options)
        expected = gradient(
            upstream.double(), logits.double(), target, None, terms, -100, mean=False
        )
        assert_gradient(got, expected, upstream)


@pytest.mark.parametrize("names", EVERYTHING, ids="+".join)
def test_class_weights_statistics_and_ignored_rows(
    emulated: Kernels, names: tuple[str, ...]
) -> None:
    terms = terms_of(*names)
    for n, c in SHAPES:
        logits, target = batch(n, c, torch.float32)
        weight = torch.rand(c) + 0.5
        target[::3] = -100
        logits[::3] = torch.nan
        options = {"weight": weight, "statistics": True}
        loss, rows, divisor = emulated.forward(logits, target, terms, **options)
        ids, values = ops.pack(terms)
        expected = torch.ops.noisykernels.forward(
            logits.double(), target, weight.double(), None, ids, values, -100, ops.NONE, True, CPU
        )
        torch.testing.assert_close(loss.double(), expected[0], rtol=3e-6, atol=3e-6)
        statistics, expected_statistics = rows[-4:], expected[1][-4:]
        torch.testing.assert_close(
            statistics[:3].double(), expected_statistics[:3], rtol=2e-6, atol=2e-6, equal_nan=True
        )
        # The class is an integer, in the bits of the number beside it.
        assert torch.equal(
            statistics[3].view(torch.int32).long(), expected_statistics[3].view(torch.int64)
        )
        upstream = torch.randn(n)
        got = emulated.backward(upstream, logits, target, rows, divisor, terms, **options)
        assert got[::3].eq(0).all()
        exact = gradient(
            upstream.double(), logits.double(), target, weight.double(), terms, -100, mean=False
        )
        if n > 1:
            kept = target != -100
            assert_gradient(got[kept], exact[kept], upstream[kept])


@pytest.mark.parametrize("reduction", [ops.MEAN, ops.SUM], ids=["mean", "sum"])
@pytest.mark.parametrize("shape", SHAPES, ids="{0[0]}x{0[1]}".format)
def test_reductions_in_any_order_of_threads(
    emulated: Kernels, shape: tuple[int, int], reduction: int
) -> None:
    """Blocks and threads come in another order for each seed; the bits stay the same."""
    logits, target = batch(*shape, torch.float32)
    weight = torch.rand(shape[1]) + 0.5
    terms = terms_of("ce", "sgce")
    spec = (*ops.pack(terms), -100, reduction, False, CPU)
    expected = torch.ops.noisykernels.forward(logits, target, weight, None, *spec)
    upstream = torch.tensor(-0.7)
    results = []
    for seed in range(4):
        loss, rows, divisor = emulated.forward(
            logits, target, terms, weight=weight, reduction=reduction, seed=seed
        )
        got = emulated.backward(
            upstream, logits, target, rows, divisor, terms, weight=weight, seed=seed
        )
        torch.testing.assert_close((loss, divisor), (expected[0], expected[2]))
        results.append((loss, rows, divisor, got))
    assert all(
        torch.equal(a, b) for other in results for a, b in zip(other, results[0], strict=True)
    )
    mean = reduction == ops.MEAN
    wide = logits.double(), target, weight.double(), terms, -100, mean
    assert_gradient(results[0][3], gradient(upstream.double(), *wide), upstream / results[0][2])


SCORES = [(name, torch.float32) for name in TERMS]
SCORES += [(name, dtype) for dtype in DTYPES[1:] for name in ("muh", "sgce", "forward", "nfl")]
"""Every term, and one of each kind in the other types, which differ in conversions alone."""


@pytest.mark.parametrize(("name", "dtype"), SCORES, ids=str)
def test_bounded_scores_of_every_term(emulated: Kernels, name: str, dtype: torch.dtype) -> None:
    """Rows of zeros among them, and such as need no clipping."""
    kinds = ((NORMALIZED, 7.0), (CLIPPED, 9.0))
    for (n, c, terms), scores in itertools.product(shapes_of(name), kinds):
        logits, target = batch(n, c, dtype)
        logits[::3] *= 0.01
        logits[1::7] = 0
        weight = torch.rand(c) + 0.5
        upstream = torch.randn(n, dtype=ops.arithmetic_dtype(dtype))
        options = {"weight": weight, "vectors": terms[0].vectors, "statistics": True}
        spec = *ops.pack(terms), -100, ops.NONE, True, CPU, *scores
        wide = logits.double(), target, weight.double()
        wide_vectors = None if terms[0].vectors is None else terms[0].vectors.double()
        exact, exact_rows, one = torch.ops.noisykernels.forward(*wide, wide_vectors, *spec)
        loss, rows, divisor = emulated.forward(logits, target, terms, scores=scores, **options)
        worst = ((loss - exact).abs() / exact.abs().clamp(min=1)).max().item()
        assert worst <= LOSS_ERROR[dtype]
        torch.testing.assert_close(rows[-4:-1].double(), exact_rows[-4:-1], rtol=4e-6, atol=4e-6)
        got = emulated.backward(
            upstream, logits, target, rows, divisor, terms, scores=scores, **options
        )
        expected = torch.ops.noisykernels.backward(
            upstream.double(), *wide, wide_vectors, exact_rows, one, *spec
        )
        ratio = exact_rows[columns(terms, True, True, True).index("ratio")]
        # The gradient with respect to the scores, and what its way back subtracts.
        assert_gradient(got, expected, 2 * upstream * ratio.clamp(min=1e-6))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", LOOPS_OF_THEIR_OWN)
def test_blocks_that_meet_over_a_row(emulated: Kernels, name: str, dtype: torch.dtype) -> None:
    """Few long rows that start anywhere; some blocks have nothing to sum, but meet the others.

    What comes out is what one block makes of the row, whatever the order of the blocks.
    """
    n, c = 3, 32771
    logits = shifted(batch(n, c, dtype)[0], 1)
    target = torch.tensor([1, 0, -100])  # of vectors for two labels
    by_sample = Need.BY_SAMPLE in TERMS[name].needs
    terms = terms_of(name, vectors=torch.rand(n if by_sample else 2, c).softmax(1))
    vectors, kept, upstream = terms[0].vectors, target != -100, torch.tensor(1.7)
    results = []
    for processors, seed in ((1, 0), (12, 0), (12, 1)):
        loss, rows, divisor = emulated.forward(
            logits,
            target,
            terms,
            vectors=vectors,
            reduction=ops.SUM,
            statistics=True,
            processors=processors,
            seed=seed,
        )
        results.append((loss, rows, divisor))
    alone, *split = results
    # Sums are double whatever the dtype, in another order.
    rounding = max(1e-12, 2 * torch.finfo(alone[0].dtype).eps)
    torch.testing.assert_close(split[0], alone, rtol=rounding, atol=0, equal_nan=True)
    assert all(
        torch.equal(bits(a), bits(b))
        for other in split
        for a, b in zip(other, split[0], strict=True)
    )
    if vectors is not None and by_sample:
        terms = [terms[0]._replace(vectors=vectors[kept])]
    exact = values(logits[kept].double(), target[kept], None, terms).sum()
    torch.testing.assert_close(loss.double(), exact, rtol=LOSS_ERROR[dtype], atol=0)
    got = emulated.backward(
        upstream, logits, target, rows, divisor, terms, vectors=vectors, statistics=True
    )
    assert got[2].eq(0).all()
    wide = logits[kept].double(), target[kept], None, terms, -100, False
    assert_gradient(got[kept], gradient(upstream.double(), *wide), upstream)


def bits(x: Tensor) -> Tensor:
    return x.view(torch.int64 if x.dtype == torch.float64 else torch.int32)


@pytest.mark.parametrize("name", ["ce", "nfl"])
def test_which_blocks_wait_for_each_other(emulated: Kernels, name: str) -> None:
    """A small batch is one block's, and needs no ticket; neither does it without a reduction."""
    together = {}
    for n, c in SHAPES:
        for reduction in (ops.NONE, ops.SUM):
            emulated.forward(*batch(n, c, torch.float32), terms_of(name), reduction=reduction)
            together[n, c, reduction] = emulated.together
    waiting = {(n, c) for n, c, _ in together if together[n, c, ops.SUM]}
    assert waiting == {(300, 10), (5, 5000), (2, 40000)}
    assert {(n, c) for n, c, _ in together if together[n, c, ops.NONE]} == {(2, 40000)}


@pytest.mark.parametrize("reduction", [ops.NONE, ops.MEAN, ops.SUM], ids=["none", "mean", "sum"])
def test_nothing_to_sum(emulated: Kernels, reduction: int) -> None:
    """Only ignored rows: a mean of nothing is NaN as torch has it, all gradients are zero."""
    logits, target = batch(300, 10, torch.float32)
    target[:] = -100
    terms = terms_of("ce")
    loss, rows, divisor = emulated.forward(logits, target, terms, reduction=reduction)
    assert loss.isnan() if reduction == ops.MEAN else loss.eq(0).all()
    upstream = torch.ones_like(loss)
    assert emulated.backward(upstream, logits, target, rows, divisor, terms).eq(0).all()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_one_class(emulated: Kernels, dtype: torch.dtype) -> None:
    """p is always one: no other class has a largest logit."""
    logits, target = batch(300, 1, dtype)
    loss, rows, divisor = emulated.forward(logits, target, terms_of("ce", "sgce"))
    upstream = torch.ones_like(loss)
    got = emulated.backward(upstream, logits, target, rows, divisor, terms_of("ce", "sgce"))
    assert loss.eq(0).all()
    assert got.eq(0).all()


@pytest.mark.parametrize("names", EVERYTHING, ids="+".join)
@pytest.mark.parametrize("shape", [(8, 10), (2, 40000)], ids="{0[0]}x{0[1]}".format)
@pytest.mark.parametrize("label", [-1, None, 2**40])
def test_label_out_of_range_makes_its_row_nan(
    emulated: Kernels, names: tuple[str, ...], label: int | None, shape: tuple[int, int]
) -> None:
    logits, target = batch(*shape, torch.float32)
    target[1] = shape[1] if label is None else label
    terms = terms_of(*names)
    loss, rows, divisor = emulated.forward(logits, target, terms)
    got = emulated.backward(torch.ones(shape[0]), logits, target, rows, divisor, terms)
    bad = torch.arange(shape[0]) == 1
    assert torch.equal(loss.isnan(), bad)
    assert torch.equal(got.isnan(), bad[:, None].expand(shape))


@pytest.mark.parametrize("c", [10, 1001, 40000])
def test_numbers_that_are_none(emulated: Kernels, c: int) -> None:
    """-inf among the classes, all of them, NaN and inf: as F.cross_entropy has them."""
    logits, _ = batch(6, c, torch.float32)
    target = torch.tensor([1, 1, 1, 0, 1, 1])
    logits[0, 2:] = -torch.inf
    logits[1] = -torch.inf
    logits[2, 3] = torch.nan
    logits[3, 0] = -torch.inf
    logits[4, 5] = torch.inf
    terms = terms_of("ce")
    loss, rows, divisor = emulated.forward(logits, target, terms)
    leaf = logits.double().requires_grad_()
    expected = torch.nn.functional.cross_entropy(leaf, target, reduction="none")
    torch.testing.assert_close(loss.double() / 1.3, expected, rtol=1e-6, atol=1e-6, equal_nan=True)
    got = emulated.backward(torch.ones(6), logits, target, rows, divisor, terms)
    (exact,) = torch.autograd.grad(expected.sum(), leaf)
    torch.testing.assert_close(got.double() / 1.3, exact, rtol=2e-6, atol=1e-6, equal_nan=True)


def test_scores_of_leading_labels(emulated: Kernels) -> None:
    """Where the label leads, the loss has the error of the ratio as often as the score is large."""
    n, c = 600, 100
    target = torch.randint(c, (n,))
    leads = torch.nn.functional.one_hot(target, c) * (6 + 6 * torch.rand(n, 1))
    logits = 10 * torch.rand(n, 1) * (0.3 * torch.randn(n, c) + leads)
    terms, scores = terms_of("ce"), (NORMALIZED, 40.0)
    loss, *_ = emulated.forward(logits, target, terms, scores=scores)
    spec = *ops.pack(terms), -100, ops.NONE, False, CPU, *scores
    exact, *_ = torch.ops.noisykernels.forward(logits.double(), target, None, None, *spec)
    torch.testing.assert_close(loss.double(), exact, rtol=2e-6, atol=0)


@pytest.mark.parametrize("odd", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("c", [10, 1001, 40000])
def test_a_row_of_scores_that_is_not_finite(emulated: Kernels, c: int, odd: float) -> None:
    """It has no length, so it is NaN, unless its label is ignored; the others do not notice."""
    logits, target = batch(3, c, torch.float32)
    terms, scores = terms_of("ce", "square"), (NORMALIZED, 5.0)
    expected, *_ = emulated.forward(logits, target, terms, scores=scores)
    logits[1, c // 2] = odd
    for label in (target[1].item(), -100):
        target[1] = label
        loss, rows, divisor = emulated.forward(logits, target, terms, scores=scores)
        got = emulated.backward(torch.ones(3), logits, target, rows, divisor, terms, scores=scores)
        assert torch.equal(loss[::2], expected[::2])
        assert got[::2].isfinite().all()
        assert (loss[1] == 0) if label == -100 else loss[1].isnan()
        assert got[1].eq(0).all() if label == -100 else got[1].isnan().all()


@pytest.mark.parametrize("margin", [-100.0, -30.0, 0.5, 20.0, 80.0])
@pytest.mark.parametrize("names", [("ce",), ("gce",), ("sgce", "alpha_mae")], ids="+".join)
def test_margins(emulated: Kernels, names: tuple[str, ...], margin: float) -> None:
    """A label far ahead or behind, at an offset that float32 barely holds."""
    terms = terms_of(*names)
    for c in (10, 1001, 40000):
        logits = torch.randn(3, c) + 1000.0
        target = torch.tensor([0, c // 2, c - 1])
        largest = logits.scatter(1, target[:, None], -torch.inf).amax(1)
        logits.scatter_(1, target[:, None], (largest + margin)[:, None])
        loss, rows, divisor = emulated.forward(logits, target, terms)
        exact = exact_loss(logits, target, terms)
        torch.testing.assert_close(loss.double(), exact, rtol=5e-6, atol=0)
        upstream = torch.ones(3)
        got = emulated.backward(upstream, logits, target, rows, divisor, terms)
        wide = logits.double(), target, None, terms, -100, False
        expected = gradient(upstream.double(), *wide)
        error = (got - expected).abs().amax(1) / expected.abs().amax(1)
        assert error.max().item() <= 1e-5


LAYOUTS = {
    "next to each other": lambda x: x,
    "a part of wider rows": lambda x: torch.cat([x, x], 1)[:, : x.shape[1]],
    "transposed": lambda x: x.t().contiguous().t(),
    "every other class": lambda x: torch.stack([x, x], -1).flatten(1)[:, ::2],
    "images": lambda x: x.reshape(-1, 2, x.shape[1]).transpose(1, 2).contiguous(),
    "images, channels last": lambda x: x.reshape(-1, 2, x.shape[1]).transpose(1, 2),
    "one element off": lambda x: shifted(x, 1),
    "three elements off": lambda x: shifted(x, 3),
    "eight bytes off": lambda x: shifted(x, 8 // x.element_size()),
}


def shifted(x: Tensor, elements: int) -> Tensor:
    """The same numbers, so many elements from where memory is aligned."""
    memory = torch.empty(x.numel() + elements, dtype=x.dtype)[elements:]
    return memory.view(x.shape).copy_(x)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(emulated: Kernels, layout: str, dtype: torch.dtype) -> None:
    """In place, and into gradients that lie as the logits do or as usual.

    Of 128 and 255 classes a row is as long as its threads reach, unless it is shifted.
    """
    for n, c in [(6, 7), (10, 100), (4, 128), (2, 255), (2, 1001), (4, 4100)]:
        for names in (("sgce",), ("muh", "square"), ("entropy", "nfl")):
            terms = terms_of(*names)
            plain, target = batch(n, c, dtype)
            logits = LAYOUTS[layout](plain)
            target = target.reshape(logits.shape[:1] + logits.shape[2:])
            upstream = torch.randn(n, dtype=ops.arithmetic_dtype(dtype)).reshape(target.shape)
            expected, *_ = emulated.forward(plain, target.flatten(), terms)
            loss, rows, divisor = emulated.forward(logits, target, terms)
            torch.testing.assert_close(loss.flatten(), expected, rtol=2e-6, atol=2e-6)
            exact = gradient(
                upstream.flatten().double(),
                plain.double(),
                target.flatten(),
                None,
                terms,
                -100,
                False,
            )
            alike = LAYOUTS[layout](torch.full_like(plain, torch.nan))
            for out in (alike, torch.full(logits.shape, torch.nan, dtype=dtype)):
                got = emulated.backward(upstream, logits, target, rows, divisor, terms, out=out)
                got = got.movedim(1, -1).reshape(n, c)
                assert_gradient(got, exact, upstream.flatten())


def test_classes_far_apart_and_more_than_a_grid_is_wide(emulated: Kernels) -> None:
    """A thread for each step of such a row is more blocks than a launch takes along it."""
    c = 16 * 65535 + 1
    logits = torch.randn(1, 2 * c)[:, ::2]
    target, terms = torch.tensor([5]), terms_of("muh")
    _, rows, divisor = emulated.forward(logits, target, terms)
    got = emulated.backward(torch.ones(1), logits, target, rows, divisor, terms, out=logits.clone())
    expected = torch.full((1, c), 1.3 / c)
    expected[0, 5] -= 1.3
    torch.testing.assert_close(got, expected)


def test_sanitizers_find_nothing(objects: dict[str, Path], tmp_path: Path) -> None:
    """Every kernel on a grid of shapes under AddressSanitizer and UBSan.

    Two of the four dtypes: the others differ from them in conversions alone.
    """
    watched = [path for path in KERNELS if path.stem in ("kernels_bfloat16", "kernels_float32")]
    watched += [FOLDER / "emulation.cpp", FOLDER / "grid.cpp"]
    compiled = {path.name: path for path in compile_files(watched, tmp_path, *SANITIZERS)}
    rest = {name: path for name, path in objects.items() if name != "binding.cpp.o"}
    program = link(list((rest | compiled).values()), tmp_path / "grid", *SANITIZERS)
    run = subprocess.run([program], capture_output=True, text=True)
    assert (run.stdout, run.returncode) == ("done\n", 0), run.stderr


MISTAKES = {
    "missing_barrier": "",
    "divergent_barrier": "waits for threads that do not come",
    "absent_lane": "waits for threads that do not come",
    "missing_meeting": "",
    "absent_block": "waits for blocks that do not come",
    "too_many_blocks": "refused",
    "out_of_bounds": "AddressSanitizer: heap-buffer-overflow",
}


def test_the_emulation_finds_mistakes(tmp_path: Path) -> None:
    sources = [FOLDER / "emulation.cpp", FOLDER / "broken.cpp"]
    program = link(compile_files(sources, tmp_path, *SANITIZERS), tmp_path / "broken", *SANITIZERS)
    for name, message in MISTAKES.items():
        run = subprocess.run([program, name], capture_output=True, text=True)
        if message:
            assert message in run.stderr
            assert run.returncode != 0
        else:  # the result depends on the order of the threads, or of the blocks
            assert len(set(run.stdout.split())) > 1
