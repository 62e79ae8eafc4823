"""Promotions that race, crash between any two statements, are killed, or lose their answer."""

import multiprocessing
import signal
import sqlite3
import time

import psycopg
import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from contracts.errors import DatabaseUnavailableError
from islandflow_resources import registry as registry_module
from islandflow_resources.database import Database
from islandflow_resources.registry import Registry
from tests.islandflow_resources.promotions import (
    after_statements,
    check_whole,
    in_threads,
    promote_at,
    promote_until_killed,
    promotion,
    rows,
    serving,
    serving_id,
)

pytestmark = pytest.mark.faults


class CrashError(Exception):
    """Stands for anything that ends a promotion."""


@pytest.fixture
def registry(database):
    return Registry(database)


def of(numbers):
    return [promotion(number).event_id for number in numbers]


def crash_everywhere(database, act):
    """CrashError `act` after each of its statements; how many it has, once it completes."""
    for statement in range(1, 50):

        def crash(executed, at=statement):
            if executed == at:
                raise CrashError

        before = rows(database)
        try:
            with after_statements(database, crash):
                act()
        except CrashError:
            assert rows(database) == before
        else:
            return statement - 1
    raise AssertionError("it never completes")


def test_threads_that_carry_out_one_event_move_the_alias_once(registry):
    done = in_threads([lambda: registry.promote(promotion(1))] * 8)
    assert sum(one.new for one in done) == 1
    assert {(one.revision, one.serving_id) for one in done} == {(1, serving_id(1))}
    check_whole(registry, "champion", of([1]))
    assert len(registry.database.audit()) == 1


def test_threads_with_events_of_their_own_lose_and_double_none(registry):
    actions = [lambda number=number: registry.promote(promotion(number)) for number in range(12)]
    done = in_threads(actions)
    assert all(one.new for one in done)
    assert sorted(one.revision for one in done) == list(range(1, 13))
    check_whole(registry, "champion", of(range(12)))


def test_events_for_one_spec_move_the_alias_once_and_are_all_audited(registry):
    asked = [promotion(number, spec=serving(1)) for number in range(6)]
    done = in_threads([lambda one=one: registry.promote(one) for one in asked])
    assert sum(one.new for one in done) == 1
    assert len(registry.history("champion")) == 1
    assert len(registry.database.audit("promotion")) == 6
    assert all(registry.promoted(one.event_id) for one in asked)


def test_of_two_who_saw_the_same_revision_one_moves_the_alias(registry):
    registry.promote(promotion(1))

    def attempt(number):
        try:
            return registry.promote(promotion(number, expected_revision=1)).serving_id
        except ValueError as error:
            return error.code

    answers = in_threads([lambda number=number: attempt(number) for number in (2, 3, 4)])
    assert sorted(answers)[:2] == ["ALIAS_MOVED"] * 2
    assert registry.resolve("champion").serving_id in answers
    assert len(registry.specs()) == 2


def test_daemons_in_four_processes_carry_out_every_event_once(database_url, writers):
    moment_s = time.time() + 1.5
    shared = list(range(6))
    orders = [shared, shared[::-1], shared[3:] + shared[:3], shared[::2] + shared[1::2]]
    orders = [[*order, 100 + place] for place, order in enumerate(orders)]
    futures = [writers.submit(promote_at, database_url, order, moment_s) for order in orders]
    first = [number for future in futures for number in future.result()]
    expected = [*shared, 100, 101, 102, 103]
    assert sorted(first) == expected
    database = Database(database_url)
    check_whole(Registry(database), "champion", of(expected))
    assert len(database.audit()) == len(expected)
    database.dispose()


def test_a_crash_after_any_statement_of_a_first_promotion_leaves_nothing(registry):
    asked = promotion(1)
    statements = crash_everywhere(registry.database, lambda: registry.promote(asked))
    assert statements == 6
    check_whole(registry, "champion", of([1]))


def test_a_crash_after_any_statement_of_a_later_move_leaves_the_alias_where_it_was(registry):
    for number in (1, 2):
        registry.promote(promotion(number))
    asked = promotion(3, spec=serving(1))
    assert crash_everywhere(registry.database, lambda: registry.promote(asked)) == 7
    check_whole(registry, "champion", of([1, 2, 3]))


def test_a_crash_after_any_statement_of_a_rollback_leaves_the_alias_where_it_was(registry):
    for number in (1, 2):
        registry.promote(promotion(number))
    statements = crash_everywhere(
        registry.database, lambda: registry.rollback("champion", actor="me", reason="x")
    )
    assert statements == 6
    moves = registry.history("champion")
    assert [move.to_serving_id for move in moves] == [serving_id(n) for n in (1, 2, 1)]
    check_whole(registry, "champion", [move.event_id for move in moves])


def test_a_crash_before_the_commit_leaves_nothing_and_a_repeat_completes(registry):
    before = rows(registry.database)

    def crash(_connection):
        raise CrashError

    event.listen(registry.database._engine(), "commit", crash, once=True)
    with pytest.raises(CrashError):
        registry.promote(promotion(1))
    assert rows(registry.database) == before
    assert registry.promote(promotion(1)).new
    check_whole(registry, "champion", of([1]))


def test_a_process_killed_after_any_statement_leaves_nothing_or_all(registry):
    forked, url = multiprocessing.get_context("fork"), registry.database.url
    for statement in range(1, 8):
        number = statement
        registry.database.dispose()
        child = forked.Process(target=promote_until_killed, args=(url, number, statement))
        child.start()
        child.join()
        if child.exitcode == 0:
            break
        assert child.exitcode == -signal.SIGKILL
        assert not registry.promoted(promotion(number).event_id)
        assert registry.promote(promotion(number)).new
        check_whole(registry, "champion", of(range(1, number + 1)))
    assert statement == 7
    check_whole(registry, "champion", of(range(1, 8)))


def lose_next_answer(database):
    """Let the next commit happen, and its answer be lost."""

    def lose(connection):
        connection.connection.dbapi_connection.commit()
        if connection.dialect.name == "sqlite":
            broken = sqlite3.OperationalError("the disk went away")
            broken.sqlite_errorcode = sqlite3.SQLITE_BUSY
        else:
            broken = psycopg.OperationalError("server closed the connection unexpectedly")
        raise OperationalError("COMMIT", None, broken, connection_invalidated=True)

    event.listen(database._engine(), "commit", lose, once=True)


def test_a_promotion_whose_answer_is_lost_is_found_and_not_done_again(registry):
    lose_next_answer(registry.database)
    found = registry.promote(promotion(1, expected_revision=0))
    assert (found.revision, found.serving_id) == (1, serving_id(1))
    check_whole(registry, "champion", of([1]))


def test_a_rollback_whose_answer_is_lost_goes_back_once(registry):
    for number in (1, 2, 3):
        registry.promote(promotion(number))
    lose_next_answer(registry.database)
    found = registry.rollback("champion", actor="me", reason="x", expected_revision=3)
    assert (found.revision, found.serving_id) == (4, serving_id(2))
    assert len(registry.history("champion")) == 4
    assert len(registry.database.audit("rollback")) == 1


def test_a_connection_that_is_cut_before_its_commit_is_replaced(postgres_server, postgres_url):
    registry = Registry(Database(postgres_url))
    registry.promote(promotion(1))

    def cut(connection):
        process = connection.connection.dbapi_connection.info.backend_pid
        with psycopg.connect(postgres_server.url("postgres", ""), autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [process])

    event.listen(registry.database._engine(), "commit", cut, once=True)
    assert registry.promote(promotion(2)).new
    check_whole(registry, "champion", of([1, 2]))
    registry.database.dispose()


@pytest.fixture
def rivals(postgres_url):
    """Two who share a PostgreSQL: one promotes, the other is faster as often as it likes."""
    slow, fast = Registry(Database(postgres_url)), Registry(Database(postgres_url))
    fast.database.migrate()
    slow.database.migrate()
    yield slow, fast
    slow.database.dispose()
    fast.database.dispose()


def overtake(slow, fast, events_of_rival, *, after="FROM aliases"):
    """Carry out `slow`'s event 1, one of the rival's after every such statement of it."""
    waiting = list(events_of_rival)

    def hook(_connection, _cursor, statement, *_):
        if after in statement and waiting:
            fast.promote(waiting.pop(0))

    engine = slow.database._engine()
    event.listen(engine, "after_cursor_execute", hook)
    try:
        return slow.promote(promotion(1))
    finally:
        event.remove(engine, "after_cursor_execute", hook)


def test_who_is_overtaken_again_and_again_moves_the_alias_last(rivals):
    slow, fast = rivals
    done = overtake(slow, fast, [promotion(number) for number in range(2, 7)])
    assert (done.new, done.revision, done.from_serving_id) == (True, 6, serving_id(6))
    check_whole(slow, "champion", of(range(1, 7)))
    assert len(slow.database.audit()) == 6


@pytest.mark.parametrize("after", ["FROM aliases", "FROM audit"])
def test_who_is_overtaken_by_its_own_event_finds_it(rivals, after):
    slow, fast = rivals
    slow.promote(promotion(7))
    done = overtake(slow, fast, [promotion(1)], after=after)
    assert (done.new, done.revision) == (False, 2)
    assert done.from_serving_id == serving_id(7)
    check_whole(slow, "champion", of([7, 1]))
    assert len(slow.database.audit()) == 2


def test_an_event_that_was_overtaken_after_it_was_done_elsewhere_is_found(rivals):
    slow, fast = rivals
    slow.promote(promotion(7))

    def overtake_once(executed):
        if executed == 1:
            fast.promote(promotion(1))
            fast.promote(promotion(2))

    with after_statements(slow.database, overtake_once):
        done = slow.promote(promotion(1, expected_revision=1))
    assert (done.new, done.revision) == (False, 2)
    check_whole(slow, "champion", of([7, 1, 2]))


def test_an_alias_that_was_changed_behind_the_history_is_looked_at_again(rivals):
    slow, fast = rivals
    slow.promote(promotion(1))
    change = text("UPDATE aliases SET revision = 5")
    changes = [lambda: fast.database.write("change it", lambda at: at.execute(change).rowcount)]

    def hook(_connection, _cursor, statement, *_):
        if "INTO alias_history" in statement and changes:
            assert changes.pop()() == 1

    event.listen(slow.database._engine(), "after_cursor_execute", hook)
    assert slow.promote(promotion(2)).revision == 6
    assert [move.revision for move in slow.history("champion")] == [1, 6]
    assert len(slow.database.audit()) == 2


def test_who_is_always_overtaken_gives_up_with_nothing_written(rivals, monkeypatch):
    monkeypatch.setattr(registry_module, "_ROUNDS", 4)
    slow, fast = rivals
    with pytest.raises(DatabaseUnavailableError, match="ALIAS_CONTENDED"):
        overtake(slow, fast, [promotion(number) for number in range(2, 12)])
    assert not slow.promoted(promotion(1).event_id)
    check_whole(slow, "champion", of(range(2, 6)))
