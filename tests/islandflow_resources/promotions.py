"""Promotions by number, what a registry holds, and what other processes do to it.

The tests that use them are beside this file.
"""

import itertools
import os
import signal
import threading
from contextlib import contextmanager

from sqlalchemy import event, select

from islandflow_resources.database import Database
from islandflow_resources.models import Alias, AliasMove, AuditEntry, ServingSpecRow
from islandflow_resources.registry import Promotion, Registry
from tests.islandflow_resources.workers import wait_until

TABLES = (ServingSpecRow, Alias, AliasMove, AuditEntry)


def serving_id(number):
    """A serving id that begins with its number, in two hexadecimal digits."""
    return f"sha256:{number:02x}" + "0" * 60 + f"{number:02x}"


def serving(number, **changes):
    """An unsaved row of a published spec."""
    values = {
        "serving_id": serving_id(number),
        "kind": "strategy",
        "name": "crossover",
        "campaign_hash": "sha256:" + "c" * 64,
        "candidate_key": "sha256:" + "d" * 64,
        "object_key": f"serving/{number}/spec.json",
        "engine_digest": "sha256:" + "e" * 64,
    }
    return ServingSpecRow(**values | changes)


def promotion(number, **changes):
    """A promotion of spec `number` by the event of that number."""
    values = {
        "event_id": f"sha256:{number:064x}",
        "spec": serving(number),
        "alias": "champion",
        "action": "promote",
        "actor": "sensor",
        "reason": f"winner {number}",
        "gate_key": f"gates/{number}.json",
    }
    return Promotion(**values | changes)


def rows(database):
    """Everything that the registry holds, to the last column."""

    def load(connection):
        return [
            [dict(row) for row in connection.execute(select(table.__table__)).mappings()]
            for table in TABLES
        ]

    return database.read("look at the registry", load)


def check_whole(registry, alias, events):
    """The alias moved once for every event, without a gap, and the audit log knows it all."""
    moves = registry.history(alias)
    assert sorted(move.event_id for move in moves) == sorted(events)
    assert [move.revision for move in moves] == list(range(1, len(events) + 1))
    pointed_to = [move.to_serving_id for move in moves]
    assert [move.from_serving_id for move in moves] == [None, *pointed_to[:-1]]
    now = next(row for row in registry.aliases() if row.alias == alias)
    assert (now.serving_id, now.revision) == (pointed_to[-1], len(events))
    told = [row.detail for row in registry.database.audit() if row.subject == alias]
    told = {detail["event_id"]: detail for detail in told if detail["moved"]}
    for move in moves:
        detail = told.pop(move.event_id)
        assert (detail["from"], detail["to"]) == (move.from_serving_id, move.to_serving_id)
        assert (detail["revision"], detail["reason"]) == (move.revision, move.reason)
    assert told == {}
    assert {row.serving_id for row in registry.specs()} >= set(pointed_to)


@contextmanager
def after_statements(database, act):
    """Call `act` with the number of every statement that this process has executed."""
    numbers = itertools.count(1)

    def hook(_connection, _cursor, statement, *_):
        if not statement.startswith("BEGIN"):
            act(next(numbers))

    event.listen(database._engine(), "after_cursor_execute", hook)
    try:
        yield
    finally:
        event.remove(database._engine(), "after_cursor_execute", hook)


def promote_at(url, numbers, moment_s):
    """Carry out events in the order given; those that this process was first with."""
    database = Database(url)
    database.migrate()
    registry = Registry(database)
    wait_until(moment_s)
    first = [number for number in numbers if registry.promote(promotion(number)).new]
    database.dispose()
    return first


def promote_until_killed(url, number, statement):
    """Carry out an event and die without a word after one of its statements."""
    database = Database(url)
    database.migrate()

    def die(executed):
        if executed == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    with after_statements(database, die):
        Registry(database).promote(promotion(number))


def in_threads(actions):
    """Run actions at once; their answers in order."""
    answers = [None] * len(actions)
    start = threading.Barrier(len(actions))

    def run(place, action):
        start.wait()
        answers[place] = action()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(actions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers
