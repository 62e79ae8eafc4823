"""How tapes and books are judged, and the figures of it as tables.

What is measured comes from ``engine.tapes.mbo.scorecard`` and ``engine.book.audit``; pictures are
``book_plots``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from contracts.errors import Problem
from engine.tapes.mbo.scorecard import Statistic
from islandflow_resources.book_reports import BookReport

Scorecard = Sequence[Mapping[str, Any]]
"""Statistics of a tape: name, value, low, high, ok; null where there is no number."""


def unrealistic(name: str, scorecard: Scorecard) -> Problem | None:
    """Which bands a tape leaves."""
    left = [one for one in scorecard if not one["ok"]]
    if not left:
        return None
    said = "; ".join(f"{one['name']} is {_shown(one['value'])}, not {_band(one)}" for one in left)
    hint = "let the tape be longer, its flow denser, or its path calmer"
    return Problem("TAPE_UNREALISTIC", f"{name}: {said}", str(left[0]["name"]), (hint,))


def unsound(name: str, report: BookReport) -> Problem | None:
    """Which invariants a book broke."""
    if report.is_sound:
        return None
    hint = "keep the file: a book must stand any events"
    return Problem("BOOK_UNSOUND", f"{name}: {_counted(report.broken)}", name, (hint,))


def flawed(name: str, report: BookReport) -> Problem | None:
    """What is wrong with events that nobody recorded: no anomaly is excused."""
    counted = _counted(report.anomalies)
    if report.crossing == "crossed":
        counted = f"{counted}, crossed at the end" if counted else "crossed at the end"
    if not report.is_sound or not counted:
        return unsound(name, report)
    hint = "make the tape again with this version; if it stays so, the tapes are at fault"
    return Problem("BOOK_UNSOUND", f"{name}: {counted}", name, (hint,))


def book_metadata(report: BookReport) -> dict[str, Any]:
    """What a person wants to know of a book that events went through."""
    quotes = {"best_bid": report.best_bid, "best_ask": report.best_ask}
    prices = {name: quote.price_int / 1e9 for name, quote in quotes.items() if quote}
    return {
        "actions": dg.MetadataValue.json({k: v for k, v in report.actions.items() if v}),
        "anomalies": dg.MetadataValue.json({k: v for k, v in report.anomalies.items() if v}),
        "live_orders": report.live_orders,
        "crossed_at_end": report.crossing == "crossed",
        **prices,
    }


def figures_table(scorecards: Sequence[Scorecard]) -> dg.TableMetadataValue:
    """Every statistic of some tapes: its least and greatest value beside its band."""
    records: list[dg.TableRecord] = []
    for rows in zip(*scorecards, strict=True):
        values = [one["value"] for one in rows if one["value"] is not None]
        records.append(
            dg.TableRecord(
                {
                    "statistic": str(rows[0]["name"]),
                    "least": _shown(min(values, default=None)),
                    "greatest": _shown(max(values, default=None)),
                    "band": _band(rows[0]),
                    "outside": sum(not one["ok"] for one in rows),
                }
            )
        )
    names = ("statistic", "least", "greatest", "band", "outside")
    return dg.MetadataValue.table(
        records, dg.TableSchema(columns=[dg.TableColumn(name) for name in names])
    )


def statistics_of(scorecard: Scorecard) -> list[Statistic]:
    """A stored scorecard as the engine gives one."""
    return [
        Statistic(
            one["name"],
            math.nan if one["value"] is None else one["value"],
            one["low"],
            math.inf if one["high"] is None else one["high"],
            one["ok"],
        )
        for one in scorecard
    ]


def levels_of(depth: Any) -> list[float]:
    """Stored mean lots of the levels as the engine gives them."""
    return [math.nan if lots is None else lots for lots in depth]


def _band(one: Mapping[str, Any]) -> str:
    low, high = one["low"], one["high"]
    return f"{low:g} … {high:g}" if high is not None else f"at least {low:g}"


def _shown(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.4g}"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count)
