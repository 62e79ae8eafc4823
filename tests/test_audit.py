"""The audit of pins against a server of OSV's protocol: what it asks, finds, and cannot know."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests import audit

LOCK = """\
alpha==1.0 \\
    --hash=sha256:00
beta-b==2.0.post1 ; python_version < "4" \\
    --hash=sha256:11
"""
KNOWN = {("alpha", "1.0"): ["GHSA-1", "PYSEC-2"]}


@contextmanager
def osv(answer):
    """A server that gives `answer` to the pins of a request."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            asked = [(one["package"]["name"], one["version"]) for one in body["queries"]]
            assert {one["package"]["ecosystem"] for one in body["queries"]} == {"PyPI"}
            data = json.dumps(answer(asked)).encode()
            self.send_response(200 if self.path == "/v1/querybatch" else 404)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format, *args):  # noqa: A002 - the name that it is called by
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def told(asked):
    return {
        "results": [
            {"vulns": [{"id": one, "modified": ""} for one in KNOWN[pin]]} if pin in KNOWN else {}
            for pin in asked
        ]
    }


def test_pins_are_read_whatever_stands_behind_them():
    assert audit.pins([LOCK, LOCK]) == [("alpha", "1.0"), ("beta-b", "2.0.post1")]


def test_every_lock_has_pins_and_the_list_of_accepted_ones_reads():
    for lock in audit.LOCKS:
        assert audit.pins([(audit.ROOT / lock).read_text()])
    assert all(audit.accepted(audit.ACCEPTED.read_text()).values())


def test_what_is_known_of_a_pin_is_told_unless_it_is_accepted():
    asked = audit.pins([LOCK])
    with osv(told) as service:
        assert audit.report(service, asked, {}) == (
            audit.FOUND,
            ["audit: alpha 1.0: GHSA-1, PYSEC-2", "audit: 1 of 2 pins are vulnerable"],
        )
        code, lines = audit.report(service, asked, {"GHSA-1": "not used"})
        assert (code, lines[0]) == (audit.FOUND, "audit: alpha 1.0: PYSEC-2")
        excused = audit.accepted("# why\nGHSA-1 not used\nPYSEC-2 of another platform\n")
        assert audit.report(service, asked, excused) == (
            audit.CLEAN,
            ["audit: 2 pins, no open vulnerability, 2 accepted"],
        )


def test_an_acceptance_without_a_reason_is_refused():
    with pytest.raises(ValueError, match="GHSA-1 is accepted without a reason"):
        audit.accepted("GHSA-1\n")


@pytest.mark.parametrize(
    "answer",
    [
        lambda asked: {},
        lambda asked: {"results": []},
        lambda asked: [],
        lambda asked: {"results": 1},
    ],
)
def test_a_server_that_does_not_answer_calls_nothing_clean(answer):
    with osv(answer) as service:
        code, [line] = audit.report(service, audit.pins([LOCK]), {})
    assert code == audit.UNKNOWN
    assert line.startswith("audit: NOTHING WAS CHECKED")


def test_a_server_that_is_not_there_calls_nothing_clean():
    code, [line] = audit.report("http://127.0.0.1:1", audit.pins([LOCK]), {})
    assert code == audit.UNKNOWN
    assert "http://127.0.0.1:1 gave no vulnerability data" in line
