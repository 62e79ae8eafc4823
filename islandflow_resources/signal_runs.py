"""Runs of book signals as rows of the database: recorded, asked for, looked into.

A row holds a run's settings and its best threshold; the outcomes of all thresholds are rows
of a stored table, which is read only if it is what it was. The trials are made by
``experiment_trials``; which of them are served is the ``registry``'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from contracts.errors import IntegrityError, NotFoundError
from contracts.signal_columns import SIGNAL_TRIALS
from islandflow_resources.database import Database
from islandflow_resources.models import Alias, ServingSpecRow, SignalRun
from islandflow_resources.object_store import ObjectStore
from islandflow_resources.tables import read_verified

TABLE: Final = SignalRun.__tablename__
DESCENDING: Final = ("tp_rate", "mean_pnl_ticks", "events_per_hour", "n_signals")
ASCENDING: Final = ("sl_rate", "timeout_rate", "median_time_to_outcome_ms")
SORTS: Final = (*DESCENDING, *ASCENDING)
OUTCOME: Final = (
    "threshold",
    "n_signals",
    "tp_rate",
    "sl_rate",
    "timeout_rate",
    "mean_pnl_ticks",
    "events_per_hour",
    "median_time_to_outcome_ms",
)
"""Columns of a row that are those of its best threshold."""


@dataclass(frozen=True, slots=True)
class RunDetail:
    """A run, what came of each of its thresholds, and the aliases that serve it."""

    run: SignalRun
    thresholds: list[dict[str, Any]]
    aliases: list[str]


def record_runs(database: Database, rows: Sequence[SignalRun]) -> int:
    """Record runs whose id is not recorded yet; return how many were new."""
    return database.insert("record runs of signals", SignalRun, rows)


def best_outcome(
    thresholds: Sequence[Mapping[str, Any]], min_signals: int
) -> Mapping[str, Any] | None:
    """The outcome that stands for a run: of its thresholds, the one with most take-profits.

    Parameters
    ----------
    thresholds : sequence of mapping
        Each with the keys of `OUTCOME`.
    min_signals : int
        Thresholds with fewer signals count only if all have fewer; then the one with the
        most signals stands for the run.

    Returns
    -------
    mapping or None
        None if there is no threshold; of equal ones the first.
    """
    enough = [one for one in thresholds if (one["n_signals"] or 0) >= min_signals]
    rated = [one for one in enough if one["tp_rate"] is not None]
    if rated:
        return max(rated, key=lambda one: one["tp_rate"])
    return max(thresholds, key=lambda one: one["n_signals"] or 0, default=None)


def query_runs(
    database: Database,
    signal: str | None = None,
    dataset_id: str | None = None,
    sort: str = "tp_rate",
    min_signals: int = 5,
    top_n: int = 50,
) -> list[SignalRun]:
    """The best runs by one column, those without a value last, ties by run id.

    Parameters
    ----------
    sort : str
        One of `SORTS`; `DESCENDING` ones have their largest value first.
    min_signals : int
        Runs whose best threshold has fewer are left out.
    """
    column: ColumnElement[Any] = SignalRun.__table__.c[sort]
    order = column.desc() if sort in DESCENDING else column.asc()
    query = _filtered(signal, dataset_id, min_signals)
    # Two questions, since an index leads to the best of one that does not mention nulls.
    rated = query.where(column.is_not(None)).order_by(order, SignalRun.run_id).limit(top_n)
    found = database.select("list runs of signals", rated)
    if len(found) == top_n:
        return found
    unrated = query.where(column.is_(None)).order_by(SignalRun.run_id).limit(top_n - len(found))
    return found + database.select("list runs of signals", unrated)


def _filtered(signal: str | None, dataset_id: str | None, min_signals: int) -> Select[SignalRun]:
    query = select(SignalRun)
    if min_signals > 0:
        query = query.where(SignalRun.n_signals >= min_signals)
    if signal is not None:
        query = query.where(SignalRun.signal == signal)
    if dataset_id is not None:
        query = query.where(SignalRun.dataset_id == dataset_id)
    return query


def all_runs(database: Database) -> list[SignalRun]:
    """All recorded runs, by run id."""
    return database.select("list runs of signals", select(SignalRun).order_by(SignalRun.run_id))


def filters(database: Database) -> dict[str, list[str]]:
    """Signals and datasets that have runs, ordered by name."""

    def load(connection: Connection) -> dict[str, list[str]]:
        signals = connection.scalars(_distinct(SignalRun.signal))
        datasets = connection.scalars(_distinct(SignalRun.dataset_id))
        return {"signals": sorted(signals), "datasets": sorted(datasets)}

    return database.read("list what runs of signals there are", load)


def _distinct(column: InstrumentedAttribute[str]) -> Select[str]:
    """Distinct values of an indexed column, each found from the one before without its rows."""
    value = select(func.min(column).label("value")).cte("value", recursive=True)
    following = select(func.min(column)).where(column > value.c.value).scalar_subquery()
    values = value.union_all(select(following).where(value.c.value.is_not(None)))
    return select(values.c.value).where(values.c.value.is_not(None))


def runs_by_dataset(database: Database) -> dict[str, int]:
    """How many runs each dataset has."""
    query = select(SignalRun.dataset_id, func.count()).group_by(SignalRun.dataset_id)

    def load(connection: Connection) -> dict[str, int]:
        return {str(name): int(runs) for name, runs in connection.execute(query)}

    return database.read("count runs of signals", load)


def serving_aliases(database: Database, run_ids: Sequence[str]) -> dict[str, list[str]]:
    """Aliases by run, of those runs whose published spec an alias points to now."""
    if not run_ids:
        return {}
    query = (
        select(ServingSpecRow.candidate_key, Alias.alias)
        .join(Alias, Alias.serving_id == ServingSpecRow.serving_id)
        .where(ServingSpecRow.kind == "signal")
        .where(ServingSpecRow.candidate_key.in_(run_ids))
        .order_by(Alias.alias)
    )

    def load(connection: Connection) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for run_id, alias in connection.execute(query):
            found.setdefault(str(run_id), []).append(alias)
        return found

    return database.read("find what is served of runs", load)


def find_run(database: Database, run_id: str) -> SignalRun:
    """The run of an id.

    Raises
    ------
    NotFoundError
        ``RUN_NOT_FOUND``.
    """

    def load(connection: Connection) -> SignalRun | None:
        with Session(connection) as session:
            return session.get(SignalRun, run_id)

    run = database.read("find a run of a signal", load)
    if run is not None:
        return run
    raise NotFoundError(
        "RUN_NOT_FOUND",
        f"there is no run {run_id[:64]!r}",
        run_id[:64],
        ("list the runs there are with: islandflow experiment compare",),
    )


def run_detail(store: ObjectStore, database: Database, run_id: str) -> RunDetail:
    """A run with the outcomes of all its thresholds, read from the verified table.

    Raises
    ------
    NotFoundError
        ``RUN_NOT_FOUND``, ``OBJECT_NOT_FOUND``.
    IntegrityError
        If the table is not what it was, or does not hold the run's rows.
    """
    run = find_run(database, run_id)
    table = read_verified(store, run.object_key, SIGNAL_TRIALS, run.content_digest)
    rows = table.slice(run.first_row, run.row_count).to_pylist()
    if len(rows) != run.row_count or any(row["run_id"] != run_id for row in rows):
        raise IntegrityError(
            "RUN_ROWS_DIFFER",
            f"{store.uri(run.object_key)} does not hold the {run.row_count} rows of the run "
            f"{run_id} from row {run.first_row} on",
            run.object_key,
            ("run the experiment again: what is recorded is kept",),
        )
    return RunDetail(run, rows, serving_aliases(database, [run_id]).get(run_id, []))
