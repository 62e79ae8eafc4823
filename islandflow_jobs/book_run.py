"""What ``islandflow book …`` does for books alone, as functions that return lines.

Arguments are read in ``cli_books``. Tapes are made in ``engine.tapes.mbo``, books checked in
``islandflow_resources.book_reports``, levels written in ``level_files`` beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from contracts.mbo import MboSpec
from islandflow_resources.new_files import refuse_taken
from islandflow_resources.resource_set import ResourceSet

if TYPE_CHECKING:
    from islandflow_resources.book_reports import BookReport, Quote

_NAME_WIDTH = 26


class Checked(NamedTuple):
    """Lines to print, and whether every invariant held."""

    lines: list[str]
    is_sound: bool


def make(resources: ResourceSet, spec: MboSpec, seed: int, out: Path) -> list[str]:
    """Make the tape of a specification and a seed into a new file.

    Raises
    ------
    ContractError
        If the name is taken or says no form, or the tape cannot be represented.
    """
    refuse_taken(out)
    resources.engine_runtime.prepare()
    from engine.tapes.mbo.api import MboTape
    from islandflow_resources.mbo_writers import write_events

    batches = MboTape(spec, seed).batches()
    made = write_events(out, batches, symbol=spec.symbol, product_type=spec.product_type)
    return [f"made {made.path}", f"{made.rows} events of {spec.symbol}, {made.digest}"]


def check(
    resources: ResourceSet, file: Path, symbol: str | None, *, as_json: bool = False
) -> Checked:
    """Run a file through a book: what its events are, do, and leave behind."""
    resources.engine_runtime.prepare()
    from islandflow_resources.book_reports import check_events

    report = check_events(file, symbol)
    if as_json:
        return Checked([json.dumps(document_of(report), indent=2)], report.is_sound)
    return Checked(lines_of(report), report.is_sound)


def levels(
    resources: ResourceSet, file: Path, count: int, out: Path, symbol: str | None
) -> list[str]:
    """Write the best levels after each group of a file's events into a new file."""
    resources.engine_runtime.prepare()
    from islandflow_resources.level_files import write_levels

    written = write_levels(file, out, count, symbol)
    return [
        f"made {written.path}",
        f"{written.rows} rows of {count} levels from {written.events} events, {written.digest}",
    ]


def register(resources: ResourceSet, specs: Sequence[MboSpec], seeds: Sequence[int]) -> list[str]:
    """Register tapes and seeds as partitions."""
    resources.engine_runtime.prepare()
    from islandflow_jobs import registration
    from islandflow_jobs.instance import open_instance

    with open_instance(resources.settings) as instance:
        done = registration.register_tapes(resources.store, resources.database, instance, specs)
        registration.add_seeds(instance, seeds)
    return [f"{'registered' if one.new else 'unchanged'} {one.key}" for one in done]


def import_file(resources: ResourceSet, file: Path, symbol: str | None) -> list[str]:
    """Keep a recorded file in the store and register it as a partition."""
    resources.engine_runtime.prepare()
    from islandflow_jobs import registration
    from islandflow_jobs.instance import open_instance

    store, database = resources.store, resources.database
    with open_instance(resources.settings) as instance:
        done = registration.import_source(store, database, instance, file, symbol)
    source, where = done.source, store.uri(done.source.events.key)
    return [
        f"{'registered' if done.new else 'unchanged'} {source.key}",
        f"{source.manifest['rows']} events, {source.events.digest}, kept as {where}",
    ]


def document_of(report: BookReport) -> dict[str, Any]:
    """Turn a report into the object that ``check --json`` prints."""
    read = report.ingestion
    return {
        "file": str(read.path),
        "form": read.form,
        "digest": read.digest,
        "dataset": read.dataset,
        "symbol": read.symbol,
        "instrument_ids": list(read.instrument_ids),
        "records": read.records,
        "dropped": dict(read.dropped),
        "changed": dict(read.changed),
        "events": read.rows,
        "actions": dict(report.actions),
        "groups": report.groups,
        "snapshots": report.snapshots,
        "first_ns": report.first_ns,
        "last_ns": report.last_ns,
        "prices": report.prices,
        "anomalies": dict(report.anomalies),
        "invariants_held": report.is_sound,
        "invariants_broken": dict(report.broken),
        "audits": report.audits,
        "live_orders": report.live_orders,
        **_quoted("best_bid", report.best_bid),
        **_quoted("best_ask", report.best_ask),
        "crossed_at_end": report.crossing == "crossed",
        "locked_at_end": report.crossing == "locked",
    }


def lines_of(report: BookReport) -> list[str]:
    """Turn a report into lines of a name and a value; zeros of long lists are left out."""
    read = report.ingestion
    broken = _counts(report.broken)
    rows = {
        "file": f"{read.path} ({read.form}, {read.digest})",
        "symbol": read.symbol or "not named",
        "records": f"{read.records}, dropped: {_counts(read.dropped)}",
        "events": f"{read.rows}, changed: {_counts(read.changed)}",
        "actions": _counts(report.actions),
        "groups, snapshots": f"{report.groups}, {report.snapshots}",
        "first_ns, last_ns": f"{report.first_ns}, {report.last_ns}",
        "prices": str(report.prices),
        "anomalies": _counts(report.anomalies),
        "invariants": f"{'held' if report.is_sound else f'BROKEN: {broken}'} "
        f"at {report.audits} audits",
        "live orders": str(report.live_orders),
        "best bid": _said(report.best_bid),
        "best ask": _said(report.best_ask),
        "crossed at the end": report.crossing,
    }
    return [f"{name:<{_NAME_WIDTH}}{value}" for name, value in rows.items()]


def _quoted(name: str, quote: Quote | None) -> Mapping[str, int | None]:
    return {
        f"{name}_price_int": quote.price_int if quote else None,
        f"{name}_size": quote.size if quote else 0,
        f"{name}_orders": quote.orders if quote else 0,
    }


def _said(quote: Quote | None) -> str:
    if quote is None:
        return "none"
    price = Decimal(quote.price_int).scaleb(-9).normalize()
    return f"{price:f} ({quote.price_int}), {quote.size} lots of {quote.orders} orders"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(_nonzero(counts)) or "none"


def _nonzero(counts: Mapping[str, int]) -> Iterator[str]:
    return (f"{name} {count}" for name, count in counts.items() if count)
