"""A sweep deletes exactly what nothing references, on a folder and on a real S3 server.

The world is that of a finished run; garbage and what must stay are added by their layout, written
out here apart from the module's own table.
"""

import os
import shutil
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts import flow_manifest
from contracts.errors import ConfigurationError
from islandflow_resources import folder_store, garbage, s3_store, store_entries, store_marks
from islandflow_resources.database import Database
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.garbage import Stores, look, sweep
from islandflow_resources.s3_store import S3Store
from tests.graph import finished_home, graph_of

HEX = st.text("0123456789abcdef", min_size=12, max_size=12)
LATER = timedelta(days=30)
LOOSE = (
    "campaigns/{0}/campaign_trials/{1}.parquet",
    "checkpoints/{0}.arrow",
    "trials/scenario={0}/seed=1/strategy=x/{1}.parquet",
    "validations/monte_carlo_summary/scenario={0}/seed=1/{1}.parquet",
    "trades/dataset={0}/signal=x/{1}.parquet",
    "reports/flow/{0}/{1}.json",
    "control/{0}.json",
    "pipelines/{0}/{1}.json",
    "backtests/{0}/equity.parquet",
    "scenarios/{0}/{1}/seed=1/v1.0/dataset.parquet",
    "labels/scenarios/{0}/{1}/seed=1/v1.0/labels.parquet",
    "tapes/mbo/{0}/{1}/seed=1/v1.0/events.parquet",
    "tapes/{0}/option_prints.parquet",
    "labels/{0}/print_labels.parquet",
    "datasets/{0}/rows.parquet",
    "detections/{0}/alerts.parquet",
    "sources/mbo/{0}/events.dbn",
)
"""What a killed run may leave: files whose manifest or row never came."""
STAYING = (
    "serving/{0}/spec.json",
    "serving/evidence/{0}.parquet",
    "inbox/scenarios/{0}.json",
    "quarantine/{0}/backtests/{1}/equity.parquet",
    "registered/{0}.json",
    "strategies/ir/{0}/ir.json",
    "summaries/{0}/leaderboard.parquet",
    "somebody/{0}.csv",
    "{0}.txt",
)
SEALED = (
    ("backtests/{0}/equity.parquet", "backtests/{0}/result.json"),
    (
        "scenarios/{0}/{1}/seed=1/v1.0/dataset.parquet",
        "labels/scenarios/{0}/{1}/seed=1/v1.0/labels.parquet",
        "scenarios/{0}/{1}/seed=1/v1.0/manifest.json",
    ),
    ("tapes/{0}/quotes.parquet", "labels/{0}/print_labels.parquet", "tapes/{0}/manifest.json"),
    (
        "tapes/mbo/{0}/{1}/seed=1/v1.0/events.parquet",
        "tapes/mbo/{0}/{1}/seed=1/v1.0/manifest.json",
    ),
    ("sources/mbo/{0}/events.dbn", "sources/mbo/{0}/{1}/manifest.json"),
    ("datasets/{0}/rows.parquet", "datasets/{0}/manifest.json"),
    ("detections/{0}/alerts.parquet", f"detections/{{0}}/{flow_manifest.MANIFEST}"),
)
"""Publications that no row names: manifest last."""


@pytest.fixture(params=["folder", "s3"])
def world(request):
    """A finished run: its store, its registry, and what lies there."""
    with graph_of(finished_home()) as graph:
        store = graph.resources.store
        if request.param == "s3":
            folder, store = store, S3Store(request.getfixturevalue("s3_bucket"))
            for key in folder.keys(""):
                store.put_if_absent(key, folder.get(key))
        yield Stores(store, store), graph.resources.database


@given(
    loose=st.lists(st.tuples(st.sampled_from(LOOSE), HEX, HEX), max_size=12),
    staying=st.lists(st.tuples(st.sampled_from(STAYING), HEX, HEX), max_size=4),
    sealed=st.lists(st.tuples(st.sampled_from(SEALED), HEX, HEX), max_size=3),
)
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_exactly_the_garbage_is_deleted(world, loose, staying, sealed):
    stores, database = world
    before = set(stores.main.keys(""))
    kept = {text.format(*ids) for text, *ids in staying}
    kept |= {text.format(*ids) for texts, *ids in sealed for text in texts}
    lost = {text.format(*ids) for text, *ids in loose} - kept
    for key in kept | lost:
        stores.main.put_if_absent(key, key.encode())
    now = datetime.now(UTC) + LATER
    found = look(stores, database, now=now)
    assert {one.key for one in found.garbage} == lost
    assert (found.young, found.missing) == (0, [])
    assert set(stores.main.keys("")) == before | kept | lost
    assert {one.key for one in look(stores, database).garbage} == set()
    assert {one.key for one in sweep(stores, database, now=now).removed} == lost
    assert set(stores.main.keys("")) == before | kept
    assert not lost or database.audit("gc")[-1].detail["objects"] == len(lost)


def test_what_is_missing_is_named(world):
    stores, database = world
    [key] = [key for key in stores.main.keys("backtests/") if key.endswith("result.json")][:1]
    stores.main.quarantine(key)
    found = look(stores, database, now=datetime.now(UTC) + LATER)
    # Its other files are kept: a row still promises the result.
    assert (found.missing, found.garbage) == ([key], [])


def test_an_object_that_somebody_finds_again_stays(world, monkeypatch):
    stores, _ = world
    store, key = stores.main, "checkpoints/aa.arrow"
    for module in (s3_store, folder_store):
        monkeypatch.setattr(module, "REFRESHED_AFTER", timedelta(0))
    store.put_if_absent(key, b"half")
    [before] = store_entries.entries(store, key)
    time.sleep(1.1)  # S3 tells whole seconds
    assert not store.put_exact(key, b"half")
    assert not store_entries.remove(store, before)
    assert store.get(key) == b"half"
    [after] = store_entries.entries(store, key)
    assert after.modified > before.modified
    assert store_entries.remove(store, after)
    assert not store_entries.remove(store, after)
    assert not store.exists(key)


class _Late(Database):
    """A registry beside which somebody publishes after the first look."""

    def __init__(self, url, publish):
        super().__init__(url)
        self._looks, self._publish = 0, publish

    def read(self, what, action):
        self._looks += 1
        if self._looks == 2:
            self._publish()
        return super().read(what, action)


def test_what_is_published_after_the_first_look_stays(world):
    stores, database = world
    keys = ("tapes/aa/quotes.parquet", "labels/aa/print_labels.parquet")
    for key in keys:
        stores.main.put_if_absent(key, b"rows")
    stores.main.put_if_absent("tapes/bb/quotes.parquet", b"rows")
    late = _Late(database.url, lambda: stores.main.put_if_absent("tapes/aa/manifest.json", b"{}"))
    swept = sweep(stores, late, now=datetime.now(UTC) + LATER)
    late.dispose()
    assert [one.key for one in swept.removed] == ["tapes/bb/quotes.parquet"]
    assert all(stores.main.exists(key) for key in keys)


def test_writers_that_come_back_lose_nothing_to_a_sweep_beside_them(tmp_path):
    store, database = FolderStore(tmp_path / "objects"), Database(f"sqlite:///{tmp_path}/x.db")
    keys = [f"trials/{number:03}.parquet" for number in range(40)]
    old_s = time.time() - LATER.total_seconds()
    for round_of in range(3):
        for key in keys:
            store.put_if_absent(key, key.encode())
            os.utime(store.root / key, (old_s, old_s))
        writer = threading.Thread(target=lambda: [store.put_if_absent(k, k.encode()) for k in keys])
        found = look(Stores(store, store), database)
        assert len(found.garbage) == len(keys), round_of
        writer.start()
        gone = [one for one in found.garbage if store_entries.remove(store, one)]
        writer.join()
        assert set(store.keys("")) == set(keys), (round_of, len(gone))
    assert look(Stores(store, store), database).unfinished == []
    database.dispose()


def test_who_touches_an_object_that_a_sweep_has_just_taken_writes_it_again(tmp_path, monkeypatch):
    store, key = FolderStore(tmp_path / "objects"), "trials/000.parquet"
    store.put_if_absent(key, b"rows")
    os.utime(store.root / key, (0.0, 0.0))
    [listed] = store_entries.entries(store, key)
    removed = []

    def touch_what_is_gone(_path):
        removed.append(store_entries.remove(store, listed))

    monkeypatch.setattr(folder_store.os, "utime", touch_what_is_gone)
    assert store.put_if_absent(key, b"rows")
    assert (removed, store.get(key)) == ([True], b"rows")


def test_who_writes_into_a_folder_that_a_sweep_has_just_taken_makes_it_again(tmp_path, monkeypatch):
    store, key, link = FolderStore(tmp_path / "objects"), "trials/a/000.parquet", os.link
    taken = []

    def link_after_a_sweep(source, target):
        if not taken:
            taken.append(target)
            os.rmdir(target.parent)
            os.rmdir(target.parent.parent)
        link(source, target)

    monkeypatch.setattr(folder_store.os, "link", link_after_a_sweep)
    assert store.put_if_absent(key, b"rows")
    assert (len(taken), store.get(key)) == (1, b"rows")


def test_a_registry_that_is_not_that_of_the_store_is_refused(tmp_path):
    with graph_of(finished_home()) as graph:
        store = graph.resources.store
        for number in range(40):
            store.put_if_absent(f"trials/{number}.parquet", b"x")
        stranger = Database(f"sqlite:///{tmp_path}/other.db")
        before = store.keys("")
        with pytest.raises(ConfigurationError) as caught:
            sweep(Stores(store, store), stranger, now=datetime.now(UTC) + LATER)
        assert caught.value.code == "GC_IMPLAUSIBLE"
        assert store.keys("") == before
        stranger.dispose()


def test_a_store_that_another_registry_has_marked_is_refused(tmp_path):
    store, database = FolderStore(tmp_path / "objects"), Database(f"sqlite:///{tmp_path}/x.db")
    stores, later = Stores(store, store), datetime.now(UTC) + LATER
    store.put_if_absent("trials/1.parquet", b"x")
    store_marks.leave_mark(store, database)
    other = Database(f"sqlite:///{tmp_path}/other.db")
    store_marks.leave_mark(store, other)
    with pytest.raises(ConfigurationError) as caught:
        sweep(stores, database, now=later)
    assert caught.value.code == "GC_STORE_SHARED"
    assert "other.db" in caught.value.message
    [mark] = look(stores, database).others
    assert store.uri(mark) in caught.value.problems[0].hints[1]
    [entry] = store_entries.entries(store, mark)
    assert store_entries.remove(store, entry)
    assert len(sweep(stores, database, now=later).removed) == 1
    for one in (database, other):
        one.dispose()


def test_staged_files_go_only_when_they_are_old(tmp_path):
    store, database = FolderStore(tmp_path / "objects"), Database(f"sqlite:///{tmp_path}/x.db")
    store.put_if_absent("inbox/a.json", b"{}")
    old, young = store.root / ".staging/1-old", store.root / ".staging/2-young"
    for path in (old, young):
        path.write_bytes(b"half of it")
    old_s = time.time() - 8 * 86_400
    os.utime(old, (old_s, old_s))
    swept = sweep(Stores(store, store), database)
    database.dispose()
    assert (swept.removed, swept.dropped) == ([], 1)
    assert [path.name for path in (store.root / ".staging").iterdir()] == ["2-young"]


def test_uploads_that_were_left_are_dropped_and_those_of_others_are_not(s3_bucket, tmp_path):
    store, database = S3Store(s3_bucket), Database(f"sqlite:///{tmp_path}/x.db")
    for key in ("tapes/a/quotes.parquet", "elsewhere/big.bin"):
        store.client.create_multipart_upload(Bucket=s3_bucket.bucket, Key=key)
    stores = Stores(store, store)
    assert sweep(stores, database).dropped == 0
    assert sweep(stores, database, now=datetime.now(UTC) + LATER).dropped == 1
    database.dispose()
    assert [one.key for one in store_entries.unfinished(store)] == ["elsewhere/big.bin"]
    assert [one.action for one in database.audit()] == ["gc"]


def _market():
    from tests.market_graph import made_home

    return made_home()


def _served():
    from tests.experiment_graph import served_home

    return served_home()


@pytest.mark.parametrize(
    "home",
    [
        pytest.param(_market, marks=pytest.mark.xdist_group("market")),
        pytest.param(_served, marks=pytest.mark.xdist_group("books")),
    ],
)
def test_nothing_that_runs_made_is_garbage_unknown_or_missing(home):
    with graph_of(home()) as graph:
        resources = graph.resources
        stores = Stores(resources.store, resources.labels_store)
        found = look(stores, resources.database, now=datetime.now(UTC) + LATER)
    assert found == garbage.Findings([], [], found.kept, 0, {}, [])
    assert found.kept > 10


def test_a_folder_whose_last_object_went_is_gone_too(tmp_path):
    store = FolderStore(tmp_path / "objects")
    store.put_if_absent("checkpoints/deep/er/a.arrow", b"x")
    [entry] = store_entries.entries(store)
    assert store_entries.remove(store, entry)
    assert [path.name for path in store.root.iterdir()] == [".staging"]
    shutil.rmtree(store.root)
