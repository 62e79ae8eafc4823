"""Trials in chunks: their identity, and rows that are what each set gives by itself."""

import dataclasses

import numpy as np
import pytest

from contracts.backtest import METRICS, BacktestSettings
from contracts.errors import IntegrityError
from contracts.strategy import strategy_from
from engine.dsl import compile_sweep
from islandflow_resources.campaign_trials import listed_chunks
from islandflow_resources.derived import read_table
from islandflow_resources.trials import (
    TRIALS,
    ParameterSets,
    TrialChunk,
    compiled_sweep,
    make_chunks,
    read_chunk,
)
from tests.graph import market
from tests.islandflow_resources.campaigning import (
    BUSTED,
    CALM_MARKET,
    CROSSING,
    Home,
    aside,
    damage,
    digests,
    empty_home,
    entrant,
    finished_copy,
    finished_folder,
    remove,
    returns_of,
    trials_alone,
)

BARS = "blake3:" + "0" * 64
DIGEST = "sha256:" + "0" * 64


def sets(*rows, spec=None):
    spec = spec or strategy_from(CROSSING)
    return ParameterSets(spec, ("fast", "slow"), np.array(rows, dtype=np.float64))


def chunk(**changes):
    values = {
        "scenario": market(CALM_MARKET),
        "seed": 1,
        "sets": sets((2, 8), (3, 12)),
        "settings": BacktestSettings(),
        "gap_bars": 2,
        "first": 0,
    }
    return TrialChunk(**values | changes)


def chunks_and_rows(home, campaign):
    """Chunks of a finished campaign with their tables."""
    made = list(make_chunks(*home.place, list(listed_chunks(campaign)), "again"))
    assert all(one.used_cache for one in made)
    return [(one.chunk, read_table(home.store, one.row, TRIALS)) for one in made]


def test_a_set_has_one_name_wherever_it_is_tried():
    both = sets((2, 8), (3, 12))
    assert both.set_ids == [*sets((2, 8)).set_ids, *sets((3, 12)).set_ids]
    assert both.set_ids == [*both.part(0, 1).set_ids, *both.part(1, 2).set_ids]
    assert len({*both.set_ids, *sets((8, 2)).set_ids}) == 3
    other = strategy_from(CROSSING | {"name": "Other"})
    assert not {*both.set_ids} & {*sets((2, 8), (3, 12), spec=other).set_ids}
    assert both.text(1) == '{"fast":3,"slow":12}'
    assert both.params(0) == {"fast": 2.0, "slow": 8.0}


def test_the_order_of_sets_is_part_of_a_chunk_and_its_place_in_a_campaign_is_not():
    assert sets((2, 8), (3, 12)).digest != sets((3, 12), (2, 8)).digest
    assert chunk().recipe(BARS) == chunk(first=600).recipe(BARS)


CHANGES = {
    "sets": {"sets": sets((2, 8))},
    "settings": {"settings": BacktestSettings(bar_delay=2)},
    "range": {"settings": BacktestSettings(max_bars=100)},
    "gap": {"gap_bars": 3},
    "tick": {"scenario": market(CALM_MARKET, tick_size=0.05)},
}


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_the_rows_depend_on_is_in_the_recipe(name):
    changed, own = chunk(**CHANGES[name]), chunk()
    assert changed.recipe(BARS).digest != own.recipe(BARS).digest
    assert own.recipe("blake3:" + "1" * 64).digest != own.recipe(BARS).digest


def test_a_trial_is_named_by_all_but_the_gap_that_its_metrics_do_not_know():
    own = chunk().run_ids(BARS)
    assert len(set(own)) == 2
    assert chunk(gap_bars=9).run_ids(BARS) == own
    assert chunk(sets=sets((3, 12))).run_ids(BARS) == own[1:]
    for name in ("settings", "range", "tick"):
        assert not {*chunk(**CHANGES[name]).run_ids(BARS)} & {*own}


def test_strategies_with_the_same_numbers_do_not_share_a_compiled_sweep():
    other = strategy_from(CROSSING | {"rules": list(reversed(CROSSING["rules"]))})
    one = compiled_sweep(sets((2, 8)), 480)
    assert compiled_sweep(sets((2, 8)), 480) is one
    assert compiled_sweep(sets((2, 8)), 500) is not one
    assert compiled_sweep(sets((2, 8), spec=other), 480).spec == other
    assert one.columns == compile_sweep(one.spec, {"fast": [2], "slow": [8]}, 480).columns


def test_every_row_is_to_the_bit_what_its_set_gives_by_itself():
    home = Home.embedded(finished_folder())
    campaign = home.ready()
    rows = {(one.scenario.partition_key, one.seed): t for one, t in chunks_and_rows(home, campaign)}
    seen = []
    for key, seed, _, outcomes in trials_alone(home, campaign):
        for row, outcome in zip(rows.pop((key, seed)).to_pylist(), outcomes, strict=True):
            assert {name: row[name] for name in METRICS} == outcome.report.values
            counts = ("fills", "rejected_orders", "conflicts", "final_equity", "final_qty")
            assert [row[name] for name in counts] == [getattr(outcome, name) for name in counts]
            seen.append(row["run_id"])
    assert rows == {}
    assert len(set(seen)) == campaign.trials == 24


def test_a_trial_that_lost_its_equity_has_no_returns():
    with empty_home() as home:
        campaign = home.ready(strategies=[{"strategy": BUSTED}], seeds="1")
        home.trials(campaign)
        (_, table), *_ = chunks_and_rows(home, campaign)
        [(_, _, _, [outcome]), *_] = trials_alone(home, campaign)
        assert returns_of(outcome, campaign.spec.settings) is None
        [row] = table.to_pylist()
        assert row["sharpe"] is None
        assert row["fills"] == 1
        assert row["total_return"] is not None
        names = [name for name in TRIALS.names if name.startswith(("return_power", "block_"))]
        assert len(names) == 36
        assert {row[name] for name in names} == {None}


@pytest.mark.parametrize("harm", [damage, remove])
def test_a_chunk_that_is_damaged_or_gone_is_made_again_to_the_same_digest(harm):
    with finished_copy() as home:
        campaign = home.ready()
        before = home.objects()
        made = list(make_chunks(*home.place, list(listed_chunks(campaign)), "again"))
        for one in (made[0], made[-1]):
            harm(home.store, one.row.object_key)
            table = read_chunk(*home.place, one, "again")
            assert table.num_rows == one.chunk.sets.size
        harmed = sorted([made[0].row.object_key, made[-1].row.object_key])
        assert sorted(aside(home.store)) == (harmed if harm is damage else [])
        assert home.objects() == before


def test_a_chunk_that_is_made_otherwise_than_recorded_has_diverged():
    """What the index says of its content is something else, as after a change of the engine."""
    with empty_home() as home:
        campaign = home.ready()
        [first, *_] = chunks = list(listed_chunks(campaign))
        [made, *_] = make_chunks(*home.place, chunks[:1], "run")
        lied = home.database.find([made.row.recipe_digest])[made.row.recipe_digest]
        with empty_home() as other:
            list(make_chunks(*other.place, chunks[1:2], "run"))
            [dataset] = [one for one in home.database.artefacts() if one.what != "trial_chunk"]
            recipe = first.recipe(dataset.content_digest)
            row = recipe.row(lied.object_key, "blake3:" + "f" * 64, lied.file_digest, 6, "run")
            other.database.record([row])
            wrong = dataclasses.replace(made, row=row)
            with pytest.raises(IntegrityError, match="RECIPE_DIVERGED") as caught:
                read_chunk(*other.place, wrong, "run")
            assert lied.object_key in caught.value.message
            with pytest.raises(IntegrityError, match="RECIPE_DIVERGED"):
                other.trials(campaign)
        assert digests(home.trials(campaign))


def test_metrics_of_a_cut_dataset_are_those_of_its_first_bars():
    with empty_home() as home:
        campaign = home.ready(settings={"max_bars": 300}, strategies=[entrant()], seeds="1")
        home.trials(campaign)
        tables = [table for _, table in chunks_and_rows(home, campaign)]
        alone = list(trials_alone(home, campaign))
        assert [bars.bars for _, _, bars, _ in alone] == [300, 300]
        for table, (_, _, _, outcomes) in zip(tables, alone, strict=True):
            assert table["final_equity"].to_pylist() == [one.final_equity for one in outcomes]
