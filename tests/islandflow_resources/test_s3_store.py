"""What only S3 does: signatures, paging, parts, lost answers; see test_object_store.py."""

from __future__ import annotations

import http.server
import io
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from contracts.errors import ConfigurationError, StoreUnavailableError
from islandflow_resources.retries import Patience
from islandflow_resources.s3_multipart import PART_BYTES, upload_if_absent
from islandflow_resources.s3_store import S3Store


@pytest.fixture
def store(s3_bucket):
    return S3Store(s3_bucket)


def test_listing_goes_past_a_thousand_keys(store):
    keys = [f"many/{number:04d}" for number in range(1_040)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda key: store.put_if_absent(key, b""), keys))
    assert store.keys("many/") == keys


@pytest.mark.parametrize("field", ["access_key", "secret_key"])
def test_wrong_credentials_are_refused_at_once_and_say_which_variables(s3_bucket, field):
    store = S3Store(replace(s3_bucket, **{field: "wrong"}))
    actions = {
        "get": lambda: store.get("a"),
        "put": lambda: store.put_if_absent("a", b"1"),
        "exists": lambda: store.exists("a"),
        "keys": store.keys,
        "check": store.check,
    }
    for name, action in actions.items():
        started_s = time.monotonic()
        with pytest.raises(ConfigurationError) as caught:
            action()
        assert caught.value.code == "STORE_ACCESS_DENIED", name
        assert "ISLANDFLOW_S3_SECRET_KEY" in caught.value.hints[0]
        assert time.monotonic() - started_s < 3


def test_a_reader_can_read_and_is_refused_to_write(s3_server, store):
    store.put_if_absent("a", b"1")
    reader = S3Store(s3_server.reader_settings(store.settings.bucket))
    assert reader.get("a") == b"1"
    for action in (lambda: reader.put_if_absent("b", b"2"), lambda: reader.quarantine("a")):
        with pytest.raises(ConfigurationError, match="STORE_ACCESS_DENIED"):
            action()
    assert store.keys() == ["a"]


def test_a_missing_bucket_is_named_and_not_made(s3_bucket):
    store = S3Store(replace(s3_bucket, bucket="no-such-lake"))
    for action in (
        lambda: store.get("a"),
        lambda: store.put_if_absent("a", b"1"),
        lambda: store.exists("a"),
        store.keys,
    ):
        with pytest.raises(ConfigurationError) as caught:
            action()
        assert caught.value.code == "BUCKET_NOT_FOUND"
        assert "no-such-lake" in caught.value.message
        assert caught.value.loc == "ISLANDFLOW_S3_BUCKET"


def test_a_store_that_stays_away_is_said_to_be_away_and_how_often_it_was_tried(
    s3_bucket, short_patience
):
    away = replace(s3_bucket, endpoint="http://127.0.0.1:9")
    with pytest.raises(StoreUnavailableError) as caught:
        S3Store(away, short_patience).put_if_absent("a/b", b"1")
    assert "write s3://" in caught.value.message
    assert "/a/b at http://127.0.0.1:9: tried " in caught.value.message
    assert caught.value.retryable


@pytest.mark.faults
def test_a_store_that_restarts_in_the_middle_is_waited_for(s3_server, store):
    server = s3_server.server
    bodies = {f"restart/{number}": os.urandom(1_000) for number in range(60)}

    def restart():
        time.sleep(0.1)
        server.kill()
        time.sleep(0.5)
        server.start()

    disturbance = threading.Thread(target=restart)
    disturbance.start()
    for key, body in bodies.items():
        store.put_if_absent(key, body)
        time.sleep(0.01)
    disturbance.join()
    assert store.keys("restart/") == sorted(bodies)
    assert all(store.get(key) == body for key, body in bodies.items())


def test_a_large_upload_that_loses_the_race_says_so_and_leaves_no_parts(store):
    store.put_if_absent("large", b"first")
    body = os.urandom(PART_BYTES + 100)
    assert upload_if_absent(store, "large", io.BytesIO(body), len(body)) is False
    assert store.get("large") == b"first"
    listed = store.client.list_multipart_uploads(Bucket=store.settings.bucket)
    assert listed.get("Uploads", []) == []


def test_a_large_upload_that_breaks_leaves_nothing_visible(store):
    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell():
                raise RuntimeError("the source broke")
            return super().read(size)

    with pytest.raises(RuntimeError, match="the source broke"):
        upload_if_absent(store, "large", Breaking(bytes(2 * PART_BYTES)), 2 * PART_BYTES)
    assert store.keys() == []
    listed = store.client.list_multipart_uploads(Bucket=store.settings.bucket)
    assert listed.get("Uploads", []) == []


def test_quarantine_leaves_an_object_alone_that_took_the_place_meanwhile(store):
    store.put_if_absent("a", b"damaged")
    etag = store.client.head_object(Bucket=store.settings.bucket, Key="a")["ETag"]
    store.quarantine("a")
    store.put_if_absent("a", b"remade")
    late = store.call(
        "quarantine",
        "a",
        lambda: store.client.delete_object(Bucket=store.settings.bucket, Key="a", IfMatch=etag),
        exists=None,
    )
    assert late is None
    assert store.get("a") == b"remade"


def test_representations_hold_no_secret(store):
    assert store.settings.secret_key not in repr(store) + repr(store.settings)
    assert store.settings.access_key not in repr(store) + repr(store.settings)


class Scripted(http.server.ThreadingHTTPServer):
    """An S3 endpoint that answers each request as told; None breaks the connection."""

    daemon_threads = True

    def __init__(self, *answers):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = list(answers)
        self.bodies = []

    def store(self, settings):
        endpoint = f"http://127.0.0.1:{self.server_port}"
        patience = Patience(total_s=60, first_s=0.01, longest_s=0.05)
        return S3Store(replace(settings, endpoint=endpoint), patience)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Scripted  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_PUT(self):
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer()

    def do_HEAD(self):
        self._answer()

    def _answer(self):
        answer = self.server.answers.pop(0)
        if answer is None:
            self.close_connection = True
            return
        status, code = answer
        body = f"<Error><Code>{code}</Code></Error>".encode() if code else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"1"')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):  # noqa: A002
        pass


@pytest.fixture
def scripted():
    servers = []

    def start(*answers):
        server = Scripted(*answers)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    "trouble",
    [
        (409, "ConditionalRequestConflict"),
        (503, "SlowDown"),
        (500, "InternalError"),
        (429, "TooManyRequests"),
        (400, "RequestTimeout"),
        None,
    ],
)
def test_transient_answers_are_tried_again_with_the_same_bytes(scripted, s3_bucket, trouble):
    server = scripted(trouble, trouble, (200, ""))
    assert server.store(s3_bucket).put_if_absent("a", b"body") is True
    assert len(server.bodies) == 3
    assert all(b"body" in body for body in server.bodies)


def test_a_lost_answer_followed_by_a_conflict_is_reported_as_existing(scripted, s3_bucket):
    server = scripted(None, (412, "PreconditionFailed"), (404, ""), (200, ""))
    assert server.store(s3_bucket).put_if_absent("a", b"body") is False


def test_an_answer_that_cannot_mend_itself_is_not_tried_again(scripted, s3_bucket):
    server = scripted((501, "NotImplemented"), (400, "InvalidRequest"))
    store = server.store(s3_bucket)
    with pytest.raises(ConfigurationError, match="400 InvalidRequest"):
        S3Store.put_if_absent(store, "a", b"body")
    assert server.answers == []
