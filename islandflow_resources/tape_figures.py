"""Figures of a stored tape, measured in one pass over its streams, each beside its band.

Statistics (``engine.tapes.market.scorecard``), static arbitrage (``arbitrage``), rules that hold
of every row (``audit``), what tells of the truth (``leaks``): all of them take the same batches.
Which figures fail a tape is ``tape_reports``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from contracts.canonical import Document, Json
from contracts.tape_bands import ID_AUC, MARKET_AUC, TAPE_BANDS
from contracts.tape_columns import STREAMS
from engine.tapes.market.api import VERSION as TAPE_ENGINE
from engine.tapes.market.arbitrage import ArbitrageAudit, ArbitrageReport
from engine.tapes.market.audit import Audit, Finding
from engine.tapes.market.leaks import SURE, Leak, LeakTest
from engine.tapes.market.scorecard import Scorecard, Statistic
from islandflow_resources.market_tapes import MarketTapeFiles
from islandflow_resources.tape_batches import StoredBatches
from islandflow_resources.tape_series import TapeSeries

VERSION: Final = f"1.{TAPE_ENGINE}"
_SECTION_OF: Final = {
    "columns_laid_out": "schema",
    "codes_known": "schema",
    "rows_ordered": "order",
    "rows_inside": "order",
    "received_after": "order",
    "numbers_ascend": "order",
    "on_grid": "ticks",
    "near_quote": "prints",
    "labels_complete": "labels",
    "texts_silent": "labels",
}
"""Which section a fact of every row belongs to."""
_REFERENCES: Final = "known_reference_share"
"""A statistic that is a rule of prints as well."""


def limits_of_figures() -> Json:
    """Every limit that figures are judged by, as a document: what is judged anew when one moves."""
    bands: dict[str, Json] = {
        band.name: [
            band.scope,
            *map(_number, (band.low, band.high, band.single_low, band.single_high)),
            [one.preset for one in band.exception],
        ]
        for band in TAPE_BANDS
    }
    leaks: list[Json] = [ID_AUC, MARKET_AUC, SURE]
    return {"bands": bands, "leaks": leaks}


def measured(tape: MarketTapeFiles) -> Document:
    """Every figure of a tape, and the series of its pictures."""
    spec = tape.ref.tape.spec
    stored = StoredBatches(tape.place, spec)
    card, audit, leaks = Scorecard(spec), Audit(spec), LeakTest(spec)
    arbitrage = ArbitrageAudit(stored.contracts, len(spec.universe))
    series = TapeSeries(spec, stored.contracts)
    for batch in stored:
        card.add(batch, stored.contracts)
        audit.add(batch, stored.contracts)
        leaks.add(batch, stored.contracts)
        arbitrage.add(batch.streams["equity_quotes"], batch.streams["option_nbbo"])
        series.add(batch)
    rows = card.rows("single")
    figures = [
        *_counted(tape),
        *(one for finding in audit.findings() for one in _of_fact(finding)),
        *(_of_leak(one) for one in leaks.rows()),
        *_of_arbitrage(arbitrage.finish(), stored.contract_ids),
        *(_of_statistic("prints", one) for one in rows if one.name == _REFERENCES),
        *(_of_statistic("realism", one) for one in rows),
    ]
    return {
        "events": tape.manifest.replay_plan.event_count,
        "figures": figures,
        "series": series.document(stored.bursts()),
    }


def _counted(tape: MarketTapeFiles) -> Iterator[Json]:
    """How much was proved before anything was measured."""
    manifest = tape.manifest
    for name in STREAMS:
        yield _figure("schema", f"{name}_rows", manifest.event_hashes.of(name).rows)
    yield _figure("schema", "row_groups", len(manifest.event_hashes.row_group_starts_ns))
    yield _figure("order", "events", manifest.replay_plan.event_count)
    labels = manifest.expected_output_contract.tables.print_labels
    yield _figure("labels", "prints_labelled", labels.rows)


def _of_fact(one: Finding) -> Iterator[Json]:
    """How many rows a fact was asked of, and how many broke it."""
    section, name = _SECTION_OF[one.fact], f"{one.stream}_{one.fact}"
    detail = f"first seq {one.first_seq}, row {one.first_row}" if one.violations else ""
    yield _figure(section, f"{name}_asked", one.rows)
    yield _figure(section, f"{name}_broken", one.violations, 0.0, 0.0, detail)


def _of_leak(one: Leak) -> Document:
    """How well a field tells who printed; chance may lift it over its limit a little."""
    detail = f"standard error {one.deviation:.2g}"
    name = f"{one.stream}_{one.field}_auc"
    return {**_figure("labels", name, one.auc, high=one.limit, detail=detail), "ok": one.ok}


def _of_arbitrage(report: ArbitrageReport, contracts: list[str]) -> Iterator[Json]:
    yield _figure("arbitrage", "snapshots", report.snapshots)
    for kind, checked in report.checked.items():
        yield _figure("arbitrage", f"{kind}_checked", checked)
        first, detail = report.first.get(kind), ""
        if first is not None:
            names = ", ".join(contracts[code].strip() for code in first.contracts)
            numbers = ", ".join(map(str, first.seqs))
            detail = f"first {names}, seq {numbers}, {first.excess_ticks:g} ticks"
        yield _figure("arbitrage", f"{kind}_violated", report.violated[kind], 0.0, 0.0, detail)


def _of_statistic(section: str, one: Statistic) -> Document:
    found = _figure(section, one.name, one.value, one.low, one.high)
    return {**found, "ok": bool(one.ok)}


def _figure(
    section: str,
    name: str,
    value: float,
    low: float = -math.inf,
    high: float = math.inf,
    detail: str = "",
) -> Document:
    return {
        "section": section,
        "name": name,
        "value": _number(value),
        "low": _number(low),
        "high": _number(high),
        "ok": low <= value <= high,
        "detail": detail,
    }


def _number(value: float) -> float | None:
    """A number as JSON has it: none for what is infinite or undefined."""
    return float(value) if math.isfinite(value) else None
