"""The control log on both databases: what is appended, refused, unchanged, and who wins a race.

What a control may say, and what a log says at a time, is in tests/contracts/test_control.py.
"""

import random
import sqlite3
import threading
from datetime import UTC, datetime

import psycopg
import pytest
from sqlalchemy import event, select, update
from sqlalchemy.exc import OperationalError

from contracts.control import (
    GENESIS,
    MAX_VERSIONS,
    ControlLog,
    ControlVersion,
    SyntheticControlState,
    patched,
    templated,
)
from contracts.errors import ContractError, IntegrityError
from islandflow_resources.control_log import UNSET, ControlLogStore, Saved
from islandflow_resources.database import Database
from islandflow_resources.models import AuditEntry, ControlRevisionRow
from tests.islandflow_resources.promotions import after_statements, in_threads

SECOND = 1_000_000_000
START = 1_772_461_800 * SECOND
EVENT_DAY = SyntheticControlState(preset_id="event_day")
QUIET = templated("quiet-range")


@pytest.fixture
def store(database):
    return ControlLogStore(database)


def rows(store):
    """Every row of the log and of the audit log, to the last column."""

    def load(connection):
        return [
            [tuple(row) for row in connection.execute(select(model.__table__))]
            for model in (ControlRevisionRow, AuditEntry)
        ]

    return store.database.read("look at the log", load)


def save(store, control, revision, seconds, by="ada") -> Saved:
    """Save on a revision, from so many seconds after `START` on."""
    return store.save(
        control,
        expected_revision=revision,
        effective_ns=START + seconds * SECOND,
        updated_by=by,
    )


def refusal(store, *arguments, **options):
    """How a save is refused, which has written nothing."""
    before = rows(store)
    with pytest.raises(ContractError) as caught:
        store.save(*arguments, **options)
    assert rows(store) == before
    assert all(problem.hints for problem in caught.value.problems)
    return caught.value


def version(seconds, control):
    return ControlVersion(effective_ns=START + seconds * SECOND, control=control)


# -- what is read and appended ------------------------------------------------------------------


def test_where_nothing_was_saved_every_default_holds_and_reading_writes_nothing(store):
    assert store.current() == UNSET
    assert store.history() == [UNSET]
    assert store.log() == ControlLog(versions=(GENESIS,))
    assert (UNSET.revision, UNSET.effective_ns, UNSET.updated_by) == (0, 0, "system")
    assert rows(store) == [[], []]


def test_revisions_are_kept_with_who_when_and_what(store):
    before = datetime.now(UTC)
    assert save(store, EVENT_DAY, 0, 0, by="  Ada L. ") == Saved(1, True)
    assert save(store, QUIET, 1, 5, by="bob") == Saved(2, True)
    genesis, first, second = store.history()
    assert genesis == UNSET
    assert (first.revision, first.effective_ns, first.updated_by) == (1, START, "Ada L.")
    assert (second.revision, second.effective_ns, second.updated_by) == (
        2,
        START + 5 * SECOND,
        "bob",
    )
    assert (first.control, second.control) == (EVENT_DAY, QUIET)
    assert (first.control_hash, second.control_hash) == (EVENT_DAY.control_hash, QUIET.control_hash)
    assert before <= first.updated_at <= second.updated_at <= datetime.now(UTC)
    assert store.current() == second
    assert store.log().versions == (GENESIS, version(0, EVENT_DAY), version(5, QUIET))


def test_every_field_survives_the_database(store):
    full = patched(
        templated("stress-tape"),
        {
            "coverage_assist": False,
            "shared_seed": str(2**63 - 1),
            "profile_weights": {"arbitrage": 0.6, "vol_seller": 1.6},
        },
    )
    save(store, full, 0, 0)
    assert store.current().control == full


def test_a_save_is_audited_with_what_it_changed(store):
    save(store, EVENT_DAY, 0, 0)
    save(store, QUIET, 1, 5, by="bob")
    first, second = store.database.audit("control")
    assert (first.actor, first.subject) == ("ada", "revision 1")
    assert first.detail["changes"] == {"/preset_id": ["balanced_demo", "event_day"]}
    assert second.detail["revision"] == 2
    assert second.detail["effective_ns"] == str(START + 5 * SECOND)
    assert second.detail["changes"]["/shared_seed"] == ["11", "37"]
    assert second.detail["changes"]["/profile_weights/retail_whale"] == [1.0, 0.6]
    assert len(second.detail["changes"]) == 7


@pytest.mark.parametrize("revision", [0, 1, 7])
@pytest.mark.parametrize("seconds", [-5, 0, 9])
def test_saving_the_same_again_writes_nothing(store, revision, seconds):
    save(store, EVENT_DAY, 0, 0)
    before = rows(store)
    assert save(store, EVENT_DAY, revision, seconds, by="eve") == Saved(1, False)
    assert rows(store) == before


def test_saving_the_defaults_first_changes_nothing(store):
    assert save(store, SyntheticControlState(), 0, 0) == Saved(0, False)
    assert rows(store) == [[], []]


def test_what_was_before_a_save_stays_as_it_was_to_the_byte(store):
    save(store, EVENT_DAY, 0, 0)
    before, held = rows(store), store.log()
    save(store, QUIET, 1, 60)
    assert [kept[: len(old)] for kept, old in zip(rows(store), before, strict=True)] == before
    end = START + 60 * SECOND
    assert store.log().until(end).control_hash == held.until(end).control_hash
    assert store.log().until(end + 1).control_hash != held.until(end + 1).control_hash
    assert store.log().at(START - 1) == SyntheticControlState()


# -- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize("revision", [0, 2, -1])
def test_a_save_on_another_revision_than_the_last_is_told_who_was_first(store, revision):
    save(store, EVENT_DAY, 0, 0, by="grace")
    error = refusal(
        store, QUIET, expected_revision=revision, effective_ns=START + SECOND, updated_by="eve"
    )
    assert error.code == "CONTROL_REVISION_CONFLICT"
    assert error.loc == "/expected_revision"
    assert f"on revision {revision}, but revision 1 stands, saved by grace at 2" in error.message
    assert "save on revision 1" in error.hints[0]
    assert "control history" in error.hints[1]


def test_a_save_on_a_revision_that_never_was_is_told_so(store):
    error = refusal(store, QUIET, expected_revision=3, effective_ns=START, updated_by="eve")
    assert error.code == "CONTROL_REVISION_CONFLICT"
    assert "nothing was saved yet" in error.message


@pytest.mark.parametrize("offset", [0, -SECOND, -START])
def test_effective_times_ascend(store, offset):
    save(store, EVENT_DAY, 0, 0)
    error = refusal(
        store, QUIET, expected_revision=1, effective_ns=START + offset, updated_by="eve"
    )
    assert (error.code, error.loc) == ("CONTROL_RULE_BROKEN", "/effective_ns")
    assert error.hints[0].startswith(f"write {START + SECOND} or")


def test_the_first_save_comes_after_the_beginning_of_time(store):
    error = refusal(store, QUIET, expected_revision=0, effective_ns=0, updated_by="eve")
    assert (error.code, error.loc) == ("CONTROL_RULE_BROKEN", "/effective_ns")
    assert store.save(QUIET, expected_revision=0, effective_ns=SECOND, updated_by="eve").changed


@pytest.mark.parametrize(
    ("effective_ns", "code", "hint"),
    [
        (START + 1, "CONTROL_RULE_BROKEN", f"write {START}"),
        (START + SECOND - 1, "CONTROL_RULE_BROKEN", f"write {START}"),
        (-SECOND, "CONTROL_VALUE_OUT_OF_RANGE", "at least 0"),
        (2**63, "CONTROL_VALUE_OUT_OF_RANGE", "at most 9223372036854775807"),
        (1.5, "CONTROL_VALUE_INVALID", "an integer"),
    ],
)
def test_an_effective_time_that_is_no_whole_second_is_refused(store, effective_ns, code, hint):
    error = refusal(store, QUIET, expected_revision=0, effective_ns=effective_ns, updated_by="eve")
    assert (error.code, error.loc) == (code, "/effective_ns")
    assert hint in error.hints[0]


@pytest.mark.parametrize("name", ["", "  ", "a" * 65, "a\nb", "a\x00b", "\ud800", "a\u202eb"])
def test_a_name_that_cannot_be_written_is_refused(store, name):
    error = refusal(store, QUIET, expected_revision=0, effective_ns=START, updated_by=name)
    assert (error.code, error.loc) == ("CONTROL_VALUE_INVALID", "/updated_by")


def test_a_name_may_have_64_characters_of_any_script(store):
    assert save(store, QUIET, 0, 0, by="\n" + "ж" * 64 + "\t").changed
    assert store.current().updated_by == "ж" * 64


def test_all_that_is_wrong_is_told_at_once(store):
    error = refusal(store, QUIET, expected_revision=0, effective_ns=START + 1, updated_by="")
    assert [problem.loc for problem in error.problems] == ["/effective_ns", "/updated_by"]


def test_a_log_of_as_many_versions_as_a_tape_takes_is_full(store):
    written = [
        ControlRevisionRow(
            revision=number,
            effective_ns=number * SECOND,
            control={"shared_seed": str(number)},
            control_hash=SyntheticControlState(shared_seed=number).control_hash,
            updated_by="ada",
        )
        for number in range(1, MAX_VERSIONS - 1)
    ]
    store.database.insert("fill the log", ControlRevisionRow, written)
    assert save(store, EVENT_DAY, MAX_VERSIONS - 2, 0) == Saved(MAX_VERSIONS - 1, True)
    assert len(store.log().versions) == MAX_VERSIONS
    error = refusal(
        store,
        QUIET,
        expected_revision=MAX_VERSIONS - 1,
        effective_ns=START + SECOND,
        updated_by="ada",
    )
    assert error.code == "CONTROL_LOG_FULL"


@pytest.mark.parametrize(
    "damage",
    [{"control": {"shared_seed": "12"}}, {"control": {"seed": 1}}, {"control_hash": "sha256:"}],
    ids=["another control", "no control", "another hash"],
)
def test_a_row_that_was_changed_by_hand_is_not_believed(store, damage):
    save(store, EVENT_DAY, 0, 0)
    change = update(ControlRevisionRow).values(damage)
    store.database.write("change it", lambda connection: connection.execute(change).rowcount)
    for read in (store.current, store.history, store.log):
        with pytest.raises(IntegrityError) as caught:
            read()
        assert (caught.value.code, caught.value.loc) == ("CONTROL_REVISION_DAMAGED", "revision 1")


# -- races and crashes --------------------------------------------------------------------------


class CrashError(Exception):
    """Stands for anything that ends a save."""


@pytest.mark.faults
def test_a_crash_after_any_statement_leaves_nothing_and_a_repeat_completes(store):
    save(store, EVENT_DAY, 0, 0)
    before = rows(store)
    for statement in range(1, 20):

        def crash(executed, at=statement):
            if executed == at:
                raise CrashError

        try:
            with after_statements(store.database, crash):
                save(store, QUIET, 1, 1)
        except CrashError:
            assert rows(store) == before
        else:
            break
    assert statement == 5
    assert [one.revision for one in store.history()] == [0, 1, 2]
    assert len(store.database.audit("control")) == 2


@pytest.mark.faults
def test_a_save_whose_answer_is_lost_is_found_and_not_taken_for_a_rivals(store):
    def lose(connection):
        connection.connection.dbapi_connection.commit()
        if connection.dialect.name == "sqlite":
            broken = sqlite3.OperationalError("the disk went away")
            broken.sqlite_errorcode = sqlite3.SQLITE_BUSY
        else:
            broken = psycopg.OperationalError("server closed the connection unexpectedly")
        raise OperationalError("COMMIT", None, broken, connection_invalidated=True)

    event.listen(store.database._engine(), "commit", lose, once=True)
    assert save(store, QUIET, 0, 0) == Saved(1, True)
    assert [one.revision for one in store.history()] == [0, 1]
    assert len(store.database.audit("control")) == 1


@pytest.mark.faults
@pytest.mark.parametrize("rivals", [EVENT_DAY, QUIET], ids=["other", "same"])
def test_who_is_overtaken_between_reading_and_writing_sees_the_rival(migrated_url, rivals):
    slow, fast = (ControlLogStore(Database(migrated_url)) for _ in range(2))
    fast.current()
    slow.current()
    waiting = [lambda: save(fast, rivals, 0, 0, by="grace")]

    def overtake(_connection, _cursor, statement, *_):
        if "FROM control_revisions" in statement and waiting:
            waiting.pop()()

    event.listen(slow.database._engine(), "after_cursor_execute", overtake)
    if rivals == QUIET:
        assert save(slow, QUIET, 0, 1) == Saved(1, False)
    else:
        with pytest.raises(ContractError) as caught:
            save(slow, QUIET, 0, 1)
        assert caught.value.code == "CONTROL_REVISION_CONFLICT"
        assert "saved by grace" in caught.value.message
    assert [one.updated_by for one in slow.history()] == ["system", "grace"]
    assert len(slow.database.audit("control")) == 1
    slow.database.dispose()
    fast.database.dispose()


@pytest.mark.faults
def test_eight_writers_lose_no_revision_and_write_none_twice(store):
    writers, saves = 8, 20
    conflicts = []

    def write(number):
        own = ControlLogStore(Database(store.database.url))
        pause = random.Random(number)
        done = []
        while len(done) < saves:
            last = own.current()
            control = SyntheticControlState(shared_seed=1000 * (number + 1) + len(done))
            at = max(START, last.effective_ns + pause.randint(1, 3) * SECOND)
            try:
                saved = own.save(
                    control,
                    expected_revision=last.revision,
                    effective_ns=at,
                    updated_by=f"writer {number}",
                )
            except ContractError as error:
                conflicts.append(error.code)
                threading.Event().wait(pause.uniform(0, 0.02))
                continue
            assert saved.changed
            done.append((saved.revision, at, control.shared_seed, f"writer {number}"))
        own.database.dispose()
        return done

    answers = in_threads([lambda number=number: write(number) for number in range(writers)])
    told = sorted(one for done in answers for one in done)
    kept = [
        (one.revision, one.effective_ns, one.control.shared_seed, one.updated_by)
        for one in store.history()[1:]
    ]
    assert kept == told
    assert [one[0] for one in kept] == list(range(1, writers * saves + 1))
    times = [one[1] for one in kept]
    assert times == sorted(set(times))
    assert set(conflicts) <= {"CONTROL_REVISION_CONFLICT"}
    assert len(store.database.audit("control")) == writers * saves
