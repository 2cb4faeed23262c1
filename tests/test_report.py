"""`python -m noisykernels`: it tells what is there, and notices a loss that is wrong."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest
import torch

import noisykernels as nk
from noisykernels import backends, functional, report

USABLE = [name for name, state in backends.available().items() if state is True]


def test_report_as_a_command():
    run = subprocess.run(
        [sys.executable, "-m", "noisykernels"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    for fact in (torch.__version__, platform.python_version(), nk.__version__):
        assert fact in run.stdout
    assert platform.node() not in run.stdout.split()
    for folder in (os.path.expanduser("~"), os.getcwd(), sys.prefix):
        assert folder not in run.stdout


def test_table_has_every_loss_on_every_usable_backend():
    checks = list(report.self_check())
    assert [(check.loss, check.backend) for check in checks] == [
        (name, backend) for name in nk.losses() for backend in USABLE
    ]
    assert all(check.passed for check in checks)


@pytest.mark.parametrize("wrong", [1.001, float("nan")])
def test_a_wrong_loss_fails(monkeypatch, capsys, wrong):
    gce_loss = functional.gce_loss
    monkeypatch.setattr(functional, "gce_loss", lambda *a, **k: wrong * gce_loss(*a, **k))
    assert report.main() == 1
    lines = capsys.readouterr().out.splitlines()
    failed = [line.split()[0] for line in lines if line.endswith("FAILED")]
    assert failed == ["gce"] * len(USABLE)


def test_a_wrong_gradient_fails(monkeypatch):
    mae_loss = functional.mae_loss

    def half_the_gradient(logits, target, **options):
        return mae_loss((logits + logits.detach()) / 2, target, **options)

    monkeypatch.setattr(functional, "mae_loss", half_the_gradient)
    failed = [check for check in report.self_check() if not check.passed]
    assert {check.loss for check in failed} == {"mae"}
    assert all(check.value <= report.TOLERANCE < check.gradient for check in failed)


def test_absent_extension_is_explained(monkeypatch):
    monkeypatch.setattr(backends, "extension", None)
    monkeypatch.setitem(backends._unusable, "cpu", "no compiler was found")
    assert "extension           absent: no compiler was found" in report.environment()


@pytest.mark.parametrize("backend", backends.NAMES)
def test_every_backend_gets_tensors_that_it_takes(backend):
    assert report._device_for(backend) in backends.DEVICES.get(backend, ("cpu",))
