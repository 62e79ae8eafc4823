"""The hidden plan: coverage against the formula, how often bursts come, weights, eligibility."""

import numpy as np
import pytest

from contracts.control import HIGH, PROFILES, WINDOWS_MINUTES
from contracts.flow import ACTORS, SUBTYPES
from engine.tapes.market import layout as at
from engine.tapes.market.schedule import LEAST_MOVE, Schedule
from tests.engine.tapes.market.markets import SECOND_NS, injection, log, market_spec, session
from tests.engine.tapes.market.plans import planned
from tests.oracles import market_flow as oracle

SYMBOLS = ("SPY", "QQQ", "NVDA", "TSLA", "XOM")
HOUR_S = 3600
SEEDS = range(4)  # some 3800 bursts: a share that is raised by a fifth stands out
BURST, DECOY = ACTORS.index("burst"), ACTORS.index("decoy")


def spec_of(seconds=1500, per_minute=24.0, spacing_s=5.0, decoys=1.0, **control):
    flow = {
        "bursts_per_minute": per_minute,
        "spacing_s": spacing_s,
        "decoys_per_burst": decoys,
    }
    return market_spec(SYMBOLS, seconds, control=log((0, control)), flow=flow)


def counts_of(plan, since_ns, until_ns):
    """Scheduled bursts of each profile, from the plan's own rows."""
    times, actors = plan.column(at.B_SCHEDULED), plan.column(at.B_ACTOR)
    mine = (actors == BURST) & (times >= since_ns) & (times < until_ns)
    kinds = [SUBTYPES[code].family for code in plan.column(at.B_SUBTYPE)[mine]]
    return {profile: kinds.count(profile) for profile in PROFILES}


@pytest.mark.parametrize("window", WINDOWS_MINUTES)
@pytest.mark.parametrize("assist", [True, False])
def test_coverage_raises_what_was_seldom_as_the_formula_says(window, assist):
    spec = spec_of(
        HOUR_S,
        1.5,
        coverage_window_minutes=window,
        coverage_assist=assist,
        preset_id="event_day",
    )
    plan = planned(spec, 3)
    control = spec.control.at(spec.end_ns)
    now_ns = spec.end_ns
    counts = counts_of(plan, now_ns - window * 60 * SECOND_NS, now_ns)
    found = plan.schedule.boosts(now_ns, control)
    assert sum(counts.values()) > 3
    assert found == pytest.approx(oracle.boosts(counts, window, assisted=assist), abs=1.0001e-4)
    assert (max(found.values()) > 1.0) == assist


def test_coverage_of_an_empty_plan_changes_nothing():
    spec = spec_of()
    assert set(Schedule(spec, 1).boosts(spec.end_ns, spec.control.at(0)).values()) == {1.0}


def test_bursts_come_as_often_as_is_asked_and_as_the_day_is_busy():
    spec = spec_of(23_400, 2.0, 0.0)
    totals, rates = [], []
    for seed in range(2):
        plan = planned(spec, seed)
        cells = np.concatenate([one.cells for one in plan.stretches])
        rates.append((cells[:, at.RATE_SHAPE] * cells[:, at.RATE]).sum() / 60.0 * 2.0)
        totals.append((plan.column(at.B_ACTOR) == BURST).sum())
    # at most one a second, and some find no symbol
    assert 0.85 < sum(totals) / sum(rates) <= 1.05
    assert 0.6 < sum(rates) / (2 * 2.0 * 390) < 1.4


def test_decoys_come_as_often_as_is_asked():
    few = market_spec(SYMBOLS, HOUR_S, flow={"decoys_per_burst": 0.25, "spacing_s": 0.0})
    plan = planned(few, 1)
    kinds = plan.column(at.B_ACTOR)
    assert (kinds == DECOY).sum() / (kinds == BURST).sum() == pytest.approx(0.25, abs=0.1)
    none = planned(market_spec(SYMBOLS, HOUR_S, flow={"decoys_per_burst": 0.0}), 1)
    assert set(none.column(at.B_ACTOR)) == {BURST}


@pytest.fixture(scope="module")
def usual():
    return [planned(spec_of(decoys=0.0), seed) for seed in SEEDS]


@pytest.mark.parametrize("raised", PROFILES)
def test_a_raised_weight_raises_its_profile_and_starves_no_other(usual, raised):
    spec = spec_of(decoys=0.0, profile_weights={raised: HIGH})
    heavy = [planned(spec, seed).families() for seed in SEEDS]
    calm = [plan.families() for plan in usual]
    before = {name: sum(one[name] for one in calm) for name in calm[0]}
    after = {name: sum(one[name] for one in heavy) for name in calm[0]}
    shares = [one[raised] / sum(one.values()) for one in (before, after)]
    assert shares[1] > 1.15 * shares[0]
    ratios = {name: after[name] / before[name] for name in before}
    assert min(ratios.values()) >= 0.6, ratios


def test_events_fall_on_symbols_that_have_one_and_their_decoys_on_others():
    plan = planned(spec_of(preset_id="event_day"), 2)
    near = {place for place, name in enumerate(SYMBOLS) if name in ("NVDA", "TSLA", "XOM")}
    for actor, wanted in ((BURST, near), (DECOY, set(range(len(SYMBOLS))) - near)):
        rows = plan.column(at.B_ACTOR) == actor
        mine = rows & (plan.column(at.B_FAMILY) == at.EVENT_FAMILY)
        assert mine.sum() > 20
        assert set(plan.column(at.B_SYMBOL)[mine].tolist()) <= wanted


def test_hedging_follows_moves_and_its_decoys_follow_none():
    plan = planned(spec_of(), 2)
    start_ns = plan.stretches[0].start_ns
    moves = np.concatenate([one.moves for one in plan.stretches], axis=1)
    hedging = plan.column(at.B_FAMILY) == at.HEDGE_FAMILY
    for actor in (BURST, DECOY):
        mine = hedging & (plan.column(at.B_ACTOR) == actor)
        cells = (plan.column(at.B_SCHEDULED)[mine] - start_ns) // SECOND_NS
        sizes = np.abs(moves[plan.column(at.B_SYMBOL)[mine], cells])
        assert len(sizes) > 20
        assert (sizes >= LEAST_MOVE).all() if actor == BURST else (sizes < 0.5).all()


@pytest.mark.parametrize("date", ["2026-01-12", "2026-01-13", "2026-01-16"])
def test_the_weeks_expiry_is_near_enough_for_hedging_on_every_day(date):
    """Stocks list Fridays only: on a Monday hedging takes them too."""
    flow = {"bursts_per_minute": 24.0, "spacing_s": 5.0}
    spec = market_spec(SYMBOLS, 1500, sessions=(session(date),), flow=flow)
    plan = planned(spec, 2)
    stocks = [place for place, one in enumerate(spec.universe) if one.expiries == "weekly"]
    hedging = plan.column(at.B_FAMILY) == at.HEDGE_FAMILY
    assert np.isin(plan.column(at.B_SYMBOL)[hedging], stocks).sum() > 10


def test_focus_draws_bursts(usual):
    spec = spec_of(decoys=0.0)
    inside, chance = 0, []
    for plan in usual:
        symbols, times = plan.column(at.B_SYMBOL), plan.column(at.B_SCHEDULED)
        weights = np.sqrt([one.option_prints_per_second for one in spec.universe])
        for symbol, at_ns in zip(symbols, times, strict=True):
            state = plan.stretches[(at_ns - spec.start_ns) // (300 * SECOND_NS)].state
            inside += symbol in state.focus
            chance.append(weights[list(state.focus)].sum() / weights.sum())
    assert inside / len(chance) > np.mean(chance) + 0.05


def test_an_injected_hedge_waits_for_the_move_that_it_is_to_follow():
    put = injection("reactive_put_wall", "SPY", 600)
    call = injection("gamma_pinch_call_hedge", "SPY", 600)
    spec = market_spec(SYMBOLS, HOUR_S, injections=(put, call))
    plan = planned(spec, 4)
    moves = np.concatenate([one.moves for one in plan.stretches], axis=1)[0]
    injected = plan.column(at.B_ACTOR) == ACTORS.index("injection")
    for row in np.flatnonzero(injected):
        second = (plan.column(at.B_SCHEDULED)[row] - spec.start_ns) // SECOND_NS
        sign = 1 if SUBTYPES[plan.column(at.B_SUBTYPE)[row]].right == "C" else -1
        past = sign * moves[600 : second + 1]
        assert past[-1] >= LEAST_MOVE
        assert (past[:-1] < LEAST_MOVE).all()
    assert injected.sum() == 2


def test_plans_do_not_know_of_injections():
    spec = market_spec(SYMBOLS, 900)
    put = spec.model_copy(update={"injections": (injection("call_sweep", "SPY", 100),)})
    one, other = planned(spec, 1), planned(put, 1)
    kept = other.column(at.B_NUMBER) < 1_000_000
    assert kept.sum() == one.schedule.count > 20
    ints = other.schedule.ints[: other.schedule.count][kept]
    assert ints.tobytes() == one.schedule.ints[: one.schedule.count].tobytes()
