"""Reports as one self-contained HTML file: facts, plots that answer the pointer, tables that sort.

What is on a page is said by whoever makes it (``islandflow_assets.campaign_page``, ``tape_page``);
here it is written out. A page loads nothing, its policy forbids it to, and every text is escaped:
names and descriptions come from other people. The same page always has the same bytes. Storing is
``derived_pages``; script and style are in ``page_files``, some 20 kB in place of the 4.6 MB of a
plotting library.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, Final, TypeAlias

VERSION: Final = "1"
"""Of how a page is written."""
Cell: TypeAlias = "str | float | bool | None"
_FILES: Final = Path(__file__).with_name("page_files")
_NOT_TEXT: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_SCRIPTS: Final = ("scales.js", "plot.js", "page.js")
_HINT: Final = (
    "Point at a plot to read it, drag to zoom in, double-click for the whole; a name above a plot "
    "hides its curve, a head of a table sorts by it."
)
_SHORT: Final = 40
"""Texts up to so many characters are not broken in a table."""
_UNSAFE: Final = {one: f"\\u{ord(one):04x}" for one in "<>&\u2028\u2029"}


@dataclass(frozen=True, slots=True)
class Table:
    """Rows below named columns."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot, see ``page_files/plot.js``.

    Attributes
    ----------
    title : str
    x, y : mapping
        ``label``; of x ``names`` if its numbers are places of named things; of y ``unit``, or
        ``names`` of the rows of cells.
    traces : tuple of mapping
        Each of a ``kind``: ``line`` (x, y), ``band`` (x, low, high), ``points`` (x, y, value,
        said), ``bars`` (edges, heights) or ``cells`` (values).
    stripes : tuple of mapping
        ``from``, ``to``, ``name`` and ``colour``, behind everything.
    marks : tuple of mapping
        ``x`` and ``name``.
    """

    title: str
    x: Mapping[str, Any]
    y: Mapping[str, Any]
    traces: tuple[Mapping[str, Any], ...]
    stripes: tuple[Mapping[str, Any], ...] = ()
    marks: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with what stands below it."""

    heading: str
    text: str = ""
    plots: tuple[Plot, ...] = ()
    table: Table | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A report."""

    title: str
    text: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]


def rendered(page: Page) -> bytes:
    """The HTML of a page, UTF-8."""
    script, style = _script(), _file("page.css")
    plots = [plot for section in page.sections for plot in section.plots]
    policy = (
        f"default-src 'none'; script-src '{_hashed(script)}'; style-src '{_hashed(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    facts = "".join(f"<dt>{_text(name)}</dt><dd>{_text(said)}</dd>" for name, said in page.facts)
    links = "".join(
        f'<a href="#section-{k}">{_text(one.heading)}</a>' for k, one in enumerate(page.sections)
    )
    body = "\n".join(_sections(page.sections))
    html = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{_text(page.title)}</title>
<style>{style}</style>
</head>
<body>
<h1>{_text(page.title)}</h1>
<p>{_text(page.text)}</p>
<dl>{facts}</dl>
<nav>{links}</nav>
<p class="hint">{_HINT}</p>
<noscript><p>Plots need the script in this file, which may not run here.</p></noscript>
{body}
<script type="application/json" id="plots">{_data(plots)}</script>
<script>{script}</script>
</body>
</html>
"""
    return html.encode()


@cache
def renderer_digest() -> str:
    """Digest of what writes pages, beside `VERSION`: the script and the style."""
    both = _script() + _file("page.css")
    return f"sha256:{hashlib.sha256(both.encode()).hexdigest()}"


def _sections(sections: Iterable[Section]) -> Iterable[str]:
    plots = 0
    for k, one in enumerate(sections):
        yield f'<section id="section-{k}"><h2>{_text(one.heading)}</h2>'
        if one.text:
            yield f"<p>{_text(one.text)}</p>"
        for plot in one.plots:
            title = _text(plot.title)
            yield f'<figure data-plot="{plots}"><figcaption>{title}</figcaption></figure>'
            plots += 1
        if one.table is not None:
            yield _table(one.table)
        yield "</section>"


def _table(table: Table) -> str:
    heads = "".join(f"<th scope='col'>{_text(name)}</th>" for name in table.columns)
    rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in table.rows)
    return (
        f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody>'
        "</table></div>"
    )


def _cell(value: Cell) -> str:
    if value is None:
        return "<td>–</td>"
    if isinstance(value, bool):
        return f'<td class="{"yes" if value else "no"}">{"yes" if value else "no"}</td>'
    if isinstance(value, str):
        kind = ' class="short"' if len(value) <= _SHORT else ""
        return f"<td{kind}>{_text(value)}</td>"
    if not math.isfinite(value):
        return f"<td>{value}</td>"
    shown = f"{value:,}" if isinstance(value, int) else f"{value:.6g}"
    return f'<td class="number" data-value="{value!r}">{shown}</td>'


def _data(plots: Sequence[Plot]) -> str:
    """Plots as JSON that may stand in a script element: nothing in it can end that element."""
    documents = [
        {
            "id": k,
            "title": plot.title,
            "x": plot.x,
            "y": plot.y,
            "traces": plot.traces,
            "stripes": plot.stripes,
            "marks": plot.marks,
        }
        for k, plot in enumerate(plots)
    ]
    text = json.dumps(_finite(documents), ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return "".join(_UNSAFE.get(one, one) for one in _NOT_TEXT.sub("\ufffd", text))


def _finite(value: Any) -> Any:
    """The same with null for what is no finite number; JSON has none."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return value


def _text(text: str) -> str:
    return escape(_NOT_TEXT.sub("\ufffd", text), quote=True)


@cache
def _script() -> str:
    return "".join(_file(name) for name in _SCRIPTS)


@cache
def _file(name: str) -> str:
    return (_FILES / name).read_text("utf-8")


def _hashed(text: str) -> str:
    """A text as the policy of a page names it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
