"""The published spec in real runs: made once, refused by its gate, the same however often."""

import pytest

from islandflow_assets import keys
from islandflow_assets.serving import ACTOR, DOSSIER_TAG
from islandflow_resources.published import read_published
from islandflow_resources.registry import Registry
from tests.campaign_graph import (
    campaign_home,
    empty_home,
    only_campaign,
    promoted_home,
    register,
    run_job,
)
from tests.graph import graph_of
from tests.islandflow_resources.campaigning import SHUT_GATE


@pytest.fixture(scope="module")
def published():
    """The run that promotes the finished campaign's winner."""
    with graph_of(campaign_home()) as graph:
        yield graph, run_job(graph, only_campaign(graph), "promotion")


def test_the_winner_is_published_under_the_campaigns_alias(published):
    graph, run = published
    key = only_campaign(graph)
    assert run.success, run.said
    event = run.materialised(keys.PUBLISHED_SERVING_SPEC)[key]
    serving_id = event.metadata["serving_id"].value
    registry = Registry(graph.resources.database)
    assert registry.resolve("best").serving_id == serving_id
    [move] = registry.history("best")
    assert (move.revision, move.action, move.from_serving_id) == (1, "promote", None)
    assert move.actor == f"{ACTOR}{run.result.run_id}"
    spec = read_published(graph.resources.store, graph.resources.keyring, serving_id)
    assert event.metadata["spec"].value == spec.document()
    assert event.tags["dagster/data_version"] == serving_id.removeprefix("sha256:")
    assert len(event.tags[DOSSIER_TAG]) == 32


def test_its_check_says_on_how_many_datasets_the_numbers_came_again(published):
    _, run = published
    check = run.check(keys.NUMBERS_REPRODUCED)
    assert (check.passed, check.description) == (True, "the same on all 4 datasets")


def test_a_second_promotion_moves_nothing_and_says_so():
    with graph_of(promoted_home()) as graph:
        key = only_campaign(graph)
        before = graph.objects(), len(graph.resources.database.audit())
        run = run_job(graph, key, "promotion")
        assert run.success, run.said
        metadata = run.materialised(keys.PUBLISHED_SERVING_SPEC)[key].metadata
        assert (metadata["new"].value, metadata["revision"].value) == (False, 1)
        assert graph.objects() == before[0]
        assert len(Registry(graph.resources.database).history("best")) == 1
        said = [one.user_message for one in graph.instance.all_logs(run.result.run_id)]
        assert any("best already moved to" in line for line in said)


def test_a_refused_winner_is_not_published_and_every_reason_is_told():
    with graph_of(empty_home()) as graph:
        key = register(graph, gate=SHUT_GATE)
        assert run_job(graph, key).success
        run = run_job(graph, key, "promotion")
        assert not run.success
        assert run.said.count("GATE_REFUSED") >= 5
        assert graph.resources.store.keys("serving/") == []
        assert Registry(graph.resources.database).aliases() == []


def test_a_campaign_without_an_alias_is_refused_with_what_to_do():
    with graph_of(empty_home()) as graph:
        key = register(graph, promotion=None)
        run = run_job(graph, key, "promotion")
        assert not run.success
        assert "PROMOTION_NO_ALIAS" in run.said
        assert f"islandflow serving promote {key} --alias NAME" in run.said
