"""Names that requests and commands may not say: each is refused in a sentence.

The same for keys of stores and for ids is in tests/islandflow_resources/test_hostile_keys.py.
"""

from http.client import HTTPConnection
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import ContractError
from islandflow_jobs.documents import refuse_undecodable
from islandflow_jobs.serve.requests import asked_name
from tests.graph import CALM, CROSSOVER
from tests.islandflow_jobs.serve.published import ALIAS
from tests.islandflow_jobs.serve.test_refusals import refused as stream_refused
from tests.islandflow_jobs.serve.test_rest import ask, refused
from tests.islandflow_resources.test_hostile_keys import OUTSIDE, UNWRITTEN

NAMES = tuple(
    name for name in (*OUTSIDE, *UNWRITTEN) if name.encode("utf-8", "replace") and len(name) < 300
)
FEW = settings(max_examples=80, deadline=None)


def as_path(name):
    return quote(name.encode("utf-8", "replace")[:400], safe="")


def status_of(server, target):
    """Status of a request whose target is sent as it stands."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.putrequest("GET", target, skip_host=False)
        connection.endheaders()
        return connection.getresponse().status
    finally:
        connection.close()


def test_no_path_leads_anywhere_else(server):
    for name in NAMES:
        for place in ("/static/", "/v1/experiments/runs/"):
            end = "/detail" if "runs" in place else ""
            assert ask(server, f"{place}{as_path(name)}{end}")[0] in (400, 404), name
    for target in ("/static/../../../../etc/passwd", "//etc/passwd", "/%2e%2e/%2e%2e/etc/passwd"):
        assert status_of(server, target) == 404
    assert status_of(server, "/static/%5c..%5c..%5cetc") == 404


@pytest.mark.parametrize("name", ["..", "a\0b", "a\nb", "\u2025/a", "ａ", "x" * 129, ""])
def test_no_request_names_a_dataset_by_what_is_no_name(server, name):
    body = {"strategy": CROSSOVER, "scenario": {"ref": name, "seed": 1}}
    error = refused(server, "/api/v1/engine/t0", body)
    assert error["loc"] == "/scenario/ref"
    assert error["message"].isprintable()
    body = {"strategy": CROSSOVER, "scenario": {**CALM, "id": name}}
    assert refused(server, "/api/v1/engine/t0", body)["loc"] == "/scenario/id"


@pytest.mark.parametrize("name", ["..%2f..", "%2e%2e", "a%00", "a%0a", "%e2%80%a5", "CHAMPION"])
def test_no_stream_is_asked_for_by_what_is_no_name(server, name):
    told = stream_refused(server, f"?serving={name}")
    assert "SERVING_NAME_INVALID" in told
    assert told.isprintable()


@FEW
@given(st.text(max_size=90))
def test_a_stream_is_named_by_a_small_alphabet_or_not_at_all(name):
    query = f"serving={quote(name.encode('utf-8', 'replace'), safe='')}".encode()
    allowed = set("abcdefghijklmnopqrstuvwxyz0123456789_:-")
    if 0 < len(name) <= 80 and allowed.issuperset(name):
        assert asked_name(query) == name
        return
    with pytest.raises(ContractError):
        asked_name(query)
    assert asked_name(f"serving={ALIAS}".encode()) == ALIAS


@FEW
@given(st.lists(st.text(st.characters(exclude_categories=()), max_size=20), max_size=4))
def test_arguments_of_a_command_are_text(arguments):
    is_text = not any("\ud800" <= char <= "\udfff" for one in arguments for char in one)
    if is_text:
        refuse_undecodable(arguments)
        assert "".join(arguments).encode().decode() == "".join(arguments)
        return
    with pytest.raises(ContractError) as caught:
        refuse_undecodable(arguments)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "command",
    [("serving", "show"), ("verify",), ("repair",), ("campaign", "resume"), ("serving", "history")],
)
def test_a_command_given_bytes_or_a_path_out_says_so_in_a_line(islandflow, bare_home, command):
    for name in ("\udcff\udcfe", "../../etc/passwd", "/etc/passwd", "\u2025/a", "x" * 5_000):
        code, out, err = islandflow(*command, name)
        assert code in (1, 2), (name, out)
        assert out == []
        assert len(err) == 1, err
        assert err[0].isprintable()
        assert "Traceback" not in err[0]
