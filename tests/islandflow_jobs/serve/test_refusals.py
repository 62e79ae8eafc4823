"""What the socket refuses: always with 1008, a sentence, and a reason that fits a close frame."""

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from contracts.backtest import BacktestSettings
from contracts.canonical import canonical_json
from contracts.serving import Evidence, PublishedStrategy, Source
from contracts.strategy import strategy_from
from islandflow_jobs.serve.access import LOOPBACK, Access
from islandflow_jobs.serve.app import Serving
from islandflow_resources.settings import load_settings
from islandflow_resources.signatures import Keyring, sign
from islandflow_resources.stream_clocks import clock_path
from tests.graph import CROSSOVER
from tests.islandflow_jobs.serve.published import ALIAS, ZERO, publish, published, tamper
from tests.islandflow_jobs.serve.served import (
    FAST,
    PATIENCE_S,
    connected,
    serving,
    take,
)
from tests.islandflow_resources.campaigning import remove

QUERY = f"?serving={ALIAS}"
HELLO = '{"type":"hello"}'


def refused(address, query=QUERY, messages=(HELLO,), **options):
    """Connect, say something, and be refused; the sentence."""
    told = []
    with connected(address, query, **options) as client:
        with suppress(ConnectionClosed):
            # It may be refused before it has said a word.
            for message in messages:
                client.send(message)
        try:
            while True:
                told.append(client.recv(PATIENCE_S))
        except ConnectionClosed as closed:
            code, reason = closed.rcvd.code, closed.rcvd.reason
    assert code == 1008, (code, reason)
    assert 0 < len(reason.encode()) <= 123
    error = json.loads([one for one in told if isinstance(one, str)][-1])
    assert error["type"] == "error"
    assert error["message"].startswith(reason.removesuffix("…"))
    return error["message"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "no serving is named"),
        ("?", "no serving is named"),
        ("?serving=", "SERVING_NAME_INVALID"),
        (f"{QUERY}&serving={ALIAS}", "given 2 times"),
        (f"{QUERY}&speed=2", "speed"),
        (f"?speed=2&serving={ALIAS}", "speed"),
        (f"?SERVING={ALIAS}", "SERVING"),
        (f"{QUERY}&", "does not read"),
        ("?serving", "does not read"),
        ("?serving=nobody", "SERVING_NOT_FOUND"),
        ("?serving=Champion", "SERVING_NAME_INVALID"),
        ("?serving=%00", "SERVING_NAME_INVALID"),
        ("?serving=%ff", "does not read"),
        ("?serving=../../islandflow.db", "SERVING_NAME_INVALID"),
        ("?serving=..%2f..%2fobjects", "SERVING_NAME_INVALID"),
        ("?serving=/etc/passwd", "SERVING_NAME_INVALID"),
        (f"?serving={'a' * 5000}", "SERVING_NAME_INVALID"),
        (f"?serving=sha256:{'0' * 64}", "SERVING_NOT_FOUND"),
        ("?" + "&".join(f"a{n}=1" for n in range(50)), "does not read"),
    ],
)
def test_any_other_query_is_refused(server, query, said):
    assert said in refused(server, query)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("", "DOCUMENT_NOT_JSON"),
        ("hello", "not JSON"),
        ("[]", "not an object"),
        ("{}", "HELLO"),
        ('{"type":"subscribe"}', "HELLO"),
        ('{"type":"hello","speed":3}', "speed"),
        ('{"type":"hello","resume_bin":"3"}', "resume_bin"),
        ('{"type":"hello","resume_bin":-1}', "resume_bin"),
        ('{"type":"hello","resume_bin":1.5}', "resume_bin"),
        ('{"type":"hello","resume_bin":true}', "resume_bin"),
        ('{"type":"hello","resume_bin":1e400}', "DOCUMENT_NOT_FINITE"),
        ('{"type":"hello","type":"hello"}', "twice"),
        ("[" * 3000, "DOCUMENT_TOO_DEEP"),
        ('{"type":"hello","token":"' + "x" * 5000 + '"}', "more than 4096"),
        (b'{"type":"hello"}', "binary"),
        ('{"type":"hello","token":"\\ud800"}', "DOCUMENT_NOT_UTF8"),
    ],
)
def test_any_other_first_message_is_refused(server, message, said):
    assert said in refused(server, messages=(message,))


def test_a_second_message_is_refused(server):
    assert "MESSAGE_UNEXPECTED" in refused(server, messages=(HELLO, HELLO))


@settings(max_examples=40)
@given(query=st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#")))
def test_no_query_but_the_published_name_is_served(server, query):
    assert refused(server, f"?x{query}")


@settings(max_examples=40)
@given(message=st.one_of(st.text(max_size=200), st.binary(max_size=200)))
def test_no_first_message_but_a_hello_is_served(server, message):
    assert refused(server, messages=(message,))


@settings(max_examples=25)
@given(
    message=st.dictionaries(
        st.sampled_from(["type", "resume_bin", "token", "speed"]),
        st.one_of(
            st.integers(-3, -1), st.none(), st.booleans(), st.text(max_size=5), st.floats(2.1, 2.9)
        ),
    )
)
def test_no_document_but_a_hello_is_served(server, message):
    if message.get("type") == "hello" and message.keys() <= {"type"}:
        return
    assert refused(server, messages=(json.dumps({**message, "speed": 1}),))


def test_a_bin_that_is_not_there_yet_is_refused_with_the_one_that_is(server):
    assert "the next one is" in refused(server, messages=('{"type":"hello","resume_bin":99999}',))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"origin": "http://example.org"}, "ORIGIN_REFUSED"),
        ({"origin": "null"}, "ORIGIN_REFUSED"),
        ({"origin": "http://127.0.0.1:1"}, "ORIGIN_REFUSED"),
        ({"additional_headers": {"Origin": "http://["}}, "ORIGIN_REFUSED"),
    ],
)
def test_pages_of_other_sites_are_refused(server, options, said):
    assert said in refused(server, **options)


def test_a_page_of_the_server_itself_is_served(server):
    with connected(server, QUERY, origin=server.http) as client:
        client.send(HELLO)
        assert json.loads(client.recv(PATIENCE_S))["type"] == "runtime_config"


def test_a_server_on_this_machine_is_called_by_no_other_name():
    access = Access(LOOPBACK)
    for host, allowed in (("localhost:8002", True), ("[::1]:1", True), ("evil.example", False)):
        headers = _headers(host)
        if allowed:
            access.check_origin(headers)
            continue
        with pytest.raises(ValueError, match="HOST_REFUSED"):
            access.check_origin(headers)


def _headers(host):
    from starlette.datastructures import Headers

    return Headers({"host": host})


def test_a_published_strategy_is_not_streamed(server, home):
    spec = PublishedStrategy(
        kind="strategy",
        version="0.1",
        name="crossover",
        strategy=strategy_from(CROSSOVER),
        settings=BacktestSettings(),
        evidence=Evidence(object_key="x", content_digest=ZERO, rows=1),
        source=Source(
            campaign_id="c",
            campaign_key="c-1",
            campaign_hash=ZERO,
            set_id="s",
            datasets=1,
            datasets_digest=ZERO,
            strategy_hash=ZERO,
            dossier_digest=ZERO,
            engine_digest="e",
            backtest_version="1",
        ),
    )
    publish(home.resources, spec, "trader")
    assert "SERVING_NOT_STREAMED" in refused(server, "?serving=trader")


def test_a_spec_whose_bytes_were_changed_is_refused(server, home):
    spec = published(home.spec.runtime_snapshot, home.spec.stream, name="changed_later")
    serving_id = publish(home.resources, spec, "changed")
    assert take(server, "?serving=changed", bins=1).numbers[:1] == [0]
    tamper(home.resources, serving_id)
    # Also while its stream goes on for others.
    assert "SERVING_TAMPERED" in refused(server, "?serving=changed")


def test_a_spec_that_nobody_promoted_is_refused_though_it_is_stored(server, home):
    from contracts.canonical import canonical_json
    from islandflow_resources.published import spec_key

    spec = published(home.spec.runtime_snapshot, home.spec.stream, name="only_stored")
    key = spec_key(spec.serving_id)
    home.resources.store.put_exact(key, canonical_json(spec.document()) + b"\n")
    assert "SERVING_NOT_FOUND" in refused(server, f"?serving={spec.serving_id}")
    assert not clock_path(home.path, spec.serving_id).exists()


def test_a_spec_of_another_instrument_is_refused(server, home):
    runtime = home.spec.runtime_snapshot.runtime_config
    other = home.spec.runtime_snapshot.model_copy(
        update={"runtime_config": runtime.model_copy(update={"symbol": "ESH6"})}
    )
    publish(home.resources, published(other, home.spec.stream, name="other_symbol"), "other")
    assert "INSTRUMENT_LOCKED" in refused(server, "?serving=other")


def test_a_spec_that_nobody_trusted_has_signed_is_refused(server, home):
    resources, stream = home.resources, home.spec.stream
    unsigned = published(home.spec.runtime_snapshot, stream, name="unsigned")
    serving_id = publish(resources, unsigned, "unsigned")
    [key] = resources.store.keys(f"serving/{serving_id[7:]}/signature-")
    remove(resources.store, key)
    assert "SERVING_UNSIGNED" in refused(server, "?serving=unsigned")
    theirs = Keyring(bytes(32))
    sign(resources.store, theirs, serving_id, canonical_json(unsigned.document()))
    assert "SERVING_SIGNER_UNKNOWN" in refused(server, "?serving=unsigned")
    sign(resources.store, resources.keyring, serving_id, canonical_json(unsigned.document()))
    assert take(server, "?serving=unsigned", bins=1).numbers


def test_a_spec_of_events_that_are_not_recorded_is_refused(server, home):
    stream = home.spec.stream.model_copy(update={"seed": 77})
    publish(home.resources, published(home.spec.runtime_snapshot, stream), "nowhere")
    assert "STREAM_EVENTS_MISSING" in refused(server, "?serving=nowhere")


def test_a_spec_of_another_dataset_than_this_engine_makes_is_refused(server, home):
    stream = home.spec.stream.model_copy(update={"dataset_id": "mnqh6-0000000000000000"})
    publish(home.resources, published(home.spec.runtime_snapshot, stream), "older")
    assert "STREAM_ENGINE_DIFFERS" in refused(server, "?serving=older")


def test_a_token_must_be_shown_where_one_is_asked_for(home):
    how = Serving(Access(LOOPBACK, "secret"), FAST, hello_s=0.2)
    with serving(home.resources, how) as address:
        assert "TOKEN_MISSING" in refused(address)
        assert "TOKEN_MISSING" in refused(address, messages=())
        assert "TOKEN_WRONG" in refused(address, messages=('{"type":"hello","token":"guess"}',))
        assert take(address, QUERY, bins=1, token="secret").numbers


def test_the_token_is_a_setting_that_no_message_shows():
    settings = load_settings({"ISLANDFLOW_SERVE_TOKEN": "hush"})
    assert settings.serve_token == "hush"
    assert "hush" not in repr(settings)


def test_a_client_that_says_nothing_is_served_after_a_while(server):
    with connected(server, QUERY) as client:
        assert json.loads(client.recv(PATIENCE_S))["type"] == "runtime_config"
