"""Which cluster is of which burst, and which alert finds one.

A cluster is of the burst or injection that most of its prints are of, if these are half of them at
least; of two alike, of the first by id. Otherwise it is nobody's: background, decoys and hedges.
An alert is right if it says what its cluster's burst is, before any other alert does: one for
each burst. What follows from it is counted in ``api``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from contracts.errors import ContractError
from contracts.smart_flow import DIRECTIONS, HYPOTHESES
from engine.arrays import Floats, Ints
from engine.evaluation.tables import Bools, Column, TapeTables, coded, places
from engine.evaluation.truth import Bursts

NOBODY = -1


@dataclass(frozen=True, slots=True)
class Clusters:
    """Clusters that something was said of, or nothing on purpose, in ascending order.

    Attributes
    ----------
    seq : ndarray, shape (clusters,), int64
    start_ns : ndarray, shape (clusters,), int64
    owner, decoy : ndarray, shape (clusters,), int64
        Row in `Bursts` of the burst, and of the decoy, that it is of; −1: nobody's.
    touched_ns, touched : ndarray, shape (burst prints,), int64
        Time of each print of a burst or an injection, clustered or not, and its row in `Bursts`.
    """

    seq: Ints
    start_ns: Ints
    owner: Ints
    decoy: Ints
    touched_ns: Ints
    touched: Ints


@dataclass(frozen=True, slots=True)
class Alerts:
    """Alerts in order of (``emitted_ns``, ``cluster_seq``).

    Attributes
    ----------
    cluster : ndarray, shape (alerts,), int64
        Row in `Clusters`.
    owner : ndarray, shape (alerts,), int64
        Row in `Bursts` of its cluster's burst, −1: nobody's.
    said, direction : ndarray, shape (alerts,), int64
        Codes in ``contracts.smart_flow``: `HYPOTHESES`, `DIRECTIONS`.
    confidence : ndarray, shape (alerts,), float64
    is_high : ndarray, shape (alerts,), bool
    emitted_ns, start_ns : ndarray, shape (alerts,), int64
    symbol : ndarray, shape (alerts,), of texts
    is_right, is_repeated : ndarray, shape (alerts,), bool
        The first that says what the burst is; a later one that does, which is wrong.
    """

    cluster: Ints
    owner: Ints
    said: Ints
    direction: Ints
    confidence: Floats
    is_high: Bools
    emitted_ns: Ints
    start_ns: Ints
    symbol: Column
    is_right: Bools
    is_repeated: Bools


def clusters_of(tables: TapeTables, bursts: Bursts) -> Clusters:
    """Clusters of the hypotheses, each with its owner.

    Raises
    ------
    ContractError
        ``EVALUATION_PRINT_UNLABELLED`` for a print without a label,
        ``EVALUATION_CLUSTER_UNKNOWN`` for a cluster without a print.
    """
    said = tables.smart_flow_hypotheses
    order = np.argsort(said["cluster_seq"], kind="stable")
    seq = said["cluster_seq"][order].astype(np.int64)
    prints = tables.flow_prints
    row = _burst_of_prints(tables, bursts)
    cluster = places(prints["cluster_seq"].astype(np.int64), seq)
    members = np.bincount(cluster[cluster >= 0], minlength=seq.size)
    if seq.size and not members.all():
        raise _unknown_cluster("smart_flow_hypotheses", int(seq[int(members.argmin())]))
    is_actor = (row >= 0) & bursts.is_actor[row] if row.size and bursts.ids.size else row >= 0
    is_decoy = (row >= 0) & ~is_actor
    return Clusters(
        seq=seq,
        start_ns=said["start_ns"][order].astype(np.int64),
        owner=_owners(cluster, row, is_actor, members),
        decoy=_owners(cluster, row, is_decoy, members),
        touched_ns=prints["ts_ns"][is_actor].astype(np.int64),
        touched=row[is_actor],
    )


def alerts_of(tables: TapeTables, clusters: Clusters, bursts: Bursts) -> Alerts:
    """Alerts with what became of each.

    Raises
    ------
    ContractError
        ``EVALUATION_CLUSTER_UNKNOWN`` for an alert without a hypothesis,
        ``EVALUATION_WORD_UNKNOWN``.
    """
    told = tables.smart_flow_alerts
    order = np.lexsort((told["cluster_seq"], told["emitted_ns"]))
    rows = {name: column[order] for name, column in told.items()}
    cluster = places(rows["cluster_seq"].astype(np.int64), clusters.seq)
    if (cluster < 0).any():
        strange = int(rows["cluster_seq"][int((cluster < 0).argmax())])
        raise _unknown_cluster("smart_flow_alerts", strange)
    said = coded(rows["hypothesis_type"], HYPOTHESES, "smart_flow_alerts.hypothesis_type")
    owner = clusters.owner[cluster]
    fits = owner >= 0
    fits[fits] = bursts.wanted[owner[fits]] == said[fits]
    right = np.zeros(said.size, dtype=np.bool_)
    fitting = np.flatnonzero(fits)
    right[fitting[np.unique(owner[fitting], return_index=True)[1]]] = True
    return Alerts(
        cluster=cluster,
        owner=owner,
        said=said,
        direction=coded(rows["direction"], DIRECTIONS, "smart_flow_alerts.direction"),
        confidence=rows["confidence"].astype(np.float64),
        is_high=np.asarray(rows["band"] == "high", dtype=np.bool_),
        emitted_ns=rows["emitted_ns"].astype(np.int64),
        start_ns=rows["start_ns"].astype(np.int64),
        symbol=rows["symbol"],
        is_right=right,
        is_repeated=fits & ~right,
    )


def _burst_of_prints(tables: TapeTables, bursts: Bursts) -> Ints:
    """Row in `Bursts` of each print of ``flow_prints``, −1 for background and hedges."""
    labels = tables.print_labels
    mine = np.flatnonzero(np.asarray(labels["stream"] == "option_prints", dtype=bool))
    mine = mine[np.argsort(labels["seq"][mine], kind="stable")]
    seq = tables.flow_prints["seq"].astype(np.int64)
    at = places(seq, labels["seq"][mine].astype(np.int64))
    if (at < 0).any():
        strange = int(seq[int((at < 0).argmax())])
        raise ContractError(
            "EVALUATION_PRINT_UNLABELLED",
            f"option print {strange} of flow_prints has no label",
            f"flow_prints.seq[{strange}]",
            ("give the labels of the tape that was looked at",),
        )
    actor = labels["actor"][mine]
    acts = np.zeros(mine.size, dtype=np.bool_)
    for name in ("burst", "injection", "decoy"):
        acts |= np.asarray(actor == name, dtype=np.bool_)
    row = np.where(acts, places(labels["burst_id"][mine].astype(np.int64), bursts.ids), NOBODY)
    return row[at]


def _owners(cluster: Ints, row: Ints, counted: Bools, members: Ints) -> Ints:
    """Row that has the largest share of each cluster's prints, if that is a half at least."""
    owner = np.full(members.size, NOBODY, dtype=np.int64)
    chosen = counted & (cluster >= 0)
    if not chosen.any():
        return owner
    span = int(row.max()) + 1
    pairs, counts = np.unique(cluster[chosen] * span + row[chosen], return_counts=True)
    of, which = pairs // span, pairs % span
    order = np.lexsort((which, -counts, of))
    heads, first = np.unique(of[order], return_index=True)
    best = order[first]
    kept = 2 * counts[best] >= members[heads]
    owner[heads[kept]] = which[best[kept]]
    return owner


def _unknown_cluster(table: str, seq: int) -> ContractError:
    where = "no print" if table == "smart_flow_hypotheses" else "no hypothesis"
    return ContractError(
        "EVALUATION_CLUSTER_UNKNOWN",
        f"cluster {seq} of {table} has {where}",
        f"{table}.cluster_seq[{seq}]",
        ("give the tables of one detection together",),
    )
