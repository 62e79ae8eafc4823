"""Alerts on their way: a webhook that takes them, and many that do not."""

import json
import logging
import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from islandflow_resources.alerts import Alert, LogSink, WebhookSink, send, sinks
from islandflow_resources.settings import load_settings

ALERT = Alert("stale", "tiny-0123456789ab", "registered — and still without a dossier")
SECRET = "T0KEN-xyz"


@contextmanager
def webhook(status=200, headers=None, delay_s=0.0):
    """A server that takes posts; yields its address, with a secret in it, and what it got."""
    got = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            got.append((self.path, self.headers["content-type"], json.loads(body)))
            time.sleep(delay_s)
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def do_GET(self):
            got.append((self.path, "GET", None))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_):
            """A client that went away is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/hooks/{SECRET}", got
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def speaking(words):
    """A server that says something else than HTTP and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            client, _ = server.accept()
            with client:
                client.recv(4096)
                client.sendall(words)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/{SECRET}"
        thread.join()


def refused(address, **changes):
    """What is said of an address that does not take the alert."""
    problem = WebhookSink(address, **changes).send(ALERT)
    assert problem
    assert SECRET not in problem
    assert "127.0.0.1" not in problem
    assert address not in problem
    return problem


def test_a_webhook_gets_the_alert_as_json():
    with webhook() as (address, got):
        assert WebhookSink(address).send(ALERT) == ""
    body = {"kind": ALERT.kind, "subject": ALERT.subject, "text": ALERT.text}
    assert got == [(f"/hooks/{SECRET}", "application/json", body)]


@pytest.mark.parametrize("status", [201, 204])
def test_every_answer_of_success_is_one(status):
    with webhook(status) as (address, _):
        assert WebhookSink(address).send(ALERT) == ""


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_an_answer_of_failure_is_told_by_its_number(status):
    with webhook(status) as (address, got):
        assert refused(address) == f"the webhook answered {status}"
    assert len(got) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirection_is_not_followed_since_the_alert_would_be_lost_on_the_way(status):
    with webhook(status, {"location": f"/elsewhere/{SECRET}"}) as (address, got):
        assert refused(address) == f"the webhook answered {status}"
    assert len(got) == 1


def test_a_server_that_is_away_is_told():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    said = refused(f"http://127.0.0.1:{port}/{SECRET}")
    assert said == "the webhook did not take the alert: Connection refused"


def test_a_server_that_is_slow_is_not_waited_for():
    with webhook(delay_s=1.5) as (address, _):
        start = time.perf_counter()
        said = refused(address, timeout_s=0.2)
        assert time.perf_counter() - start < 1.2
    assert said == "the webhook did not take the alert: it did not answer in time"


def test_a_server_that_takes_the_connection_and_nothing_else_is_not_waited_for():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/{SECRET}"
        assert "in time" in refused(address, timeout_s=0.1)


@pytest.mark.parametrize(
    "words", [b"", b"hello\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"x" * 70_000]
)
def test_a_server_that_speaks_something_else_is_told(words):
    with speaking(words) as address:
        assert refused(address).startswith("the webhook did not take the alert: ")


@pytest.mark.parametrize(
    "address",
    [
        f"hooks.example/{SECRET}",
        f"file:///{SECRET}",
        f"ftp://127.0.0.1/{SECRET}",
        f"http://127.0.0.1:{SECRET}/",
        f"http:///{SECRET}",
        f"http://[{SECRET}/",
        f"http://127.0.0.1:1/a b{SECRET}",
        f"http://127.0.0.1:1/\n{SECRET}",
        f"data:,{SECRET}",
        "",
    ],
)
def test_an_address_that_is_none_is_told_without_it(address):
    problem = WebhookSink(address, timeout_s=0.2).send(ALERT)
    assert problem.startswith("the webhook did not take the alert: ")
    assert SECRET not in problem
    assert "127.0.0.1" not in problem


def test_the_address_is_not_part_of_what_a_log_shows_of_the_settings():
    given = {"ISLANDFLOW_HOME": "home", "ISLANDFLOW_ALERT_WEBHOOK": f"http://127.0.0.1/{SECRET}"}
    assert SECRET not in repr(load_settings(given))


def test_the_log_gets_every_alert(caplog):
    with caplog.at_level(logging.WARNING, "islandflow.alerts"):
        assert LogSink().send(ALERT) == ""
    assert caplog.messages == [f"{ALERT.kind}: {ALERT.subject}: {ALERT.text}"]


def test_the_environment_chooses_the_sinks():
    alone = sinks(load_settings({"ISLANDFLOW_HOME": "home"}))
    assert [type(one) for one in alone] == [LogSink]
    given = {"ISLANDFLOW_HOME": "home", "ISLANDFLOW_ALERT_WEBHOOK": "http://127.0.0.1:1/x"}
    log, hook = sinks(load_settings(given))
    assert (type(log), hook) == (LogSink, WebhookSink("http://127.0.0.1:1/x"))


def test_one_sink_that_fails_does_not_keep_the_others_from_theirs(caplog):
    with webhook(500) as (bad, _), webhook() as (good, got):
        problems = send(ALERT, [WebhookSink(bad), LogSink(), WebhookSink(good)])
    assert problems == ["the webhook answered 500"]
    assert len(got) == 1
    assert len(caplog.messages) == 1
