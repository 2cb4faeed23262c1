"""Prints what a copy of Clothing1M holds; --verify also looks for what would spoil a training."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.data import DataError
from bench.data.clothing1m.layout import open_root
from bench.data.clothing1m.verify import overlap, problems, summary
from bench.errors import exit_status


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.data.clothing1m", description=__doc__)
    parser.add_argument("root", type=Path, metavar="ROOT", help="the folder of the copy")
    parser.add_argument(
        "--verify",
        action="store_true",
        help="check that splits are disjoint and every photo is there, and count double labels",
    )
    options = parser.parse_args(arguments)
    return exit_status(lambda: program(options))


def program(options: argparse.Namespace) -> None:
    data = open_root(options.root)
    print(*summary(data), sep="\n")
    if options.verify:
        print(*overlap(data), sep="\n")
        if found := list(problems(data)):
            raise DataError(f"{options.root}: " + "; ".join(found))
        print("splits are disjoint, and every photo is there")


if __name__ == "__main__":
    sys.exit(main())
