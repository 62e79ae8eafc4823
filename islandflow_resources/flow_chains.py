"""The evidence chain of a cluster in the tables of a detection: its alert, packets and prints.

Also what is read off a chain as plain numbers. Documents are made of it in ``flow_explain``;
the layouts are ``contracts.flow_columns``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa

from contracts.errors import ContractError, NotFoundError
from contracts.flow_columns import ALERTS, DETECTIONS, FLOW_PACKETS, FLOW_PRINTS, HYPOTHESIS_ROWS
from contracts.flow_evidence import alert_id, cluster_id, cluster_of
from contracts.market import parse_occ
from engine.arrays import Ints
from islandflow_resources.table_schemas import numbers_of

Tables: TypeAlias = "Mapping[str, pa.Table]"
"""Tables of one detection by the names of ``contracts.flow_columns.DETECTIONS``."""
Row: TypeAlias = dict[str, Any]

CLASSIFIED: Final = ("aa_prints", "a_prints", "mid_prints", "b_prints", "bb_prints")
_AGGRESSIVE: Final = ("aa_prints", "a_prints", "b_prints", "bb_prints")
_PPM: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Chain:
    """A cluster of prints, and all that is known of it.

    Attributes
    ----------
    cluster : dict
        Row of ``smart_flow_hypotheses``.
    alert : dict or None
        Row of ``smart_flow_alerts``, None if nothing was said aloud.
    packets, prints : tuple of dict
        Rows of ``flow_packets`` and ``flow_prints``, by their numbers.
    """

    cluster: Row
    alert: Row | None
    packets: tuple[Row, ...]
    prints: tuple[Row, ...]

    @property
    def id(self) -> str:
        """``cluster:<symbol>:<number>``."""
        return cluster_id(self.cluster["symbol"], self.cluster["cluster_seq"])


def chain_of(tables: Tables, any_id: str) -> Chain:
    """The chain that an id speaks of.

    Parameters
    ----------
    tables : mapping of str to pyarrow.Table
    any_id : str
        Of an alert, or of a cluster, which need not have one.

    Raises
    ------
    ContractError
        ``FLOW_ID_INVALID`` or ``FLOW_TABLE_MISSING``.
    NotFoundError
        ``FLOW_CLUSTER_UNKNOWN`` or ``FLOW_ALERT_UNKNOWN``.
    """
    symbol, number = cluster_of(any_id)
    found = chains(tables, [number]).get(number)
    if found is None or found.cluster["symbol"] != symbol:
        said = f"the detection has no cluster {number} of {symbol}"
        hint = "clusters stand in smart_flow_hypotheses, alerts in smart_flow_alerts"
        raise NotFoundError("FLOW_CLUSTER_UNKNOWN", said, any_id, (hint,))
    if found.alert is None and any_id == alert_id(found.id):
        said = f"there is no alert on {found.id}: {found.cluster['abstention_reasons']}"
        hint = f"ask for {found.id} to see why nothing was said"
        raise NotFoundError("FLOW_ALERT_UNKNOWN", said, any_id, (hint,))
    return found


def chains(tables: Tables, numbers: Collection[int]) -> dict[int, Chain]:
    """The chains of clusters by their numbers; numbers of no cluster are left out.

    Raises
    ------
    ContractError
        ``FLOW_TABLE_MISSING``, or ``FLOW_CHAIN_BROKEN`` for a cluster without packet or print.
    """
    wanted = np.array(sorted(numbers), np.int64)
    alerts = _by_cluster(table(tables, ALERTS.name), wanted, "emitted_ns")
    packets = _by_cluster(table(tables, FLOW_PACKETS.name), wanted, "packet_seq")
    prints = _by_cluster(table(tables, FLOW_PRINTS.name), wanted, "seq")
    rows = _by_cluster(table(tables, HYPOTHESIS_ROWS.name), wanted, "emitted_ns")
    found: dict[int, Chain] = {}
    for number, (row, *_) in rows.items():
        if not (packets[number] and prints[number]):
            said = f"the cluster {number} has no packet, or no print"
            hint = "read the tables of one and the same detection"
            raise ContractError("FLOW_CHAIN_BROKEN", said, str(number), (hint,))
        alert = alerts[number][0] if alerts[number] else None
        found[number] = Chain(row, alert, tuple(packets[number]), tuple(prints[number]))
    return found


def table(tables: Tables, name: str) -> pa.Table:
    """One table of a detection.

    Raises
    ------
    ContractError
        ``FLOW_TABLE_MISSING``.
    """
    if name in tables:
        return tables[name]
    said = f"the detection comes without its table {name}"
    raise ContractError("FLOW_TABLE_MISSING", said, name, (f"give {', '.join(DETECTIONS)}",))


def _by_cluster(whole: pa.Table, wanted: Ints, order: str) -> defaultdict[int, list[Row]]:
    places = np.flatnonzero(np.isin(numbers_of(whole.column("cluster_seq")), wanted))
    found: defaultdict[int, list[Row]] = defaultdict(list)
    for row in whole.take(places).sort_by(order).to_pylist():
        found[row["cluster_seq"]].append(row)
    return found


def buy_ratio(chain: Chain) -> float:
    """Share of the prints at or through the ask."""
    return chain.cluster["buy_prints"] / chain.cluster["prints"]


def sell_ratio(chain: Chain) -> float:
    """Share of the prints at or through the bid."""
    return chain.cluster["sell_prints"] / chain.cluster["prints"]


def directional_bias(chain: Chain) -> float:
    """Prints that want the underlying up less those that want it down, over all, −1 … 1.

    Calls bought and puts sold want it up.
    """
    signs = {"C": 1, "P": -1}
    wants = [one["aggressor"] * signs[parse_occ(one["contract"]).right] for one in chain.prints]
    return sum(wants) / len(wants)


def coverage(row: Row) -> float:
    """Share of the prints of a packet or cluster whose quote is neither missing nor old."""
    return 1.0 - unquoted(row)


def unquoted(row: Row) -> float:
    """Share of the prints of a packet or cluster whose quote is missing or old."""
    return (row["stale_prints"] + row["missing_prints"]) / row["prints"]


def most_aggressive(packets: Iterable[Row]) -> float | None:
    """Greatest share of prints at or beyond a quote among those with one; None without any."""
    shares: list[float] = []
    for packet in packets:
        seen = sum(packet[name] for name in CLASSIFIED)
        if seen:
            shares.append(sum(packet[name] for name in _AGGRESSIVE) / seen)
    return max(shares, default=None)


def option_type(chain: Chain) -> str:
    """``call``, ``put``, or ``mixed`` where legs are of both rights."""
    rights = {parse_occ(one["contract"]).right for one in chain.prints}
    if len(rights) > 1:
        return "mixed"
    return "call" if rights == {"C"} else "put"


def execution_iv(chain: Chain) -> float | None:
    """Implied volatility at the first print, 1 is 100 % a year; None without one."""
    return chain.cluster["iv_ppm"] * _PPM or None


def days_to_event(chain: Chain) -> float | None:
    """Days to the next scheduled event of the symbol, None without one."""
    days = chain.cluster["days_to_event"]
    return days if days >= 0 else None


def underlying_move_bps(chain: Chain) -> float | None:
    """Move of the underlying in the three minutes before, None if it has no quote."""
    if all(one["underlying_age_ns"] < 0 for one in chain.prints):
        return None
    return chain.cluster["underlying_move_bps"]


def reason_codes(chain: Chain) -> dict[str, list[Row]]:
    """What counts against a chain as evidence: rows by reason, the cluster's own first."""
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in (chain.cluster, *chain.packets):
        found[row["reason_code"]].append(row)
    return dict(found)
