"""What the benchmark says of every loss: where each is measured, sums and their terms, tables."""

from __future__ import annotations

import pytest
import torch

import noisykernels as nk
from bench import bars, cases, facts, measure, record, registered, rivals, summary, tables
from bench.cases import Case
from noisykernels.registry import LOSSES


def test_every_loss_is_measured_at_the_shapes_of_the_family():
    for full in (False, True):
        found = {
            (case.loss, case.shape)
            for case in cases.select(full=full)
            if (case.mode, case.dtype, case.threads) == ("both", "float32", 1)
        }
        assert {(loss, shape) for loss in cases.LOSSES for shape in cases.FAMILY_SHAPES} <= found
    assert {case.function[0] for case in cases.select() if case.loss != cases.FLOOR} == set(LOSSES)


@pytest.mark.parametrize("name", ["nfl", "sce"])
def test_what_is_named_is_measured_where_it_is_told(name):
    chosen = [case for case in cases.select([name], ["7x500"], threads=[3]) if case.loss == name]
    assert chosen == [Case(name, "both", 7, 500, "float32", 3)]


def with_terms():
    """The losses that are sums, each at a small shape."""
    found = [Case(name, "both", 9, 5, "float32", 1) for name in LOSSES]
    return [case for case in found if rivals.parts(case)]


def test_sums_are_those_of_several_terms():
    names = {case.loss for case in with_terms()}
    assert names >= {
        name for name in LOSSES if "+" in LOSSES[name].formula and "α ·" in LOSSES[name].formula
    }
    assert not names & {"ce", "gce", "nfl", "nnce", "backward"}


@pytest.mark.parametrize("case", with_terms(), ids=lambda case: case.loss)
def test_a_sum_is_the_sum_of_its_terms(case):
    """Each alone is what the sum is made of, and they leave no loss behind."""
    logits, target = (tensor.detach() for tensor in rivals.inputs(case))
    weights = {name: term.weight for name, term in registered.terms(case).items()}
    names = rivals.contenders(case)
    assert [rivals.term(name) for name in weights] == [n for n in names if n.startswith("term ")]
    total = sum(
        weight * rivals.loss_function(case, rivals.term(name))(logits, target)
        for name, weight in weights.items()
    )
    fused = rivals.loss_function(case, rivals.FUSED)(logits, target)
    torch.testing.assert_close(total, fused, rtol=1e-5, atol=1e-6)
    assert "alone" not in nk.losses()


@pytest.mark.parametrize("name", LOSSES)
def test_contenders_compute_the_same(name):
    case = Case(name, "both", 9, 5, "float32", 1)
    logits, target = (tensor.detach() for tensor in rivals.inputs(case))
    fused, eager = (
        rivals.loss_function(case, contender)(logits, target)
        for contender in (rivals.FUSED, rivals.EAGER)
    )
    torch.testing.assert_close(eager, fused, rtol=1e-5, atol=1e-6)


@pytest.fixture
def sums(tmp_path):
    """A run of three losses, one of them a sum with a dear term, one slower than its rivals."""
    found = []
    for shape in cases.FAMILY_SHAPES:
        rows, classes = cases.parse_shape(shape)
        for loss, microseconds in {
            "nfl": {rivals.FUSED: 3.0, rivals.EAGER: 6.0, rivals.YARDSTICK: 2.0},
            "gce": {rivals.FUSED: 1.0, rivals.EAGER: 4.0, rivals.YARDSTICK: 2.0},
            "nfl_mae": {
                rivals.FUSED: 2.0,
                rivals.EAGER: 8.0,
                rivals.COMPILED: 5.0,
                rivals.term("nfl"): 1.6,
                rivals.term("mae"): 1.0,
                rivals.YARDSTICK: 4.0,
            },
        }.items():
            case = Case(loss, "both", rows, classes, "float32", 1)
            seconds = {name: [value * 1e-6] * 3 for name, value in microseconds.items()}
            found += record.records(measure.Measured(case, seconds, slowdown=0.0), {})
    return record.read(record.write(facts.facts(), found, tmp_path))


def test_a_sum_is_held_against_its_dearest_term(sums):
    found = [bar for bar in bars.bars(sums) if bar.rule == "sum / its dearest term"]
    assert [bar.case.shape for bar in found] == [*cases.FAMILY_SHAPES]
    assert {(bar.case.loss, bar.measured[1], bar.met) for bar in found} == {
        ("nfl_mae", 1.25, False)
    }


def test_tables_of_the_family(sums):
    assert tables.family(sums).splitlines()[2:] == [
        "| `nfl` | 1.50 · 0.50 · – | 1.50 · 0.50 · – | 1.50 · 0.50 · – |",
        "| `gce` | 0.50 · 0.25 · – | 0.50 · 0.25 · – | 0.50 · 0.25 · – |",
        "| `nfl_mae` | 0.50 · 0.25 · 0.40 | 0.50 · 0.25 · 0.40 | 0.50 · 0.25 · 0.40 |",
    ]
    cell = "1.25 (1.25–1.25) nfl"
    assert tables.sums(sums).splitlines()[2:] == [
        f"| `nfl_mae` | nfl, mae | {cell} | {cell} | {cell} |"
    ]
    assert tables.lost(sums).count("nfl/both") == len(cases.FAMILY_SHAPES)


def test_a_run_in_words(sums):
    family, dearest, slower = summary.sentences(sums)
    assert family.startswith(
        "All 3 losses, at 128x10, 128x100 and 1024x1000 on one core, are 2 to 4 "
    )
    assert family.endswith(" and 2.5 to 2.5 times as fast as `torch.compile` of it.")
    assert dearest == "Sums cost 1.25 to 1.25 times their dearest term there."
    assert slower.endswith("or more: `nfl`; the slowest is `nfl`, 1.50 at 128x10.")
