"""The inbox job on a real instance: the good become partitions, the broken lie aside."""

import json

import pytest

from islandflow_jobs.definitions import defs
from islandflow_jobs.jobs import REGISTERED, SCENARIO_INBOX
from tests.graph import CALM, QUIET, Run, market


def drop(graph, **documents):
    """Put documents into the inbox by file name."""
    for name, data in documents.items():
        content = data if isinstance(data, bytes) else json.dumps(data).encode()
        graph.resources.store.put_if_absent(f"{SCENARIO_INBOX}{name}.json", content)


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


def test_the_same_document_twice_is_one_partition(graph):
    drop(graph, one=CALM | {"id": "same"}, two=CALM | {"id": "same"})
    assert empty_the_inbox(graph).success
    assert len(graph.scenario_keys) == 3
    assert len(under(graph, REGISTERED)) == 2


def test_an_empty_inbox_is_no_failure(graph):
    assert empty_the_inbox(graph).success
    assert len(graph.scenario_keys) == 2
