"""Writes the tables of a result file into a page, between the markers that name them.

python -m bench.pages docs/performance.md [result file]
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from bench.record import Run, latest, read
from bench.tables import TABLES

MARKED = re.compile(r"(<!-- bench:(\w+):begin -->\n).*?(<!-- bench:\2:end -->)", re.DOTALL)


def with_tables(page: str, run: Run) -> str:
    """The page with the tables of this run; the text around them stays as it is."""

    def table(match: re.Match[str]) -> str:
        begin, name, end = match.groups()
        return f"{begin}{TABLES[name](run)}\n{end}"

    return MARKED.sub(table, page)


def main(page: str, result: str | None = None) -> None:
    path = Path(page)
    run = read(Path(result) if result else latest())
    path.write_text(with_tables(path.read_text(encoding="utf-8"), run), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
