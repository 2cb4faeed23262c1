"""What each loss of the demo costs in a training step: fused, tidy eager and compiled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.contenders import Loss, compiled
from bench.timing import Sample, interleaved, step


@dataclass(frozen=True)
class Costs:
    """Forward + backward of each loss at one shape, on one thread."""

    shape: tuple[int, int]
    cross_entropy: Sample
    """``F.cross_entropy``, the yardstick of all losses."""
    fused: dict[str, Sample]
    eager: dict[str, Sample]
    compiled: dict[str, Sample]
    """Empty where torch.compile does not work."""
    why_not_compiled: str


def measure(losses: Mapping[str, tuple[nn.Module, Loss]], shape: tuple[int, int]) -> Costs:
    """Times fused losses and their tidy eager formulas on random float32 logits."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(shape, generator=generator).requires_grad_()
    target = torch.randint(shape[1], shape[:1], generator=generator)

    formulas = {name: formula for name, (_, formula) in losses.items()}
    graphs, why_not = _compile(formulas, logits, target)
    kinds: dict[str, Mapping[str, Loss]] = {
        "fused": {name: criterion for name, (criterion, _) in losses.items()},
        "eager": formulas,
        "compiled": graphs,
    }
    contenders = {
        (kind, name): step(loss, logits, target)
        for kind, members in kinds.items()
        for name, loss in members.items()
    }
    yardstick = ("yardstick", "F.cross_entropy")
    contenders[yardstick] = step(F.cross_entropy, logits, target)
    samples = interleaved(contenders)
    return Costs(
        shape,
        samples[yardstick],
        why_not_compiled=why_not,
        **{kind: {name: samples[kind, name] for name in kinds[kind]} for kind in kinds},
    )


def _compile(
    formulas: Mapping[str, Loss], logits: Tensor, target: Tensor
) -> tuple[dict[str, Loss], str]:
    graphs = {name: compiled(formula) for name, formula in formulas.items()}
    try:
        for graph in graphs.values():
            graph(logits, target).backward()
    except Exception as error:  # whatever is wrong, it is a fact about this machine to report
        if "InvalidCxxCompiler" in str(error):
            return {}, "no C++ compiler"
        return {}, str(error).splitlines()[0]
    return graphs, ""
