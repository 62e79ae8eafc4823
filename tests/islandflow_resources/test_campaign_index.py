"""Campaigns and leaderboards as rows, on both databases."""

from datetime import UTC, datetime

import pytest

from contracts.errors import NotFoundError
from islandflow_resources.campaign_index import CampaignIndex
from islandflow_resources.models import Campaign, CampaignCandidate

EARLY = datetime(2026, 1, 1, tzinfo=UTC)
LATE = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.fixture
def index(database):
    return CampaignIndex(database)


def campaign(name, digit, at=EARLY):
    return Campaign(
        campaign_hash=f"sha256:{digit * 64}",
        campaign_key=f"{name}-{digit * 12}",
        campaign_id=name,
        spec={"id": name, "seeds": [1, 2], "costs": {"fee_bps": 0.1}},
        registered_at=at,
    )


def candidate(number, rank, **changes):
    values = {
        "candidate_key": f"sha256:{number:064x}",
        "campaign_hash": "sha256:" + "a" * 64,
        "rank": rank,
        "strategy_id": "crossover",
        "strategy_hash": "sha256:" + "2" * 64,
        "params": {"fast": 5, "slow": 0.1 + 0.2},
        "trials": 100,
        "objective": "sharpe",
        "score": 1.0 / 3.0,
        "metrics": {"sharpe": 1.0 / 3.0, "ruin": None},
    }
    return CampaignCandidate(**values | changes)


def test_a_campaign_is_registered_once_and_found_by_key_hash_and_id(index):
    row = campaign("first", "a")
    assert index.register_campaign(row) is True
    assert index.register_campaign(row) is False
    assert index.register_campaign(campaign("second", "b")) is True
    assert [one.campaign_id for one in index.campaigns()] == ["first", "second"]
    for name in (row.campaign_key, row.campaign_hash, "first"):
        assert index.campaign(name).campaign_hash == row.campaign_hash
    assert index.campaign("first").spec == row.spec


def test_an_id_means_its_newest_campaign_and_a_key_always_its_own(index):
    index.register_campaign(campaign("first", "b", LATE))
    index.register_campaign(campaign("first", "a", EARLY))
    assert index.campaign("first").campaign_key == "first-" + "b" * 12
    assert index.campaign("first-" + "a" * 12).registered_at == EARLY


def test_an_unknown_campaign_says_how_to_register_one(index):
    index.register_campaign(campaign("first", "a"))
    with pytest.raises(NotFoundError, match="CAMPAIGN_NOT_REGISTERED") as caught:
        index.campaign("fir")
    assert "islandflow campaign run" in caught.value.hints[0]


def test_a_leaderboard_is_recorded_once_and_read_in_order_of_ranks(index):
    board = [candidate(1, 3), candidate(2, 1), candidate(3, 2, score=None)]
    assert index.record_candidates(board) == 3
    assert index.record_candidates([*board, candidate(4, 4)]) == 1
    assert index.record_candidates([]) == 0
    index.record_candidates([candidate(5, 1, campaign_hash="sha256:" + "b" * 64)])
    back = index.candidates("sha256:" + "a" * 64)
    assert [row.rank for row in back] == [1, 2, 3, 4]
    assert [row.score for row in back] == [1.0 / 3.0, None, 1.0 / 3.0, 1.0 / 3.0]
    assert back[0].params == {"fast": 5, "slow": 0.1 + 0.2}
    assert back[0].metrics == {"sharpe": 1.0 / 3.0, "ruin": None}
    assert [row.rank for row in index.candidates("sha256:" + "a" * 64, top=2)] == [1, 2]
    assert index.candidates("sha256:none") == []
