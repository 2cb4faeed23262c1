"""Without the compiled extension operators have no autograd of their own: `FusedLoss` serves."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

pytest.importorskip("triton", reason="no backend but the reference is left without the extension")

PREAMBLE = """
import sys, types
build = types.ModuleType("noisykernels._build")  # as setup.py writes it where nothing was built
build.EXTENSION, build.REASON = False, "asked to"
build.TORCH = build.MODE = build.COMPILER = ""
sys.modules["noisykernels._build"] = build
import torch
import noisykernels as nk
from torch.autograd import gradcheck, gradgradcheck
x = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
y = torch.tensor([4, -100, 0])
assert nk.backends.available()["cpu"] == "asked to"
"""

SCRIPTS = {
    "the reference is the choice": """
        assert nk.backends.choose("cpu") == nk.backends.REFERENCE
        torch.testing.assert_close(
            nk.CELoss()(x, y), torch.nn.functional.cross_entropy(x, y), rtol=1e-12, atol=0
        )
    """,
    "first and second derivatives of fused kernels": """
        with nk.backends.use("triton"):
            for name in ("gce", "sgce"):
                assert gradcheck(nk.loss(name), (x, y))
                assert gradgradcheck(nk.loss(name), (x, y))
    """,
    "one graph under torch.compile": """
        with nk.backends.use("triton"):
            compiled = torch.compile(nk.GCELoss(), fullgraph=True, backend="aot_eager")
            assert torch.equal(compiled(x, y), nk.GCELoss()(x, y))
    """,
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_package_works(script: str) -> None:
    code = PREAMBLE + textwrap.dedent(SCRIPTS[script])
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
