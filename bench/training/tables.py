"""The tables of a report on training."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import mean

from bench.tabulate import Table, spread
from bench.training import analysis, dumps, papers
from bench.training.results import BACKEND_NAMES, Asymptotic, Group, Results, StepTimes


def tables(found: Results) -> Iterator[Table]:
    """Accuracy for each data set and beside each paper's table, then all the rest."""
    by_data: dict[str, list[Group]] = defaultdict(list)
    for group in found.groups:
        by_data[group.data].append(group)
    for data, groups in sorted(by_data.items()):
        yield _accuracy_table(data, groups)
    yield from _paper_tables(found.groups)
    yield from _mislabel_table(found.groups)
    for asymptotic in found.asymptotic:
        yield _asymptotic_table(asymptotic)
    for steps in found.steps:
        yield _step_table(steps)


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
    sources = {entry.source for group in groups if (entry := group.published)}
    note = f"Paper: {'; '.join(sorted(sources))}." if sources else ""
    return Table(f"Accuracy on {data}", header, rows, note)


def _accuracy_row(group: Group) -> list[str]:
    run, paper = group.run, group.published
    return [
        group.loss,
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


def _paper_tables(groups: Sequence[Group]) -> Iterator[Table]:
    """The papers' tables that a run of ours has a place in, as they are printed."""
    ours: dict[papers.Published, Group] = {}
    for group in groups:
        if group.published:
            ours.setdefault(group.published, group)
    tables: dict[tuple[str, str], list[papers.Published]] = defaultdict(list)
    for entry in papers.published():
        tables[entry.source, entry.data].append(entry)
    for (source, data), entries in tables.items():
        if ours.keys().isdisjoint(entries):
            continue
        noises = list(dict.fromkeys(entry.noise for entry in entries))
        rows: dict[str, list[str]] = defaultdict(list)
        for entry in entries:
            found = spread(ours[entry].last) if entry in ours else "–"
            rows[entry.row].append(f"{found} ({entry.accuracy:.2f})")
        yield Table(
            f"{source}: {data}",
            ("loss", *noises),
            [[loss, *cells] for loss, cells in rows.items()],
            "Ours, and the paper's in parentheses; last epoch, %.",
        )


def _mislabel_table(groups: Sequence[Group]) -> Iterator[Table]:
    """A row for each loss, noise and epoch with outputs."""
    rows = []
    for group in groups:
        by_epoch: dict[int, list[float]] = defaultdict(list)
        for of_seed in group.dumps:
            for epoch, path in of_seed.items():
                found = analysis.mislabel_auroc(dumps.read(path))
                if found is not None:
                    by_epoch[epoch].append(found)
        run = group.run
        what = [group.loss, group.data, run["noise"], run["recipe"]["name"]]
        for epoch, values in by_epoch.items():
            rows.append([*what, str(epoch), str(len(values)), spread(values)])
    if rows:
        header = ("loss", "data", "noise", "recipe", "epoch", "seeds", "AUROC, %")
        yield Table(
            "Finding wrong labels",
            header,
            sorted(rows, key=lambda row: row[3::-1]),
            "How well the probability of the training label tells wrong labels from right ones: "
            "50 is chance, 100 is perfect.",
        )


def _asymptotic_table(found: Asymptotic) -> Table:
    rows = [
        [
            f"{point.weight:g}",
            f"{point.gap:.2e}",
            f"{point.accuracy:.2f}",
            f"{point.muh_accuracy:.2f}",
            f"{point.clean_accuracy:.2f}",
            f"{point.clean_gap:.3f}",
        ]
        for point in found.points
    ]
    header = ("λ", "gap to MUH", "CE, %", "MUH, %", "CE on clean labels, %", "gap to clean labels")
    run = found.run
    return Table(
        f"Minimizers of CE + λ‖z‖² and MUH + λ‖z‖², {run['data']}, noise {run['noise']}",
        header,
        rows,
        "A linear classifier. A gap is the distance between the logits of the training images, "
        "each divided by their norm.",
    )


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
        backend = BACKEND_NAMES[time.backend] + ", CUDA graph" * time.graph
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
