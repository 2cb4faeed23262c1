"""Each program of examples/ learns within 20 steps, downloads nothing and leaves nothing behind."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"

# A program, what it needs beside torch, and a percentage that chance does not reach: there are 10
# digits and 32 tokens, and a ranking by chance has an AUROC of 50 %.
CASES = [
    ("amp_and_compile.py", ["sklearn", "g++"], 30),
    ("huggingface_trainer.py", ["transformers", "accelerate"], 50),
    ("huggingface_trainer.py --loss dft", ["transformers", "accelerate"], 50),
    ("lightning_module.py", ["sklearn", "lightning"], 30),
    ("meta_reweighting.py", ["sklearn"], 30),
    ("mislabel_detection.py", ["sklearn"], 70),
    ("timm_style.py", ["sklearn"], 30),
]
ON_THE_CPU = {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
OFFLINE = {"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program, *options = command.split()
    return subprocess.run(
        [sys.executable, EXAMPLES / program, *options],
        cwd=folder,
        env={**os.environ, **ON_THE_CPU, **OFFLINE},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(("command", "needs", "chance"), CASES, ids=[case[0] for case in CASES])
def test_example_learns(command: str, needs: list[str], chance: float, tmp_path: Path) -> None:
    for name in needs:
        if importlib.util.find_spec(name) is None and shutil.which(name) is None:
            pytest.skip(f"{name} is not installed")
    finished = run(f"{command} --steps 20", tmp_path)
    assert finished.returncode == 0, finished.stderr
    result = re.search(r": (\d+\.\d)%$", finished.stdout)
    assert result, finished.stdout
    assert float(result[1]) > chance
    assert not list(tmp_path.iterdir())


def test_no_example_is_left_out() -> None:
    names = {path.name for path in EXAMPLES.glob("*.py")}
    assert names == {command.split()[0] for command, _, _ in CASES}
    table = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert names == set(re.findall(r"^\| \[(\w+\.py)\]", table, flags=re.MULTILINE))


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("timm_style.py --steps 0", "--steps takes a number from 1, got 0"),
        ("timm_style.py --loss rec", "--loss: unknown loss 'rec'; did you mean 'rce'?"),
    ],
)
def test_bad_option_is_refused(command: str, message: str, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    finished = run(command, tmp_path)
    assert finished.returncode == 2
    assert message in finished.stderr
    assert not finished.stdout
