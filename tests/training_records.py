"""Records of runs that nobody trained, and the report of them."""

from __future__ import annotations

from bench import json_lines, training_report
from bench.training import recipes
from bench.training.run import Run


def record(
    folder, accuracies, *, seed=0, complete=True, recipe="sce-5.2", epoch=None, **changes
) -> str:
    """The record of a run on CIFAR-10 that reached these accuracies, and its name."""
    values = {"data": "cifar10", "images": 50_000, "noise": "symmetric:0.4", "loss": "ce"}
    of_recipe = recipes.load(recipe, "cifar10", changes.pop("recipe_changes", {}))
    run = Run(**values | changes, recipe=of_recipe, seed=seed)
    lines = [{"kind": "run", **vars(run), "recipe": vars(of_recipe), "facts": {"device": "cpu"}}]
    for number, accuracy in enumerate(accuracies, start=1):
        shown = {"images_per_second": 1000.0 * number, "loss_share": 0.5 * number}
        shown |= {"per_class": [accuracy] * 10} | (epoch or {})
        lines.append({"kind": "epoch", "epoch": number, "accuracy": accuracy, **shown})
    if complete:
        lines.append({"kind": "result", "last": accuracies[-1]})
    json_lines.write(folder / f"{run.name}.jsonl", lines)
    return run.name


def report(folder) -> tuple[str, str]:
    """Markdown and HTML of the results in a folder."""
    output = folder / "report"
    assert training_report.main([str(folder), "--output", str(output)]) == 0
    return output.with_suffix(".md").read_text(), output.with_suffix(".html").read_text()


def row(markdown: str, start: str) -> list[str]:
    """The first row that begins so: of the table of accuracies, if it is the whole report."""
    line = next(line for line in markdown.splitlines() if line.startswith(f"| {start} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]
