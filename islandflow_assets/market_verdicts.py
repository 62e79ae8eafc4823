"""How synthetic tapes are judged and shown: their checks, the figures of each, their files.

The assets are ``market_tapes``; what is measured is ``islandflow_resources.tape_figures``, what
fails a tape ``tape_reports``. Pictures are ``market_plots``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import dagster as dg

from contracts.canonical import Document
from contracts.errors import Problem
from contracts.tape_bands import BAND
from contracts.tape_columns import STREAMS
from islandflow_assets import keys, lineage
from islandflow_assets.outcomes import Outcome, verdict_of
from islandflow_resources.market_tapes import MarketTapeFiles
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.tape_reports import DETERMINISM, DIGEST, Judgement, figures_of

CHECKS: Final = {
    keys.DIGEST_MATCHES: "every file has the bytes, and every table the rows, of the manifest",
    keys.SCHEMA_HOLDS: "every table has the columns, types and texts of its layout",
    keys.ORDER_IS_TOTAL: "events ascend in the order of the plan, and no number is there twice",
    keys.LABELS_STAY_APART: "no name, value or classifier tells from events who is behind them",
    keys.NO_STATIC_ARBITRAGE: "nobody could earn without risk at clean quotes",
    keys.TICK_GRIDS_HOLD: "every price is a multiple of its tick",
    keys.PRINTS_MATCH_QUOTES: "prints lie at the quotes in force, amendments name their prints",
    keys.REALISM_HOLDS: "every statistic lies in the model's own interval for one tape",
    keys.DETERMINISM_HOLDS: "five minutes of one symbol, made again, have the same bytes",
}
"""Checks of a tape, all of them blocking, in the order in which they are reached."""

_SECTIONS: Final = {
    keys.DIGEST_MATCHES: DIGEST,
    keys.SCHEMA_HOLDS: "schema",
    keys.ORDER_IS_TOTAL: "order",
    keys.LABELS_STAY_APART: "labels",
    keys.NO_STATIC_ARBITRAGE: "arbitrage",
    keys.TICK_GRIDS_HOLD: "ticks",
    keys.PRINTS_MATCH_QUOTES: "prints",
    keys.REALISM_HOLDS: "realism",
    keys.DETERMINISM_HOLDS: DETERMINISM,
}
_PROVED: Final = (
    keys.DIGEST_MATCHES,
    keys.SCHEMA_HOLDS,
    keys.ORDER_IS_TOTAL,
    keys.LABELS_STAY_APART,
)
"""Checks that are reached by a tape of which nothing could be measured."""
_FIGURE: Final = ("figure", "least", "greatest", "band", "outside")


def check_specs(asset: str, checks: Mapping[str, str]) -> list[dg.AssetCheckSpec]:
    """Specs of an asset's checks, all of them blocking."""
    return [
        dg.AssetCheckSpec(name, asset=asset, blocking=True, description=description)
        for name, description in checks.items()
    ]


def checks_of(judgement: Judgement) -> dict[str, Problem | None]:
    """What each check that a tape reached finds."""
    reached = _PROVED if judgement.report is None else tuple(CHECKS)
    return {name: judgement.problems.get(_SECTIONS[name]) for name in reached}


def verdicts_of(
    outcomes: Sequence[Outcome], judgements: Sequence[Judgement]
) -> list[lineage.Verdict]:
    """Outcome of every check of a tape over a batch, each with its figures."""
    figures = [figures_of(one.report) for one in judgements if one.report is not None]
    found: list[lineage.Verdict] = []
    for name in CHECKS:
        section = _SECTIONS[name]
        mine = [[one for one in of if one["section"] == section] for of in figures]
        metadata: dict[str, Any] = {"figures": figures_table(mine)} if any(mine) else {}
        if name == keys.DETERMINISM_HOLDS and judgements:
            metadata["slices"] = _slices(judgements)
        found.append(verdict_of(name, outcomes, metadata))
    return found


def figures_table(tapes: Sequence[Sequence[Mapping[str, Any]]]) -> dg.TableMetadataValue:
    """Every figure of some tapes: its least and greatest value beside its band.

    Parameters
    ----------
    tapes : sequence of sequence of mapping
        The same figures of each tape, as ``tape_reports.figures_of`` gives them.
    """
    records: list[dg.TableRecord] = []
    for rows in zip(*tapes, strict=True):
        values = [one["value"] for one in rows if one["value"] is not None]
        records.append(
            dg.TableRecord(
                {
                    "figure": str(rows[0]["name"]),
                    "least": _shown(min(values, default=None)),
                    "greatest": _shown(max(values, default=None)),
                    "band": _band(rows[0]["low"], rows[0]["high"]),
                    "outside": sum(not one["ok"] for one in rows),
                }
            )
        )
    return _table(records, _FIGURE)


def scorecard_table(report: Document) -> dg.TableMetadataValue:
    """A row per statistic of a tape: its value, the band it is judged by, what it is."""
    records = [
        dg.TableRecord(
            {
                "statistic": str(one["name"]),
                "value": _shown(one["value"]),
                "band": _band(one["low"], one["high"]),
                "verdict": _verdict(one),
                "meaning": BAND[one["name"]].doc,
            }
        )
        for one in figures_of(report)
        if one["section"] == "realism"
    ]
    return _table(records, ("statistic", "value", "band", "verdict", "meaning"))


def streams_table(store: ObjectStore, tape: MarketTapeFiles) -> dg.TableMetadataValue:
    """A row per stream: rows, row groups, what they say, size and place of the file."""
    files = {one.path.rpartition("/")[2]: one for one in tape.manifest.artifacts}
    records: list[dg.TableRecord] = []
    for name in STREAMS:
        table, file = tape.manifest.event_hashes.of(name), files[f"{name}.parquet"]
        records.append(
            dg.TableRecord(
                {
                    "stream": name,
                    "rows": table.rows,
                    "row_groups": len(table.row_groups),
                    "bytes": file.size_bytes,
                    "content_digest": table.digest,
                    "uri": store.uri(file.path),
                }
            )
        )
    return _table(records, ("stream", "rows", "row_groups", "bytes", "content_digest", "uri"))


def files_table(tape: MarketTapeFiles) -> dg.TableMetadataValue:
    """Every file of a tape and of its labels: path, size, digest of its bytes."""
    manifest = tape.manifest
    records = [
        dg.TableRecord({"path": one.path, "bytes": one.size_bytes, "digest": one.digest})
        for one in (*manifest.artifacts, *manifest.expected_output_contract.artifacts)
    ]
    return _table(records, ("path", "bytes", "digest"))


def _slices(judgements: Sequence[Judgement]) -> dg.TableMetadataValue:
    """Which slice of each tape was made again."""
    parities = [one.parity for one in judgements if one.parity is not None]
    records = [
        dg.TableRecord(
            {
                "symbol": str(one["symbol"]),
                "start_ns": str(one["start_ns"]),
                "end_ns": str(one["end_ns"]),
                "rows": sum(cast("dict[str, int]", one["rows"]).values()),
                "equal": one["difference"] is None,
            }
        )
        for one in parities
    ]
    return _table(records, ("symbol", "start_ns", "end_ns", "rows", "equal"))


def _table(records: list[dg.TableRecord], names: Sequence[str]) -> dg.TableMetadataValue:
    columns = [dg.TableColumn(name) for name in names]
    return dg.MetadataValue.table(records, dg.TableSchema(columns=columns))


def _band(low: float | None, high: float | None) -> str:
    if low is None:
        return "not judged" if high is None else f"at most {high:g}"
    if high is None:
        return f"at least {low:g}"
    return f"{low:g}" if low == high else f"{low:g} … {high:g}"


def _verdict(one: Mapping[str, Any]) -> str:
    if one["value"] is None:
        return "not measured" if one["ok"] else "outside"
    if one["low"] is None and one["high"] is None:
        return "not judged"
    return "ok" if one["ok"] else "outside"


def _shown(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.6g}"
