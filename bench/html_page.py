"""Pages with charts that need no network."""

from __future__ import annotations

import html
from collections.abc import Iterable

import plotly.graph_objects as go

_HEAD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>noisykernels: {title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; color: #333; max-width: 80rem; margin: 2rem auto;
  padding: 0 1rem }}
table {{ border-collapse: collapse; display: block; overflow-x: auto;
  font-variant-numeric: tabular-nums }}
th, td {{ padding: 0.2rem 0.8rem; text-align: right; border-bottom: 1px solid #ddd }}
th {{ vertical-align: bottom }}
td {{ white-space: nowrap }}
th:first-child, td:first-child {{ text-align: left }}
</style>
"""


def page(title: str, body: Iterable[str]) -> str:
    """A page of these pieces of HTML."""
    return "\n".join([_HEAD.format(title=html.escape(title)), *body, "</html>\n"])


def charts(figures: Iterable[tuple[str, go.Figure]]) -> list[str]:
    """Headings and charts; the first chart holds the library, so that the page works offline."""
    return [
        f"<h2>{html.escape(heading)}</h2>\n"
        + figure.to_html(
            full_html=False, include_plotlyjs=number == 0, config={"displaylogo": False}
        )
        for number, (heading, figure) in enumerate(figures)
    ]
