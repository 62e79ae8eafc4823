"""Detections as files: the same bytes every time, found again, and refused when damaged."""

import json
import shutil
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from contracts.canonical import canonical_json
from contracts.errors import IntegrityError
from contracts.flow_columns import DETECTIONS
from contracts.flow_manifest import FILES, MANIFEST, POLICY, load_detection
from contracts.flow_policy import load_policy, usual_policy
from islandflow_resources import flow_folder
from islandflow_resources.flow_feed import TapeFeed
from islandflow_resources.flow_folder import StoredDetection, find_detection
from islandflow_resources.folder_store import FolderStore
from tests.islandflow_resources.plain_tape import PlainTape, plain_spec
from tests.islandflow_resources.small_detections import Made, bold, copy_of, made_once
from tests.islandflow_resources.small_markets import flip
from tests.islandflow_resources.tape_tampering import SEED, Copy, written
from tests.islandflow_resources.test_tape_folder import Cut

SECOND_NS = 1_000_000_000


def files(folder):
    """Every file below a folder with its bytes."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def made():
    return made_once()


@pytest.fixture
def copied(made, tmp_path):
    return copy_of(made, tmp_path / "copy")


@pytest.fixture
def stored(copied):
    found = copied.detect()
    assert not found.created
    return found


def test_a_detection_lies_under_its_id_and_says_what_it_follows_from(made):
    [folder] = (made.found / "detections").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == sorted((*FILES, MANIFEST))
    manifest = load_detection((folder / MANIFEST).read_bytes())
    tape = TapeFeed(made.place).manifest
    assert folder.name == manifest.detection_id
    assert manifest.tape_digest == tape.event_hashes.tape
    assert (manifest.tape_id, manifest.policy_digest) == (tape.tape_id, bold().policy_digest)
    assert (manifest.events, manifest.late, manifest.repeated) == (16_380, 0, 0)
    assert load_policy((folder / POLICY).read_bytes()) == bold()
    found = made.detect()
    for name in DETECTIONS:
        assert found.table(name).num_rows == manifest.tables[name].rows > 0
    assert len(found.tables()) == len(DETECTIONS)


def test_nothing_but_the_detection_is_left_in_any_folder(made, tmp_path):
    feed = TapeFeed(made.place)
    flow_folder.detect(FolderStore(tmp_path / "out"), feed, bold(), tmp_path / "work")
    assert files(tmp_path / "work") == {}
    assert files(tmp_path / "out") == files(made.found)


def test_a_second_detection_in_another_folder_has_the_same_bytes(made, tmp_path):
    other = Made(tmp_path / "other")
    written(other.folder, source=lambda: Cut(plain_spec(), 7))
    assert other.detect().created
    assert files(other.found) == files(made.found)


@pytest.mark.parametrize("parts", [2, 7])
def test_what_is_said_does_not_depend_on_how_events_are_cut(made, tmp_path, parts):
    class Recut(TapeFeed):
        def __iter__(self):
            for events in super().__iter__():
                times = np.concatenate([rows[:, 1] for rows in events.values()])
                first, last = int(times.min()), int(times.max()) + 1
                ends = [first + (last - first) * part // parts for part in range(parts + 1)]
                for start, end in pairwise(ends):
                    yield {
                        name: rows[(rows[:, 1] >= start) & (rows[:, 1] < end)]
                        for name, rows in events.items()
                    }

    store = FolderStore(tmp_path / "out")
    found = flow_folder.detect(store, Recut(made.place), bold(), tmp_path / "work")
    assert found.created
    assert found.manifest.content_digest == made.detect().manifest.content_digest


def test_a_detection_that_stands_is_found_and_nothing_is_written(copied, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in copied.found.rglob("*")}

    def never(*_, **__):
        raise AssertionError("detected again")

    monkeypatch.setattr(flow_folder, "FlowDetector", never)
    again = copied.detect()
    assert not again.created
    assert {path: path.stat().st_mtime_ns for path in copied.found.rglob("*")} == before


def test_another_policy_or_lateness_stands_beside(copied):
    first = copied.detect()
    second = copied.detect(bold(version="7.1"))
    third = copied.detect(lateness_ns=SECOND_NS)
    usual = copied.detect(usual_policy())
    ids = {one.manifest.detection_id for one in (first, second, third, usual)}
    assert {path.name for path in (copied.found / "detections").iterdir()} == ids
    assert len(ids) == 4
    assert second.policy == bold(version="7.1")
    # waiting changes when a tape in order is read, and nothing of what is said
    assert third.manifest.content_digest == first.manifest.content_digest
    for one in (first, second, third, usual):
        one.verify()


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
@pytest.mark.parametrize("at", [0, -1, None])
def test_a_flipped_byte_is_refused_with_its_file(copied, name, at):
    [path] = copied.found.glob(f"detections/*/{name}")
    middle, last = path.stat().st_size // 2, path.stat().st_size - 1
    flip(path, middle if at is None else last if at < 0 else at)
    with pytest.raises(IntegrityError) as caught:
        copied.detect()
    assert caught.value.code == "DETECTION_DAMAGED"
    assert caught.value.loc == path.relative_to(copied.found).as_posix()
    assert caught.value.hints


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_gone_is_damage(stored, copied, name):
    [path] = copied.found.glob(f"detections/*/{name}")
    path.unlink()
    with pytest.raises(IntegrityError, match="it is missing") as caught:
        stored.verify()
    assert caught.value.loc.endswith(name)


def test_a_table_that_is_read_without_being_verified_is_refused_as_well(stored, copied):
    [path] = copied.found.glob("detections/*/flow_packets.parquet")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(IntegrityError, match="DETECTION_DAMAGED"):
        stored.table("flow_packets")
    shutil.copy(path.with_name("flow_prints.parquet"), path)
    with pytest.raises(IntegrityError, match="DETECTION_DAMAGED"):
        stored.table("flow_packets")
    path.unlink()
    with pytest.raises(IntegrityError, match="DETECTION_DAMAGED"):
        stored.table("flow_packets")


@pytest.mark.parametrize(
    "data", [b"{}", b"\xff", bold(version="9.9").document(), usual_policy().document()]
)
def test_another_policy_beside_a_detection_is_refused(stored, copied, data):
    [path] = copied.found.glob(f"detections/*/{POLICY}")
    path.write_bytes(data if isinstance(data, bytes) else canonical_json(data) + b"\n")
    fresh = StoredDetection(stored.store, stored.manifest)
    with pytest.raises(IntegrityError, match="DETECTION_DAMAGED") as caught:
        _ = fresh.policy
    assert caught.value.loc.endswith(POLICY)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: b"{}",
        lambda data: data[:-1],
        lambda data: data + b"\n",
        lambda data: json.dumps(json.loads(data)).encode(),
        lambda data: data.replace(b'"late":0', b'"late":1').replace(
            b"smart-flow-d", b"smart-flow-e"
        ),
        lambda data: b"[" * 5_000,
    ],
)
def test_a_manifest_that_nobody_wrote_is_refused(copied, change):
    [path] = copied.found.glob(f"detections/*/{MANIFEST}")
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(IntegrityError) as caught:
        find_detection(copied.store, path.parent.name)
    assert caught.value.code == "DETECTION_DAMAGED"
    assert caught.value.loc.endswith(MANIFEST)


def test_a_manifest_of_another_detection_is_refused(copied):
    [here] = (copied.found / "detections").iterdir()
    other = here.with_name("0" * 16)
    shutil.copytree(here, other)
    with pytest.raises(IntegrityError, match="DETECTION_DAMAGED"):
        find_detection(copied.store, other.name)
    assert find_detection(copied.store, "1" * 16) is None


def test_what_a_killed_writer_left_is_taken_over(made, copied):
    [folder] = (copied.found / "detections").iterdir()
    (folder / MANIFEST).unlink()
    (folder / "dark_events.parquet").unlink()
    assert copied.detect().created
    assert files(copied.found) == files(made.found)


def test_a_file_that_is_in_the_way_is_not_overwritten(copied):
    [folder] = (copied.found / "detections").iterdir()
    (folder / MANIFEST).unlink()
    (folder / "flow_packets.parquet").write_bytes(b"mine")
    with pytest.raises(IntegrityError, match="OBJECT_DIFFERS"):
        copied.detect()
    assert (folder / "flow_packets.parquet").read_bytes() == b"mine"
    assert not (folder / MANIFEST).exists()


def test_progress_goes_to_the_last_event(copied, tmp_path):
    told = []
    feed = TapeFeed(copied.place)
    store = FolderStore(tmp_path / "out")
    flow_folder.detect(
        store, feed, bold(), tmp_path / "work", progress=lambda *done: told.append(done)
    )
    assert told[-1] == (16_380, 16_380)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_a_tape_without_events_has_a_detection_without_rows(tmp_path):
    empty = Made(tmp_path / "empty")
    written(empty.folder, source=lambda: PlainTape(plain_spec(), SEED, density=0))
    found = empty.detect()
    assert {table.rows for table in found.manifest.tables.values()} == {0}
    assert found.manifest.events == 0
    assert not empty.detect().created
    assert found.table("flow_prints").num_rows == 0


def moved(made, folder, seconds):
    """A tape whose last print of an option before a stretch ends comes in the next one."""
    forged = Copy(made.folder, made.tape.name, folder)
    before, after = forged.tables("option_prints")[:2]
    end_ns = after.column("ts_ns")[0].as_py()
    times = before.column("ts_ns").to_numpy()
    row = int(np.searchsorted(times, end_ns - seconds * SECOND_NS))
    one = before.slice(row, 1)
    return forged, before, after, one, row


def test_events_that_come_late_are_counted_and_waiting_puts_them_into_their_place(made, tmp_path):
    forged, before, after, one, row = moved(made, tmp_path / "late", 5)
    rest = pa.concat_tables([before.slice(0, row), before.slice(row + 1)])
    forged.write(
        "option_prints", [rest, pa.concat_tables([one, after]), *forged.tables("option_prints")[2:]]
    )
    forged.forge()
    late = Made(tmp_path / "late")
    hasty, patient = late.detect(), late.detect(lateness_ns=20 * SECOND_NS)
    assert (hasty.manifest.late, hasty.manifest.repeated) == (1, 0)
    assert (patient.manifest.late, patient.manifest.repeated) == (0, 0)
    assert patient.manifest.content_digest == made.detect().manifest.content_digest
    assert hasty.manifest.content_digest != patient.manifest.content_digest


def test_copies_are_counted_and_change_nothing(made, tmp_path):
    forged, before, after, one, _ = moved(made, tmp_path / "twice", 5)
    rest = forged.tables("option_prints")[2:]
    forged.write(
        "option_prints",
        [pa.concat_tables([before, one, one]), pa.concat_tables([one, after]), *rest],
    )
    forged.forge()
    twice = Made(tmp_path / "twice")
    hasty, patient = twice.detect(), twice.detect(lateness_ns=20 * SECOND_NS)
    # what was released before its copy came makes the copy late
    assert (hasty.manifest.late, hasty.manifest.repeated) == (1, 2)
    assert (patient.manifest.late, patient.manifest.repeated) == (0, 3)
    for found in (hasty, patient):
        assert found.manifest.events == made.detect().manifest.events + 3
        assert found.manifest.content_digest == made.detect().manifest.content_digest
