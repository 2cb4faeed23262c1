"""The Triton kernels as compiled for GPUs, on a machine that has none: `triton_compile` asks."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("triton")

ROOT = Path(__file__).parents[1]
ARCHITECTURES = (80, 90, 100)

REGISTERS = {
    "evaluate_tiles": 144,  # three programs of 4 warps; 128 with 16 warps, or they would not run
    "sum_rows": 216,  # two programs of 4 warps on a processor, each with 16 kB of loads under way
    "sum_rows_again": 168,  # three programs of 4 warps
    "evaluate_sums": 128,
    "finish": 64,
    "gradient": 72,  # seven programs of 4 warps
}
"""Of a thread, at most."""

REGISTERS_OF_SCORES = {
    "measure_rows": 128,  # four programs of 4 warps
    "sum_rows": 255,  # two programs of 4 warps still
    "evaluate_sums": 160,  # three programs of 4 warps
    "gradient": 80,
}
"""Where rows are rescaled on the way, and a sum of theirs goes with each coefficient."""

WIDTHS = {
    ("float32", 10): 8,  # rows start at multiples of 40 bytes
    ("float32", 14): 8,
    ("bfloat16", 10): 4,
    ("bfloat16", 14): 4,
    ("bfloat16", 100): 8,
    ("float32", 50257): 4,  # an odd row stride: one number at a time
    ("bfloat16", 50257): 2,
}
"""Bytes that a thread loads at once, where not 16: as many as every row is aligned to."""

PLAIN = ("ce", "sce", "sgce", "alpha_mae + sgce")
"""Losses without a matrix and without a second visit."""

Answers = dict[str, Future[list[dict[str, Any]]]]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answers]:
    """What `triton_compile` says, two processes at a time, from an empty cache."""
    environment = {
        **os.environ,
        "TRITON_CACHE_DIR": str(tmp_path_factory.mktemp("triton")),
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    }
    environment.pop("TRITON_INTERPRET", None)

    def ask(question: str) -> list[dict[str, Any]]:
        command = [sys.executable, str(ROOT / "tests/triton_compile.py"), *question.split()]
        result = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        return [json.loads(line) for line in result.stdout.splitlines()]

    questions = ["variants", *(f"matrix {sm}" for sm in ARCHITECTURES), "annealing", "edit"]
    with ThreadPoolExecutor(2) as pool:
        yield {question: pool.submit(ask, question) for question in questions}


@pytest.fixture(params=ARCHITECTURES, ids="sm_{}".format)
def compiled(answers: Answers, request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """All kernels of the matrix for one architecture."""
    return answers[f"matrix {request.param}"].result()


def only(kernels: list[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    chosen = [k for k in kernels if k["kernel"] in names and k["loss"] in PLAIN]
    assert chosen
    return chosen


def logits_bytes(kernel: dict[str, Any]) -> int:
    """The logits of a thread's share of the tile."""
    return int(kernel["elements"] * (2 if kernel["dtype"] == "bfloat16" else 4))


def total(accesses: list[list[int]]) -> int:
    return sum(count * size for count, size in accesses)


def test_nothing_spills(compiled: list[dict[str, Any]]) -> None:
    assert [k for k in compiled if k["stack"] or k["local"]] == []


def test_registers(compiled: list[dict[str, Any]]) -> None:
    for kernel in compiled:
        bounds = REGISTERS
        if kernel["loss"].endswith("scores"):
            bounds = REGISTERS | REGISTERS_OF_SCORES
        assert kernel["reg"] <= bounds[kernel["kernel"]], kernel


def test_no_element_is_float64(compiled: list[dict[str, Any]]) -> None:
    assert [k for k in compiled if k["float64 elements"]] == []


def test_a_row_is_read_once_forward(compiled: list[dict[str, Any]]) -> None:
    for kernel in only(compiled, "evaluate_tiles"):
        labels = [access for access in kernel["loads"] if access == [1, 8]]
        assert total(kernel["loads"]) == logits_bytes(kernel) + total(labels), kernel


def test_a_long_row_is_read_once_forward(compiled: list[dict[str, Any]]) -> None:
    """`evaluate_sums` gathers x_y once more."""
    for kernel in only(compiled, "sum_rows"):
        label = 8
        assert total(kernel["loads"]) == 4 * logits_bytes(kernel) + label, kernel


def test_a_second_visit_reads_the_row_once_more(compiled: list[dict[str, Any]]) -> None:
    for kernel in compiled:
        if kernel["kernel"] == "sum_rows_again" and kernel["programs"][1] == 1:
            # What it reads of the sums is single numbers.
            logits = [access for access in kernel["loads"] if total([access]) == 16]
            assert total(logits) == 2 * logits_bytes(kernel), kernel


def test_a_row_is_read_once_and_written_once_backward(compiled: list[dict[str, Any]]) -> None:
    for kernel in only(compiled, "gradient"):
        powers = {"ce": 1, "sce": 1, "sgce": 2, "alpha_mae + sgce": 3}[kernel["loss"]]
        rows = kernel["loads"].count([1, 8])  # one label each
        # Upstream gradient, shift, label's gradient, powers; and the one divisor.
        numbers = rows * (3 + powers) + 1
        assert total(kernel["loads"]) == logits_bytes(kernel) + 8 * rows + 4 * numbers, kernel
        assert total(kernel["stores"]) == logits_bytes(kernel), kernel


def test_loads_and_stores_are_wide(compiled: list[dict[str, Any]]) -> None:
    for kernel in only(compiled, "evaluate_tiles", "sum_rows", "gradient"):
        width = WIDTHS.get((kernel["dtype"], kernel["classes"]), 16)
        accesses = kernel["stores"] if kernel["kernel"] == "gradient" else kernel["loads"]
        wide = [access for access in accesses if total([access]) == width]
        expected = logits_bytes(kernel) * (4 if kernel["kernel"] == "sum_rows" else 1)
        assert total(wide) >= expected, kernel


def test_instructions_per_element(compiled: list[dict[str, Any]]) -> None:
    """No more than docs/triton.md has written down."""
    page = (ROOT / "docs/triton.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \| (\d+) \| ([\w+ ]+) \| ([\d. |]+) \|$", page, re.M)
    bounds = {
        (dtype, int(classes), loss): dict(
            zip(ARCHITECTURES, map(float, cells.split("|")), strict=True)
        )
        for dtype, classes, loss, cells in rows
    }
    for kernel in only(compiled, "sum_rows"):
        bound = bounds[kernel["dtype"], kernel["classes"], kernel["loss"]][kernel["sm"]]
        assert kernel["instructions per element"] <= bound + 0.05, kernel


def test_a_square_is_no_power_of_its_own(answers: Answers) -> None:
    """NCE + AMSE sums exp(d) and exp(2 d), and more besides; SGCE exp(d) and exp(q d)."""
    per_element = {
        kernel["loss"]: kernel["instructions per element"]
        for kernel in answers["matrix 90"].result()
        if kernel["kernel"] == "sum_rows"
        and (kernel["dtype"], kernel["classes"]) == ("float32", 32000)
    }
    assert per_element["nce + amse"] < per_element["sgce"] - 5


def test_launches_of_a_step(compiled: list[dict[str, Any]]) -> None:
    """Two where one program can do the forward; then one that adds up, and one for long rows."""
    launched: dict[tuple[int, str], list[str]] = {}
    for kernel in compiled:
        if (kernel["loss"], kernel["dtype"]) == ("ce", "float32"):
            launched.setdefault((kernel["classes"], kernel["regime"]), []).append(kernel["kernel"])
    assert launched[100, "few rows"] == ["evaluate_tiles", "gradient"]
    assert launched[100, "many rows"] == ["evaluate_tiles", "finish", "gradient"]
    assert launched[128256, "few rows"] == ["sum_rows", "evaluate_sums", "gradient"]
    assert launched[128256, "many rows"] == ["sum_rows", "evaluate_sums", "finish", "gradient"]


def test_few_long_rows_are_split(compiled: list[dict[str, Any]]) -> None:
    programs = {k["regime"]: k["programs"] for k in only(compiled, "sum_rows")}
    assert programs == {"many rows": [4096, 1], "few rows": [16, 16]}


def test_every_specialization_compiles(answers: Answers) -> None:
    """Numbers that are 1 or a multiple of 16 are other types to the compiler."""
    found = answers["variants"].result()
    assert {v["variant"]: v["error"] for v in found if v["error"]} == {}
    assert all(v["launches"][-1] == "gradient" for v in found)


def test_annealing_compiles_nothing(answers: Answers) -> None:
    kernels = {a["changes"]: a["kernels"] for a in answers["annealing"].result()}
    for classes in 10, 5001:
        assert set(kernels[f"q, C={classes}"].values()) == {1}
        # A multiple of 16, or not.
        assert max(kernels[f"rows, C={classes}"].values()) <= 2
    assert kernels["the loss, not its powers"]["gradient"] == 1


def test_an_edited_term_is_compiled_again(answers: Answers) -> None:
    """Though the disk has a kernel of that name: as a constexpr tuple the stale one would run."""
    recompiled = {e["terms"]: e["recompiled"] for e in answers["edit"].result()}
    assert recompiled == {"tuple": True, "constexpr tuple": False}
