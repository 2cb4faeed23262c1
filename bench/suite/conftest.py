"""Options of the suite, what its tests share, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import bench.steady  # noqa: F401, before torch
from bench import memory, record, rivals
from bench.cases import FLOOR, Case, select
from bench.facts import facts, load
from bench.measure import ROUNDS, Measured, Meter
from bench.worker import Worker, fields

_RECORDS = pytest.StashKey[list[record.Record]]()
_FACTS = pytest.StashKey[dict[str, Any]]()
_WRITTEN = pytest.StashKey[Path]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("noisykernels")
    group.addoption("--losses", default="", help="names of losses, separated by spaces")
    group.addoption("--shapes", default="", help="rows x classes, such as '128x10 1024x1000'")
    group.addoption("--threads", default="", help="numbers of threads, such as '1 2'")
    group.addoption("--full", action="store_true", help="all shapes, dtypes and modes")
    group.addoption("--rounds", type=int, default=ROUNDS, help="the most rounds for a case")
    group.addoption("--results", type=Path, help="folder for the result file")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_RECORDS] = []
    config.stash[_FACTS] = facts()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    option = metafunc.config.getoption
    try:
        cases = select(
            option("losses").split(),
            option("shapes").split(),
            threads=[*map(int, option("threads").split())],
            full=option("full"),
        )
        found = [(case, name) for case in cases for name in rivals.contenders(case)]
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error
    ids = [f"{case}/{name}".replace(" ", "_") for case, name in found]
    metafunc.parametrize(("case", "contender"), found, ids=ids)


@pytest.fixture(scope="session")
def peak(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[Measured], dict[str, int]]]:
    """Measures the peak memory of a case's contenders, in a process whose allocator counts."""
    library = memory.library(tmp_path_factory.mktemp("allocator"))
    if library is None:
        yield lambda measured: {}
        return
    with Worker(environment={"LD_PRELOAD": str(library)}) as worker:

        def peak(measured: Measured) -> dict[str, int]:
            case = measured.case
            if case.loss == FLOOR or case.mode != "both" or case.threads > 1:
                return {}
            present = [name for name in rivals.WEIGHED if name in measured.seconds]
            return worker("memory", case=fields(case), contenders=present)

        yield peak


@pytest.fixture(scope="session")
def measured(
    request: pytest.FixtureRequest, peak: Callable[[Measured], dict[str, int]]
) -> Callable[[Case], Measured]:
    """Measures a case when the first of its contenders asks for it."""
    meter = Meter(request.config.getoption("rounds"))
    last: list[Measured] = []

    def measured(case: Case) -> Measured:
        if not last or last[0].case != case:
            last[:] = [meter(case)]
            found = record.records(last[0], peak(last[0]))
            request.config.stash[_RECORDS].extend(found)
        return last[0]

    return measured


def pytest_benchmark_generate_machine_info(config: pytest.Config) -> dict[str, Any]:
    # In place of pytest-benchmark's own, which has the name of the host.
    return config.stash[_FACTS]


def pytest_benchmark_generate_commit_info(config: pytest.Config) -> dict[str, Any]:
    # In place of pytest-benchmark's own, which has the name of the folder.
    return {name: config.stash[_FACTS][name] for name in ("commit", "dirty")}


def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    folder, found = config.getoption("results"), config.stash[_RECORDS]
    if folder and found:
        at_end = {"load_at_end": load()}
        config.stash[_WRITTEN] = record.write(config.stash[_FACTS] | at_end, found, folder)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    written = config.stash.get(_WRITTEN, None)
    if written:
        terminalreporter.write_line(f"results: {written}")
