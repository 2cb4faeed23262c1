"""How the rows are dealt out to programs, for each number of classes: the one place to tune.

A program's tile of ROWS x BLOCK elements lives in registers: 1,024 at 4 warps (8 for each thread)
do not spill on sm_80, sm_90 and sm_100 whatever the loss, 2,048 do. What compiled kernels use is in
docs/triton.md. Nothing here has been timed on a GPU yet.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import triton

ON_CHIP = 4096
"""Classes up to which the forward holds a row on chip, in 16 warps; a longer one is streamed."""

EXACT = 1024
"""Classes up to which kernels are compiled for exactly C and its row stride: only then are the
loads of C = 10 and C = 100 wider than one element. A job has few values of C."""


REGISTERS = 2**16
"""Of a processor, on NVIDIA's GPUs from sm_80 on."""


class Tile(NamedTuple):
    """Rows on chip as a whole."""

    rows: int
    block: int
    warps: int
    programs: int
    registers: int | None = None
    """Of a thread, at most, where the compiler has to be told; else it sees to it."""


class Loop(NamedTuple):
    """A row, or a part of it, streams through `depth` x `block` elements."""

    depth: int
    block: int
    warps: int
    splits: int
    depth_again: int
    """Of the second visit, whose arithmetic takes more registers."""
    registers: int | None = None
    """Of a thread in the first visit, as in `Tile`."""


def forward_tile(rows: int, classes: int, powers: int, reduces: bool, terms: int = 1) -> Tile:
    """For rows that fit on chip."""
    block = max(16, triton.next_power_of_2(classes))
    # Each thread works out the scalars of all rows it has a part in: with few classes these, and
    # not the elements, are what fills the registers.
    elements = 512 if block <= 64 else 1024
    warps = max(4, block // 256)
    tile_rows = max(1, elements // block)
    if reduces and warps == 4 and rows <= 16 * tile_rows:
        # A reduction over programs needs a second launch, which costs more than a few tiles one
        # after the other.
        return Tile(2 * tile_rows, block, 8, 1, all_registers(8))
    # Left alone the compiler spills one or two of many, to fit another program on a processor.
    # Told, it takes more than it needs of few. So it is here and below.
    registers = all_registers(16) if warps == 16 and powers == 3 else None
    if warps == 4 and terms > 1:
        registers = all_registers(12)  # three programs
    return Tile(tile_rows, block, warps, triton.cdiv(rows, tile_rows), registers)


def sums_tile(rows: int, splits: int, powers: int, reduces: bool, scores: bool = False) -> Tile:
    """For the sums that are left of rows."""
    tile = forward_tile(rows, splits, powers, reduces)
    told = powers > 1 and tile.registers is None
    return tile._replace(registers=all_registers(8 if scores else 16)) if told else tile


def all_registers(warps: int) -> int | None:
    """As many as a thread can have if its processor has no more than these warps."""
    return None if torch.version.hip else min(255, REGISTERS // (32 * warps))


def forward_loop(
    rows: int, classes: int, powers: int, processors: int, scores: bool = False
) -> Loop:
    """For longer rows; few are split, by a power of two, so that every processor has work."""
    depth, block = 2 if scores and powers == 3 else 4, 1024
    splits = 1
    while rows * splits < 2 * processors and splits * depth * block * 2 < classes:
        splits *= 2
    return Loop(depth, block, 4, splits, 2, all_registers(8) if powers == 2 else None)


def backward_tile(rows: int, classes: int) -> Tile:
    """Elementwise, so any tile will do that loads wide and does not spill."""
    block = min(1024, max(16, triton.next_power_of_2(classes)))
    tile_rows = max(1, 1024 // block)
    return Tile(tile_rows, block, 4, triton.cdiv(rows, tile_rows))
