"""Campaigns checked whole before the first trial, and registered with all that they refer to."""

import re
from pathlib import Path

import pytest

from contracts.campaign import campaign_from, load_campaign
from contracts.canonical import canonical_json
from contracts.errors import ContractError, NotFoundError
from contracts.strategy import strategy_from
from islandflow_resources import campaigns
from islandflow_resources.campaign_trials import listed_chunks
from islandflow_resources.models import Scenario, Strategy
from tests.graph import market
from tests.islandflow_resources.campaigning import (
    CALM_MARKET,
    CROSSING,
    ROBUSTNESS,
    TORN_MARKET,
    document,
    empty_home,
    entrant,
)


@pytest.fixture
def home():
    with empty_home() as made:
        yield made


def register_market(home, **changes):
    spec = market(CALM_MARKET, **changes)
    row = Scenario(scenario_hash=spec.scenario_hash, scenario_key=spec.partition_key,
                   scenario_id=spec.id, spec=spec.market)  # fmt: skip
    home.database.register_scenario(row)
    return spec


def register_strategy(home, **changes):
    spec = strategy_from(CROSSING | changes)
    row = Strategy(strategy_hash=spec.strategy_hash, strategy_id=spec.id, spec=spec.document())
    home.database.register_strategy(row)
    return spec


def problems(home, **changes):
    """Code and place of everything that is wrong with a changed campaign."""
    with pytest.raises(ContractError) as caught:
        home.ready(**changes)
    assert all(one.message and one.hints for one in caught.value.problems)
    return [(one.code, one.loc) for one in caught.value.problems]


def test_sizes_follow_from_scenarios_seeds_and_searches(home):
    campaign = home.ready(settings={"max_bars": 500})
    assert (campaign.sets, len(campaign.cells), campaign.trials) == (6, 4, 24)
    assert [(one.id, seed) for one, seed in campaign.cells] == [
        ("calm", 1), ("calm", 2), ("torn", 1), ("torn", 2),
    ]  # fmt: skip
    assert [campaign.bars(one) for one in campaign.scenarios] == [480, 500]
    assert campaign.folder == f"campaigns/{campaign.key}"


def test_references_are_written_out_and_mean_what_the_documents_mean(home):
    calm, crossing = register_market(home), register_strategy(home)
    for name, other in ((calm.id, crossing.id),
                        (calm.partition_key, crossing.strategy_hash.removeprefix("sha256:")),
                        (calm.id, crossing.strategy_hash.removeprefix("sha256:")[:8])):  # fmt: skip
        named = home.ready(scenarios=[name, TORN_MARKET], strategies=[{"strategy": other}])
        assert named.spec == home.ready().spec
        assert named.key == home.ready().key


def test_the_seed_of_a_scenarios_document_does_not_count(home):
    reseeded = [CALM_MARKET | {"seed": 99}, TORN_MARKET]
    assert home.ready(scenarios=reseeded).key == home.ready().key


def test_every_problem_is_told_at_once_with_its_place(home):
    register_market(home)
    register_market(home, duration_bars=700)
    register_strategy(home)
    register_strategy(home, name="Crossing again")
    far = {"fast": 3, "slow": {"default": 9, "min": 8, "max": 20_000, "step": 1}}
    wide = {"level": {"default": 1, "min": 0, "max": 2_000_000, "step": 1}}
    rules = [{"if": "close > level", "then": "buy"}, {"if": "close < level", "then": "close"}]
    found = problems(
        home,
        scenarios=["nowhere", "calm", TORN_MARKET, CALM_MARKET, TORN_MARKET],
        strategies=[
            {"strategy": "nobody"},
            {"strategy": "crossing"},
            entrant(id="hourly", timeframe="1h"),
            entrant(id="far", params=far),
            entrant(id="wide", params=wide, rules=rules),
            entrant(id="wrong", rules=[{"if": "close > mo(close, 3)", "then": "buy"}, rules[1]]),
        ],
        robustness=ROBUSTNESS | {"walk_forward": {"folds": 50, "purge_bars": 40}},
    )
    assert ("SCENARIO_NOT_REGISTERED", "/scenarios/0") in found
    assert ("SCENARIO_AMBIGUOUS", "/scenarios/1") in found
    assert ("STRATEGY_NOT_REGISTERED", "/strategies/0/strategy") in found
    assert ("STRATEGY_AMBIGUOUS", "/strategies/1/strategy") in found
    assert ("BACKTEST_TIMEFRAME", "/strategies/2/strategy/timeframe") in found
    assert ("DSL_STATIC_FAIL", "/strategies/3/strategy/params/slow") in found
    assert ("SEARCH_TOO_LARGE", "/strategies/4/search/params/level") in found
    assert ("DSL_UNSUPPORTED_FUN", "/strategies/5/strategy/rules/0/if") in found
    assert any(code == "CAMPAIGN_REPEATED" for code, _ in found)
    assert ("WALK_FORWARD_TOO_SHORT", "/robustness/walk_forward") in found
    assert home.store.keys("") == []
    assert home.database.artefacts() == []


def test_a_scenario_that_stands_twice_is_told_by_its_number(home):
    found = problems(home, scenarios=[CALM_MARKET, TORN_MARKET, CALM_MARKET | {"seed": 3}])
    assert found == [("CAMPAIGN_REPEATED", "/scenarios/2")]


def test_two_strategies_may_not_share_a_name(home):
    twice = [entrant(), entrant(name="Another of that id")]
    assert problems(home, strategies=twice) == [("CAMPAIGN_REPEATED", "/strategies/1/strategy/id")]
    random = {"method": "random", "trials": 3}
    both = home.ready(strategies=[entrant(), entrant() | {"search": random}])
    assert both.sets == 9


@pytest.mark.parametrize(("longest", "is_right"), [(480, True), (481, False)])
def test_the_longest_window_fits_the_shortest_scenario(home, longest, is_right):
    params = {"fast": 3, "slow": {"default": 9, "min": 8, "max": longest, "step": 1}}
    if is_right:
        assert home.ready(strategies=[entrant(params=params)]).sets == 473
        return
    found = problems(home, strategies=[entrant(params=params)])
    assert found == [("DSL_STATIC_FAIL", "/strategies/0/strategy/params/slow")]


def test_the_bars_that_count_are_those_that_are_traded(home):
    found = problems(home, settings={"max_bars": 11})
    assert ("DSL_STATIC_FAIL", "/strategies/0/strategy/params/slow") in found
    folds = ROBUSTNESS | {"walk_forward": {"folds": 2, "purge_bars": 20}}
    home.ready(robustness=folds)
    assert problems(home, robustness=folds, settings={"max_bars": 60}) == [
        ("WALK_FORWARD_TOO_SHORT", "/robustness/walk_forward")
    ]


def test_a_gap_that_leaves_a_block_no_bar_is_refused(home):
    """480 bars in 16 blocks are 30 each."""
    for gap, blocks, is_right in ((29, 16, True), (30, 16, False), (30, 2, False), (59, 2, False)):
        how = {"blocks": blocks, "purge_bars": gap}
        changed = {"robustness": ROBUSTNESS | {"overfitting": how}}
        if is_right:
            home.ready(**changed)
        else:
            assert problems(home, **changed) == [
                ("OVERFITTING_TOO_SHORT", "/robustness/overfitting")
            ]


def test_an_id_means_the_strategy_of_that_id_before_any_hash(home):
    spec = register_strategy(home)
    digits = spec.strategy_hash.removeprefix("sha256:")[:12]
    named = f"s{digits}" if not digits[0].isalpha() else digits
    other = register_strategy(home, id=named)
    found = home.ready(strategies=[{"strategy": named}])
    assert found.entrants[0][0] == other
    too_few = problems(home, strategies=[{"strategy": digits[:7]}])
    assert too_few == [("STRATEGY_NOT_REGISTERED", "/strategies/0/strategy")]


def test_a_campaign_is_registered_once_and_found_by_key_hash_and_id(home):
    campaign = home.ready()
    assert campaigns.register(campaign, home.store, home.database) is True
    assert campaigns.register(campaign, home.store, home.database) is False
    stored = home.store.get(campaign.document_key)
    assert stored == canonical_json(campaign.spec.document()) + b"\n"
    for name in (campaign.key, campaign.spec.campaign_hash, "tiny"):
        assert campaigns.registered(home.database, name).spec == campaign.spec
    with pytest.raises(NotFoundError, match="CAMPAIGN_NOT_REGISTERED"):
        campaigns.registered(home.database, "nothing")


def test_later_registrations_do_not_change_a_registered_campaign(home):
    register_market(home)
    spec = campaign_from(document(scenarios=["calm"]))
    campaign = campaigns.ready(spec, home.database)
    campaigns.register(campaign, home.store, home.database)
    register_market(home, duration_bars=700)
    assert campaigns.registered(home.database, campaign.key).scenarios == campaign.scenarios
    with pytest.raises(ContractError, match="SCENARIO_AMBIGUOUS"):
        campaigns.ready(spec, home.database)


def test_the_campaign_of_the_documentation_is_ready_to_run(home):
    page = (Path(__file__).parents[2] / "docs" / "campaigns.md").read_text("utf-8")
    [text] = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    ready = campaigns.ready(load_campaign(text), home.database)
    assert (ready.sets, len(ready.cells)) == (25, 10)


def test_the_order_in_which_parameters_are_written_changes_nothing(home):
    params = {"slow": {"default": 20, "min": 20, "max": 40, "step": 20}, **CROSSING["params"]}
    search = {"search": {"method": "random", "trials": 5}}
    there, back = (
        home.ready(strategies=[entrant(params=dict(pairs)) | search])
        for pairs in (params.items(), reversed(params.items()))
    )
    assert there.key == back.key
    assert [chunk.sets.set_ids for chunk in listed_chunks(there)] == [
        chunk.sets.set_ids for chunk in listed_chunks(back)
    ]
