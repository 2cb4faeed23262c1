"""Prints or carries out the runs behind the papers' figures and tables.

Without a NAME it lists what there is. Options after -- are added to every run, as in
python -m bench.training_experiments sce-figure-9a --run -- --data digits --recipe quick
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence

from bench import train_cifar, train_clothing1m
from bench.errors import Parser, exit_status
from bench.training import experiments, papers


def main(arguments: list[str] | None = None) -> int:
    return exit_status(lambda: program(*parse(sys.argv[1:] if arguments is None else arguments)))


def program(options: argparse.Namespace, added: Sequence[str]) -> None:
    if not options.names:
        _list()
    for experiment in [found for name in options.names for found in experiments.find(name)]:
        clothing1m = experiment.data == papers.CLOTHING1M
        trainer = train_clothing1m if clothing1m else train_cifar
        if not options.run:
            print(f"# {experiment.title}, noise {experiment.noise}")
        for command in experiment.commands():
            line = [*command, *added]
            if options.run:
                trainer.program(trainer.parse(line))
            else:
                print(f"python -m {trainer.__name__} {shlex.join(line)}")


def _list() -> None:
    counts: dict[str, int] = {}
    for experiment in experiments.experiments():
        runs = experiment.seeds * len(experiment.losses)
        counts[experiment.name] = counts.get(experiment.name, 0) + runs
    titles = {experiment.name: experiment.title for experiment in experiments.experiments()}
    for name, count in counts.items():
        print(f"{name:22} {count:4} runs  {titles[name]}")


def parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = Parser(
        prog="python -m bench.training_experiments",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="an experiment")
    add("--run", action="store_true", help="carry them out, complete runs not again")
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return parser.parse_args(arguments[:end]), arguments[end + 1 :]


if __name__ == "__main__":
    sys.exit(main())
