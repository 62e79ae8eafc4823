"""Campaigns run whole: the same bytes however they are run, and nothing computed twice."""

import numpy as np
import pytest

from contracts.errors import ContractError, IntegrityError
from contracts.strategy import strategy_from
from engine.search import Batch
from islandflow_resources.campaign_trials import listed_chunks, slices
from islandflow_resources.database import Database
from islandflow_resources.s3_store import S3Store
from islandflow_resources.signatures import Keyring
from islandflow_resources.trials import MAX_SETS, make_chunks
from tests.islandflow_resources.campaigning import (
    CALM_MARKET,
    CROSSING,
    SHUT_GATE,
    SUNKEN_MARKET,
    TORN_MARKET,
    Home,
    aside,
    damage,
    digests,
    empty_home,
    entrant,
    finished_copy,
    remove,
    runtime,
)

LEARNING = {"method": "optuna", "trials": 7, "batch": 3, "seed": 5}


@pytest.fixture(scope="module")
def expected():
    """Digests of the finished campaign's tables."""
    with finished_copy() as home:
        return digests(home.trials(home.ready()))


@pytest.mark.parametrize(("threads", "memory_mb"), [(1, 0), (1, 64), (2, 0), (3, 1)])
def test_neither_threads_nor_memory_change_a_digest(expected, threads, memory_mb):
    """Without memory a slab is as many chunks as there are threads."""
    with empty_home() as home:
        made = home.with_runtime(threads, memory_mb).trials(home.ready())
        assert (made.trials, made.made, made.refused) == (24, 24, ())
        assert digests(made) == expected


def test_a_bucket_and_postgres_give_what_a_folder_and_sqlite_give(
    expected, s3_bucket, migrated_url
):
    database = Database(migrated_url)
    home = Home(S3Store(s3_bucket), database, runtime(), Keyring())
    made = home.trials(home.ready())
    assert digests(made) == expected
    again = home.trials(home.ready())
    assert (again.made, digests(again)) == (0, expected)
    with finished_copy() as embedded:
        keys = [key for key in embedded.store.keys("") if key.startswith(("trials/", "campaigns/"))]
        mine = [key for key in home.store.keys("") if key.startswith(("trials/", "campaigns/"))]
        assert mine
        assert {*mine} <= {*keys}
    database.dispose()


def test_what_was_made_before_is_found_and_the_rest_made(expected):
    with empty_home() as home:
        campaign = home.ready()
        chunks = list(listed_chunks(campaign))
        assert len(chunks) == 4
        before = [one.used_cache for one in make_chunks(*home.place, chunks[1::2], "earlier")]
        made = home.trials(campaign)
        assert before == [False, False]
        assert (made.made, digests(made)) == (12, expected)


def test_a_campaign_run_again_computes_nothing_and_stores_nothing(expected):
    with finished_copy() as home:
        before, rows = home.objects(), len(home.database.artefacts())
        made = home.trials(home.ready())
        assert (made.made, made.trials, digests(made)) == (0, 24, expected)
        assert made.candidates.used_cache
        assert made.chunks.used_cache
        assert (home.objects(), len(home.database.artefacts())) == (before, rows)


def test_one_more_seed_reuses_every_chunk_of_the_others():
    with finished_copy() as home:
        old = set(home.store.keys("trials/"))
        made = home.trials(home.ready(seeds="1-3"))
        assert (made.trials, made.made) == (36, 12)
        used = made.chunks.table["object_key"].to_pylist()
        assert old < {*used} == {*home.store.keys("trials/")}


@pytest.mark.parametrize(
    "change",
    [
        {"gate": {"min_trades": 9_999}},
        {"promotion": {"alias": "other"}},
        {"id": "renamed"},
        {"objective": "total_return"},
        {"robustness": {"overfitting": {"blocks": 8, "purge_bars": 2, "embargo_bars": 0}}},
    ],
)
def test_what_trials_do_not_depend_on_reuses_all_of_them(expected, change):
    with finished_copy() as home:
        before = {*home.store.keys("trials/")}
        campaign = home.ready(**change)
        made = home.trials(campaign)
        assert made.made == 0
        assert (digests(made) == expected) is ("objective" not in change)
        assert {*home.store.keys("trials/")} == before
        assert home.store.exists(made.candidates.key)
        assert home.store.exists(made.chunks.key)
        assert made.candidates.key.startswith(f"{campaign.folder}/")


def test_a_campaign_of_other_demands_is_judged_on_the_trials_of_the_first():
    with finished_copy() as home:
        campaign = home.ready(gate=SHUT_GATE)
        assert home.trials(campaign).made == 0
        judged, first = home.judged(campaign), home.judged(home.ready())
        assert (judged.dossier.passed, first.dossier.passed) == (False, True)
        assert judged.dossier.evidence == first.dossier.evidence
        assert judged.dossier.winner == first.dossier.winner


def test_equal_trials_of_campaigns_that_asked_for_more_are_summed_up_apart():
    """A dataset that was refused counts among those that were asked for."""
    with empty_home() as home:
        mixed = home.trials(home.ready(scenarios=[CALM_MARKET, SUNKEN_MARKET]))
        calm = home.trials(home.ready(scenarios=[CALM_MARKET]))
        assert calm.made == 0
        shares = [one.candidates.table["share_profitable"].to_pylist() for one in (mixed, calm)]
        assert shares[0] == [share / 2 for share in shares[1]]
        assert max(shares[1]) > 0


@pytest.mark.parametrize(
    "change",
    [
        {"settings": {"bar_delay": 2}},
        {"robustness": {"overfitting": {"purge_bars": 9}}},
        {"strategies": [entrant(name="Renamed")]},
    ],
)
def test_what_trials_depend_on_makes_them_anew(expected, change):
    with finished_copy() as home:
        made = home.trials(home.ready(**change))
        assert made.made == 24
        assert digests(made) != expected


def test_progress_is_told_from_nothing_to_all():
    told = []
    with finished_copy() as home:
        home.trials(home.ready(), lambda done, total: told.append((done, total)))
    assert told[0] == (0, 24)
    assert told[-1] == (24, 24)
    assert told == sorted(told)


@pytest.mark.parametrize("harm", [damage, remove])
@pytest.mark.parametrize("which", ["chunk", "candidates", "chunks"])
def test_damage_is_kept_aside_and_made_again_to_the_same_digest(expected, harm, which):
    with finished_copy() as home:
        campaign = home.ready()
        made = home.trials(campaign)
        keys = {
            "chunk": made.chunks.table["object_key"][2].as_py(),
            "candidates": made.candidates.key,
            "chunks": made.chunks.key,
        }
        before = home.objects()
        harm(home.store, keys[which])
        again = home.trials(campaign)
        assert digests(again) == expected
        assert home.objects() == before
        assert aside(home.store) == ([keys[which]] if harm is damage else [])


def test_a_damaged_chunk_of_a_changed_index_is_not_taken_for_the_old_one():
    """Bytes of another chunk, whole in themselves, are damage too."""
    with finished_copy() as home:
        made = home.trials(home.ready())
        one, other = made.chunks.table["object_key"].to_pylist()[:2]
        damage(home.store, one, home.store.get(other))
        assert digests(home.trials(home.ready())) == digests(made)
        assert aside(home.store) == [one]


def test_a_refused_dataset_leaves_its_trials_out_and_is_named():
    with empty_home() as home, empty_home() as other:
        mixed = home.trials(home.ready(scenarios=[CALM_MARKET, SUNKEN_MARKET]))
        named = [one.name.rsplit("-", 1)[0] for one in mixed.refused]
        assert named == ["sinking", "sinking"]
        assert [one.name.split("|")[1] for one in mixed.refused] == ["1", "2"]
        assert {one.problem.code for one in mixed.refused} == {"SCENARIO_UNREPRESENTABLE"}
        assert (mixed.trials, mixed.made) == (24, 12)
        assert mixed.chunks.table.num_rows == 2
        calm = other.trials(other.ready(scenarios=[CALM_MARKET]))
        # Of the datasets that were asked for, the refused ones were not profitable.
        names = [one for one in mixed.candidates.table.column_names if one != "share_profitable"]
        assert mixed.candidates.table.select(names) == calm.candidates.table.select(names)
        assert set(mixed.candidates.table["datasets"].to_pylist()) == {2}


def test_most_datasets_refused_leave_no_score():
    with empty_home() as home:
        sunken = SUNKEN_MARKET | {"id": "sunken"}
        campaign = home.ready(scenarios=[CALM_MARKET, SUNKEN_MARKET, sunken], seeds="1")
        made = home.trials(campaign)
        assert made.candidates.table["score"].to_pylist() == [None] * 6
        assert made.candidates.table["defined"].to_pylist() == [1] * 6


def test_a_campaign_without_any_dataset_says_why():
    with empty_home() as home, pytest.raises(ContractError, match="SCENARIO_UNREPRESENTABLE"):
        home.trials(home.ready(scenarios=[SUNKEN_MARKET]))


def test_a_damaged_dataset_leaves_its_trials_out_until_it_is_mended(expected):
    with empty_home() as home:
        campaign = home.ready()
        chunks = list(listed_chunks(campaign))
        list(make_chunks(*home.place, chunks[:1], "run"))
        [row] = [one for one in home.database.artefacts() if one.what != "trial_chunk"]
        whole = home.store.get(row.object_key)
        [chunk] = [one for one in home.database.artefacts() if one.what == "trial_chunk"]
        damage(home.store, row.object_key)
        remove(home.store, chunk.object_key)
        with pytest.raises(IntegrityError):
            home.trials(campaign)
        damage(home.store, row.object_key, whole)
        assert digests(home.trials(campaign)) == expected


def test_learning_searches_ask_for_the_same_sets_when_resumed():
    strategies = [{**entrant(), "search": LEARNING}, entrant(id="second")]
    with empty_home() as home:
        campaign = home.ready(strategies=strategies, seeds="1")
        listed = list(listed_chunks(campaign))
        assert {one.first for one in listed} == {7}
        assert all(not one.used_cache for one in make_chunks(*home.place, listed, "share"))
        made = home.trials(campaign)
        assert (made.trials, made.made) == (26, 14)
        assert [*dict.fromkeys(made.chunks.table["first_candidate"].to_pylist())] == [0, 3, 6, 7]
        again = home.trials(campaign)
        assert (again.made, digests(again)) == (0, digests(made))
    with empty_home() as home:
        assert digests(home.trials(home.ready(strategies=strategies, seeds="1"))) == digests(made)


def test_sets_beyond_a_chunk_go_into_the_next_one():
    spec = CROSSING | {
        "params": {"level": {"default": 1.0, "min": 0.999, "max": 1.001}},
        "rules": [
            {"if": "close > open * level", "then": "buy"},
            {"if": "close < open", "then": "close"},
        ],
    }
    search = {"method": "random", "trials": MAX_SETS + 50, "seed": 1}
    market = TORN_MARKET | {"duration_bars": 100}
    with empty_home() as home:
        many = [{"strategy": spec, "search": search}]
        settings = {"walk_forward": None, "monte_carlo": None}
        campaign = home.ready(strategies=many, scenarios=[market], seeds="7", robustness=settings)
        made = home.trials(campaign)
        assert made.trials == campaign.trials == MAX_SETS + 50
        assert made.chunks.table["first_candidate"].to_pylist() == [0, MAX_SETS]
        assert made.chunks.table["trials"].to_pylist() == [MAX_SETS, 50]
        table = made.candidates.table
        assert table["candidate"].to_pylist() == list(range(MAX_SETS + 50))
        assert len(set(table["set_id"].to_pylist())) == MAX_SETS + 50


def test_slices_hold_every_parameter_in_the_order_of_the_document():
    spec = strategy_from(CROSSING)
    [found] = slices(spec, Batch({"slow": np.array([8.0, 12.0])}, 2))
    assert found.names == ("fast", "slow")
    assert found.values.tolist() == [[3.0, 8.0], [3.0, 12.0]]
    [default] = slices(strategy_from(CROSSING | {"params": {"fast": 3, "slow": 9}}), Batch({}, 1))
    assert default.values.tolist() == [[3.0, 9.0]]
