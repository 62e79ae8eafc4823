"""Verbs of the registry and the results index, the same on SQLite and PostgreSQL.

Every write is one short transaction that inserts or ignores by identity, so it
may be repeated by anybody at any time; nothing is computed inside. The rows are
described in ``models``, connections and errors in ``connections``, the making of
the tables in ``migrate``. Campaigns are in ``campaign_index``, served specs and
their aliases in ``registry``: both go through `read`, `write` and `insert` here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Select, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError
from sqlalchemy.exc import IntegrityError as ForbiddenRow
from sqlalchemy.orm import Session

from contracts.errors import DatabaseUnavailableError, IntegrityError, NotFoundError
from islandflow_resources.connections import (
    BUSY_TIMEOUT_S,
    WRITE,
    make_engine,
    permanent_error,
    shown,
    transient,
)
from islandflow_resources.migrate import current_revision, needs_upgrade, upgrade
from islandflow_resources.models import (
    Artefact,
    AuditEntry,
    Base,
    Run,
    RunResult,
    Scenario,
    Strategy,
)
from islandflow_resources.retries import Patience, patiently

T = TypeVar("T")
Row = TypeVar("Row", bound=Base)
_CHUNK_ROWS = 1000


class Database:
    """Registry and results index behind one URL; survives forks, can be pickled.

    The tables are made or brought up to date at first use. Methods raise
    `DatabaseUnavailableError` after patient retries if the database stays away, and
    `ConfigurationError` if it refuses.

    Parameters
    ----------
    url : str
        ``sqlite:///path`` or ``postgresql+psycopg://…``.
    """

    def __init__(
        self,
        url: str,
        patience: Patience | None = None,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
    ) -> None:
        self.url = url
        self.patience = patience or Patience()
        self.busy_timeout_s = busy_timeout_s
        self._engines: dict[int, Engine] = {}
        self._migrated: set[int] = set()

    def __repr__(self) -> str:
        return f"Database({shown(self.url)!r})"

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_engines": {}, "_migrated": set()}

    def migrate(self) -> None:
        """Make the tables or bring them to the newest revision; safe from many processes."""
        if self._attempt("read the revision", needs_upgrade, write=False):
            self._attempt("migrate", upgrade, write=True)
        self._migrated.add(os.getpid())

    def check(self) -> str:
        """Prove that the database answers and is up to date; return a sentence saying so."""
        revision = self.read("read the revision", current_revision)
        return f"database {shown(self.url)} is at revision {revision}"

    def dispose(self) -> None:
        """Close this process's connections."""
        engine = self._engines.pop(os.getpid(), None)
        if engine is not None:
            engine.dispose()

    def __del__(self) -> None:
        # A command ends without taking leave: its server should not have to find that out.
        self.dispose()

    def record(self, artefacts: Sequence[Artefact]) -> int:
        """Record artefacts whose recipe is not recorded yet; return how many were new.

        Raises
        ------
        IntegrityError
            ``RECIPE_DIVERGED`` if a recipe is recorded with another content digest;
            the others are recorded all the same.
        """
        ours = {row.recipe_digest: row.content_digest for row in artefacts}
        new = self.insert("record artefacts", Artefact, artefacts)
        if new == len(artefacts):
            return new
        for recipe, theirs in self.find(list(ours)).items():
            if theirs.content_digest != ours[recipe]:
                raise _diverged(recipe, theirs.content_digest, ours[recipe])
        return new

    def find(self, recipes: Iterable[str]) -> dict[str, Artefact]:
        """Artefacts by recipe digest, those that are recorded."""
        rows = self._by_identity("find artefacts", Artefact, Artefact.recipe_digest, recipes)
        return {row.recipe_digest: row for row in rows}

    def artefacts(
        self, *, what: str | None = None, scenario_key: str | None = None
    ) -> list[Artefact]:
        """Recorded artefacts, by kind and scenario, ordered by scenario and seed."""
        query = select(Artefact)
        if what is not None:
            query = query.where(Artefact.what == what)
        if scenario_key is not None:
            query = query.where(Artefact.scenario_key == scenario_key)
        rows = self.select("list artefacts", query)
        return sorted(rows, key=lambda row: (row.scenario_key or "", row.seed or 0, row.what))

    def register_scenario(self, scenario: Scenario) -> bool:
        """Register a scenario unless its hash is known; True if it was new."""
        return self.insert("register a scenario", Scenario, [scenario]) == 1

    def scenarios(self) -> list[Scenario]:
        """All registered scenarios, ordered by partition key."""
        rows = self.select("list scenarios", select(Scenario))
        return sorted(rows, key=lambda row: row.scenario_key)

    def scenario(self, scenario_key: str) -> Scenario:
        """The scenario of a partition key.

        Raises
        ------
        NotFoundError
            ``SCENARIO_NOT_REGISTERED``.
        """
        query = select(Scenario).where(Scenario.scenario_key == scenario_key)
        return _only(self.select("find a scenario", query), "SCENARIO", scenario_key)

    def register_strategy(self, strategy: Strategy) -> bool:
        """Register a strategy unless its hash is known; True if it was new."""
        return self.insert("register a strategy", Strategy, [strategy]) == 1

    def strategies(self) -> list[Strategy]:
        """All registered strategies, ordered by id and hash."""
        rows = self.select("list strategies", select(Strategy))
        return sorted(rows, key=lambda row: (row.strategy_id, row.strategy_hash))

    def strategy(self, strategy_hash: str) -> Strategy:
        """The strategy of a hash.

        Raises
        ------
        NotFoundError
            ``STRATEGY_NOT_REGISTERED``.
        """
        query = select(Strategy).where(Strategy.strategy_hash == strategy_hash)
        return _only(self.select("find a strategy", query), "STRATEGY", strategy_hash)

    def record_run(self, run: Run) -> bool:
        """Record a run of the graph; True if it was new."""
        return self.insert("record a run", Run, [run]) == 1

    def runs(self) -> list[Run]:
        """All recorded runs, oldest first."""
        rows = self.select("list runs", select(Run))
        return sorted(rows, key=lambda row: (row.started_at, row.run_id))

    def record_results(self, results: Sequence[RunResult]) -> int:
        """Record results whose cache key is not recorded yet; return how many were new."""
        return self.insert("record results", RunResult, results)

    def find_results(self, cache_keys: Iterable[str]) -> dict[str, RunResult]:
        """Results by cache key, those that are recorded."""
        rows = self._by_identity("find results", RunResult, RunResult.cache_key, cache_keys)
        return {row.cache_key: row for row in rows}

    def results(
        self, *, scenario_key: str | None = None, strategy_hash: str | None = None
    ) -> list[RunResult]:
        """Recorded results, ordered by scenario, seed and strategy."""
        query = select(RunResult)
        if scenario_key is not None:
            query = query.where(RunResult.scenario_key == scenario_key)
        if strategy_hash is not None:
            query = query.where(RunResult.strategy_hash == strategy_hash)
        rows = self.select("list results", query)
        return sorted(rows, key=lambda row: (row.scenario_key, row.seed, row.strategy_id))

    def record_audit(self, entry: AuditEntry) -> None:
        """Append to the audit log."""
        self.insert("write the audit log", AuditEntry, [entry])

    def audit(self, action: str | None = None) -> list[AuditEntry]:
        """Audit log, oldest first."""
        query = select(AuditEntry)
        if action is not None:
            query = query.where(AuditEntry.action == action)
        rows = self.select("read the audit log", query)
        return sorted(rows, key=lambda row: (row.at, row.audit_id))

    def read(self, what: str, action: Callable[[Connection], T]) -> T:
        """Run `action` in one read transaction, again if the database was away.

        Parameters
        ----------
        what : str
            What is attempted, for logs and errors, e.g. ``"list scenarios"``.
        """
        self._ensure_migrated()
        return self._attempt(what, action, write=False)

    def write(self, what: str, action: Callable[[Connection], T]) -> T:
        """Run `action` in one write transaction, again if the database was away.

        The answer to a commit may be lost, so `action` must find what an earlier call
        of it did. Errors that it raises itself undo everything and pass at once.
        """
        self._ensure_migrated()
        return self._attempt(what, action, write=True)

    def change_tables(self, what: str, action: Callable[[Connection], T]) -> T:
        """Run `action` in one write transaction on whatever tables there are, see `write`."""
        return self._attempt(what, action, write=True)

    def insert(self, what: str, model: type[Row], rows: Sequence[Row]) -> int:
        """Insert or ignore in one transaction; the number of rows that were new."""
        if not rows:
            return 0
        return self.write(what, lambda connection: insert_new(connection, model, rows))

    def select(self, what: str, query: Select[Row]) -> list[Row]:
        """Rows of a query, detached from the database."""

        def load(connection: Connection) -> list[Row]:
            with Session(connection) as session:
                return list(session.scalars(query))

        return self.read(what, load)

    def _by_identity(
        self, what: str, model: type[Row], column: Any, identities: Iterable[str]
    ) -> list[Row]:
        wanted = sorted(set(identities))
        found: list[Row] = []
        for start in range(0, len(wanted), _CHUNK_ROWS):
            chunk = wanted[start : start + _CHUNK_ROWS]
            found.extend(self.select(what, select(model).where(column.in_(chunk))))
        return found

    def _ensure_migrated(self) -> None:
        if os.getpid() not in self._migrated:
            self.migrate()

    def _attempt(self, what: str, action: Callable[[Connection], T], *, write: bool) -> T:
        """Run `action` in one transaction, again if that may help."""

        def once() -> T:
            engine = self._engine().execution_options(**{WRITE: write})
            with engine.begin() as connection:
                return action(connection)

        try:
            return patiently(
                once,
                what=f"{what} in {shown(self.url)}",
                transient=transient,
                give_up=lambda tried, _: DatabaseUnavailableError(
                    "DATABASE_UNAVAILABLE",
                    tried,
                    "ISLANDFLOW_DATABASE_URL",
                    ("start the database, then run again: recorded rows are kept",),
                ),
                patience=self.patience,
            )
        except (ForbiddenRow, DataError):
            raise  # a mistake of the caller, not of the place
        except DBAPIError as error:
            raise permanent_error(self.url, what, error) from error

    def _engine(self) -> Engine:
        """This process's engine: connections must not cross a fork."""
        engine = self._engines.get(os.getpid())
        if engine is None:
            made = make_engine(self.url, self.busy_timeout_s)
            engine = self._engines.setdefault(os.getpid(), made)
        return engine


def insert_new(connection: Connection, model: type[Row], rows: Sequence[Row]) -> int:
    """Insert rows whose identity is not known yet, inside the caller's write transaction.

    Returns
    -------
    int
        How many were new.
    """
    identity = model.__mapper__.primary_key[0].name
    values = _values(model, rows)
    # One order for all writers: two that share rows wait for each other, never in a circle.
    values.sort(key=lambda row: row[identity])
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(model).on_conflict_do_nothing()
    options = {"preserve_rowcount": True}
    return connection.execute(statement, values, execution_options=options).rowcount


def _values(model: type[Base], rows: Sequence[Base]) -> list[dict[str, Any]]:
    """Columns of new, unsaved rows; what they leave open takes its default."""
    columns = model.__table__.columns
    names = [column.key for column in columns]
    defaults = [(column.key, column.default) for column in columns if column.default is not None]
    values = [{name: row.__dict__.get(name) for name in names} for row in rows]
    for name, default in defaults:
        for row in values:
            if row[name] is None:
                row[name] = default.arg(None)
    return values


def _only(rows: list[Row], noun: str, name: str) -> Row:
    if rows:
        return rows[0]
    raise NotFoundError(
        f"{noun}_NOT_REGISTERED",
        f"no {noun.lower()} {name!r} is registered",
        name,
        (f"register it with: islandflow {noun.lower()} register FILE",),
    )


def _diverged(recipe: str, theirs: str, ours: str) -> IntegrityError:
    return IntegrityError(
        "RECIPE_DIVERGED",
        f"the recipe {recipe} is recorded with content {theirs}, and has now given {ours}",
        recipe,
        ("the computation changed without a new version: bump the domain's version",),
    )
