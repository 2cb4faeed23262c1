"""Type checkers know every public name, though lists of losses are made only at import."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import noisykernels as nk
from noisykernels import functional
from noisykernels.modules import MODULES

api = pytest.importorskip("mypy.api")

USE = """
import noisykernels as nk
import noisykernels.functional as NF
from noisykernels import reference
from noisykernels.functional import *
from torch import Tensor
"""


def test_public_names_are_known_to_mypy(tmp_path: Path) -> None:
    names = [f"NF.{name}" for name in functional.__all__] + [f"nk.{name}" for name in nk.__all__]
    names += functional.__all__
    user = tmp_path / "user.py"
    lines = [*(f"reveal_type({name})" for name in names), "x: Tensor = reference.ce_loss()"]
    user.write_text("\n".join([USE, *lines, "NF.unknown_loss"]))
    told, *_ = api.run(["--strict", str(user)])
    (refused,) = re.findall(r"error: (.*)", told)
    assert refused.startswith('Module has no attribute "unknown_loss"')
    revealed = dict(zip(names, re.findall(r'Revealed type is "(.*)"', told), strict=True))
    assert "Any" not in revealed.values()
    for name, module in MODULES.items():
        path = f"{module.__module__}.{module.__name__}"
        assert "target: torch._tensor.Tensor" in revealed[f"NF.{name}_loss"]
        assert revealed[f"{name}_loss"] == revealed[f"NF.{name}_loss"]
        assert revealed[f"nk.{module.__name__}"].endswith(f"-> {path}")
