"""An explained alert as lines for a terminal, from the verdict down to every print.

The explanation itself is ``flow_explain``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from contracts.flow_evidence import packet_id
from contracts.flow_scores import HypothesisScore
from contracts.tape_columns import TICKS_PER_DOLLAR
from islandflow_resources.flow_chains import Row
from islandflow_resources.flow_explain import INTERCEPT, Explained, prints_of
from islandflow_resources.flow_facts import print_id

_SECOND_NS: Final = 1_000_000_000
_NAME_WIDTH: Final = 32


def told(explained: Explained) -> list[str]:
    """Lines that say what was made of a cluster, why, and upon what.

    Returns
    -------
    list of str
        Verdict; score by axis, greatest first; alternatives; packets; every print with its time
        in UTC, price in dollars, size, venue, side, quote and mid of the underlying.
    """
    return [
        *_verdict(explained),
        "",
        *_score(explained.projection.hypothesis.score),
        "",
        *_alternatives(explained),
        "",
        *_packets(explained),
        "",
        *_prints(explained),
    ]


def utc(ts_ns: int) -> str:
    """A time to the nanosecond.

    Examples
    --------
    >>> utc(1_767_882_600_000_000_001)
    '2026-01-08T14:30:00.000000001Z'
    """
    seconds, rest = divmod(ts_ns, _SECOND_NS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def dollars(ticks: float) -> str:
    """A price of a tape.

    Examples
    --------
    >>> dollars(12_345)
    '1.2345'
    >>> dollars(5_020_050.0)
    '502.005'
    >>> dollars(12_000)
    '1.20'
    """
    whole, _, cents = f"{ticks / TICKS_PER_DOLLAR:.6f}".partition(".")
    return f"{whole}.{cents.rstrip('0').ljust(2, '0')}"


def _verdict(explained: Explained) -> Iterator[str]:
    event, insight = explained.projection.hypothesis, explained.projection.insight
    policy, quality = explained.policy, explained.projection.evidence.quality
    if explained.alert is None:
        yield f"{event.cluster_id}: no alert, {' '.join(event.abstention.reasons)}"
        yield f"  closest to {event.score.hypothesis_type}"
    else:
        alert = explained.alert
        yield alert.alert_id
        yield f"  {insight.label} ({alert.profile})"
        yield f"  confidence {insight.confidence:.2f}, {insight.band}; not a probability"
    yield f"  said {utc(event.emitted_ns)} under policy {policy.id} {policy.version}"
    yield f"  {insight.summary}"
    eligibility = explained.projection.evidence.eligibility
    codes = " ".join(one.reason_code for one in eligibility.decisions)
    yield f"  evidence {quality.grade}, {quality.quality_score:.2f}, {eligibility.status}: {codes}"


def _score(score: HypothesisScore) -> Iterator[str]:
    yield f"why {score.hypothesis_type}, in log-odds"
    parts = sorted(score.contributions.items(), key=lambda part: -abs(part[1]))
    for name, value in (*parts, (INTERCEPT, score.intercept), ("together", score.z)):
        yield f"  {name:{_NAME_WIDTH}}{value:+9.3f}"


def _alternatives(explained: Explained) -> Iterator[str]:
    yield "alternatives"
    for one in explained.projection.hypothesis.alternatives:
        reasons = ", ".join(one.reasons)
        name = f"{one.hypothesis_type:{_NAME_WIDTH}}"
        yield f"  {name}{one.z:+9.3f}  {one.behind:.3f} behind: {reasons}"


def _packets(explained: Explained) -> Iterator[str]:
    rows = explained.chain.packets
    yield f"packets ({len(rows)})"
    for row in rows:
        name = packet_id(row["symbol"], row["packet_seq"])
        yield (
            f"  {name:{_NAME_WIDTH}}{utc(row['start_ns'])}  {row['contract']}"
            f"  {row['structure_type']}  {prints_of(row)}, {row['contracts']:,} contracts,"
            f" {row['premium_usd']:,.0f} dollars  {row['reason_code']}"
        )


def _prints(explained: Explained) -> Iterator[str]:
    rows = explained.chain.prints
    yield f"prints ({len(rows)}): price x contracts, venue, side, bid x ask, underlying"
    for row in rows:
        price = f"{dollars(row['price_ticks'])} x {row['size']}"
        yield (
            f"  {print_id(row):{_NAME_WIDTH}}{utc(row['ts_ns'])}  {row['contract']}  {price:>14}"
            f"  {row.get('exchange', '-'):5}{row['nbbo_side']:8}{_quote(row)}  {_underlying(row)}"
        )


def _quote(row: Row) -> str:
    if row["quote_age_ns"] < 0:
        return "no quote"
    return f"{dollars(row['bid_ticks'])} x {dollars(row['ask_ticks'])}"


def _underlying(row: Row) -> str:
    if row["underlying_age_ns"] < 0:
        return "no underlying"
    return dollars(row["underlying_mid_ticks"])
