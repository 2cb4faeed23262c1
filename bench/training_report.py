"""Makes a page and a Markdown file of training results.

PLACE is a file that a training program or bench.time_step wrote, or a folder of such files. The
accuracy of a run stands beside that of the paper whose recipe it follows.
"""

from __future__ import annotations

import argparse
import html
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean

import plotly.graph_objects as go

from bench import html_page
from bench.errors import Parser, UsageError, exit_status
from bench.files import write_atomically
from bench.tabulate import Table, spread
from bench.training import papers, results
from bench.training.criteria import BACKENDS
from bench.training.results import Group, Results, StepTimes

TITLE = "Training with noisy labels"

CLOTHING1M = """\
Clothing1M: data not available here. Who holds them runs
python -m bench.train_clothing1m ROOT --recipe sce-5.3 --weights resnet50.pth"""

NO_GPU = "Step times on a GPU: not measured. Who has one runs python -m bench.time_step"


def main(arguments: list[str] | None = None) -> int:
    return exit_status(lambda: program(parse(arguments)))


def program(options: argparse.Namespace) -> None:
    found = results.gather(options.places)
    if not found.groups and not found.steps:
        raise UsageError(
            f"no complete run and no step times in {', '.join(map(str, options.places))}"
        )
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


def tables(found: Results) -> Iterator[Table]:
    """Accuracy for each data set, then step times for each file of them."""
    by_data: dict[str, list[Group]] = defaultdict(list)
    for group in found.groups:
        by_data[_data(group)].append(group)
    for data, groups in sorted(by_data.items()):
        yield _accuracy_table(data, groups)
    for steps in found.steps:
        yield _step_table(steps)


def figures(found: Results) -> Iterator[tuple[str, go.Figure]]:
    """Accuracy by epoch, a figure for each data set, noise and recipe and a line for each loss."""
    together: dict[str, list[Group]] = defaultdict(list)
    for group in found.groups:
        run = group.run
        together[f"{_data(group)}, noise {run['noise']}, {run['recipe']['name']}"].append(group)
    for heading, groups in sorted(together.items()):
        figure = go.Figure(layout=_LAYOUT)
        for group in groups:
            curves = [[epoch["accuracy"] for epoch in history] for history in group.histories]
            figure.add_scatter(
                x=list(range(1, len(curves[0]) + 1)),
                y=[mean(values) for values in zip(*curves, strict=True)],
                name=_what(group),
                mode="lines+markers",
            )
        yield heading, figure


_LAYOUT = {
    "template": "plotly_white",
    "height": 420,
    "margin": {"t": 10},
    "xaxis": {"title": "epoch (mean of the seeds)"},
    "yaxis": {"title": "accuracy, %"},
}


def _accuracy_table(data: str, groups: Sequence[Group]) -> Table:
    header = (
        "loss",
        "noise",
        "recipe",
        "seeds",
        "last epoch, %",
        "best, %",
        "paper, %",
        "difference",
        "images/s",
        "loss in a step, %",
    )
    rows = sorted((_accuracy_row(group) for group in groups), key=lambda row: row[2::-1])
    sources = {entry.source for group in groups if (entry := _paper(group))}
    note = f"Paper: {'; '.join(sorted(sources))}." if sources else ""
    return Table(f"Accuracy on {data}", header, rows, note)


def _accuracy_row(group: Group) -> list[str]:
    run, paper = group.run, _paper(group)
    return [
        _what(group),
        run["noise"],
        run["recipe"]["name"],
        str(len(group.histories)),
        spread(group.last),
        spread(group.best),
        f"{paper.accuracy:.2f}" if paper else "–",
        f"{mean(group.last) - paper.accuracy:+.2f}" if paper else "–",
        f"{group.typical('images_per_second'):,.0f}",
        f"{group.typical('loss_share'):.2f}",
    ]


def _step_table(steps: StepTimes) -> Table:
    facts = steps.facts
    header = ("step", "loss from", "ms", "quartiles", "loss, µs", "share, %", "loss / fused")
    fused = {
        (time.case, time.graph): time.loss_seconds
        for time in steps.times
        if time.backend == "fused"
    }
    rows = []
    for time in steps.times:
        backend = _BACKENDS[time.backend] + ", CUDA graph" * time.graph
        if time.seconds is None:
            rows.append([time.case, backend, time.absent, *["–"] * 4])
            continue
        low, median, high = (f"{1e3 * seconds:.2f}" for seconds in time.seconds)
        own = fused.get((time.case, time.graph))
        rows.append(
            [
                f"{time.case}, {time.loss}",
                backend,
                median,
                f"{low} to {high}",
                f"{1e6 * time.loss_seconds:.1f}",
                f"{time.share:.2f}",
                f"{time.loss_seconds / own:.2f}" if own else "–",
            ]
        )
    device = facts["cpu"] if facts["device"] == "cpu" else facts["device"]
    settings = ["bfloat16"] * facts["amp"] + ["channels last"] * facts["channels_last"]
    note = ", ".join([f"torch {facts['torch']}, {facts['threads']} threads", *settings])
    return Table(f"Time of a step on {device}", header, rows, f"{note}. Medians and quartiles.")


_BACKENDS = dict(
    zip(BACKENDS, ("fused", "tidy eager", "published eager", "torch.compile"), strict=True)
)


def _paper(group: Group) -> papers.Published | None:
    """The paper's result; a changed recipe or a part of the data has another name than there."""
    run = group.run
    if run["held_out"]:
        return None
    return papers.find(run["recipe"]["name"], run["data"], run["noise"], run["loss"])


def _data(group: Group) -> str:
    run = group.run
    return f"{run['data']}, held-out noisy labels" if run["held_out"] else str(run["data"])


def _what(group: Group) -> str:
    run = group.run
    return run["loss"] + (f" ({_BACKENDS[run['backend']]})" if run["backend"] != "fused" else "")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = Parser(prog="python -m bench.training_report", description=__doc__)
    add = parser.add_argument
    add("places", nargs="*", type=Path, default=[Path("runs")], metavar="PLACE", help="runs")
    add("--output", type=Path, default=Path("training"), metavar="NAME", help="of both files")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
