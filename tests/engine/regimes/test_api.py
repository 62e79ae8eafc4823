"""The walk through regimes: its law, its phases, who is in focus, and what a control changes."""

import datetime
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from contracts.control import FAMILIES, PRESETS, PROFILES, SyntheticControlState, patched
from contracts.market import Expiry, Session
from contracts.regime import BUCKET_NS, FAMILY_WEIGHTS, PRESET_BIAS, REGIMES
from engine.regimes.api import STAY, BucketState, RegimeWalk, family_weights, picked, session_at
from tests.engine.tapes.market.markets import log, session

SYMBOLS = tuple(f"S{place}" for place in range(12))
LONG = 40_000
"""Buckets of one endless day, nearly all of it midday."""
APART = 12
"""So many buckets apart, what is left of a regime's memory is 0.6¹² = 0.002."""
MINUTE_NS = 60 * 10**9


def endless(buckets=LONG) -> Session:
    first = session("2026-01-14")
    expiry = Expiry(
        date="2026-01-16", close_ns=first.close_ns, is_daily=True, is_weekly=True, is_monthly=True
    )
    close_ns = first.open_ns + buckets * BUCKET_NS
    return Session(date=first.date, open_ns=first.open_ns, close_ns=close_ns, expiries=(expiry,))


def walked(seed, *sessions, control=None, symbols=SYMBOLS, candidates=(1, 4)) -> list[BucketState]:
    walk = RegimeWalk(seed, sessions, symbols, candidates)
    return [
        walk.next(start_ns, control or log())
        for one in sessions
        for start_ns in range(one.open_ns, one.close_ns, BUCKET_NS)
    ]


def law_of(preset):
    weights = np.array(PRESET_BIAS[preset].regimes)
    return weights / weights.sum()


@pytest.mark.parametrize("preset", PRESETS)
def test_the_stationary_law_of_the_chain_is_the_presets_weights(preset):
    control = log((0, {"preset_id": preset}))
    states = walked(1, endless(), control=control, symbols=("A",), candidates=())
    seen = Counter(one.regime for one in states[::APART] if one.phase == "midday")
    counts = np.array([seen[name] for name in REGIMES])
    assert counts.sum() > 3000
    found = stats.chisquare(counts, law_of(preset) * counts.sum())
    assert found.pvalue > 0.01, f"{preset}: p = {found.pvalue:.4f}, counts {counts}"


def test_a_regime_stays_or_is_drawn_anew_from_the_same_weights():
    states = walked(2, endless(), symbols=("A",), candidates=())
    midday = [one for one in states if one.phase == "midday"]
    steps = Counter(
        (a.regime, b.regime) for a, b in pairwise(midday) if b.start_ns - a.start_ns == BUCKET_NS
    )
    law = law_of("balanced_demo")
    statistic = 0.0
    for place, regime in enumerate(REGIMES):
        counts = np.array([steps[regime, other] for other in REGIMES])
        expected = ((1.0 - STAY) * law + STAY * (np.arange(7) == place)) * counts.sum()
        statistic += float(((counts - expected) ** 2 / expected).sum())
    p = float(stats.chi2.sf(statistic, 7 * 6))
    assert p > 0.01, f"p = {p:.4f}"


def test_phases_come_at_their_times_on_a_whole_day():
    states = walked(0, session("2026-01-14"), control=log((0, {"preset_id": "quiet_range"})))
    phases = [one.phase for one in states]
    calm = next(
        seed
        for seed in range(50)
        if "after_event" not in [one.phase for one in walked(seed, session("2026-01-14"))]
    )
    plain = [one.phase for one in walked(calm, session("2026-01-14"))]
    assert plain == ["open"] * 12 + ["midday"] * 48 + ["power_hour"] * 18
    assert len(phases) == 78


def test_phases_of_a_half_day_end_with_it():
    half = session("2026-11-27", 3.5)
    calm = next(
        seed for seed in range(50) if "after_event" not in [one.phase for one in walked(seed, half)]
    )
    plain = [one.phase for one in walked(calm, half)]
    assert plain == ["open"] * 12 + ["midday"] * 12 + ["power_hour"] * 18


@pytest.mark.parametrize("hours", [6.5, 3.5])
def test_after_an_event_comes_three_quarters_of_an_hour_of_its_own(hours):
    day = session("2026-01-14", hours)
    control = log((0, {"preset_id": "event_day"}))
    for seed in range(20):
        walk = RegimeWalk(seed, (day,), SYMBOLS, (1,))
        event_ns = walk.event_ns(0, control)
        assert event_ns is not None
        assert event_ns % 10**9 == 0
        length_ns = day.close_ns - day.open_ns
        assert 0.25 * length_ns - 10**9 <= event_ns - day.open_ns <= 0.75 * length_ns
        after = [
            one.start_ns for one in walked(seed, day, control=control) if one.phase == "after_event"
        ]
        assert 0 <= after[0] - event_ns < BUCKET_NS
        assert after == list(range(after[0], after[0] + 9 * BUCKET_NS, BUCKET_NS))


@pytest.mark.parametrize("preset", PRESETS)
def test_sessions_have_an_event_as_often_as_the_preset_says(preset):
    day = session("2026-01-14")
    control = log((0, {"preset_id": preset}))
    walks = [RegimeWalk(seed, (day,), ("A",), ()) for seed in range(1500)]
    events = sum(walk.event_ns(0, control) is not None for walk in walks)
    chance = 1.0 - PRESET_BIAS[preset].event_threshold
    p = stats.binomtest(events, len(walks), chance).pvalue
    assert p > 0.01, f"{preset}: {events} of {len(walks)}, p = {p:.4f}"


def test_the_focus_persists_from_bucket_to_bucket_and_yet_moves_on():
    shares, seen = [], set()
    for seed in range(10):
        states = walked(seed, session("2026-01-14"))
        for one, other in pairwise(states):
            shares.append(len(set(one.focus) & set(other.focus)) / len(other.focus))
        seen |= {place for one in states for place in one.focus}
    # of twelve symbols three would be kept by chance in a quarter
    assert 0.6 < np.mean(shares) < 0.95, np.mean(shares)
    assert seen == set(range(len(SYMBOLS)))


@pytest.mark.parametrize("preset", PRESETS)
def test_as_many_symbols_are_in_focus_and_have_events_as_the_preset_says(preset):
    bias = PRESET_BIAS[preset]
    control = log((0, {"preset_id": preset}))
    for one in walked(3, session("2026-01-14"), control=control, candidates=(0, 2, 5, 7)):
        hot = one.regime in ("retail_chase", "event_ramp")
        excited = one.regime == "event_ramp" or one.phase == "after_event"
        assert len(one.focus) == len(set(one.focus)) == bias.focus + hot
        assert len(one.events) == (max(2, bias.events) if excited else bias.events)
        assert set(one.events) <= {0, 2, 5, 7}


def test_symbols_with_an_event_are_the_likelier_in_focus():
    inside = total = 0
    for seed in range(20):
        for one in walked(seed, session("2026-01-14")):
            inside += len(set(one.events) & set(one.focus))
            total += len(one.events)
    assert inside / total > 3 / 12 + 0.1


def test_a_symbol_more_leaves_the_others_regimes_and_order():
    day = session("2026-01-14")
    for seed in range(5):
        few = walked(seed, day)
        many = walked(seed, day, symbols=(*SYMBOLS, "NEW"))
        for one, other in zip(few, many, strict=True):
            assert (one.regime, one.phase, one.events) == (other.regime, other.phase, other.events)
            kept = [place for place in other.focus if place < len(SYMBOLS)]
            assert kept == list(one.focus[: len(kept)])
            assert len(kept) >= len(one.focus) - 1


def test_seeds_and_sessions_walk_their_own_ways():
    days = (session("2026-01-14"), session("2026-01-15"))
    both = walked(1, *days)
    assert [one.regime for one in both[:78]] != [one.regime for one in both[78:]]
    assert [one.regime for one in walked(2, days[0])] != [one.regime for one in both[:78]]
    assert both[:78] == walked(1, days[0])


def test_a_control_changes_what_comes_after_it_and_nothing_before():
    day = session("2026-01-14")
    at_ns = day.open_ns + 203 * MINUTE_NS
    plain = walked(4, day)
    changed = walked(4, day, control=log((at_ns, {"preset_id": "retail_chase"})))
    first = next(place for place, one in enumerate(plain) if one.start_ns >= at_ns)
    assert changed[:first] == plain[:first]
    assert changed[first:] != plain[first:]
    again = log((at_ns, {"preset_id": "balanced_demo"}), (at_ns + 10**9, {}))
    assert walked(4, day, control=again) == plain


@pytest.mark.parametrize("profile", PROFILES)
def test_an_operators_weight_multiplies_its_family(profile):
    for regime in REGIMES:
        for phase in ("midday", "open", "power_hour", "after_event"):
            state = BucketState(0, regime, phase, (), ())
            plain = family_weights(state, SyntheticControlState())
            heavy = family_weights(
                state, patched(SyntheticControlState(), {"profile_weights": {profile: 1.6}})
            )
            ratios = dict(zip(FAMILIES, np.array(heavy) / np.array(plain), strict=True))
            assert ratios == pytest.approx({**dict.fromkeys(FAMILIES, 1.0), profile: 1.6})


def test_phases_and_the_quiet_preset_lean_as_they_are_said_to():
    def of(phase, preset="balanced_demo"):
        state = BucketState(0, "arb_calm", phase, (), ())
        return np.array(family_weights(state, SyntheticControlState(preset_id=preset)))

    assert of("midday").tolist() == list(FAMILY_WEIGHTS["arb_calm"])
    leaning = of("open") / of("midday")
    assert leaning.tolist() == pytest.approx([1, 1.08, 1, 1, 1, 1.06, 1])
    assert of("power_hour").tolist() == of("open").tolist()
    quiet = of("midday", "quiet_range") / of("midday")
    assert quiet.tolist() == pytest.approx([1, 1, 1, 1, 1, 1, 1.18])


def test_a_place_is_picked_as_often_as_it_weighs_and_never_without_weight():
    weights = np.array([0.0, 2.0, 0.0, 1.0, 1.0])
    draws = (np.arange(4000) + 0.5) / 4000
    counts = Counter(picked(weights, float(draw)) for draw in draws)
    assert counts == {1: 2000, 3: 1000, 4: 1000}
    assert picked(weights, 0.0) == 1


def test_a_time_belongs_to_the_session_that_began_last():
    days = (session("2026-01-14"), session("2026-01-15"))
    assert session_at(days, days[0].open_ns - 1) == 0
    assert session_at(days, days[0].close_ns + 1) == 0
    assert session_at(days, days[1].open_ns) == 1
    assert datetime.date.fromisoformat(days[1].date).weekday() == 3
