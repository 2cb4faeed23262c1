"""One benchmark for each contender of each case; a group is a loss, a mode and a shape."""

from __future__ import annotations

import pytest

from bench.suite.recording import RECORDING


@pytest.mark.benchmark(timer=RECORDING)
def test_loss(case, contender, measured, benchmark):
    found = measured(case)
    if contender in found.absent:
        pytest.skip(found.absent[contender])
    seconds = found.seconds[contender]
    benchmark.group = str(case)
    benchmark.name = contender
    benchmark.pedantic(RECORDING.play(seconds), rounds=len(seconds))
