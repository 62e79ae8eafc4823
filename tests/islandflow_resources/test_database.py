"""Verbs of the database on SQLite and PostgreSQL, races, restarts, locks and refusals."""

import gc
import pickle
import sqlite3
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine, text

from contracts.errors import (
    ConfigurationError,
    DatabaseUnavailableError,
    IntegrityError,
    NotFoundError,
)
from contracts.seeds import MAX_SEED
from islandflow_resources.database import Database, insert_new
from islandflow_resources.models import HEAD, AuditEntry, Run, RunResult, Scenario, Strategy
from islandflow_resources.retries import Patience
from tests.islandflow_resources.workers import artefact, record_overlapping


def result(number, **changes):
    values = {
        "cache_key": f"sha256:{number:064x}",
        "scenario_key": "trend-0123456789ab",
        "scenario_hash": "sha256:" + "1" * 64,
        "seed": number,
        "strategy_id": "crossover",
        "strategy_hash": "sha256:" + "2" * 64,
        "dataset_digest": "blake3:" + "3" * 64,
        "settings_hash": "sha256:" + "4" * 64,
        "version": "1",
        "bars": 1_000,
        "trades": 12,
        "final_equity": 100_000.1 + number,
        "sharpe": None,
        "max_drawdown": 0.1,
        "metrics": {"win_rate": 0.5, "sharpe": None, "reasons": {"sharpe": "no variance"}},
    }
    return RunResult(**values | changes)


def scenario(name, digit):
    return Scenario(
        scenario_hash=f"sha256:{digit * 64}",
        scenario_key=f"{name}-{digit * 12}",
        scenario_id=name,
        spec={"id": name, "params": {"drift": 0.1, "sigma": 1e-7}, "ü": "ü"},
    )


def test_an_artefact_is_found_by_its_recipe_as_it_was_recorded(database):
    row = artefact(7)
    row.seed = MAX_SEED
    before = datetime.now(UTC) - timedelta(seconds=1)
    assert database.record([row]) == 1
    found = database.find([row.recipe_digest, "sha256:" + "f" * 64])
    assert list(found) == [row.recipe_digest]
    back = found[row.recipe_digest]
    assert (back.seed, back.rows, back.run_id) == (MAX_SEED, 100, None)
    assert back.recipe == {"what": "scenario_dataset", "seed": "7"}
    assert back.content_digest == row.content_digest
    assert before < back.created_at < datetime.now(UTC) + timedelta(seconds=1)
    assert back.created_at.tzinfo is not None


def test_what_is_recorded_again_stays_one_row(database):
    assert database.record([artefact(n) for n in range(5)]) == 5
    assert database.record([artefact(n) for n in range(8)]) == 3
    assert database.record([]) == 0
    assert len(database.artefacts()) == 8


def test_a_recipe_that_gives_another_content_is_an_integrity_error(database):
    database.record([artefact(1)])
    with pytest.raises(IntegrityError) as caught:
        database.record([artefact(0), artefact(1, "blake3:" + "1" * 64), artefact(2)])
    assert caught.value.code == "RECIPE_DIVERGED"
    for part in (artefact(1).recipe_digest, "blake3:" + "0" * 64, "blake3:" + "1" * 64):
        assert part in caught.value.message
    assert len(database.find([artefact(n).recipe_digest for n in range(3)])) == 3


def test_artefacts_are_listed_by_kind_and_scenario_in_order_of_seeds(database):
    rows = [artefact(n) for n in (3, 1, 2)]
    rows[0].what = "backtest_result"
    rows[2].scenario_key = "other-0123456789ab"
    database.record(rows)
    assert [row.seed for row in database.artefacts(what="scenario_dataset")] == [2, 1]
    assert [row.seed for row in database.artefacts(scenario_key="trend-0123456789ab")] == [1, 3]
    found = database.artefacts(what="backtest_result", scenario_key="other-0123456789ab")
    assert found == []


def test_a_scenario_is_registered_once_and_its_numbers_survive(database):
    assert database.register_scenario(scenario("trend", "a")) is True
    assert database.register_scenario(scenario("trend", "a")) is False
    database.register_scenario(scenario("shocks", "b"))
    assert [row.scenario_id for row in database.scenarios()] == ["shocks", "trend"]
    back = database.scenario("trend-" + "a" * 12)
    assert back.spec == {"id": "trend", "params": {"drift": 0.1, "sigma": 1e-7}, "ü": "ü"}
    with pytest.raises(NotFoundError, match="SCENARIO_NOT_REGISTERED"):
        database.scenario("trend-" + "c" * 12)


def test_a_strategy_is_registered_once(database):
    row = Strategy(strategy_hash="sha256:" + "a" * 64, strategy_id="x", spec={"rules": []})
    assert database.register_strategy(row) is True
    assert database.register_strategy(row) is False
    assert database.strategy(row.strategy_hash).spec == {"rules": []}
    assert [row.strategy_id for row in database.strategies()] == ["x"]
    with pytest.raises(NotFoundError, match="STRATEGY_NOT_REGISTERED"):
        database.strategy("sha256:" + "b" * 64)


def test_results_keep_every_metric_to_the_bit(database):
    numbers = [0.1 + 0.2, 1e-308, -1.5e300]
    rows = [result(n, final_equity=value, metrics={"x": value}) for n, value in enumerate(numbers)]
    assert database.record_results(rows) == 3
    assert database.record_results(rows) == 0
    back = database.results(scenario_key="trend-0123456789ab")
    assert [row.final_equity for row in back] == numbers
    assert [row.metrics["x"] for row in back] == numbers
    assert back[0].sharpe is None
    assert database.results(strategy_hash="sha256:none") == []
    assert list(database.find_results([rows[1].cache_key])) == [rows[1].cache_key]


def test_many_results_are_recorded_in_one_go(database):
    rows = [result(n) for n in range(5_000)]
    started_s = time.perf_counter()
    assert database.record_results(rows) == 5_000
    assert time.perf_counter() - started_s < 10
    found = database.find_results(row.cache_key for row in rows[::9])
    assert len(found) == len(rows[::9])


def test_the_audit_log_is_kept_in_order_and_a_repeated_write_adds_nothing(database):
    first = AuditEntry(actor="me", action="repair", subject="s3://lake/a", detail={"why": "bits"})
    entries = [first, AuditEntry(actor="me", action="register", subject="b", detail={})]
    for entry in entries:
        database.record_audit(entry)
    assert [entry.subject for entry in database.audit()] == ["s3://lake/a", "b"]
    again = database.audit("repair")[0]
    database.record_audit(again)
    assert [entry.detail for entry in database.audit("repair")] == [{"why": "bits"}]


def test_runs_are_listed_oldest_first(database):
    early = datetime(2026, 1, 1, tzinfo=UTC)
    database.record_run(Run(run_id="b", job="research", detail={}, started_at=early))
    database.record_run(Run(run_id="a", job="research", detail={"host": "x"}))
    assert database.record_run(Run(run_id="a", job="research", detail={})) is False
    assert [row.run_id for row in database.runs()] == ["b", "a"]


@pytest.mark.faults
def test_writers_in_four_processes_lose_and_double_no_row(database_url, writers):
    moment_s = time.time() + 1.5
    # Every process writes every row, each in another order and in other batches.
    batches = [[list(range(start, 400, step)) for start in range(step)] for step in (7, 11, 13, 17)]
    futures = [writers.submit(record_overlapping, database_url, own, moment_s) for own in batches]
    assert sum(future.result() for future in futures) == 400
    database = Database(database_url)
    assert sorted(row.seed or 0 for row in database.artefacts()) == list(range(400))
    database.dispose()


@pytest.mark.faults
def test_two_batches_that_share_rows_in_opposite_order_do_not_deadlock(database):
    def record(numbers):
        for start in range(0, 2_000, 100):
            chunk = [number + start for number in numbers]
            database.record([artefact(number) for number in chunk])

    orders = (range(100), range(99, -1, -1))
    threads = [threading.Thread(target=record, args=(order,)) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(database.artefacts()) == 2_000


@pytest.mark.faults
def test_a_server_that_restarts_in_the_middle_is_waited_for(postgres_server, postgres_url):
    database = Database(postgres_url)
    database.record([artefact(0)])

    def restart():
        time.sleep(0.1)
        postgres_server.server.kill()
        time.sleep(0.5)
        postgres_server.server.start()

    disturbance = threading.Thread(target=restart)
    disturbance.start()
    for number in range(1, 80):
        assert database.record([artefact(number)]) in (0, 1)
        time.sleep(0.005)
    disturbance.join()
    assert sorted(row.seed or 0 for row in database.artefacts()) == list(range(80))
    database.dispose()


@pytest.mark.faults
def test_a_writer_waits_for_another_that_holds_the_file(tmp_path):
    path = tmp_path / "islandflow.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.4, lambda: other.execute("COMMIT"))
    release.start()
    assert database.record([artefact(1)]) == 1
    release.join()
    other.close()


@pytest.mark.faults
def test_a_file_that_stays_locked_is_said_to_be_and_readers_read_on(tmp_path, short_patience):
    path = tmp_path / "islandflow.db"
    database = Database(f"sqlite:///{path}", short_patience, busy_timeout_s=0.05)
    database.record([artefact(1)])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseUnavailableError) as caught:
        database.record([artefact(2)])
    assert "record artefacts in sqlite" in caught.value.message
    assert "locked" in caught.value.message
    assert len(database.artefacts()) == 1
    other.close()


def test_a_server_that_stays_away_is_said_to_be_away_without_the_password(short_patience):
    database = Database("postgresql+psycopg://island:the-password@127.0.0.1:9/x", short_patience)
    with pytest.raises(DatabaseUnavailableError) as caught:
        database.scenarios()
    assert "tried " in caught.value.message
    assert "Connection refused" in caught.value.message
    assert "the-password" not in str(caught.value) + repr(database)


@pytest.mark.parametrize(("part", "other"), [("user", "nobody"), ("password", "x"), ("name", "y")])
def test_a_login_that_is_refused_is_a_matter_of_configuration(postgres_server, part, other):
    server = replace(postgres_server, **({part: other} if part != "name" else {}))
    url = server.url("no_such_database" if part == "name" else "postgres")
    with pytest.raises(ConfigurationError) as caught:
        Database(url, Patience(total_s=20)).scenarios()
    assert caught.value.code == "DATABASE_REFUSED"
    assert "ISLANDFLOW_DATABASE_URL" in caught.value.hints[0]
    assert postgres_server.password not in str(caught.value)


def test_a_file_that_is_no_database_is_a_matter_of_configuration(tmp_path):
    (tmp_path / "islandflow.db").write_text("not a database at all" * 100)
    with pytest.raises(ConfigurationError) as caught:
        Database(f"sqlite:///{tmp_path}/islandflow.db").scenarios()
    assert "ISLANDFLOW_HOME" in caught.value.hints[0]


def test_a_database_can_be_pickled_after_use(database):
    database.record([artefact(1)])
    other = pickle.loads(pickle.dumps(database))  # noqa: S301
    assert len(other.artefacts()) == 1
    other.dispose()


def test_a_transaction_that_its_action_refuses_leaves_nothing(database):
    def refuse(connection):
        insert_new(
            connection, AuditEntry, [AuditEntry(actor="me", action="x", subject="a", detail={})]
        )
        raise NotFoundError("NOT_HERE", "there is no such thing")

    with pytest.raises(NotFoundError, match="NOT_HERE"):
        database.write("try in vain", refuse)
    assert database.audit() == []


def test_the_check_names_the_database_and_its_revision(database):
    assert f"at revision {HEAD}" in database.check()
    with database._engine().connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM artefacts")).scalar() == 0


def test_a_database_that_nobody_holds_any_more_has_closed_its_connections(postgres_url):
    database = Database(postgres_url)
    database.migrate()
    engine = create_engine(postgres_url)
    with engine.connect() as watcher:
        others = text(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert watcher.execute(others).scalar_one() == 1
        del database
        gc.collect()
        deadline_s = time.monotonic() + 10
        while watcher.execute(others).scalar_one() and time.monotonic() < deadline_s:
            watcher.rollback()
            time.sleep(0.01)
        assert watcher.execute(others).scalar_one() == 0
    engine.dispose()
