"""What `make gpu` does without a GPU, and what it makes of its stages."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from bench import gpu_check
from bench.gpu_check import Stage


def python(program: str, seconds: float = 60, **options: Any) -> Stage:
    return Stage("a stage", (sys.executable, "-c", program), seconds, **options)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))


def listed(monkeypatch: pytest.MonkeyPatch, *stages: Stage) -> None:
    monkeypatch.setattr(gpu_check, "stages", lambda out, minutes: stages)


def results(said: str) -> list[str]:
    lines = [line for line in said.splitlines() if line.startswith("a stage: ")]
    return [line.removeprefix("a stage: ").rpartition(", ")[0] for line in lines]


def test_without_a_gpu_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu_check.main([]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "no GPU" in line


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    ("stage", "result", "status"),
    [
        pytest.param(python("pass"), "passed", 0, id="passes"),
        pytest.param(python("raise SystemExit('wrong')"), "failed", 1, id="fails"),
        pytest.param(
            python("raise SystemExit('not allowed here')", refusals=("not allowed",)),
            "refused", 0, id="is refused",
        ),
        pytest.param(python("", absent="no such tool"), "skipped, no such tool", 0, id="absent"),
        pytest.param(
            python("import time; print('begun', flush=True); time.sleep(60)", seconds=2),
            "cut off", 1, id="takes too long",
        ),
    ],
)  # fmt: skip
def test_later_stages_run_and_the_status_tells(
    stage: Stage,
    result: str,
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    listed(monkeypatch, stage, python("print('here')"))
    assert gpu_check.main(["--out", str(tmp_path)]) == status
    assert results(capsys.readouterr().out) == [result, "passed"]
    assert (tmp_path / "a-stage.log").read_text() == "here\n"


def test_what_a_stage_starts_ends_with_it(tmp_path: Path) -> None:
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_writer(tmp_path)!r}])"
    assert gpu_check.run(python(child), tmp_path, seconds=4) == "cut off"
    before = (tmp_path / "ticks").stat().st_size
    assert before > 0
    assert gpu_check.run(python("import time; time.sleep(1)"), tmp_path, seconds=60) == "passed"
    assert (tmp_path / "ticks").stat().st_size == before


def _writer(folder: Path) -> str:
    path = str(folder / "ticks")
    return (
        "import time\n"
        f"with open({path!r}, 'w') as file:\n"
        "    while True: file.write('.'); file.flush(); time.sleep(0.05)"
    )


@pytest.mark.usefixtures("gpu")
def test_time_that_a_stage_spares_goes_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []

    def run(stage: Stage, out: Path, seconds: float) -> str:
        given.append(seconds)
        return "passed"

    listed(monkeypatch, python("", 100), python("", 100), python("", 100))
    monkeypatch.setattr(gpu_check, "run", run)
    gpu_check.main(["--out", str(tmp_path), "--minutes", "5"])
    assert given == pytest.approx([50, 100, 150], abs=1)


@pytest.mark.usefixtures("gpu")
def test_a_summary_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listed(monkeypatch, python(f"print('much'); print({gpu_check.SUMMARY!r} + 'the worst')"))
    gpu_check.main(["--out", str(tmp_path)])
    assert capsys.readouterr().out.startswith("the worst\na stage: passed")


@pytest.mark.usefixtures("gpu")
def test_stages_in_their_order_and_within_ten_minutes(tmp_path: Path) -> None:
    stages = list(gpu_check.stages(tmp_path))
    assert [stage.name for stage in stages] == [
        "build", "self-check", "tests", "compute-sanitizer, memcheck",
        "compute-sanitizer, racecheck", "compute-sanitizer, initcheck", "report",
    ]  # fmt: skip
    assert sum(stage.seconds for stage in stages) <= 600 - gpu_check.MARGIN
    assert stages[0].environment["TORCH_CUDA_ARCH_LIST"] == "9.0"
    assert "--quick" in stages[-1].command
    assert "--quick" not in list(gpu_check.stages(tmp_path, minutes=30))[-1].command


@pytest.mark.usefixtures("gpu")
def test_what_is_not_installed_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    absent = {stage.name: stage.absent for stage in gpu_check.stages(tmp_path) if stage.absent}
    assert absent.pop("tests") == "pytest is not installed"
    assert len(absent) == len(gpu_check.SANITIZERS)


@pytest.mark.usefixtures("gpu")
@pytest.mark.skipif(shutil.which("nvcc") is None, reason="no nvcc")
def test_the_toolkit_is_the_one_of_nvcc(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is on the path may be a link or a script somewhere else."""
    monkeypatch.delenv("CUDA_HOME", raising=False)
    home = Path(gpu_check.build_environment(jobs=1)["CUDA_HOME"])
    assert (home / "include/cuda_runtime.h").exists()
