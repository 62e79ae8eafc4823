"""The contract of the object store, on a folder and on a real S3 server."""

import os
import pickle
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from contracts.errors import ContractError, IntegrityError, NotFoundError
from islandflow_resources.object_store import MAX_KEY_BYTES, checked_key, file_digest
from islandflow_resources.resource_set import ResourceSet
from islandflow_resources.s3_store import LARGE_BYTES
from tests.islandflow_resources.workers import race_put

PART = st.text("abcxyz019._=-", min_size=1, max_size=12).filter(
    lambda part: part.strip(".") == part
)
KEYS = st.lists(PART, min_size=1, max_size=5).map("/".join)


@given(KEYS)
def test_keys_of_the_documented_alphabet_are_accepted(key):
    assert checked_key(key) == key


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/a",
        "a/",
        "a//b",
        "a/./b",
        "a/../b",
        "..",
        ".staging/a",
        "A",
        "ä",
        "a b",
        "a\\b",
        "a\n",
        "a?b",
        "x" * 256,
        "/".join(["x" * 200] * 5),
    ],
)
def test_other_keys_are_refused_before_anything_is_written(object_store, key):
    with pytest.raises(ContractError) as caught:
        object_store.put_if_absent(key, b"x")
    assert caught.value.code == "KEY_INVALID"
    assert object_store.keys() == []


def test_a_key_as_long_as_allowed_can_be_stored_and_quarantined(object_store):
    key = "/".join(["x" * 191] * 5)[: MAX_KEY_BYTES - 1] + "y"
    object_store.put_if_absent(key, b"x")
    assert object_store.get(object_store.quarantine(key)) == b"x"


@pytest.mark.parametrize("key", ["../outside", "a/../../outside", "/etc/hosts", "", "a//b"])
def test_reading_never_leaves_the_store(object_store, key):
    for action in (object_store.get, object_store.exists, object_store.quarantine):
        with pytest.raises(ContractError, match="KEY_INVALID"):
            action(key)


@hypothesis_settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=5000), number=st.integers(0, 10**9))
def test_what_is_put_is_what_is_got(object_store, body, number):
    key = f"round-trip/{number}-{len(body)}/{file_digest(body)[7:20]}"
    object_store.put_if_absent(key, body)
    assert object_store.get(key) == body
    with object_store.open(key) as file:
        assert file.read() == body


def test_an_object_is_never_overwritten(object_store):
    assert object_store.put_if_absent("a/b.json", b"first") is True
    assert object_store.put_if_absent("a/b.json", b"second") is False
    assert object_store.get("a/b.json") == b"first"


def test_an_exact_put_adopts_equal_bytes_and_refuses_others(object_store):
    assert object_store.put_exact("a/b.json", b"first") is True
    assert object_store.put_exact("a/b.json", b"first") is False
    with pytest.raises(IntegrityError) as caught:
        object_store.put_exact("a/b.json", b"second")
    for part in ("a/b.json", file_digest(b"first"), file_digest(b"second")):
        assert part in caught.value.message
    assert object_store.get("a/b.json") == b"first"


@pytest.mark.faults
@pytest.mark.parametrize("size", [16, 100_000])
def test_of_sixteen_writers_in_four_processes_one_wins(object_store, writers, size):
    keys = [f"race/{number}" for number in range(6)]
    bodies = [os.urandom(size) for _ in range(16)]
    moment_s = time.time() + 1.0
    futures = [
        writers.submit(race_put, object_store, keys, bodies[start : start + 4], moment_s)
        for start in range(0, 16, 4)
    ]
    outcomes = [future.result() for future in futures]
    for key in keys:
        winners = [winner for outcome in outcomes for winner in outcome[key]]
        assert len(winners) == 1
        assert file_digest(object_store.get(key)) == winners[0]


def settled_keys(store):
    """Keys once no more come: a server may still finish what it was sent before the kill."""
    keys = None
    while keys != (keys := store.keys("torture/")):
        time.sleep(0.5)
    return keys


@pytest.mark.faults
@pytest.mark.parametrize("round_number", range(2))
def test_a_killed_writer_leaves_no_partial_object(profile_environment, round_number):
    sizes = [10, 100_000, 3_000_000] if round_number else [LARGE_BYTES + 7]
    command = [sys.executable, "-m", "tests.islandflow_resources.workers", *map(str, sizes)]
    with subprocess.Popen(command, env=profile_environment, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        time.sleep(0.35 + 0.07 * round_number)
        writer.send_signal(signal.SIGKILL)
    own = {k: v for k, v in profile_environment.items() if k.startswith("ISLANDFLOW_")}
    store = ResourceSet.from_environment(own).store
    keys = settled_keys(store)
    assert keys or not round_number
    assert all(file_digest(store.get(key)) == f"blake3:{key[8:]}" for key in keys)
    assert sorted(set(store.keys()) - set(store.keys("registries/"))) == keys


def test_a_missing_object_is_said_to_be_missing(object_store):
    object_store.put_if_absent("a/b", b"x")
    for action in (object_store.get, object_store.open, object_store.quarantine):
        with pytest.raises(NotFoundError) as caught:
            action("a/c")
        assert caught.value.code == "OBJECT_NOT_FOUND"
        assert "a/c" in caught.value.message
    assert object_store.exists("a/b")
    assert not object_store.exists("a/c")
    assert not object_store.exists("a")


def test_listing_is_sorted_by_bytes_and_by_any_prefix_of_the_text(object_store):
    keys = ["x-1/a", "x.1/a", "x/1", "x/10", "x/2", "x1/a", "y/z"]
    for key in reversed(keys):
        object_store.put_if_absent(key, b"")
    assert object_store.keys() == sorted(keys, key=str.encode)
    assert object_store.keys("x/1") == ["x/1", "x/10"]
    assert object_store.keys("x/") == ["x/1", "x/10", "x/2"]
    assert object_store.keys("x") == sorted(keys[:-1], key=str.encode)
    assert object_store.keys("nothing/here") == []
    assert object_store.keys("x/1/") == []


def test_quarantine_moves_an_object_and_loses_nothing(object_store):
    object_store.put_if_absent("a/b.parquet", b"damaged")
    moved = object_store.quarantine("a/b.parquet")
    assert moved.startswith("quarantine/")
    assert moved.endswith("/a/b.parquet")
    assert not object_store.exists("a/b.parquet")
    assert object_store.put_if_absent("a/b.parquet", b"remade") is True
    again = object_store.quarantine("a/b.parquet")
    assert [object_store.get(moved), object_store.get(again)] == [b"damaged", b"remade"]


def test_ranges_of_an_open_object_are_read_where_asked(object_store):
    body = bytes(range(256)) * 20_000
    object_store.put_if_absent("big", body)
    with object_store.open("big") as file:
        assert file.seek(-10, os.SEEK_END) == len(body) - 10
        assert file.read() == body[-10:]
        assert file.read(5) == b""
        assert file.seek(3_000_000) == 3_000_000
        assert file.read(1_000) == body[3_000_000:3_001_000]
        assert file.tell() == 3_001_000
        assert file.seek(-1_000, os.SEEK_CUR) == 3_000_000


def test_large_files_and_bytes_are_stored_whole_and_once(object_store, tmp_path):
    body = os.urandom(LARGE_BYTES + LARGE_BYTES // 2)
    path = tmp_path / "large.bin"
    path.write_bytes(body)
    assert object_store.put_file_if_absent("large/file", path) is True
    assert object_store.put_file_if_absent("large/file", path) is False
    assert object_store.put_if_absent("large/bytes", body) is True
    assert object_store.get("large/file") == object_store.get("large/bytes") == body
    path.write_bytes(b"small")
    assert object_store.put_file_if_absent("small/file", path) is True
    assert object_store.get("small/file") == b"small"


@given(KEYS)
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_address_leads_back_to_its_key(object_store, key):
    uri = object_store.uri(key)
    assert uri.startswith(object_store.root_uri)
    assert object_store.parse_uri(uri) == key
    assert object_store.parse_uri(key) == key


@pytest.mark.parametrize("uri", ["s3://another-lake/a", "file:///another/lake/a", "/another/a"])
def test_an_address_of_another_store_is_refused(object_store, uri):
    with pytest.raises(ContractError) as caught:
        object_store.parse_uri(uri)
    assert caught.value.code == "URI_ELSEWHERE"
    assert object_store.root_uri in caught.value.message


def test_a_store_can_be_pickled_after_use(object_store):
    object_store.put_if_absent("a", b"1")
    copied = pickle.loads(pickle.dumps(object_store))  # noqa: S301
    assert copied.get("a") == b"1"


def test_a_store_works_on_in_a_forked_child(object_store):
    object_store.put_if_absent("a", b"1")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            ok = object_store.get("a") == b"1" and object_store.put_if_absent("b", b"2")
            code = 0 if ok else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert object_store.get("b") == b"2"


def test_a_batch_is_stored_concurrently_and_answers_in_its_order(object_store):
    keys = [f"batch/{number:03d}" for number in range(60)]
    object_store.put_if_absent(keys[7], b"first")
    outcomes = object_store.concurrently(lambda key: object_store.put_if_absent(key, b"1"), keys)
    assert [key for key, won in zip(keys, outcomes, strict=True) if not won] == [keys[7]]
    assert object_store.keys("batch/") == keys
    assert object_store.concurrently(object_store.get, []) == []


def test_a_failing_item_of_a_batch_stops_no_other_and_is_raised(object_store):
    keys = ["a", "B", "c", "D", "e"]
    with pytest.raises(ContractError, match="'B'"):
        object_store.concurrently(lambda key: object_store.put_if_absent(key, b"1"), keys)
    assert object_store.keys() == ["a", "c", "e"]


def test_the_access_check_says_where_and_leaves_nothing(object_store):
    assert "writable" in object_store.check()
    assert object_store.keys() == []
