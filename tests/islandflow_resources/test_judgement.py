"""The chain of reports behind a dossier: each is found, or made from the one before."""

import pytest

from contracts.errors import IntegrityError
from islandflow_resources.campaign_reports import newest
from islandflow_resources.campaign_tables import CANDIDATE_TABLE
from tests.islandflow_resources.campaigning import aside, damage, finished_copy

REPORTS = ("campaign_leaderboard", "campaign_monte_carlo", "campaign_walk_forward",
           "overfit_report", "promotion_dossier")  # fmt: skip


def reports(home, campaign):
    """Keys of the reports by kind."""
    found = {}
    for key in home.store.keys(f"{campaign.folder}/"):
        kind = key.removeprefix(f"{campaign.folder}/").split("/")[0]
        found.setdefault(kind, []).append(key)
    return found


def test_judging_again_makes_and_stores_nothing():
    with finished_copy() as home:
        campaign = home.ready()
        before, rows = home.objects(), len(home.database.artefacts())
        assert home.judged(campaign).stored.used_cache
        assert (home.objects(), len(home.database.artefacts())) == (before, rows)


def test_there_is_one_report_of_each_kind():
    with finished_copy() as home:
        found = reports(home, home.ready())
        assert {kind: len(found[kind]) for kind in REPORTS} == dict.fromkeys(REPORTS, 1)


@pytest.mark.parametrize("kind", REPORTS)
def test_whichever_report_is_damaged_the_chain_ends_in_the_same_dossier(kind):
    with finished_copy() as home:
        campaign = home.ready()
        first = home.judged(campaign)
        before = home.objects()
        [key] = reports(home, campaign)[kind]
        damage(home.store, key)
        again = home.judged(campaign)
        assert again.stored.content_digest == first.stored.content_digest
        assert home.objects() == before
        assert aside(home.store) == [key]


def test_damaged_candidates_are_refused_until_the_trials_are_gathered_again():
    with finished_copy() as home:
        campaign = home.ready()
        first = home.judged(campaign)
        damage(home.store, newest(home.database, campaign, CANDIDATE_TABLE).object_key)
        with pytest.raises(IntegrityError):
            home.judged(campaign)
        assert home.trials(campaign).made == 0
        assert home.judged(campaign).stored.content_digest == first.stored.content_digest
