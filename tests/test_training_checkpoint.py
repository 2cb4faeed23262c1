"""Checkpoints: a kill, a damaged file or a full disk never costs more than the last one."""

from __future__ import annotations

import errno
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bench.errors import UsageError
from bench.training import checkpoint

FIRST = {"step": 1, "weights": torch.arange(1000.0)}
SECOND = {"step": 2, "weights": torch.arange(1000.0) + 1}


@pytest.fixture
def path(tmp_path):
    """A folder with a checkpoint and the one before."""
    path = tmp_path / "run.checkpoint"
    checkpoint.save(path, FIRST)
    checkpoint.save(path, SECOND)
    return path


def loaded_step(path: Path, warnings: list[str]) -> int:
    return checkpoint.load(path, warnings.append)["step"]


def test_last_one_is_loaded(path):
    warnings = []
    state = checkpoint.load(path, warnings.append)
    assert state["step"] == 2
    assert torch.equal(state["weights"], SECOND["weights"])
    assert not warnings


def test_nothing_to_load(tmp_path):
    assert checkpoint.load(tmp_path / "run.checkpoint", print) is None


def truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    return content[:-100] + bytes([content[-100] ^ 1]) + content[-99:]


def foreign(content: bytes) -> bytes:
    return b"PK" + content


def empty(content: bytes) -> bytes:
    return b""


@pytest.mark.parametrize("damage", [truncated, flipped, foreign, empty])
def test_damaged_one_is_named_and_the_previous_one_used(path, damage):
    path.write_bytes(damage(path.read_bytes()))
    warnings = []
    assert loaded_step(path, warnings) == 1
    (warning,) = warnings
    assert f"{path} is damaged" in warning
    # The next save must keep the good one, not the damaged one, as the previous one.
    checkpoint.save(path, {"step": 3})
    path.write_bytes(truncated(path.read_bytes()))
    assert loaded_step(path, warnings) == 1


def test_two_damaged_ones_are_an_error(path):
    for damaged in (path, checkpoint.previous(path)):
        damaged.write_bytes(truncated(damaged.read_bytes()))
    with pytest.raises(UsageError, match="remove them to start anew"):
        checkpoint.load(path, print)


def test_code_in_a_checkpoint_is_not_run(path):
    checkpoint.save(path, {"step": 3, "code": subprocess.Popen})
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        checkpoint.read(path)


KILLED = """
import os, signal, sys
from pathlib import Path
from bench import files
from bench.training import checkpoint

moment, path = sys.argv[1:]

def kill(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)

def rename_once(source, target, rename=os.replace):
    rename(source, target)
    kill()

if moment == "while writing":
    files.os.fsync = kill
else:
    checkpoint.os.replace = rename_once
checkpoint.save(Path(path), {"step": 3})
"""


@pytest.mark.parametrize("moment", ["while writing", "between the renamings"])
def test_kill_while_saving(path, moment):
    run = subprocess.run([sys.executable, "-c", KILLED, moment, path], check=False)
    assert run.returncode == -signal.SIGKILL
    assert loaded_step(path, []) == 2
    checkpoint.save(path, {"step": 4})
    assert loaded_step(path, []) == 4


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_full_disk_is_reported_and_loses_nothing(path):
    before = {file: file.read_bytes() for file in path.parent.iterdir()}
    os.symlink("/dev/full", f"{path}.partial")
    with pytest.raises(OSError, match=f"cannot write .*{path.name}: No space left") as error:
        checkpoint.save(path, {"step": 3})
    assert error.value.errno == errno.ENOSPC
    assert {file: file.read_bytes() for file in path.parent.iterdir()} == before
