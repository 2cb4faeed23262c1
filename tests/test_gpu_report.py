"""The GPU's report, as far as it goes without a GPU: what is checked, what is written, what fails.

A stand-in for `torch.cuda` keeps time with the host's clock, so that the whole program runs.
"""

from __future__ import annotations

import getpass
import json
import platform
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from bench import gpu_check, gpu_report
from bench.gpu import correctness, facts, grid, losses, report, timing
from bench.gpu.losses import COMPILED, LIGER, QUACK, YARDSTICK, Contender, Loss
from noisykernels import backends

needs_triton = pytest.mark.skipif(
    backends.available()["triton"] is not True, reason=str(backends.available()["triton"])
)
SHAPES = ((5,), (3, 7), (2, 5, 3))


class Event:
    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing

    def record(self) -> None:
        self.time = time.perf_counter()

    def elapsed_time(self, end: Event) -> float:
        return 1e3 * (end.time - self.time)


CUDA = SimpleNamespace(
    is_available=lambda: True,
    get_device_properties=lambda device: SimpleNamespace(
        name="Stand-in (R) 100",
        major=9,
        minor=0,
        multi_processor_count=132,
        total_memory=2**36,
        L2_cache_size=2**10,
    ),
    Event=Event,
    Stream=lambda: SimpleNamespace(wait_stream=lambda other: None),
    current_stream=lambda: SimpleNamespace(wait_stream=lambda other: None),
    stream=nullcontext,
    CUDAGraph=lambda: SimpleNamespace(replay=lambda: time.sleep(1e-5)),
    graph=nullcontext,
    synchronize=lambda: None,
    reset_peak_memory_stats=lambda: None,
    memory_allocated=lambda: 0,
    max_memory_allocated=lambda: 4096,
    empty_cache=lambda: None,
)


class WithCuda:
    """torch, with the stand-in."""

    cuda = CUDA

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)


@pytest.fixture(autouse=True)
def _few_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correctness, "REPEATS", 1)


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in gpu_report, correctness, facts, timing:
        monkeypatch.setattr(module, "torch", WithCuda())
    monkeypatch.setattr(gpu_report, "DEVICE", "cpu")
    monkeypatch.setattr(gpu_report, "SHAPES", ("4x6", "3x5"))
    monkeypatch.setattr(gpu_report, "QUICK_SAMPLES", 3)
    monkeypatch.setattr(gpu_report, "QUICK_SHAPES", SHAPES)
    monkeypatch.setattr(correctness, "DTYPES", (torch.float32,))
    monkeypatch.setattr(gpu_report, "DTYPES", (torch.float32,))
    for name in "CALLS", "STEPS_IN_GRAPH":
        monkeypatch.setattr(timing, name, 1)
    monkeypatch.setattr(losses, "compiled", lambda formula: formula)
    monkeypatch.setattr(timing, "_kernels", lambda *_: 2)
    monkeypatch.setattr(correctness, "replays", lambda *_: True)
    monkeypatch.setattr(timing, "copy_bandwidth", lambda device: 4e12)


def test_without_a_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert gpu_report.main([]) == 2
    assert capsys.readouterr().out.count("\n") == 1


@needs_triton
@pytest.mark.parametrize("loss", losses.CHECKED, ids=str)
def test_the_interpreted_kernels_are_correct(loss: Loss) -> None:
    dtypes = (torch.float32, torch.float16)
    found = list(correctness.checks("cpu", "triton", SHAPES, [loss], dtypes))
    assert len(found) == len(SHAPES) * len(dtypes)
    assert [check for check in found if not check.passed] == []


@needs_triton
@pytest.mark.parametrize("what", ["forward", "backward"])
def test_what_is_wrong_is_found(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from noisykernels.triton import launch

    right = getattr(launch, what)

    def wrong(*arguments: Any) -> Any:
        result = right(*arguments)
        (result if what == "backward" else result[0]).mul_(1 + 1e-4)
        return result

    monkeypatch.setattr(launch, what, wrong)
    found = list(correctness.checks("cpu", "triton", SHAPES, [Loss("gce")], [torch.float32]))
    assert not any(check.passed for check in found)


def test_an_error_is_a_failed_check() -> None:
    (check,) = correctness.checks("cpu", "no such backend", [(3, 5)], [Loss("ce")], [torch.float32])
    assert not check.passed
    assert "no such backend" in check.options


@needs_triton
@pytest.mark.usefixtures("cuda")
def test_the_whole_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--quick", "--losses", "ce", "muh", "--out", str(tmp_path)]
    assert gpu_report.main(options) == 0
    said = capsys.readouterr().out
    assert said.endswith("all is right\n")
    assert "checks, 0 failed" in said.partition(gpu_check.SUMMARY)[2]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "stand-in-r-100.json",
        "stand-in-r-100.md",
        "stand-in-r-100.png",
    ]
    content = json.loads((tmp_path / "stand-in-r-100.json").read_text())
    assert content["correct"] is True
    assert {t["shape"] for t in content["times"]} == {"4x6", "3x5"}
    for found in content["times"]:
        if found["contender"] in (LIGER, QUACK):
            assert "No module named" in found["absent"]
            continue
        assert set(found["device"]) == {"forward", "backward", "both"}
        assert found["wall"] >= found["host"] > 0
        assert found["graph"] > 0
        assert found["kernels"] == 2
    page = (tmp_path / "stand-in-r-100.md").read_text()
    assert "| 4x6 | `muh(quadratic=0.1)` | triton |" in page
    for private in platform.node(), getpass.getuser(), str(Path.cwd()), str(Path.home()):
        assert private not in page


@needs_triton
@pytest.mark.usefixtures("cuda")
def test_failures_do_not_keep_the_rest_from_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bool:
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(correctness, "replays", fail)
    monkeypatch.setattr(losses, "tidy", lambda *_, **__: fail)
    assert gpu_report.main(["--quick", "--losses", "ce", "--out", str(tmp_path)]) == 1
    page = (tmp_path / "stand-in-r-100.md").read_text()
    assert "- triton ce: RuntimeError: operation not permitted" in page
    assert "- torch.compile: RuntimeError: operation not permitted" in page
    assert "| 4x6 | `ce` | triton |" in page


@needs_triton
@pytest.mark.usefixtures("cuda")
def test_what_is_out_of_time_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--quick", "--losses", "ce", "--seconds", "0", "--out", str(tmp_path)]
    assert gpu_report.main(options) == 0
    assert "skipped: times of ce at 3x5, float32: out of time" in capsys.readouterr().out
    content = json.loads((tmp_path / "stand-in-r-100.json").read_text())
    assert content["checks"]
    assert content["times"] == []


@needs_triton
@pytest.mark.usefixtures("cuda")
def test_without_matplotlib_there_is_no_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    options = ["--quick", "--losses", "ce", "--shapes", "4x6", "--out", str(tmp_path)]
    assert gpu_report.main(options) == 0
    assert not (tmp_path / "stand-in-r-100.png").exists()
    page = (tmp_path / "stand-in-r-100.md").read_text()
    assert "- skipped: picture: matplotlib is not installed" in page


@needs_triton
def test_checks_in_processes_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = [gpu_report.Task("triton", Loss(name), quick=True) for name in ("ce", "mae")]
    with gpu_report._results(tasks, jobs=2) as results:
        found = [results.next(timeout=120) for _ in tasks]
    # There is no GPU: each check says so, and the next is made all the same.
    assert {f.name for f in found} == {"triton ce", "triton mae"}
    assert not any(check.passed for f in found for check in f.checks)


def test_a_backend_is_chosen_outside_of_what_is_timed() -> None:
    with Contender("reference", Loss("ce"), "reference").in_use():
        assert backends.choose("cpu") == backends.REFERENCE
    assert [c.name for c in losses.contenders(Loss("gce"))][:2] == ["cuda", "triton"]


@needs_triton
def test_the_grid_for_sanitizers(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grid, "SHAPES", ((4, 14), (2, 7, 3)))
        grid.main("cpu")
    assert "triton: done" in capsys.readouterr().out


def made_up(contender: str, median: float, **changes: Any) -> timing.Time:
    device = {mode: [0.9 * median, median, 1.1 * median] for mode in timing.MODES}
    fields = {
        "shape": "4096x1000", "dtype": "bfloat16", "loss": "ce", "contender": contender,
        "device": device, "host": 30.0, "wall": 31.0, "graph": 9.5, "kernels": 2,
        "peak_bytes": 3 * 4096 * 1000,
    }  # fmt: skip
    return timing.Time(**(fields | changes))


def test_numbers_of_the_page() -> None:
    check = correctness.Check("cuda", "ce", "float32", "3x5", "mean", 0.5, 0.5, True)
    found = report.Report(
        {"device": "X", **dict.fromkeys(
            ("noisykernels", "torch", "triton", "cuda", "liger-kernel", "quack-kernels", "python",
             "multiprocessors", "memory_gib", "l2_mib", "time"), "1")},
        checks=[check, correctness.Check("cuda", "ce", "float32", "9x9", "sum", 3.0, 0.5, True)],
        graphs={"cuda ce": True, "cuda gce": False},
        bandwidth=2.4576e12,
        times=[
            made_up("cuda", 20.0),
            made_up(YARDSTICK, 40.0),
            made_up(COMPILED, 16.0),
            made_up(LIGER, 1.0, device={}, absent="RuntimeError: no"),
        ],
        skipped={"4096x128256 float32": "OutOfMemoryError"},
    )  # fmt: skip
    page = report.page(found)
    # 3 * 8,192,000 bytes at 2.4576e12 bytes a second are 10 µs, half of what it took.
    assert "| 4096x1000 | `ce` | cuda | 20.0 | 20.0 | 20.0 | 50 % | 0.50 | 1.25 | – | 2 |" in page
    assert "- error 3 of what is allowed: cuda ce float32 9x9 (sum)" in page
    assert "- 1.25 times as long as torch.compile: cuda ce bfloat16 4096x1000" in page
    assert "1 of 2 checks" in page
    assert "| cuda | ce | float32 | 9x9 | sum | 3 | 0.5 | True |" in page
    assert "- cuda gce: replays another result" in page
    assert "- skipped: 4096x128256 float32: OutOfMemoryError" in page
    assert "- Liger: RuntimeError: no" in page
    assert not found.correct


@pytest.mark.parametrize(("loss", "elements"), [("ce", 3), ("muh", 2), ("muh(quadratic=0.1)", 3)])
def test_least_bytes(loss: str, elements: int) -> None:
    name, _, rest = loss.partition("(")
    assert Loss(name, {"quadratic": 0.1} if rest else {}).bytes_per_element == elements


def test_nan_is_no_pass() -> None:
    nan = float("nan")
    assert not correctness.Check("cuda", "ce", "float32", "3x5", "mean", nan, 0.0, True).passed
    assert not correctness.Check("cuda", "ce", "float32", "3x5", "mean", 0.0, nan, True).passed
    assert not correctness.Check("cuda", "ce", "float32", "3x5", "mean", 0.0, 0.0, False).passed
