"""exp(q d) with the arithmetic of a GPU, which Triton's interpreter does not have.

The interpreter's exp2 is numpy's, exact to half a unit in the last place, and it never fuses a
multiplication with an addition. A GPU's `ex2.approx` is off by up to two units, and whether it
fuses is up to the compiler. Here each choice is made in float32, one rounding at a time.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

pytest.importorskip("triton")

import triton
import triton.language as tl

from noisykernels import backends
from noisykernels.triton.exponential import ROUND, Exponent, exponent, exponential, pair

QS = [0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0, 2.0]
EX2_ERROR = 2 * 2.0**-23
"""What the PTX manual allows `ex2.approx`, relative: two units in the last place."""

BAR = 6e-7
"""A share of the 2e-6 that a loss may be off by: x - max(x) has a rounding of its own."""

each_q = pytest.mark.parametrize("q", QS)


def differences(dtype: torch.dtype = torch.float32) -> Tensor:
    """d = x_k - max(x), dense, and with random digits behind the grid's."""
    grid = torch.linspace(-200, 0, 100_001, dtype=torch.float64)
    return (grid - 1e-3 * torch.rand_like(grid)).to(dtype).clamp(max=0)


def multiply_add(a: Tensor, b: float, c: Tensor | float, fused: bool) -> Tensor:
    """a * b + c in float32. A product of float32 numbers is exact in float64."""
    if not fused:
        return a * b + c
    return (a.double() * b + c).float()


def ex2(x: Tensor, error: float) -> Tensor:
    return (torch.exp2(x.double()) * (1 + error)).float()


def emulated(d: Tensor, e: Exponent, *, fused: bool, error: float) -> Tensor:
    """`exponential` for a float32 row, operation by operation."""
    log2e, high, low, lowest = (single(x) for x in (e.log2e, e.high, e.low, e.lowest))
    n = multiply_add(d, log2e, ROUND.value, fused) - ROUND.value
    r = multiply_add(n, -low, multiply_add(n, -high, d, fused), fused)
    # Subnormal results need no care here: they are below what is compared.
    return torch.where(d < lowest, 0.0, ex2(r * log2e, error) * torch.exp2(n))


def single(x: float) -> float:
    """As a kernel's argument arrives: rounded to float32."""
    return torch.tensor(x, dtype=torch.float32).item()


def largest_error(found: Tensor, d: Tensor, q: float) -> float:
    """Relative, where the result is a normal number."""
    exact = torch.exp(q * d.double())
    normal = exact > torch.finfo(torch.float32).smallest_normal
    return ((found.double() - exact).abs() / exact)[normal].max().item()


@pytest.mark.parametrize("error", [-EX2_ERROR, 0.0, EX2_ERROR])
@pytest.mark.parametrize("fused", [False, True], ids=["separate", "fused"])
@each_q
def test_accuracy_on_a_gpu(q: float, fused: bool, error: float) -> None:
    d = differences()
    assert largest_error(emulated(d, exponent(q), fused=fused, error=error), d, q) < BAR


@each_q
def test_the_short_way_is_not_accurate(q: float) -> None:
    """tl.exp(q * d): multiply by q, by log2(e), round, ex2. This is why there is a helper."""
    d = differences()
    short = ex2((d * single(q)) * single(1 / math.log(2)), 0.0)
    reached = q * 200
    if reached >= 32:
        assert largest_error(short, d, q) > 2e-6
    if reached >= 16:
        assert largest_error(short, d, q) > BAR


@triton.jit
def _store_exponential(x, result, e, count, HALF: tl.constexpr, BLOCK: tl.constexpr):
    index = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    d = tl.load(x + index, mask=index < count, other=0.0)
    tl.store(result + index, exponential(d, e, HALF), mask=index < count)


def interpreted(d: Tensor, q: float, half: bool = False) -> Tensor:
    """What the kernels' own function makes of it."""
    if backends.available()["triton"] is not True:
        pytest.skip(str(backends.available()["triton"]))
    result = torch.empty_like(d)
    grid = (triton.cdiv(d.numel(), 2**15),)
    _store_exponential[grid](d, result, exponent(q), d.numel(), HALF=half, BLOCK=2**15)
    return result


@each_q
def test_the_emulation_is_of_the_kernels_function(q: float) -> None:
    d = differences()
    normal = torch.exp(q * d.double()) > torch.finfo(torch.float32).smallest_normal
    found = interpreted(d, q).view(torch.int32)[normal]
    expected = emulated(d, exponent(q), fused=False, error=0.0).view(torch.int32)[normal]
    assert (found - expected).abs().max() <= 1  # numpy's float32 exp2 may round the other way


@each_q
def test_results_down_to_the_smallest_number(q: float) -> None:
    d = torch.linspace(-104 / q, -86 / q, 10_001)
    exact = torch.exp(q * d.double())
    excess = (interpreted(d, q).double() - exact).abs() - BAR * exact
    assert excess.max() <= 2.0**-149  # the distance of subnormal numbers


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_the_power_zero_is_one(dtype: torch.dtype) -> None:
    """Of what is nearly nothing too: an elementwise function may have the exponent 0."""
    d = torch.tensor([0.0, -1.0, -100.0, -1e38], dtype=dtype)
    for half in (False, True) if dtype == torch.float32 else (False,):
        assert interpreted(d, 0.0, half).tolist() == [1.0] * 4


def test_numbers_in_two_parts() -> None:
    """One that float32 does not hold, and the floor that is none."""
    assert sum(pair(0.1)) == 0.1
    assert pair(-math.inf) == (-math.inf, 0.0)


@pytest.mark.parametrize("half", [False, True], ids=["single", "half"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_ends(dtype: torch.dtype, half: bool) -> None:
    d = torch.tensor([0.0, -0.0, -math.inf, math.nan, -1e30, -1e9], dtype=dtype)
    if half and dtype == torch.float64:
        pytest.skip("half precision is computed in float32")
    expected = torch.tensor([1.0, 1.0, 0.0, math.nan, 0.0, 0.0], dtype=dtype)
    for q in QS:
        torch.testing.assert_close(
            interpreted(d, q, half), expected, rtol=0, atol=0, equal_nan=True
        )


@each_q
def test_double_precision(q: float) -> None:
    d = differences(torch.float64)
    exact = torch.exp(q * d)
    assert ((interpreted(d, q) - exact).abs() / exact).max() < 1e-13


def emulated_half(d: Tensor, e: Exponent, error: float) -> Tensor:
    """`exponential` for a row of half precision."""
    return ex2(d * single(e.log2e), error)


@each_q
def test_half_precision(q: float) -> None:
    """The short way, for rows whose own steps are a thousand times larger."""
    d = differences()
    found, expected = interpreted(d, q, half=True), emulated_half(d, exponent(q), 0.0)
    torch.testing.assert_close(found, expected, rtol=3e-7, atol=2.0**-149)
    near = d > -32
    for error in -EX2_ERROR, EX2_ERROR:
        found = emulated_half(d, exponent(q), error)
        assert largest_error(found[near], d[near], q) < 4e-6
        assert largest_error(found, d, q) < 7e-6
