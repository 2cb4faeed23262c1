"""The pieces of the benchmarks: turns, ratios, result files, bars, tables, pages."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest
import torch

from bench import bars, cases, facts, history, measure, memory, pages, record, rivals, timing
from bench.cases import Case
from bench.suite.recording import Recording
from bench.worker import Worker, fields

ROOT = Path(__file__).parents[1]
CASE = Case("sgce", "both", 128, 100, "float32", 1)


def test_everyone_has_a_turn_in_every_round():
    turns = []

    def contender(name):
        def clocked(repeats):
            turns.append(name)
            return 1.0

        return clocked

    seconds = timing.take_turns({name: contender(name) for name in "abc"}, rounds=20)
    assert {name: len(values) for name, values in seconds.items()} == dict.fromkeys("abc", 20)
    rounds = [turns[-60:][i : i + 3] for i in range(0, 60, 3)]
    assert all(sorted(names) == ["a", "b", "c"] for names in rounds)
    assert len({tuple(names) for names in rounds}) > 1, "nobody always follows the same"


def test_a_budget_ends_the_rounds_but_leaves_enough_for_quartiles():
    seconds = timing.take_turns({"a": lambda repeats: 1.0}, rounds=100, budget_seconds=0)
    assert len(seconds["a"]) == timing.LEAST_ROUNDS


def test_ratio_is_of_each_round_not_of_the_medians():
    """A neighbor that slows some rounds tenfold does not show in it."""
    one, other = [1.0, 10.0, 1.0, 10.0, 10.0], [2.0, 20.0, 2.0, 20.0, 20.0]
    assert timing.ratio(one, other) == timing.Sample(0.5, 0.5, 0.5)


def test_preparation_is_not_timed(monkeypatch):
    ticks = count()
    monkeypatch.setattr(timing.time, "perf_counter", lambda: float(next(ticks)))
    prepared = timing.after(lambda: [next(ticks) for _ in range(100)], lambda ready: None)
    assert prepared(3) == 1.0


@pytest.mark.parametrize(
    ("pace", "expected"),
    [
        ([1.0] * 9, 0.0),
        ([1.0] * 6 + [1.5] * 3, 0.5),  # somebody came
        ([1.5] * 3 + [1.0] * 6, 0.5),  # somebody left
        ([1.0, 9.0, 1.0] * 3, 0.0),  # what disturbs a few rounds does not move a median
        ([2.0], 1.0),  # slow from start to end
    ],
)
def test_slowdown_is_that_of_the_start_or_the_end(pace, expected):
    assert measure.slowdown(pace, least=1.0) == pytest.approx(expected)


@pytest.fixture
def meter(monkeypatch):
    """A meter, and the list of what the machine's pace is going to be."""
    paces = []
    monkeypatch.setattr(rivals, "clocked", lambda case, name: None)
    monkeypatch.setattr(rivals, "pace", lambda case: lambda repeats: 1.0)
    monkeypatch.setattr(
        timing, "take_turns", lambda *_, **__: {rivals.PACE: paces.pop(0), rivals.FUSED: [1.0]}
    )
    return measure.Meter(patience_seconds=0), paces


def test_a_disturbed_case_is_repeated(meter):
    measured, paces = meter
    paces += [[1.0, 1.0, 3.0], [1.0, 1.0, 1.05], [1.0, 1.0, 1.0]]
    assert measured(CASE).slowdown == pytest.approx(0.05)
    assert len(paces) == 1, "the second was calm enough"


def test_the_calmest_of_three_disturbed_attempts_counts(meter):
    measured, paces = meter
    paces += [[1.0] * 3, [3.0] * 3, [2.0] * 3, [4.0] * 3, [1.0] * 3]
    assert measured(CASE).slowdown == 0
    assert measured(CASE).slowdown == 1, "slow throughout, as the case before tells"
    assert len(paces) == 1


def test_the_compiled_rival_is_compiled_once_for_all_modes(monkeypatch):
    compilations = []

    def compiled(loss):
        compilations.append(loss)
        return torch.compile(loss, backend="eager")

    monkeypatch.setattr(rivals, "compiled", compiled)
    for mode in cases.MODES:
        case = Case("gce", mode, 5, 3, "float32", 1)
        assert rivals.clocked(case, rivals.COMPILED)(2) > 0
    assert len(compilations) == 1


def test_a_recording_plays_back_what_was_measured():
    clock = Recording()
    call = clock.play([0.5, 0.25])
    times = [clock()]
    for _ in range(2):
        call()
        times.append(clock())
    assert times == [0.0, 0.5, 0.75]


def test_selection_is_what_the_bars_need_unless_told():
    chosen = list(cases.select())
    assert {case.mode for case in chosen} == {"both"}
    assert {case.classes for case in chosen if case.dtype == "bfloat16"} == {1000, 32000}
    assert {case.loss for case in cases.select(["gce"])} == {"gce", cases.FLOOR}
    everything = set(cases.select(full=True))
    assert set(chosen) < everything
    assert {case.shape for case in everything} == set(cases.SHAPES)
    with pytest.raises(ValueError, match="no loss facol; there are ce, "):
        list(cases.select(["facol"]))


def measured(**seconds):
    """A case as it comes from `measure`, with a few rounds of three contenders."""
    names = {"fused": rivals.FUSED, "ce": rivals.YARDSTICK, "compiled": rivals.COMPILED}
    found = {names[name]: values for name, values in seconds.items()}
    return measure.Measured(CASE, {**found, rivals.AUTOGRAD: [1e-6] * 3}, slowdown=0.01)


@pytest.fixture
def run(tmp_path):
    found = measured(fused=[3e-6, 3e-6, 4e-6], ce=[4e-6, 4e-6, 4e-6], compiled=[2e-6] * 3)
    memory = {rivals.FUSED: 128 * 70 + 500, rivals.AUTOGRAD: 500}
    at_end = {"load_at_end": 0.5}
    path = record.write(facts.facts() | at_end, record.records(found, memory), tmp_path)
    return record.read(path)


def test_a_result_file_keeps_medians_and_quartiles(run):
    found = run.get(CASE, rivals.YARDSTICK)
    assert found.seconds == (4e-6, 4e-6, 4e-6)
    assert found.ratio == (0.75, 0.75, 0.875)
    assert run.cases == [CASE]
    assert run.get(CASE, "somebody else") is None


def test_results_tell_no_host_user_or_folder(monkeypatch, tmp_path):
    for variable in ("USER", "LOGNAME", "HOME", "HOSTNAME"):
        monkeypatch.setenv(variable, "secret")
    monkeypatch.setattr("platform.node", lambda: "secret")
    path = record.write(facts.facts(), record.records(measured(fused=[1e-6] * 3), {}), tmp_path)
    text = path.read_text()
    assert "secret" not in text
    assert not re.search(r'"/|"[A-Z]:\\|@', text), "a path or an address"
    known = set(json.loads(text)["facts"])
    assert not known & {"node", "host", "hostname", "user", "path", "release", "project"}


def test_bars_compare_medians_with_the_limits(run):
    found = {bar.rule: bar for bar in bars.bars(run)}
    if run.facts["simd"] == "avx512":
        assert found["fused / F.cross_entropy"].met  # 0.75 of at most 1.0
    assert not found["fused / torch.compile"].met  # 1.5 of at most 1
    assert found["peak bytes a row"].measured[1] == 70
    assert not found["peak bytes a row"].met


@pytest.mark.parametrize(
    ("loss", "shape", "threads", "limit"),
    [
        ("muh", "64x14", 1, 0.5),
        ("sgce", "128x10", 2, 0.6),
        ("gce", "128x100", 1, 0.9),
        ("muh_quadratic", "128x100", 2, 0.6),
        ("alpha_mae", "128x100", 2, 0.65),
        ("sgce", "128x100", 2, 0.75),
        ("sce", "1024x100", 1, 0.75),
        ("muh", "64x128256", 2, 0.3),
        ("sgce", "256x32000", 1, 0.8),
        ("gce", "7x500", 1, None),
        ("nfl", "128x100", 1, None),
    ],
)
def test_limits_are_those_of_the_shape_class(loss, shape, threads, limit):
    case = Case(loss, "both", *cases.parse_shape(shape), "float32", threads)
    assert bars.yardstick_limit(case) == limit


def test_tables_go_between_their_markers(run):
    page = "before <!-- bench:missed:begin -->\nold\n<!-- bench:missed:end --> after"
    written = pages.with_tables(page, run)
    assert written.startswith("before <!-- bench:missed:begin -->\n| bar | case |")
    assert written.endswith("<!-- bench:missed:end --> after")
    assert "old" not in written
    assert pages.with_tables(written, run) == written


def test_the_textshave_markers_of_all_tables_that_exist(run):
    texts = [
        (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/performance.md")
    ]
    found = {name for page in texts for _, name, _ in pages.MARKED.findall(page)}
    assert found == set(pages.TABLES)
    for page in texts:
        pages.with_tables(page, run)


def test_the_history_needs_no_network(run):
    page = history.page([run, run])
    assert "<h2>sgce</h2>" in page
    assert "Plotly.newPlot" in page
    assert not re.search(r'<(script|link|img)[^>]+(src|href)="?http', page)
    assert page.count("plotly.js v") == 1


def test_peak_memory_is_exact(tmp_path):
    """Autograd alone holds its gradient, which does not count, and little else."""
    library = memory.library(tmp_path)
    if library is None:
        pytest.skip("needs Linux and a C compiler")
    large = Case("ce", "both", 1000, 1000, "float32", 1)
    with Worker(environment={"LD_PRELOAD": str(library)}) as worker:
        names = [rivals.AUTOGRAD, rivals.YARDSTICK]
        found = worker("memory", case=fields(large), contenders=names)
    assert 0 <= found[rivals.AUTOGRAD] < 16384
    # It saves log p for the backward: a buffer of the logits' size.
    assert found[rivals.YARDSTICK] >= 1000 * 1000 * 4


def test_the_suite_runs(tmp_path):
    """Once, tiny, and without a compiler for torch.compile, which would take half a minute."""
    options = "--losses nce_rce --shapes 3x4 --threads 1 --rounds 1 --benchmark-quiet"
    command = [sys.executable, "-m", "pytest", "bench/suite", "-q", *options.split()]
    json_of_plugin = tmp_path / "plugin.json"
    command += ["--results", str(tmp_path / "results"), f"--benchmark-json={json_of_plugin}"]
    # Beside other tests pytest-benchmark would measure nothing.
    alone = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_XDIST")}
    environment = {**alone, "CXX": "no-such-compiler"}
    finished = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "1 skipped" in finished.stdout
    (path,) = record.paths(tmp_path / "results")
    found = record.read(path)
    case = Case("nce_rce", "both", 3, 4, "float32", 1)
    assert found.get(case, rivals.FUSED)
    assert found.get(case, rivals.term("nce"))
    assert found.get(case, rivals.YARDSTICK).rounds == 1
    assert set(json.loads(json_of_plugin.read_text())["machine_info"]) == set(facts.facts())
