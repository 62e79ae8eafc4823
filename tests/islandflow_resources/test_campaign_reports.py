"""The leaderboard of a campaign: its order, its rows in the index, and which artefact is newest."""

import dataclasses
import math

import pytest

from contracts.columns import CANDIDATES
from contracts.errors import NotFoundError
from islandflow_resources.campaign_index import CampaignIndex
from islandflow_resources.campaign_reports import (
    LEADERBOARD_TABLE,
    candidates_of,
    indexed,
    make_leaderboard,
    newest,
)
from islandflow_resources.campaign_tables import CANDIDATE_TABLE, VERSION
from islandflow_resources.tables import store_table
from tests.islandflow_resources.campaigning import (
    BUSTED,
    CALM_MARKET,
    SUNKEN_MARKET,
    Home,
    aside,
    damage,
    empty_home,
    entrant,
    finished_copy,
    finished_folder,
    remove,
)


def board_of(home, campaign):
    return make_leaderboard(home.store, home.database, campaign, "run")


@pytest.fixture(scope="module")
def home():
    return Home.embedded(finished_folder())


def test_the_best_score_comes_first_and_every_candidate_has_a_rank(home):
    campaign = home.ready()
    board = board_of(home, campaign)
    assert board.used_cache
    candidates = candidates_of(home.store, home.database, campaign).table.to_pylist()
    wanted = sorted(candidates, key=lambda row: (-row["score"], row["candidate"]))
    rows = board.table.to_pylist()
    assert [row["candidate"] for row in rows] == [row["candidate"] for row in wanted]
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5, 6]
    for row, own in zip(rows, wanted, strict=True):
        assert {name: own[name] for name in row if name != "rank"} | {"rank": row["rank"]} == row


def test_candidates_of_equal_score_follow_their_pooled_ratio_and_lost_ones_come_last():
    twins = [entrant(id="one"), entrant(id="two"), {"strategy": BUSTED}]
    with empty_home() as home:
        campaign = home.ready(strategies=twins, seeds="1", objective="sharpe")
        home.trials(campaign)
        rows = board_of(home, campaign).table.to_pylist()
        assert [row["strategy_id"] for row in rows[:12]] == ["one", "two"] * 6
        assert rows[12]["strategy_id"] == "busted"
        assert rows[12]["score"] is None
        best = [(row["score"], row["pooled_sharpe"]) for row in rows[:12]]
        assert best == sorted(best, reverse=True)


def test_the_index_holds_the_leaderboard(home):
    campaign = home.ready()
    rows = indexed(home.database, campaign)
    board = board_of(home, campaign).table.to_pylist()
    assert [row.rank for row in rows] == [row["rank"] for row in board]
    assert [row.score for row in rows] == [row["score"] for row in board]
    assert [row.metrics["set_id"] for row in rows] == [row["set_id"] for row in board]
    assert {row.trials for row in rows} == {4}
    assert all(math.isfinite(row.metrics["pooled_sharpe"]) for row in rows)
    assert rows[0].params == {"fast": 2.0, "slow": 12.0}


@pytest.mark.parametrize("harm", [damage, remove])
def test_a_damaged_or_lost_leaderboard_is_made_again(harm):
    with finished_copy() as home:
        campaign = home.ready()
        before = home.objects()
        first = board_of(home, campaign)
        harm(home.store, first.key)
        again = board_of(home, campaign)
        assert (again.used_cache, again.content_digest) == (False, first.content_digest)
        assert home.objects() == before
        assert aside(home.store) == ([first.key] if harm is damage else [])
        assert len(indexed(home.database, campaign)) == 6


def test_a_campaign_without_trials_says_how_to_run_it():
    with empty_home() as home:
        campaign = home.ready()
        with pytest.raises(NotFoundError, match="CAMPAIGN_INCOMPLETE") as caught:
            board_of(home, campaign)
        assert campaign.key in caught.value.hints[0]
        assert indexed(home.database, campaign) == []
        assert home.store.keys("") == []


def recorded_again(home, row, **changes):
    """A row like another, recorded later."""
    names = [one.name for one in row.__table__.columns if one.name != "created_at"]
    values = {name: getattr(row, name) for name in names} | changes
    home.database.record([type(row)(**values)])


def test_an_artefact_of_another_version_is_not_the_newest():
    """As after an engine was upgraded, and then rolled back."""
    with finished_copy() as home:
        campaign = home.ready()
        own = newest(home.database, campaign, CANDIDATE_TABLE)
        recorded_again(home, own, recipe_digest="sha256:" + "1" * 64, version="later")
        found = newest(home.database, campaign, CANDIDATE_TABLE)
        assert (found.recipe_digest, found.version) == (own.recipe_digest, VERSION)
        later = newest(home.database, campaign, CANDIDATE_TABLE, "later")
        assert later.recipe_digest == "sha256:" + "1" * 64


def test_a_campaign_does_not_see_what_another_has_derived(home):
    other = home.ready(promotion={"alias": "elsewhere"})
    with pytest.raises(NotFoundError):
        newest(home.database, other, CANDIDATE_TABLE)
    longer = dataclasses.replace(home.ready(), spec=home.ready(id="tin").spec)
    with pytest.raises(NotFoundError):
        newest(home.database, longer, LEADERBOARD_TABLE)


def test_the_index_shows_the_newest_leaderboard_alone():
    """Trials gathered again over other datasets rank anew; what was indexed before stays."""
    with empty_home() as home:
        campaign = home.ready(scenarios=[CALM_MARKET, SUNKEN_MARKET], seeds="1")
        made = home.trials(campaign)
        first = board_of(home, campaign)
        fewer = made.candidates.table.slice(0, 3)
        row = newest(home.database, campaign, CANDIDATE_TABLE)
        assert first.table.num_rows == 6
        stored = store_table(home.store, f"{campaign.folder}/{CANDIDATE_TABLE}/x.parquet", fewer,
                             CANDIDATES)  # fmt: skip
        recorded_again(
            home,
            row,
            recipe_digest="sha256:" + "2" * 64,
            object_key=stored.key,
            content_digest=stored.content_digest,
            file_digest=stored.file_digest,
        )
        board_of(home, campaign)
        assert [one.rank for one in indexed(home.database, campaign)] == [1, 2, 3]
        assert [one.rank for one in indexed(home.database, campaign, top=2)] == [1, 2]
        every = CampaignIndex(home.database).candidates(campaign.spec.campaign_hash)
        assert len(every) == 9
