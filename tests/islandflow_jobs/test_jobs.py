"""Jobs on a real instance: the inbox, whose broken documents lie aside, and the tiers."""

import json

import pytest

from islandflow_assets import keys
from islandflow_assets.partitions import Partition
from islandflow_jobs.definitions import defs
from islandflow_jobs.jobs import (
    CAMPAIGN_INBOX,
    DATASET_INBOX,
    MARKET_INBOX,
    PIPELINE_INBOX,
    REGISTERED,
    SCENARIO_INBOX,
    STRATEGY_INBOX,
    TAPE_INBOX,
    waiting,
)
from islandflow_resources.tape_requests import registered_requests
from tests.graph import CALM, CROSSOVER, QUIET, Run, market
from tests.islandflow_resources.books import short_tape
from tests.islandflow_resources.campaigning import document
from tests.islandflow_resources.pipelines import TAPE, campaign_document, pipeline_document
from tests.islandflow_resources.small_markets import DEPLOYED, profile


def drop(graph, inbox=SCENARIO_INBOX, **documents):
    """Put documents into an inbox by file name."""
    for name, data in documents.items():
        content = data if isinstance(data, bytes) else json.dumps(data).encode()
        graph.resources.store.put_if_absent(f"{inbox}{name}.json", content)


def registered_strategies(graph):
    return [row.strategy_id for row in graph.resources.database.strategies()]


def errors_of(graph):
    """Problems that lie in quarantine, by the key of the document."""
    reports = [key for key in under(graph, "quarantine/") if key.endswith("/errors.json")]
    found = [json.loads(graph.resources.store.get(key)) for key in reports]
    return {one["document"]: one["problems"] for one in found}


def empty_the_inbox(graph):
    result = defs.resolve_job_def("register_inbox").execute_in_process(
        instance=graph.instance, run_config=QUIET, raise_on_error=False
    )
    return Run(result, graph.instance)


def under(graph, root):
    return graph.resources.store.keys(root)


def test_a_document_in_the_inbox_becomes_a_partition_and_leaves_it(graph):
    drop(graph, fresh=CALM | {"id": "fresh", "seed": 5})
    assert empty_the_inbox(graph).success
    assert graph.scenario_keys[-1] == market(CALM, id="fresh").partition_key
    assert "5" in graph.instance.get_dynamic_partitions("seed")
    assert under(graph, SCENARIO_INBOX) == []
    [kept] = under(graph, REGISTERED)
    assert kept.endswith(f"/{SCENARIO_INBOX}fresh.json")


BROKEN = {
    "not_json": b"{",
    "not_utf8": b'{"id": "\xff"}',
    "unknown_family": json.dumps(CALM | {"family": "nosuch"}).encode(),
    "duplicate": b'{"id": "a", "id": "b"}',
    "too_large": b'{"id": "' + b"a" * 10_000_000 + b'"}',
    "too_deep": b"[" * 100_000,
    "nothing": b"",
}


def test_broken_documents_lie_in_quarantine_with_their_errors_and_block_nobody(graph):
    good = {f"good_{name}": CALM | {"id": f"good_{name}"} for name in ("a", "z")}
    drop(graph, **BROKEN, **good)
    assert empty_the_inbox(graph).success
    assert under(graph, SCENARIO_INBOX) == []
    assert len(under(graph, REGISTERED)) == 2
    assert len(graph.scenario_keys) == 4
    aside = under(graph, "quarantine/")
    assert len(aside) == 2 * len(BROKEN)
    for name, content in BROKEN.items():
        [document] = [key for key in aside if key.endswith(f"/{name}.json")]
        assert graph.resources.store.get(document) == content
        errors = json.loads(graph.resources.store.get(f"{document.rpartition('/')[0]}/errors.json"))
        assert errors["document"] == f"{SCENARIO_INBOX}{name}.json"
        assert all(problem["code"] and problem["message"] for problem in errors["problems"])


def test_every_problem_of_a_document_stands_in_its_errors(graph):
    drop(graph, two=CALM | {"duration_bars": 1, "timeframe": "7m"})
    assert empty_the_inbox(graph).success
    [errors] = [key for key in under(graph, "quarantine/") if key.endswith("errors.json")]
    problems = json.loads(graph.resources.store.get(errors))["problems"]
    assert {problem["loc"] for problem in problems} == {"/duration_bars", "/timeframe"}


@pytest.mark.parametrize("name", ["Ünïcode näme.json", "no extension", "deep/er/spec.json"])
def test_a_file_of_any_name_is_taken(graph, name):
    folder = graph.resources.store.root / SCENARIO_INBOX
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_text(json.dumps(CALM | {"id": "named"}), "utf-8")
    assert empty_the_inbox(graph).success
    assert under(graph, SCENARIO_INBOX) == []
    assert graph.scenario_keys[-1] == market(CALM, id="named").partition_key


@pytest.mark.parametrize("name", ["a\nb.json", "\u2025", "x\u202ejson.exe", "a\uff0fb.json"])
def test_a_file_of_a_name_that_no_store_reads_keeps_nobody_waiting(graph, name):
    folder = graph.resources.store.root / SCENARIO_INBOX
    folder.mkdir(parents=True)
    (folder / name).write_text("{}", "utf-8")
    drop(graph, good=CALM | {"id": "good"})
    assert empty_the_inbox(graph).success
    assert graph.scenario_keys[-1] == market(CALM, id="good").partition_key
    assert [path.name for path in folder.iterdir()] == [name]
    assert waiting(graph.resources.store, SCENARIO_INBOX) == []


def test_errors_of_a_document_in_a_folder_of_any_name_lie_above_it(graph):
    folder = graph.resources.store.root / SCENARIO_INBOX / "Ünter folder"
    folder.mkdir(parents=True)
    (folder / "broken.json").write_bytes(b"{")
    assert empty_the_inbox(graph).success
    assert under(graph, SCENARIO_INBOX) == []
    assert [*errors_of(graph)] == [f"{SCENARIO_INBOX}Ünter folder/broken.json"]


def test_the_same_document_twice_is_one_partition(graph):
    drop(graph, one=CALM | {"id": "same"}, two=CALM | {"id": "same"})
    assert empty_the_inbox(graph).success
    assert len(graph.scenario_keys) == 3
    assert len(under(graph, REGISTERED)) == 2


def test_an_empty_inbox_is_no_failure(graph):
    assert empty_the_inbox(graph).success
    assert len(graph.scenario_keys) == 2


def test_a_strategy_in_its_inbox_is_registered_and_leaves_it(graph):
    drop(graph, STRATEGY_INBOX, fresh=CROSSOVER | {"id": "fresh"})
    assert empty_the_inbox(graph).success
    assert registered_strategies(graph) == ["crossover", "fresh"]
    assert under(graph, "inbox/") == []
    [kept] = under(graph, REGISTERED)
    assert kept.endswith(f"/{STRATEGY_INBOX}fresh.json")


def test_broken_strategies_lie_in_quarantine_with_place_and_hint_and_block_nobody(graph):
    sells = CROSSOVER["rules"][1]
    broken = {
        "typo": [{"if": "crosover(close, open)", "then": "buy"}, sells],
        "ahead": [{"if": "lag(close, -1) > close", "then": "buy"}, sells],
        "endless": [{"if": "close > open", "then": "buy"}],
    }
    for name, rules in broken.items():
        drop(graph, STRATEGY_INBOX, **{name: CROSSOVER | {"id": name, "rules": rules}})
    drop(graph, STRATEGY_INBOX, text=b"{", good=CROSSOVER | {"id": "good"})
    assert empty_the_inbox(graph).success
    assert registered_strategies(graph) == ["crossover", "good"]
    errors = errors_of(graph)
    codes = {key.removeprefix(STRATEGY_INBOX): one[0]["code"] for key, one in errors.items()}
    assert codes == {
        "typo.json": "DSL_UNSUPPORTED_FUN",
        "ahead.json": "DSL_STATIC_FAIL",
        "endless.json": "DSL_STATIC_FAIL",
        "text.json": "DOCUMENT_NOT_JSON",
    }
    [typo] = errors[f"{STRATEGY_INBOX}typo.json"]
    assert typo["loc"] == "/rules/0/if line 1 column 1"
    assert "crossover" in typo["hints"][0]


def test_the_same_strategy_twice_is_registered_once(graph):
    drop(graph, STRATEGY_INBOX, one=CROSSOVER | {"id": "same"}, two=CROSSOVER | {"id": "same"})
    assert empty_the_inbox(graph).success
    assert registered_strategies(graph) == ["crossover", "same"]
    assert len(under(graph, REGISTERED)) == 2


def test_a_document_in_the_wrong_inbox_is_put_aside_and_says_where_it_belongs(graph):
    drop(graph, SCENARIO_INBOX, strategy=CROSSOVER | {"id": "lost"})
    drop(graph, STRATEGY_INBOX, scenario=CALM | {"id": "lost"})
    before = graph.scenario_keys, registered_strategies(graph)
    assert empty_the_inbox(graph).success
    assert (graph.scenario_keys, registered_strategies(graph)) == before
    errors = errors_of(graph)
    assert STRATEGY_INBOX in errors[f"{SCENARIO_INBOX}strategy.json"][0]["hints"][0]
    assert SCENARIO_INBOX in errors[f"{STRATEGY_INBOX}scenario.json"][0]["hints"][0]


def test_documents_of_both_inboxes_are_run_end_to_end_by_the_tiers(graph):
    drop(graph, SCENARIO_INBOX, long=CALM | {"id": "long", "duration_bars": 1_200})
    drop(graph, STRATEGY_INBOX, fresh=CROSSOVER | {"id": "fresh", "params": {"n": 4}})
    assert empty_the_inbox(graph).success
    cell = Partition(graph.scenario_keys[-1], 1)
    for job, asset, bars in (
        ("t0_screen", keys.SCREENING_RESULT, 1_000),
        ("t1_full", keys.BACKTEST_RESULT, 1_200),
    ):
        run = graph.run(cell, cell, job=job)
        assert run.success, run.said
        assert run.metadata(asset, "dagster/row_count") == {str(cell): bars}
        assert run.metadata(asset, "strategies") == {str(cell): 2}
        again = graph.run(cell, cell, job=job)
        assert again.metadata(asset, "hits") == {str(cell): 2}


def test_a_campaign_may_name_what_was_dropped_together_with_it(graph):
    drop(graph, SCENARIO_INBOX, fresh=CALM | {"id": "fresh", "duration_bars": 480})
    drop(graph, STRATEGY_INBOX, fresh=CROSSOVER | {"id": "fresh"})
    named = document(scenarios=["fresh"], strategies=[{"strategy": "fresh"}])
    folder = graph.resources.store.root / CAMPAIGN_INBOX
    folder.mkdir(parents=True)
    lines = (f"{name}: {json.dumps(value)}" for name, value in named.items())
    (folder / "night.yaml").write_text("\n".join(lines), "utf-8")
    assert empty_the_inbox(graph).success
    [key] = graph.instance.get_dynamic_partitions("campaign")
    assert key.startswith("tiny-")
    assert under(graph, "inbox/") == []
    assert len(under(graph, REGISTERED)) == 3


def test_a_broken_campaign_lies_in_quarantine_with_all_its_problems_and_blocks_nobody(graph):
    broken = document(id="Bad Id", seeds="1-x", objective="luck")
    unknown = document(scenarios=["nosuch"], strategies=[{"strategy": "nosuch"}])
    drop(graph, CAMPAIGN_INBOX, broken=broken, unknown=unknown, text=b"a: [1,", good=document())
    assert empty_the_inbox(graph).success
    assert len(graph.instance.get_dynamic_partitions("campaign")) == 1
    found = {
        key.removeprefix(CAMPAIGN_INBOX): sorted(problem["loc"] for problem in problems)
        for key, problems in errors_of(graph).items()
    }
    assert found["broken.json"] == ["/id", "/objective", "/seeds"]
    assert found["unknown.json"] == ["/scenarios/0", "/strategies/0/strategy"]
    assert len(found["text.json"]) == 1


def test_a_campaign_in_the_wrong_inbox_is_told_where_it_belongs(graph):
    drop(graph, STRATEGY_INBOX, lost=document())
    assert empty_the_inbox(graph).success
    [problem] = errors_of(graph)[f"{STRATEGY_INBOX}lost.json"]
    assert CAMPAIGN_INBOX in problem["hints"][0]


def test_a_tape_in_its_inbox_becomes_a_partition(graph):
    drop(graph, TAPE_INBOX, fresh=short_tape().document())
    assert empty_the_inbox(graph).success
    assert list(graph.instance.get_dynamic_partitions("tape")) == [short_tape().partition_key]
    assert under(graph, "inbox/") == []


def test_a_tape_in_the_wrong_inbox_is_told_where_it_belongs(graph):
    drop(graph, SCENARIO_INBOX, lost=short_tape().document())
    assert empty_the_inbox(graph).success
    [problem] = errors_of(graph)[f"{SCENARIO_INBOX}lost.json"]
    assert TAPE_INBOX in problem["hints"][0]
    assert list(graph.instance.get_dynamic_partitions("tape")) == []


def test_pipelines_and_campaigns_of_datasets_are_registered_after_the_tapes_that_they_name(graph):
    named = pipeline_document(capture={"tape": TAPE.id})
    drop(graph, PIPELINE_INBOX, one=named)
    drop(graph, DATASET_INBOX, many=campaign_document(base=named))
    drop(graph, TAPE_INBOX, tape=TAPE.document())
    assert empty_the_inbox(graph).success
    assert under(graph, "inbox/") == []
    assert errors_of(graph) == {}
    for dimension, name in (("pipeline", "quiet"), ("dataset_campaign", "decays")):
        [key] = graph.instance.get_dynamic_partitions(dimension)
        assert key.startswith(f"{name}-")


def test_a_pipeline_in_a_wrong_inbox_or_of_no_tape_is_told_and_blocks_nobody(graph):
    drop(graph, DATASET_INBOX, misplaced=pipeline_document())
    drop(
        graph,
        PIPELINE_INBOX,
        homeless=pipeline_document(capture={"tape": "nosuch"}),
        right=pipeline_document(),
    )
    assert empty_the_inbox(graph).success
    [key] = graph.instance.get_dynamic_partitions("pipeline")
    assert key.startswith("quiet-")
    found = errors_of(graph)
    [wrong] = found[f"{DATASET_INBOX}misplaced.json"]
    assert (wrong["code"], wrong["hints"]) == ("INBOX_WRONG", [f"put it under {PIPELINE_INBOX}"])
    [unknown] = found[f"{PIPELINE_INBOX}homeless.json"]
    assert (unknown["code"], unknown["loc"]) == ("TAPE_NOT_REGISTERED", "/capture/tape")


def test_a_profile_of_the_market_in_its_inbox_becomes_a_partition_and_leaves_it(graph):
    whole = profile(control=DEPLOYED).model_dump(mode="json")
    short = {name: value for name, value in whole.items() if name != "quotes"}
    drop(graph, MARKET_INBOX, fresh=whole, lacking=short)
    drop(graph, TAPE_INBOX, lost=whole)
    assert empty_the_inbox(graph).success
    [key] = graph.instance.get_dynamic_partitions("market")
    assert key.startswith("small-")
    assert under(graph, "inbox/") == []
    errors = errors_of(graph)
    assert errors[f"{MARKET_INBOX}lacking.json"][0]["loc"] == "/quotes"
    assert MARKET_INBOX in errors[f"{TAPE_INBOX}lost.json"][0]["hints"][0]
    [request] = registered_requests(graph.resources.database)
    assert (request.profile, request.seeds) == (profile(control=DEPLOYED), ())
