"""Times whole training steps, and the loss in them, with the loss from each backend.

Fused, tidy eager, published eager and torch.compile take turns in one process; on a GPU each also
as a CUDA graph. The times go to a file that bench.training_report reads.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

import torch
from rich import box
from rich.console import Console
from rich.table import Table

import bench.steady  # noqa: F401, before torch
from bench import json_lines
from bench.errors import Parser, exit_status
from bench.facts import facts
from bench.options import output_file, positive, seconds
from bench.training import transition
from bench.training.criteria import criterion
from bench.training.parallel import chosen_device, device_name, use_threads
from bench.training.steps import CASES, Network, StepTime, measure


def main(arguments: list[str] | None = None) -> int:
    return exit_status(lambda: program(parse(arguments)))


def program(options: argparse.Namespace) -> None:
    device = chosen_device(options.device)
    threads = use_threads(options.threads)
    if options.loss:
        criterion(options.loss, "fused", torch.eye(2) if transition.named(options.loss) else None)
    measured_on = {
        **facts(),
        "device": device_name(device),
        "threads": threads,
        "amp": options.amp,
        "channels_last": options.channels_last,
    }
    found: list[StepTime] = []
    for name in options.cases:
        case = CASES[name]
        network = Network(case, device, amp=options.amp, channels_last=options.channels_last)
        loss = options.loss or case.loss
        times = list(measure(case, network, loss, options.rounds, options.seconds))
        Console(highlight=False, soft_wrap=True).print(table(times))
        found += times
        lines = [{"kind": "steps", "facts": measured_on}]
        lines += [{"kind": "step", **asdict(time)} for time in found]
        json_lines.write(options.output, lines)


def table(times: list[StepTime]) -> Table:
    """A row for each backend."""
    title = f"{times[0].case}: {times[0].loss}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for header in ("loss from", "step ms", "quartiles", "loss µs", "share %"):
        table.add_column(header, justify="left" if header == "loss from" else "right")
    for time in times:
        backend = time.backend + ", CUDA graph" * time.graph
        if time.seconds is None:
            table.add_row(backend, time.absent)
            continue
        low, median, high = (f"{1e3 * quartile:.2f}" for quartile in time.seconds)
        of_loss, share = f"{1e6 * time.loss_seconds:.1f}", f"{time.share:.2f}"
        table.add_row(backend, median, f"{low} to {high}", of_loss, share)
    return table


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = Parser(prog="python -m bench.time_step", description=__doc__)
    add = parser.add_argument
    add("cases", nargs="*", default=list(CASES), metavar="CASE", help=f"of {', '.join(CASES)}")
    add("--loss", metavar="TEXT", help="as nk.loss reads it, instead of each case's SCE")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="%(default)s")
    add("--threads", type=positive, metavar="N", help="of torch on the CPU")
    add("--amp", action="store_true", help="bfloat16 where torch.autocast has it")
    add("--channels-last", action="store_true", help="the other memory format of images")
    add("--rounds", type=positive, default=50, help="at most, and at least 7; %(default)s")
    add("--seconds", type=seconds, default=60.0, help="no new round after, per case; %(default)s")
    output = Path("step_times.jsonl")
    add("--output", type=output_file, default=output, metavar="FILE", help="%(default)s")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.cases if name not in CASES]:
        parser.error(f"there is no case {unknown[0]}; there are {', '.join(CASES)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
