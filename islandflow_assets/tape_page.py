"""The HTML report of a synthetic tape: its session, volume, volatility, coverage and figures.

All that is on it stands in the report by which the tape was judged
(``islandflow_resources.tape_reports``), the regimes and bursts of its truth included. How pages
are written is ``islandflow_resources.pages``; pictures for the UI are ``market_plots``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Final

import dagster as dg

from contracts.canonical import Document
from contracts.control import FAMILIES
from contracts.digest import bare, document_digest, recipe_digest
from contracts.tape_columns import STREAMS
from islandflow_assets.market_plots import REGIME_COLOURS
from islandflow_resources.database import Database
from islandflow_resources.derived import Derived, Recipe
from islandflow_resources.derived_pages import as_stored, made_page
from islandflow_resources.market_tapes import MarketTapeFiles
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.pages import Page, Plot, Section, Table
from islandflow_resources.tape_reports import figures_of

WHAT: Final = "tape_page"
VERSION: Final = "1"
_SECOND_NS: Final = 1_000_000_000
_EXPIRIES: Final = 4
_FIGURE: Final = ("section", "name", "value", "low", "high", "ok", "detail")


def tape_page(
    store: ObjectStore, database: Database, tape: MarketTapeFiles, report: Document, run_id: str
) -> Derived:
    """The report of a judged tape, found or made.

    Parameters
    ----------
    report : Document
        By which it was judged.
    """
    inputs = {"report": document_digest(report), "manifest": tape.manifest.manifest_hash}
    recipe = Recipe(
        WHAT,
        recipe_digest(WHAT, version=VERSION, specs={}, inputs=inputs),
        f"reports/market/{tape.manifest.tape_id}",
        VERSION,
        tape.ref.tape.key,
        tape.ref.seed,
        {**inputs},
    )
    return made_page(store, database, recipe, lambda: page_of(tape, report), run_id)


def page_metadata(store: ObjectStore, cell: str, page: Derived) -> dict[str, Any]:
    """Where the page of a tape is, and the command that copies it to a file."""
    return {
        "report": dg.MetadataValue.url(store.uri(page.key)),
        "report_command": f"islandflow report tape '{cell}'",
    }


def page_of(tape: MarketTapeFiles, report: Document) -> Page:
    """What is on the page of a tape."""
    report = as_stored(report)
    series: Mapping[str, Any] = report["series"]  # pyright: ignore[reportAssignmentType]
    names = [_moment(int(ns)) for ns in series["times_ns"]]
    sections = [
        Section("Session", _SESSION, (_session(series, names), _levels(series, names))),
        Section("Volume", "Per interval of the session.", tuple(_volumes(series, names))),
        Section("Implied volatility", "", tuple(_volatility(series["smiles"]))),
        Section("Coverage", _COVERAGE, tuple(_coverage(series["coverage"]))),
        Section("Figures", _JUDGED, table=_figures(report)),
        Section("Streams", "", table=_streams(tape)),
    ]
    return Page(f"Tape {tape.ref}", tape.manifest.run.run_name, _facts(tape), tuple(sections))


_SESSION: Final = "Change of prices since the first minute, over the hidden regimes that held."
_COVERAGE: Final = (
    "Bursts of each profile, of the hidden truth, by window of the control's coverage."
)
_JUDGED: Final = "Every figure that the tape was judged by, with its band; no band, no judgement."


def _facts(tape: MarketTapeFiles) -> tuple[tuple[str, str], ...]:
    manifest, spec = tape.manifest, tape.ref.tape.spec
    presets = dict.fromkeys(one.control.preset_id for one in spec.control.versions)
    facts = {
        "tape": manifest.tape_id,
        "market": tape.ref.tape.key,
        "seed": str(tape.ref.seed),
        "run": manifest.run.run_id,
        "scenario": manifest.run.scenario_id or "none of the catalogue",
        "symbols": ", ".join(spec.symbols),
        "from": f"{_moment(spec.start_ns, day=True)} UTC",
        "to": f"{_moment(spec.end_ns, day=True)} UTC",
        "presets": ", ".join(presets),
        "events": f"{manifest.replay_plan.event_count:,}",
        "content digest": tape.content_digest,
        "manifest": manifest.manifest_hash,
        "generator": f"{manifest.generator.name} {manifest.generator.version}",
    }
    return tuple(facts.items())


def _session(series: Mapping[str, Any], names: Sequence[str]) -> Plot:
    prices = series["prices"]
    traces = [
        {"kind": "line", "name": symbol, "x": _places(names), "y": _changes(prices[symbol])}
        for symbol in series["symbols"]
    ]
    return Plot(
        "Prices",
        _times(names),
        {"label": "change since the start, %", "unit": " %"},
        tuple(traces),
        tuple(_regimes(series["regimes"])),
    )


def _levels(series: Mapping[str, Any], names: Sequence[str]) -> Plot:
    traces = [
        {"kind": "line", "name": name, "x": _places(names), "y": values}
        for name, values in series["levels"].items()
    ]
    return Plot("Levels of the session", _times(names), {"label": "level"}, tuple(traces))


def _volumes(series: Mapping[str, Any], names: Sequence[str]) -> Iterator[Plot]:
    edges = [*range(len(names) + 1)]
    for name, title in (("shares", "Shares"), ("contracts", "Option contracts")):
        trace = {"kind": "bars", "edges": edges, "heights": series[name]}
        yield Plot(title, _times(names), {"label": title.lower()}, (trace,))


def _volatility(smiles: Mapping[str, Any]) -> Iterator[Plot]:
    """Smiles of each symbol's next expiries, and their term structures."""
    at = f"at {_moment(int(smiles['time_ns']))} UTC"
    by_symbol = [(name, list(own)) for name, own in groupby(smiles["curves"], _symbol)]
    for symbol, curves in by_symbol:
        traces = [
            {
                "kind": "line",
                "name": f"{one['days']:.1f} days",
                "x": _percents(one["moneyness"]),
                "y": _percents(one["volatility"]),
            }
            for one in curves[:_EXPIRIES]
            if one["moneyness"]
        ]
        if traces:
            x = {"label": "log strike over spot, %"}
            y = {"label": "implied volatility, %", "unit": " %"}
            yield Plot(f"Smile of {symbol}, {at}", x, y, tuple(traces))
    terms = [
        {
            "kind": "line",
            "name": symbol,
            "x": [one["days"] for one in curves],
            "y": _percents([one["at_the_money"] for one in curves]),
        }
        for symbol, curves in by_symbol
    ]
    if terms:
        y = {"label": "implied volatility at the money, %", "unit": " %"}
        yield Plot(f"Term structure, {at}", {"label": "days to expiry"}, y, tuple(terms))


def _coverage(coverage: Mapping[str, Any]) -> Iterator[Plot]:
    names = [_moment(int(ns)) for ns in coverage["times_ns"]]
    families = [name for name in FAMILIES if name in coverage["bursts"]]
    if not names or not families:
        return
    trace = {"kind": "cells", "values": [coverage["bursts"][name] for name in families]}
    minutes = coverage["window_minutes"]
    yield Plot(f"Bursts in {minutes} minutes", _times(names), {"names": families}, (trace,))


def _figures(report: Document) -> Table:
    rows = [tuple(one.get(name) for name in _FIGURE) for one in figures_of(report)]
    return Table(_FIGURE, tuple(rows))


def _streams(tape: MarketTapeFiles) -> Table:
    files = {one.path.rpartition("/")[2]: one for one in tape.manifest.artifacts}
    rows = [
        (
            name,
            tape.manifest.event_hashes.of(name).rows,
            files[f"{name}.parquet"].size_bytes,
            bare(tape.manifest.event_hashes.of(name).digest),
            files[f"{name}.parquet"].path,
        )
        for name in STREAMS
    ]
    return Table(("stream", "rows", "bytes", "content digest", "path"), tuple(rows))


def _regimes(regimes: Sequence[str | None]) -> Iterator[dict[str, Any]]:
    """Stretches of one regime; those of none are left white."""
    start = 0
    for regime, held in groupby(regimes):
        stop = start + len(list(held))
        if regime is not None:
            hue = REGIME_COLOURS[regime]
            yield {"from": start - 0.5, "to": stop - 0.5, "name": regime, "colour": hue}
        start = stop


def _changes(prices: Sequence[float | None]) -> list[float | None]:
    """Change in percent since the first price that is known."""
    first = next((price for price in prices if price is not None), None)
    if first is None:
        return [None] * len(prices)
    return [None if one is None else 100.0 * (one / first - 1.0) for one in prices]


def _percents(values: Sequence[float | None]) -> list[float | None]:
    return [None if one is None else 100.0 * one for one in values]


def _times(names: Sequence[str]) -> dict[str, Any]:
    return {"label": "UTC", "names": list(names)}


def _places(names: Sequence[str]) -> list[int]:
    return [*range(len(names))]


def _symbol(curve: Mapping[str, Any]) -> str:
    return str(curve["symbol"])


def _moment(ts_ns: int, *, day: bool = False) -> str:
    at = datetime.fromtimestamp(ts_ns // _SECOND_NS, UTC)
    return f"{at:%Y-%m-%d %H:%M:%S}" if day else f"{at:%m-%d %H:%M}"
