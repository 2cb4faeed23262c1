"""What `make gpu` does without a GPU, and what it makes of its stages."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from bench import gpu_check
from bench.gpu_check import Stage


def python(program: str, **options: tuple[str, ...]) -> Stage:
    return Stage("a stage", (sys.executable, "-c", program), **options)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


def test_without_a_gpu_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu_check.main([]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "no GPU" in line


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    ("program", "result", "status"),
    [
        pytest.param("pass", "passed", 0, id="passes"),
        pytest.param("raise SystemExit('wrong')", "failed", 1, id="fails"),
        pytest.param("raise SystemExit('not allowed here')", "refused", 0, id="cannot run"),
    ],
)
def test_later_stages_run_and_the_status_tells(
    program: str,
    result: str,
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    listed = [python(program, refusals=("not allowed",)), python("print('here')")]
    monkeypatch.setattr(gpu_check, "stages", lambda out, quick: listed)
    assert gpu_check.main(["--out", str(tmp_path)]) == status
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("a stage")]
    assert [line.split()[2] for line in lines] == [f"{result},", "passed,"]
    assert (tmp_path / "a-stage.log").read_text() == "here\n"


def test_stages_in_their_order(tmp_path: Path) -> None:
    names = [stage.name for stage in gpu_check.stages(tmp_path, quick=False)]
    assert names[:4] == ["build", "self-check", "suite", "suite on the GPU"]
    assert names[-2:] == ["report, cuda", "report, triton"]
