"""The audit of pins against a server of the registry's protocol: what it finds, and cannot know."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests import audit

LOCK = """\
alpha==1.0 \\
    --hash=sha256:00
beta-b==2.0.post1 ; python_version < "4" \\
    --hash=sha256:11
"""
PINS = [("alpha", "1.0"), ("beta-b", "2.0.post1")]
BAD = [
    {"id": "PYSEC-2", "aliases": ["CVE-2", "GHSA-2"], "withdrawn": None},
    {"id": "GHSA-1", "aliases": []},
    {"id": "GHSA-0", "aliases": [], "withdrawn": "2020-01-01T00:00:00Z"},
]


def told(version, *vulnerabilities):
    return {"info": {"version": version}, "vulnerabilities": list(vulnerabilities)}


@contextmanager
def registry(answers, status=200):
    """A server that gives the `answers` to paths, and to others that there is nothing."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            found = answers.get(self.path.strip("/").removesuffix("/json"))
            data = json.dumps(found).encode()
            self.send_response(404 if found is None else status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format, *args):  # noqa: A002 - the name that it is called by
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_pins_are_read_whatever_stands_behind_them():
    assert audit.pins([LOCK, LOCK]) == PINS


def test_every_lock_of_the_project_is_read_and_has_pins():
    locks = {
        str(path.relative_to(audit.ROOT))
        for folder in (".", "deploy", "benchmarks", "tests")
        for path in (audit.ROOT / folder).glob("*.lock")
    }
    assert set(audit.LOCKS) == locks
    assert all(audit.pins([(audit.ROOT / lock).read_text()]) for lock in audit.LOCKS)
    assert all(audit.accepted(audit.ACCEPTED.read_text()).values())


def test_what_is_known_of_a_pin_is_told_unless_it_is_withdrawn_or_accepted():
    with registry({"alpha/1.0": told("1.0", *BAD), "beta-b/2.0.post1": told("2.0.post1")}) as at:
        assert audit.report(at, PINS, {}) == (
            audit.FOUND,
            [
                "audit: alpha 1.0: GHSA-1",
                "audit: alpha 1.0: PYSEC-2",
                "audit: 2 of 2 pins checked, 2 open",
            ],
        )
        code, lines = audit.report(at, PINS, {"GHSA-1": "not used"})
        assert (code, lines[0]) == (audit.FOUND, "audit: alpha 1.0: PYSEC-2")
        excused = audit.accepted("# why\nGHSA-1 not used\nCVE-2 of another platform\n")
        assert audit.report(at, PINS, excused) == (
            audit.CLEAN,
            ["audit: 2 of 2 pins checked, 0 open, 2 accepted"],
        )


def test_a_registry_that_tells_of_the_newest_versions_alone_checks_those_and_names_the_others():
    with registry({"alpha": told("1.0"), "beta-b": told("2.1", *BAD)}) as at:
        assert audit.report(at, PINS, {}) == (
            audit.UNKNOWN,
            [
                "audit: 1 of 2 pins checked, 0 open",
                "audit: NOT CHECKED, the registry tells nothing of these: beta-b 2.0.post1",
            ],
        )


def test_what_is_open_outweighs_what_is_not_known():
    with registry({"alpha": told("1.0", *BAD)}) as at:
        assert audit.report(at, PINS, {})[0] == audit.FOUND


@pytest.mark.parametrize("answer", [{}, "not told", told("2.0.post1") | {"vulnerabilities": 1}])
def test_what_is_open_outweighs_a_registry_that_fails_for_another_pin(answer):
    with registry({"alpha/1.0": told("1.0", *BAD), "beta-b/2.0.post1": answer}) as at:
        code, lines = audit.report(at, PINS, {})
    assert (code, lines[0]) == (audit.FOUND, "audit: alpha 1.0: GHSA-1")
    assert lines[-2] == "audit: 1 of 2 pins checked, 2 open"
    assert "(1 times it failed, " in lines[-1]
    assert lines[-1].endswith(": beta-b 2.0.post1")


def test_an_acceptance_without_a_reason_is_refused():
    with pytest.raises(ValueError, match="GHSA-1 is accepted without a reason"):
        audit.accepted("GHSA-1\n")


@pytest.mark.parametrize(
    "answer",
    [{}, [], {"info": {"version": "1.0"}}, told("1.0") | {"vulnerabilities": 1}],
)
def test_a_registry_of_another_protocol_calls_nothing_clean(answer):
    with registry({"alpha/1.0": answer}) as at:
        code, [line] = audit.report(at, PINS[:1], {})
    assert code == audit.UNKNOWN
    assert line.startswith("audit: NOTHING WAS CHECKED")


def test_a_registry_that_fails_calls_nothing_clean():
    with registry({"alpha/1.0": told("1.0")}, status=500) as at:
        code, [line] = audit.report(at, PINS[:1], {})
    assert (code, "NOTHING WAS CHECKED" in line) == (audit.UNKNOWN, True)


def test_a_registry_that_is_not_there_calls_nothing_clean():
    code, [line] = audit.report("http://127.0.0.1:1", PINS, {})
    assert code == audit.UNKNOWN
    assert "http://127.0.0.1:1 gave no vulnerability data" in line


def test_without_a_setting_the_registry_is_the_one_beside_uvs_default_index(monkeypatch):
    said = "... The URL of the index (by default: <https://packages.example/simple>)."
    assert audit.registry_of(said) == "https://packages.example/pypi"
    assert audit.default_registry().startswith("https://")
    with pytest.raises(LookupError, match="AUDIT_REGISTRY"):
        audit.registry_of("nothing of the kind")


def test_where_no_registry_is_known_nothing_is_called_clean(monkeypatch, capsys):
    monkeypatch.delenv("AUDIT_REGISTRY", raising=False)
    monkeypatch.setattr(audit.sys, "executable", "/nowhere/python")
    assert audit.main() == audit.UNKNOWN
    assert capsys.readouterr().out.startswith("audit: NOTHING WAS CHECKED: no registry is known")
