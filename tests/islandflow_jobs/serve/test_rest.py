"""The REST endpoints over a real server: answers, refusals, and whatever the document allows."""

import json
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from engine.digest import engine_digest
from islandflow_jobs.serve.access import LOOPBACK, Access
from islandflow_jobs.serve.app import Serving, make_app
from islandflow_jobs.serve.middleware import MAX_DOCUMENT_BYTES
from islandflow_resources.models import Scenario
from islandflow_resources.signal_runs import record_runs
from islandflow_resources.tables import store_table
from tests.graph import CALM, CROSSOVER, market
from tests.islandflow_jobs.serve.published import ALIAS, RUN_ID
from tests.islandflow_jobs.serve.served import serving
from tests.islandflow_resources.signal_trials import TRIALS, run_row, trials_table

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
OTHER_RUN = "b2" * 16


@pytest.fixture(scope="module", autouse=True)
def _runs(home):
    """Two recorded runs, one of them served."""
    resources = home.resources
    table = trials_table({RUN_ID: (0.1, 0.2, 0.3), OTHER_RUN: (0.5,)})
    stored = store_table(resources.store, "experiments/trials.parquet", table, TRIALS)
    places = {RUN_ID: (0, 3), OTHER_RUN: (3, 1)}
    rows = [
        run_row(run_id, stored.content_digest, *place, tp_rate=rate)
        for (run_id, place), rate in zip(places.items(), (0.6, None), strict=True)
    ]
    assert record_runs(resources.database, rows) == 2


def ask(server, path, body=None, **headers):
    """Status, headers and document of an answer."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"content-type": "application/json", **headers}
    request = Request(f"{server.http}{path}", data, sent)
    try:
        with urlopen(request) as answer:
            return answer.status, answer.headers, _read(answer)
    except HTTPError as answer:
        with answer:
            return answer.code, answer.headers, _read(answer)


def _read(answer):
    data = answer.read()
    return json.loads(data) if answer.headers.get_content_type() == "application/json" else data


def refused(server, path, body=None, code=400, **headers):
    status, _, answer = ask(server, path, body, **headers)
    assert status == code, answer
    assert answer["error"].keys() == {"code", "message", "loc", "hints", "others"}
    return answer["error"]


def test_runs_are_listed_best_first_with_what_can_be_streamed(server):
    status, _, answer = ask(server, "/v1/experiments/runs")
    assert status == 200
    assert [run["run_id"] for run in answer["runs"]] == [RUN_ID, OTHER_RUN]
    assert [run["can_stream"] for run in answer["runs"]] == [True, False]
    assert answer["filters"] == {"signals": ["derivative"], "datasets": ["mnqh6-1"]}
    assert answer["runs"][1]["tp_rate"] is None


def test_runs_are_filtered_sorted_and_cut(server):
    for query, number in (
        ("signal=ads", 0),
        ("dataset_id=mnqh6-1&top_n=1", 1),
        ("min_signals=1000", 0),
        ("sort=median_time_to_outcome_ms", 2),
    ):
        assert len(ask(server, f"/v1/experiments/runs?{query}")[2]["runs"]) == number


@pytest.mark.parametrize(
    "query",
    ["sort=run_id", "top_n=0", "top_n=x", "min_signals=-1", "signal=a%27b", "other=1", "top_n="],
)
def test_other_queries_of_runs_are_refused(server, query):
    assert refused(server, f"/v1/experiments/runs?{query}")["code"] == "REQUEST_INVALID"


def test_a_run_is_shown_with_every_threshold_and_the_page_of_its_stream(server):
    status, _, answer = ask(server, f"/v1/experiments/runs/{RUN_ID}/detail")
    assert status == 200
    assert [row["threshold"] for row in answer["threshold_results"]] == [0.1, 0.2, 0.3]
    assert (answer["can_stream"], answer["streaming_url"]) == (True, f"/?serving={ALIAS}")
    assert answer["meta"]["campaign_key"] == "quiet-0"
    other = ask(server, f"/v1/experiments/runs/{OTHER_RUN}/detail")[2]
    assert (other["can_stream"], other["streaming_url"]) == (False, None)


def test_a_run_that_is_not_there_is_not_found(server):
    path = f"/v1/experiments/runs/{'c' * 32}/detail"
    assert refused(server, path, code=404)["code"] == "RUN_NOT_FOUND"
    assert refused(server, "/v1/experiments/runs/..%2f..%2fx/detail", code=404)


def test_what_is_served_is_listed(server, home):
    aliases = ask(server, "/v1/serving")[2]["aliases"]
    assert {"alias": ALIAS, "serving_id": home.spec.serving_id, "kind": "signal"} in aliases


def test_the_server_says_what_it_is_and_that_it_is_well(server):
    health = ask(server, "/healthz")
    assert (health[0], health[2]) == (200, {"ok": True, "store": "ok", "database": "ok"})
    version = ask(server, "/version")[2]
    assert version["engine_digest"] == engine_digest()
    status, headers, text = ask(server, "/metrics")
    assert status == 200
    assert headers["content-type"].startswith("text/plain")
    assert b"islandflow_bin_latency_seconds_bucket" in text


@pytest.mark.parametrize(
    "path", ["/nowhere", "/static/../app.py", "/..%2f..%2fsettings.py", "/%00"]
)
def test_other_paths_lead_nowhere(server, path):
    assert refused(server, path, code=404)["code"] == "HTTP_404"


def test_the_page_may_load_nothing_from_elsewhere(server):
    status, headers, text = ask(server, "/")
    assert status == 200
    assert b"<html" in text
    assert "default-src 'self'" in headers["content-security-policy"]


def request(**changes):
    return {"strategy": CROSSOVER, "scenario": CALM, **changes}


@pytest.mark.parametrize("tier", ["t0", "t1"])
def test_a_backtest_is_computed_once_and_then_found(server, tier):
    body = request(initial_cash=10_000.0 if tier == "t0" else 20_000.0)
    first = ask(server, f"/api/v1/engine/{tier}", body)
    again = ask(server, f"/api/v1/engine/{tier}", body)
    assert (first[0], again[0]) == (200, 200)
    assert (first[2]["used_cache"], again[2]["used_cache"]) == (False, True)
    assert {**first[2], "used_cache": True} == again[2]
    assert first[2]["bars"] == len(first[2]["equity"]["equity"]) == CALM["duration_bars"]
    assert first[2]["equity"]["equity"][0] == body["initial_cash"]
    assert first[2]["trades"][0]["reason"].startswith("rule")
    assert first[2]["metrics"]["trades"] > 0


def test_the_first_tier_sees_a_thousand_bars(server):
    long = {**CALM, "duration_bars": 1_500}
    assert ask(server, "/api/v1/engine/t0", request(scenario=long))[2]["bars"] == 1_000
    assert ask(server, "/api/v1/engine/t1", request(scenario=long))[2]["bars"] == 1_500


def test_a_stored_dataset_is_found_by_its_reference_and_gives_the_same(server, home):
    from islandflow_resources.materialise import dataset_ref, make_datasets

    resources, spec = home.resources, market(CALM)
    resources.database.register_scenario(
        Scenario(
            scenario_hash=spec.scenario_hash,
            scenario_key=spec.partition_key,
            scenario_id=spec.id,
            spec=spec.market,
        )
    )
    wanted = {"ref": spec.partition_key, "seed": 1}
    missing = refused(server, "/api/v1/engine/t0", request(scenario=wanted))
    assert (missing["code"], missing["loc"]) == ("DATASET_NOT_MADE", "/scenario/seed")
    refs = [dataset_ref(spec, 1)]
    runtime = resources.engine_runtime
    assert [*make_datasets(resources.store, resources.database, runtime, refs, "run")]
    found = ask(server, "/api/v1/engine/t0", request(scenario=wanted))[2]
    inline = ask(server, "/api/v1/engine/t0", request())[2]
    assert found["cache_key"] == inline["cache_key"]
    assert inline["used_cache"]


@pytest.mark.parametrize(
    ("body", "code", "loc"),
    [
        (b"{", "DOCUMENT_NOT_JSON", "line"),
        (b"[]", "DOCUMENT_NOT_OBJECT", ""),
        ({"scenario": CALM}, "REQUEST_FIELD_MISSING", "/strategy"),
        (request(colour="red"), "REQUEST_FIELD_UNKNOWN", "/colour"),
        (
            request(scenario={"ref": "nobody", "seed": 1}),
            "SCENARIO_NOT_REGISTERED",
            "/scenario/ref",
        ),
        (request(scenario={**CALM, "sigma": 1}), "SCENARIO_FIELD_UNKNOWN", "/scenario/sigma"),
        (request(scenario={**CALM, "duration_bars": 600_000}), "SCENARIO_TOO_LONG", "/scenario"),
        (
            request(scenario={**CALM, "timeframe": "5m"}),
            "BACKTEST_TIMEFRAME",
            "/strategy/timeframe",
        ),
        (
            request(strategy={**CROSSOVER, "rules": [{"if": "1", "then": "fly"}]}),
            "DSL_",
            "/strategy/rules",
        ),
        (request(initial_cash=-1), "REQUEST_", "/initial_cash"),
        (request(costs={"fee_bps": "1"}), "REQUEST_", "/costs/fee_bps"),
    ],
)
def test_what_is_wrong_with_a_request_is_said_with_its_place(server, body, code, loc):
    error = refused(server, "/api/v1/engine/t0", body)
    assert error["code"].startswith(code)
    assert error["loc"].startswith(loc)
    assert error["hints"]


def test_a_large_body_is_refused_whether_or_not_it_says_so(server):
    data = b" " * (MAX_DOCUMENT_BYTES + 1)
    assert refused(server, "/api/v1/engine/t0", data, 413)["code"] == "REQUEST_TOO_LARGE"
    chunked = iter([data[: 1 << 19]] * 3)
    sent = Request(f"{server.http}/api/v1/engine/t0", chunked, {"content-type": "x"})  # type: ignore[arg-type]
    with pytest.raises(HTTPError) as caught:
        urlopen(sent)
    with caught.value:
        assert caught.value.code == 413


def test_pages_of_other_sites_may_ask_nothing(server):
    error = refused(server, "/v1/serving", None, 403, origin="http://example.org")
    assert error["code"] == "ORIGIN_REFUSED"
    assert ask(server, "/v1/serving", None, origin=server.http)[0] == 200


def test_a_token_opens_what_is_behind_it_and_health_needs_none(home):
    with serving(home.resources, Serving(Access(LOOPBACK, "secret"))) as address:
        for path in ("/v1/serving", "/v1/experiments/runs", "/metrics"):
            assert refused(address, path, None, 401)["code"] == "TOKEN_MISSING"
            wrong = {"authorization": "Bearer guess"}
            assert refused(address, path, None, 401, **wrong)["code"] == "TOKEN_WRONG"
            assert ask(address, path, None, authorization="Bearer secret")[0] == 200
        assert ask(address, "/healthz")[0] == 200


@pytest.fixture(scope="module")
def document(home):
    return make_app(home.resources, Serving()).openapi()


def test_the_document_describes_every_endpoint_and_the_request_of_backtests(document):
    assert set(document["paths"]) == {
        "/healthz",
        "/version",
        "/metrics",
        "/v1/experiments/runs",
        "/v1/experiments/runs/{run_id}/detail",
        "/v1/serving",
        "/api/v1/engine/t0",
        "/api/v1/engine/t1",
    }
    request = document["components"]["schemas"]["BacktestRequest"]
    assert set(request["required"]) == {"strategy", "scenario"}
    told = json.dumps(document)
    assert "HTTPValidationError" not in told
    for name in document["components"]["schemas"]:
        assert name == "ErrorAnswer" or f'schemas/{name}"' in told, name


def test_no_request_that_the_document_allows_breaks_the_server_or_the_document(server, document):
    schema = schemathesis.openapi.from_dict(document)
    how = settings(
        max_examples=4,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    asked = 0

    for result in schema.get_all_operations():
        operation = result.ok()

        @how
        @given(case=operation.as_strategy())
        def probe(case):
            nonlocal asked
            asked += 1
            case.call_and_validate(base_url=server.http, checks=CHECKS)

        probe()
    assert asked >= 8 + 4


def test_no_answer_lets_another_origin_read_and_none_with_secrets_is_kept(server):
    foreign = {"origin": "http://example.org"}
    asked = {
        "/": {},
        "/healthz": {},
        "/v1/serving": {},
        "/v1/experiments/runs?sort=x": {},
        "/nowhere": {},
        "/version": foreign,
        "/v1/experiments/runs": foreign,
    }
    for path, sent in asked.items():
        _, headers, _ = ask(server, path, None, **sent)
        names = {name.lower() for name in headers}
        assert not any(name.startswith("access-control-") for name in names), path
        assert {"content-security-policy", "x-content-type-options", "x-frame-options"} <= names
        assert {"referrer-policy", "cross-origin-resource-policy"} <= names
        assert ("cache-control" in names and headers["cache-control"] == "no-store") == (
            path.startswith("/v1/")
        )


def test_a_browser_that_asks_for_leave_first_gets_none(server):
    request = Request(f"{server.http}/v1/serving", method="OPTIONS")
    request.add_header("origin", "http://example.org")
    request.add_header("access-control-request-method", "GET")
    with pytest.raises(HTTPError) as caught:
        urlopen(request)
    with caught.value as answer:
        assert answer.code == 403
        assert "access-control-allow-origin" not in {name.lower() for name in answer.headers}
