"""The docs say what the code does: docstrings are complete, the README's table is current."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import noisykernels as nk
from noisykernels import docs, functional
from noisykernels.registry import LOSSES

ROOT = Path(__file__).parents[1]


def test_the_page_of_losses_has_the_current_table():
    page = (ROOT / "docs" / "losses.md").read_text(encoding="utf-8")
    assert page == docs.with_table(page), "run python -m noisykernels.docs docs/losses.md"


def test_readme_names_every_loss():
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in nk.losses() if f"`{name}`" not in page] == []


def test_table_has_a_row_for_every_loss():
    names = [line.split("`")[1] for line in docs.loss_table().splitlines()[2:]]
    assert names == nk.losses()


def test_rows_have_as_many_cells_as_the_header():
    assert len({line.count("|") for line in docs.loss_table().splitlines()}) == 1


def test_table_shows_the_gain_at_the_defaults():
    rows = [line.split(" | ") for line in docs.loss_table().splitlines()]
    column = rows[0].index("gain at C = 10 and 100")
    gains = {row[0].split("`")[1]: row[column] for row in rows[2:]}
    expected = {"ce": "1, 1", "mae": "0.2, 0.02", "gce": "0.2, 0.04", "sce": "0.5, 0.14"}
    assert expected.items() <= gains.items()


def test_only_the_text_between_the_markers_is_replaced():
    page = f"before\n{docs.BEGIN}\nold\n{docs.END}\nafter\n"
    assert (
        docs.with_table(page) == f"before\n{docs.BEGIN}\n{docs.loss_table()}\n{docs.END}\nafter\n"
    )
    assert docs.with_table(docs.with_table(page)) == docs.with_table(page)


@pytest.mark.parametrize("page", ["", docs.BEGIN, docs.END + docs.BEGIN])
def test_a_page_without_markers_is_refused(page):
    with pytest.raises(ValueError, match="the page has no"):
        docs.with_table(page)


@pytest.mark.parametrize("name", nk.losses())
def test_docstrings_are_complete(name):
    function = getattr(functional, f"{name}_loss")
    text = inspect.getdoc(function)
    assert not re.search(r"<\w+>", text), "a placeholder was not filled in"
    documented = re.findall(r"^    (\w+): ", text, flags=re.MULTILINE)
    parameters = inspect.signature(function).parameters
    assert [entry for entry in documented if entry in parameters] == sorted(
        parameters, key=documented.index
    )
    assert set(parameters) <= set(documented)
    for section in ("Args:", "Returns:", "Raises:", "Example:", "Source:"):
        assert f"\n{section}\n" in text
    assert all(source in text for source in LOSSES[name].source.split("; "))
    assert max(map(len, text.splitlines())) <= 100
