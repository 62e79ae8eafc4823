"""What is told of a campaign: how far it is, the best of it, and what the gate said."""

import pytest

from contracts.errors import IntegrityError
from islandflow_resources.campaign_reports import newest
from islandflow_resources.campaign_status import (
    changed_params,
    newest_dossier,
    status_lines,
    status_of,
)
from islandflow_resources.campaign_trials import listed_chunks
from islandflow_resources.dossiers import DOSSIER_DOCUMENT, VERSION
from islandflow_resources.registry import Registry
from islandflow_resources.trials import make_chunks
from tests.islandflow_resources.campaigning import (
    SHUT_GATE,
    damage,
    empty_home,
    entrant,
    finished_copy,
)


@pytest.fixture
def home():
    with finished_copy() as made:
        yield made


def lines(home, campaign):
    return status_lines(home.store, home.database, campaign)


def line(home, campaign):
    return status_of(home.store, home.database, campaign)


def test_trials_are_counted_as_they_are_recorded():
    with empty_home() as home:
        campaign = home.ready()
        assert "0 of 24 trials recorded, no dossier yet" in line(home, campaign)
        list(make_chunks(*home.place, list(listed_chunks(campaign))[:3], "run"))
        assert "18 of 24 trials recorded, no dossier yet" in line(home, campaign)
        home.trials(campaign)
        assert line(home, campaign) == f"{campaign.key}: all 24 trials recorded, no dossier yet"
        assert lines(home, campaign)[-1].endswith(f"islandflow campaign resume {campaign.key}")
        assert newest_dossier(home.store, home.database, campaign) is None
        assert home.store.keys(f"{campaign.folder}/promotion_dossier/") == []


def test_trials_of_learning_searches_are_not_known_beforehand():
    learning = {**entrant(), "search": {"method": "optuna", "trials": 4, "batch": 2, "seed": 1}}
    with empty_home() as home:
        campaign = home.ready(strategies=[learning, entrant(id="second")], seeds="1")
        assert line(home, campaign).startswith(f"{campaign.key}: 0 of 20 trials recorded")
        list(make_chunks(*home.place, list(listed_chunks(campaign)), "run"))
        assert "12 of 20 trials recorded" in line(home, campaign)


def test_a_finished_campaign_tells_its_best_and_every_sentence_of_the_gate(home):
    campaign = home.ready()
    dossier = home.judged(campaign).dossier
    told = lines(home, campaign)
    assert told[0] == f"campaign {campaign.key}: all 24 trials recorded"
    assert told[1].startswith("rank 1: crossing (fast 2, slow 12), sharpe 62.48")
    assert [one.split(":")[0] for one in told[1:6]] == [f"rank {rank}" for rank in range(1, 6)]
    assert told[6] == "the gate passed"
    assert told[7:11] == [f"  met     {one.name}: {one.sentence}" for one in dossier.criteria]
    assert told[11:] == ["nothing of it is published"]
    assert line(home, campaign).endswith("the gate passed")


def test_a_refusal_names_what_was_not_met(home):
    campaign = home.ready(gate=SHUT_GATE)
    home.trials(campaign)
    home.judged(campaign)
    assert "the gate refused: trades, out_of_sample" in line(home, campaign)
    assert sum(one.startswith("  not met ") for one in lines(home, campaign)) == 7


def test_what_is_served_is_told_with_its_name(home):
    campaign = home.ready()
    done = home.promote(campaign)
    assert lines(home, campaign)[-2:] == [
        f"published {done.draft.serving_id}",
        "served as best, revision 1",
    ]
    other = home.ready(promotion={"alias": "best", "description": "another"})
    home.trials(other)
    home.promote(other)
    assert lines(home, campaign)[-1] == f"published {done.draft.serving_id}"
    Registry(home.database).rollback("best", actor="ada", reason="back")
    assert lines(home, campaign)[-1] == "served as best, revision 3"


def test_a_damaged_dossier_is_not_shown(home):
    campaign = home.ready()
    row = newest(home.database, campaign, DOSSIER_DOCUMENT, VERSION)
    damage(home.store, row.object_key, home.store.get(row.object_key).replace(b"true", b"false"))
    with pytest.raises(IntegrityError, match="DOCUMENT_DAMAGED"):
        status_of(home.store, home.database, campaign)


def test_of_a_signals_parameters_those_are_told_that_are_not_its_defaults():
    params = {"add_weight": 0.6, "ema_alpha": 0.2, "lag_bins": 4.0, "pull_weight": 0.4}
    assert changed_params("pfp", params) == {"ema_alpha": 0.2, "lag_bins": 4.0}
    assert changed_params("pfp", {"lag_bins": 5.0}) == {}
    assert changed_params("gone", {"b": 5.0, "a": 1.0}) == {"a": 1.0, "b": 5.0}
