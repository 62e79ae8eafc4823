"""A backup holds every row to the bit, comes back whole into an empty database, or not at all."""

import gzip
import io
import json
import shutil
import tarfile
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, insert, text

from contracts.errors import ConfigurationError, ContractError, IntegrityError
from islandflow_resources.connections import WRITE, make_engine
from islandflow_resources.database import Database
from islandflow_resources.migrate import _REVISIONS, current_revision, upgrade_to
from islandflow_resources.models import HEAD, Base, Scenario
from islandflow_resources.registry_backup import back_up, restore
from islandflow_resources.stored_files import sealed
from tests.graph import finished_home, graph_of
from tests.islandflow_resources.registry_rows import ROWS, all_rows, insert_rows, rows_of_revision


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A file of a registry with awkward values in every table; copy it."""
    path = tmp_path_factory.mktemp("filled") / "from.db"
    made = Database(f"sqlite:///{path}")
    insert_rows(made)
    made.dispose()
    return path


@pytest.fixture
def database(filled, tmp_path):
    """A registry with awkward values in every table."""
    made = Database(f"sqlite:///{shutil.copy(filled, tmp_path)}")
    yield made
    made.dispose()


@pytest.fixture
def target(database_url, tmp_path):
    """An empty database of each kind."""
    url = database_url if "postgresql" in database_url else f"sqlite:///{tmp_path}/to.db"
    made = Database(url)
    yield made
    made.dispose()


def test_every_row_comes_back_to_the_bit_and_backs_up_to_the_same_bytes(database, target, tmp_path):
    done = back_up(database, tmp_path / "a.tar.gz")
    assert done.rows == {name: len(rows) for name, rows in sorted(ROWS.items())}
    assert restore(target, tmp_path / "a.tar.gz") == done
    assert all_rows(target) == all_rows(database)
    back_up(target, tmp_path / "b.tar.gz")
    assert (tmp_path / "a.tar.gz").read_bytes() == (tmp_path / "b.tar.gz").read_bytes()


def test_a_finished_run_verifies_after_its_registry_was_restored(target, tmp_path):
    from islandflow_jobs.verify import verify_all
    from islandflow_resources.garbage import Stores, look

    with graph_of(finished_home()) as graph:
        store = graph.resources.store
        back_up(graph.resources.database, tmp_path / "a.tar.gz")
        restore(target, tmp_path / "a.tar.gz")
        found = [*verify_all(store, target, [1, 2])]
        assert [problem for _, problem in found] == [None] * 4
        seen = look(Stores(store, store), target)
        assert (seen.missing, seen.garbage, seen.young) == ([], [], 0)


def test_a_backup_is_of_one_moment(database_url, tmp_path):
    """Rows that come while the first table is read are in no table of the backup."""
    database, meanwhile = Database(database_url), Database(database_url)
    pending = [lambda: insert_rows(meanwhile)]

    def interrupt(_connection, _cursor, statement, *_):
        if "FROM alias_history" in statement and pending:
            pending.pop()()

    database.migrate()
    event.listen(database._engine(), "after_cursor_execute", interrupt)
    done = back_up(database, tmp_path / "a.tar.gz")
    assert pending == []
    assert set(done.rows.values()) == {0}
    assert set(back_up(database, tmp_path / "b.tar.gz").rows.values()) == {2}
    database.dispose()
    meanwhile.dispose()


@given(st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_backup_is_refused_whole(database, tmp_path, data):
    path, bad = tmp_path / "a.tar.gz", tmp_path / "bad.tar.gz"
    if not path.exists():
        back_up(database, path)
    whole = path.read_bytes()
    plain = bytearray(gzip.decompress(whole))
    is_cut = data.draw(st.booleans(), "cut")
    if is_cut:
        bad.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    else:
        place = data.draw(st.integers(0, len(plain) - 1))
        plain[place] ^= 1 << data.draw(st.integers(0, 7))
        bad.write_bytes(gzip.compress(bytes(plain)))
    target = Database(f"sqlite:///{tmp_path}/to.db")
    try:
        restore(target, bad)
    except IntegrityError as error:
        code = error.code
    else:
        # Only padding and times of the archive may differ from what was written.
        assert all_rows(target) == all_rows(database)
        code = "" if not is_cut else "what was cut off is not missed"
    finally:
        target.dispose()
    # A refused backup has not even made the database.
    assert code in ("", "BACKUP_DAMAGED")
    assert (code == "BACKUP_DAMAGED") is not (tmp_path / "to.db").exists()
    (tmp_path / "to.db").unlink(missing_ok=True)


def test_a_database_with_rows_is_refused_and_left_alone(database, target, tmp_path):
    back_up(database, tmp_path / "a.tar.gz")
    target.register_scenario(
        Scenario(scenario_hash="sha256:a", scenario_key="a", scenario_id="a", spec={})
    )
    before = all_rows(target)
    with pytest.raises(ContractError) as caught:
        restore(target, tmp_path / "a.tar.gz")
    assert caught.value.code == "RESTORE_NOT_EMPTY"
    assert all_rows(target) == before


def test_an_empty_database_of_a_newer_revision_than_the_backup_is_refused(
    database, target, tmp_path
):
    path = _older_backup(database, tmp_path, "0001")
    target.migrate()
    with pytest.raises(ContractError) as caught:
        restore(target, path)
    assert caught.value.code == "RESTORE_NEWER"


@pytest.mark.parametrize("revision", _REVISIONS)
def test_a_backup_of_any_older_revision_is_restored_and_migrated(
    database, target, tmp_path, revision
):
    restore(target, _older_backup(database, tmp_path, revision))
    assert f"at revision {HEAD}" in target.check()
    expected = {
        name: rows if name in rows_of_revision(revision) else [] for name, rows in ROWS.items()
    }
    assert {name: len(rows) for name, rows in all_rows(target).items()} == {
        name: len(rows) for name, rows in expected.items()
    }


def test_a_backup_of_a_later_islandflow_is_refused(target, tmp_path):
    path = tmp_path / "later.tar.gz"
    _write(path, {"format": "islandflow-registry/1", "revision": "9999", "tables": []})
    with pytest.raises(ConfigurationError) as caught:
        restore(target, path)
    assert caught.value.code == "BACKUP_NEWER"
    assert "9999" in caught.value.message


@pytest.mark.parametrize("name", ["missing.tar.gz", "."])
def test_a_file_that_cannot_be_read_is_said_to_be_so(target, tmp_path, name):
    with pytest.raises(ContractError) as caught:
        restore(target, tmp_path / name)
    assert caught.value.code == "BACKUP_UNREADABLE"


def test_no_backup_takes_the_place_of_another(database, tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(b"mine")
    with pytest.raises(ContractError) as caught:
        back_up(database, tmp_path / "a.tar.gz")
    assert caught.value.code == "FILE_EXISTS"
    assert (tmp_path / "a.tar.gz").read_bytes() == b"mine"


def _older_backup(source, folder, revision):
    """A backup as an islandflow of that revision would have written it."""
    path = folder / "new.tar.gz"
    back_up(source, path)
    with tarfile.open(path) as tar:
        lines = {one.name: tar.extractfile(one).read() for one in tar.getmembers()}
    body = json.loads(lines["manifest.json"])["body"]
    body["revision"] = revision
    body["tables"] = [one for one in body["tables"] if one["name"] in rows_of_revision(revision)]
    older = folder / "older.tar.gz"
    _write(older, body, lines)
    return older


def _write(path, body, lines=None):
    with tarfile.open(path, "w:gz") as tar:
        files = [("manifest.json", sealed(body))]
        files += [(name, (lines or {})[name]) for name in _names(body)]
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def _names(body):
    return [f"tables/{one['name']}.ndjson" for one in body["tables"]]


@pytest.mark.parametrize("revision", _REVISIONS)
def test_a_database_of_any_older_revision_is_upgraded_with_its_rows(database_url, revision):
    engine = make_engine(database_url).execution_options(**{WRITE: True})
    with engine.begin() as connection:
        upgrade_to(connection, revision)
        assert current_revision(connection) == revision
        for name in rows_of_revision(revision):
            connection.execute(insert(Base.metadata.tables[name]), ROWS[name])
        tables = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        assert tables == revision
    engine.dispose()
    database = Database(database_url)
    found = all_rows(database)
    assert f"at revision {HEAD}" in database.check()
    database.dispose()
    assert {name: rows for name, rows in found.items() if rows} == {
        name: ROWS[name] for name in rows_of_revision(revision)
    }


def test_times_are_kept_to_the_microsecond_in_utc(database, target, tmp_path):
    back_up(database, tmp_path / "a.tar.gz")
    restore(target, tmp_path / "a.tar.gz")
    [first, _] = target.audit()
    assert first.at == datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
