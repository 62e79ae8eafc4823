"""Observations and facts of an evidence chain, as the documents of ``contracts.flow_evidence``.

Slugs and kinds are the predecessor's, as far as the tables of a detection tell them. The
numbers are read off in ``flow_chains``; what is concluded is ``flow_explain``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from contracts.canonical import Document, Json
from contracts.flow_evidence import grade_of, packet_id
from contracts.smart_flow import ELIGIBILITY_REASONS, FactKind
from contracts.tape_columns import OPTION_PRINTS
from islandflow_resources import flow_chains
from islandflow_resources.flow_chains import Chain, Row

USABLE: Final = ELIGIBILITY_REASONS[0]
"""The reason of what nothing counts against."""


class Observed(NamedTuple):
    """Ids of the observations of a chain, each once.

    Attributes
    ----------
    packets, prints, quotes, underlying : tuple of str
        Packets, their prints, and the quotes in force at them.
    calendar : tuple of str
        The entry of the next scheduled event, if there is one.
    """

    packets: tuple[str, ...]
    prints: tuple[str, ...]
    quotes: tuple[str, ...]
    underlying: tuple[str, ...]
    calendar: tuple[str, ...]

    @property
    def members(self) -> tuple[str, ...]:
        """Packets and prints: what the cluster is made of."""
        return (*self.packets, *self.prints)


class _Fact(NamedTuple):
    """How a fact is told: what it says of a chain, and which observations it rests on."""

    slug: str
    kind: FactKind
    label: str
    unit: str | None
    value: Callable[[Chain], Json]
    rests_on: str


# fmt: off
_FACTS: Final = (
    _Fact("premium-size", "premium_size", "premium", "usd",
          lambda chain: chain.cluster["premium_usd"], "prints"),
    _Fact("contract-size", "premium_size", "contracts traded", "contracts",
          lambda chain: chain.cluster["contracts"], "prints"),
    _Fact("aggressive-buy-ratio", "execution_aggression", "prints at or through the ask",
          "ratio", flow_chains.buy_ratio, "prints"),
    _Fact("aggressive-sell-ratio", "execution_aggression", "prints at or through the bid",
          "ratio", flow_chains.sell_ratio, "prints"),
    _Fact("net-directional-bias", "underlying_context",
          "prints that want the underlying up less those that want it down", "ratio",
          flow_chains.directional_bias, "prints"),
    _Fact("nbbo-coverage", "quote_quality", "prints with a fresh quote", "ratio",
          lambda chain: flow_chains.coverage(chain.cluster), "prints"),
    _Fact("stale-quote-ratio", "quote_quality", "prints whose quote is old or missing", "ratio",
          lambda chain: flow_chains.unquoted(chain.cluster), "prints"),
    _Fact("option-spread-bps", "quote_quality", "mean spread of the quotes over their mids", "bps",
          lambda chain: chain.cluster["spread_bps"], "quotes"),
    _Fact("option-type", "structure_shape", "right of the contracts", None,
          flow_chains.option_type, "prints"),
    _Fact("structure-type", "structure_shape", "what the legs make together", None,
          lambda chain: chain.cluster["structure_type"], "packets"),
    _Fact("structure-legs", "structure_shape", "contracts traded together", "legs",
          lambda chain: chain.cluster["legs"], "packets"),
    _Fact("execution-iv", "execution_context", "implied volatility at the first print",
          "per_year", flow_chains.execution_iv, "quotes"),
    _Fact("underlying-move-bps", "underlying_context", "move of the three minutes before", "bps",
          flow_chains.underlying_move_bps, "underlying"),
    _Fact("event-context", "event_context", "it expires after the next scheduled event", None,
          lambda chain: chain.cluster["spans_event"], "calendar"),
    _Fact("days-to-event", "event_context", "to the next scheduled event", "days",
          flow_chains.days_to_event, "calendar"),
)
# fmt: on
"""Every fact but the eligibility-<code> of each reason."""


def print_id(row: Row) -> str:
    """Trace id of a print on its tape."""
    return f"{OPTION_PRINTS.name}:{row['seq']}"


def quote_id(row: Row) -> str | None:
    """Name of the quote in force at a print, None if there was none."""
    if row["quote_age_ns"] < 0:
        return None
    return f"option-nbbo:{row['contract']}:{row['ts_ns'] - row['quote_age_ns']}"


def underlying_id(symbol: str, row: Row) -> str | None:
    """Name of the underlying's quote in force at a print, None if there was none."""
    if row["underlying_age_ns"] < 0:
        return None
    return f"equity-quote:{symbol}:{row['ts_ns'] - row['underlying_age_ns']}"


def observed(chain: Chain) -> Observed:
    """Ids of all that a chain rests on, in order of time."""
    symbol = chain.cluster["symbol"]
    has_event = flow_chains.days_to_event(chain) is not None
    return Observed(
        tuple(packet_id(symbol, one["packet_seq"]) for one in chain.packets),
        tuple(print_id(one) for one in chain.prints),
        _once(quote_id(one) for one in chain.prints),
        _once(underlying_id(symbol, one) for one in chain.prints),
        (f"event-calendar:{symbol}",) if has_event else (),
    )


def observations(chain: Chain, seen: Observed) -> list[Json]:
    """Documents of `contracts.flow_evidence.ObservationRef`."""
    rows = dict(zip(seen.packets, chain.packets, strict=True))
    found: list[Json] = [
        _observation(name, "flow_packet", "member", row["start_ns"]) for name, row in rows.items()
    ]
    for row, name in zip(chain.prints, seen.prints, strict=True):
        role = "anchor" if row["seq"] == chain.cluster["cluster_seq"] else "member"
        found.append(_observation(name, "option_print", role, row["ts_ns"], name))
    around = (("option_nbbo", seen.quotes), ("equity_quote", seen.underlying))
    found += [
        _observation(name, kind, "context", int(name.rpartition(":")[2]))
        for kind, names in around
        for name in names
    ]
    found += [_observation(name, "event_calendar", "context", None) for name in seen.calendar]
    return found


def facts(chain: Chain, seen: Observed) -> list[Json]:
    """Documents of `contracts.flow_evidence.EvidenceFact`: what a chain says.

    What it does not say is left out: no quote, no fact on quotes.
    """
    found: list[Json] = []
    for one in _FACTS:
        refs, value = getattr(seen, one.rests_on), one.value(chain)
        if refs and value is not None:
            found.append(_fact(chain, one, value, refs))
    for code, rows in flow_chains.reason_codes(chain).items():
        told = _Fact(f"eligibility-{code}", "eligibility_decision", code, None, _status, "packets")
        found.append(_fact(chain, told, rows[0]["status"], _packets_of(chain, rows)))
    return found


def quality(chain: Chain) -> Document:
    """Document of `contracts.flow_evidence.EvidenceQuality`."""
    row = chain.cluster
    caveats = [code for code in flow_chains.reason_codes(chain) if code != USABLE]
    return {
        "grade": grade_of(row["quality"]),
        "quality_score": row["quality"],
        "coverage_ratio": flow_chains.coverage(row),
        "stale_ratio": row["stale_prints"] / row["prints"],
        "caveats": [*caveats],
    }


def eligibility(chain: Chain) -> Document:
    """Document of `contracts.flow_evidence.Eligibility`: the cluster's decision first."""
    decisions: list[Json] = [
        {
            "status": rows[0]["status"],
            "reason_code": code,
            "evidence_refs": [*_packets_of(chain, rows)],
        }
        for code, rows in flow_chains.reason_codes(chain).items()
    ]
    return {"status": chain.cluster["status"], "decisions": decisions}


def _observation(
    name: str, kind: str, role: str, source_ts_ns: int | None, trace: str | None = None
) -> Document:
    return {
        "observation_id": name,
        "kind": kind,
        "role": role,
        "source_ts_ns": source_ts_ns,
        "trace_id": trace,
    }


def _fact(chain: Chain, told: _Fact, value: Json, refs: Iterable[str]) -> Document:
    return {
        "fact_id": f"fact:{chain.id}:{told.slug}",
        "kind": told.kind,
        "label": told.label,
        "value": value,
        "unit": told.unit,
        "observation_refs": [*refs],
    }


def _packets_of(chain: Chain, rows: list[Row]) -> list[str]:
    """Packets that rows are of: all of them for the row of the cluster."""
    mine = [row for row in rows if row is not chain.cluster]
    whole = len(mine) < len(rows)
    symbol = chain.cluster["symbol"]
    return [packet_id(symbol, one["packet_seq"]) for one in (chain.packets if whole else mine)]


def _status(chain: Chain) -> Json:
    return chain.cluster["status"]


def _once(names: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name is not None))
