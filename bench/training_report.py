"""Makes a page and a Markdown file of training results.

PLACE is a file that a training program, bench.time_step or bench.asymptotic wrote, or a folder of
such files. The accuracy of a run stands beside that of the paper whose recipe it follows, and what
--dump wrote beside the run's record is drawn.
"""

from __future__ import annotations

import argparse
import html
import sys
from collections.abc import Iterator
from pathlib import Path

import bench.steady  # noqa: F401, before torch
from bench import html_page
from bench.errors import Parser, UsageError, exit_status
from bench.files import write_atomically
from bench.options import output_file
from bench.training import results
from bench.training.figures import figures
from bench.training.results import Results
from bench.training.tables import tables

TITLE = "Training with noisy labels"

CLOTHING1M = """\
Clothing1M: data not available here. Who holds them runs
python -m bench.train_clothing1m ROOT --recipe sce-5.3 --weights resnet50.pth"""

NO_GPU = "Step times on a GPU: not measured. Who has one runs python -m bench.time_step"


def main(arguments: list[str] | None = None) -> int:
    return exit_status(lambda: program(parse(arguments)))


def program(options: argparse.Namespace) -> None:
    found = results.gather(options.places)
    if not (found.groups or found.steps or found.asymptotic):
        raise UsageError(f"no complete run in {', '.join(map(str, options.places))}")
    pages = {".html": page(found), ".md": markdown(found)}
    for ending, content in pages.items():
        path = options.output.with_suffix(ending)
        write_atomically(path, content.encode())
        print(path)


def page(found: Results) -> str:
    """The HTML page: it needs no network."""
    body = [f"<h1>{TITLE}</h1>"]
    body += [f"<p>{html.escape(remark)}</p>" for remark in remarks(found)]
    body += [table.html() for table in tables(found)]
    body += html_page.charts(figures(found))
    return html_page.page(TITLE, body)


def markdown(found: Results) -> str:
    """The tables and remarks as Markdown."""
    return "\n".join(
        [f"# {TITLE}\n", *(f"{remark}\n" for remark in remarks(found))]
        + [table.markdown() for table in tables(found)]
    )


def remarks(found: Results) -> Iterator[str]:
    """What is missing."""
    if not any(group.run["data"] == "clothing1m" for group in found.groups):
        yield CLOTHING1M
    if all(steps.facts["device"] == "cpu" for steps in found.steps):
        yield NO_GPU
    if found.unfinished:
        yield f"Runs that are not complete and left out: {found.unfinished}."


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = Parser(prog="python -m bench.training_report", description=__doc__)
    add = parser.add_argument
    add("places", nargs="*", type=Path, default=[Path("runs")], metavar="PLACE", help="runs")
    output = Path("training")
    add("--output", type=output_file, default=output, metavar="NAME", help="of both files")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
