"""Campaigns as the command line runs them; what it prints of them is in test_cli_campaigns.py."""

import pytest

from contracts.campaign import campaign_from
from contracts.errors import ContractError, NotFoundError
from islandflow_jobs import campaign_run
from islandflow_resources.campaigns import registered
from islandflow_resources.materialise import dataset_ref
from islandflow_resources.registry import Registry
from tests.campaign_graph import campaign_home, empty_home, only_campaign, promoted_home, register
from tests.graph import graph_of
from tests.islandflow_resources.campaigning import SHUT_GATE, damage, document


@pytest.fixture
def judged():
    """A home whose campaign is run and not promoted."""
    with graph_of(campaign_home()) as graph:
        yield graph


def aliases(graph):
    return [row.alias for row in Registry(graph.resources.database).aliases()]


def test_a_run_makes_all_trials_and_serves_what_passed():
    with graph_of(empty_home()) as graph:
        ran = campaign_run.run(graph.resources, campaign_from(document()))
        assert ran.succeeded
        assert ran.lines[0] == "computed 24 of 24 trials, found the others recorded"
        assert aliases(graph) == ["best"]


def test_a_damaged_trial_is_found_out_and_made_again_by_a_resume(judged):
    store = judged.resources.store
    chunk = next(key for key in store.keys("trials/") if key.endswith(".parquet"))
    whole = store.get(chunk)
    damage(store, chunk)
    assert campaign_run.resume(judged.resources, "tiny", promote=False).succeeded
    assert store.get(chunk) == whole
    assert aliases(judged) == []


def test_under_a_dry_run_nothing_is_served(judged, monkeypatch):
    monkeypatch.setenv("ISLANDFLOW_PROMOTION", "dry_run")
    resources = type(judged.resources).from_environment()
    assert campaign_run.resume(resources, "tiny").succeeded
    assert aliases(judged) == []


def test_what_the_gate_refuses_is_a_run_that_succeeded_and_served_nothing():
    with graph_of(empty_home()) as graph:
        ran = campaign_run.run(graph.resources, campaign_from(document(gate=SHUT_GATE)))
        assert ran.succeeded
        assert any(line.startswith("the gate refused: trades") for line in ran.lines)
        assert aliases(graph) == []


def test_a_promotion_that_fails_is_a_run_that_failed_and_says_why(judged):
    campaign = registered(judged.resources.database, "tiny")
    damage(judged.resources.store, dataset_ref(*campaign.cells[-1]).dataset_key)
    ran = campaign_run.resume(judged.resources, "tiny")
    assert not ran.succeeded
    said, told = ran.lines
    assert said.startswith("SERVING_NOT_REPRODUCED")
    assert told.endswith(f"then run: islandflow campaign resume {campaign.key}")
    assert aliases(judged) == []


def test_a_damaged_table_of_chunks_is_made_again_and_not_believed(judged):
    folder = f"campaigns/{only_campaign(judged)}/campaign_chunks/"
    [table] = judged.resources.store.keys(folder)
    whole = judged.resources.store.get(table)
    damage(judged.resources.store, table)
    assert campaign_run.resume(judged.resources, "tiny").succeeded
    assert judged.resources.store.get(table) == whole
    assert aliases(judged) == ["best"]


def test_campaigns_of_different_objectives_are_not_compared(judged):
    register(judged, id="calm", objective="calmar", seeds="3")
    assert campaign_run.resume(judged.resources, "calm").succeeded
    with pytest.raises(ContractError, match="CAMPAIGNS_INCOMPARABLE"):
        campaign_run.compare(judged.resources, ["tiny", "calm"])


def test_candidates_of_several_campaigns_stand_in_one_order(judged):
    register(judged, id="other", seeds="3")
    assert campaign_run.resume(judged.resources, "other", promote=False).succeeded
    head, *rows = campaign_run.compare(judged.resources, ["tiny", "other"], top=12)
    cells = [row.split("\t") for row in rows]
    assert {cell[0].split("-")[0] for cell in cells} == {"tiny", "other"}
    scores = [float(cell[4]) for cell in cells]
    assert scores == sorted(scores, reverse=True)
    assert len(head.split("\t")) == len(cells[0])


def test_nothing_of_a_name_that_nobody_registered(judged):
    with pytest.raises(NotFoundError, match="CAMPAIGN_NOT_REGISTERED"):
        campaign_run.resume(judged.resources, "ghost")


def test_a_promoted_campaign_run_again_serves_it_still_and_moves_nothing():
    with graph_of(promoted_home()) as graph:
        ran = campaign_run.resume(graph.resources, "tiny")
        assert ran.lines[-1] == "served as best, revision 1"
        assert len(Registry(graph.resources.database).history("best")) == 1
