"""Where a market stands, against the tape itself: its states minute by minute, its bursts."""

import numpy as np
import pytest

from contracts.control import PROFILES, SECOND_NS, ControlLog, ControlVersion, SyntheticControlState
from contracts.errors import ContractError
from contracts.regime import PHASES, REGIMES
from contracts.tape import TapeProfile
from contracts.tape_defaults import default_profile
from engine.tapes.market.api import MarketTape
from engine.tapes.market.outlook import outlook_at
from islandflow_resources.tape_specs import resolve

SEED = 5
LENGTH_S = 1_260
HALF_DAY = "2026-11-27"


def spec_of(changes=(), day="2026-01-14", bursts=15.0, count=1):
    """Two symbols, one of them with an event ahead; presets from some seconds on."""
    document = default_profile(6).model_dump(mode="json")
    document["universe"] = [document["universe"][place] for place in (0, 5)]
    document["flow"] |= {"bursts_per_minute": bursts, "spacing_s": 20.0}
    document["session"] |= {"first_date": day, "count": count}
    if count == 1:
        document["session"]["duration_s"] = LENGTH_S
    profile = TapeProfile.model_validate(document)
    open_ns = resolve(profile).sessions[-1].open_ns
    versions = [ControlVersion(effective_ns=0, control=SyntheticControlState())]
    versions += [
        ControlVersion(
            effective_ns=open_ns + past_s * SECOND_NS,
            control=SyntheticControlState(
                preset_id=preset, coverage_window_minutes=10, load_profile_id="active"
            ),
        )
        for past_s, preset in changes
    ]
    return resolve(profile.model_copy(update={"control": ControlLog(versions=tuple(versions))}))


SPECS = {"steady": spec_of(), "changing": spec_of([(427, "event_day"), (900, "retail_chase")])}


@pytest.fixture(scope="module", params=SPECS)
def made(request):
    """A spec, the counts of its tape at some times, and its states."""
    spec = SPECS[request.param]
    tape = MarketTape(spec, SEED)
    counts, states, focus, events = {}, [], [], []
    for past_s in (1, 29, 31, 300, 428, 771, 1_200, LENGTH_S):
        at_ns = spec.start_ns + past_s * SECOND_NS
        batch = tape.advance(at_ns)
        minutes = spec.control.at(at_ns).coverage_window_minutes
        counts[at_ns] = tape.scheduled(at_ns - minutes * 60 * SECOND_NS, at_ns)
        states.append(batch.session_states)
        focus += batch.focus
        events += batch.events
    columns = {name: np.concatenate([one[name] for one in states]) for name in states[0]}
    return spec, counts, columns, focus, events


def test_the_scheduled_counts_are_those_of_the_tape(made):
    spec, counts, *_ = made
    for at_ns, wanted in counts.items():
        assert outlook_at(spec, SEED, at_ns).scheduled == wanted
    last = list(counts.values())[-1]
    assert set(last) == set(PROFILES)
    assert sum(last.values()) > 50


def test_state_and_levels_are_those_of_every_minute_of_the_tape(made):
    spec, _, columns, focus, events = made
    assert len(focus) == LENGTH_S // 60
    for row in (0, 4, 5, 7, 8, 15, 20):
        at_ns = int(columns["ts_ns"][row])
        found = outlook_at(spec, SEED, at_ns)
        assert (found.at_ns, found.is_open, found.session) == (at_ns, True, 0)
        assert found.state.regime == REGIMES[columns["regime"][row]]
        assert found.state.phase == PHASES[columns["phase"][row]]
        assert (found.state.focus, found.state.events) == (focus[row], events[row])
        assert found.control == spec.control.at(at_ns)
        levels = (found.volatility, found.liquidity, found.cleanliness)
        names = ("volatility", "liquidity", "cleanliness")
        assert levels == tuple(columns[name][row] for name in names)


def test_a_part_of_a_second_is_left_out():
    spec = SPECS["steady"]
    at_ns = spec.start_ns + 90 * SECOND_NS
    assert outlook_at(spec, SEED, at_ns + 999_999_999) == outlook_at(spec, SEED, at_ns)


def test_before_the_open_it_is_the_open_and_after_the_close_the_last_second():
    spec = spec_of(day=HALF_DAY, bursts=0.5)
    session = spec.sessions[0]
    before = outlook_at(spec, SEED, session.open_ns - 3_600 * SECOND_NS)
    at_open = outlook_at(spec, SEED, session.open_ns)
    assert not before.is_open
    assert before == at_open._replace(is_open=False)
    assert set(at_open.scheduled.values()) == {0}
    after = outlook_at(spec, SEED, session.close_ns + 3_600 * SECOND_NS)
    last = outlook_at(spec, SEED, session.close_ns - SECOND_NS)
    assert (after.at_ns, after.is_open, last.is_open) == (session.close_ns, False, True)
    assert (after.state, after.volatility) == (last.state, last.volatility)


def test_the_second_session_goes_on_from_the_first():
    spec = spec_of([(-3_600, "event_day")], HALF_DAY, 2.0, count=2)
    tape = MarketTape(spec, SEED)
    end_ns = spec.sessions[1].open_ns + 660 * SECOND_NS
    batch = tape.advance(end_ns)
    found = outlook_at(spec, SEED, end_ns)
    assert (found.session, found.is_open) == (1, True)
    assert found.scheduled == tape.scheduled(end_ns - 600 * SECOND_NS, end_ns)
    assert any(found.scheduled.values())
    at_ns = int(batch.session_states["ts_ns"][-1])
    assert at_ns > spec.sessions[1].open_ns
    last = outlook_at(spec, SEED, at_ns)
    assert last.control.preset_id == "event_day"
    assert last.state.regime == REGIMES[batch.session_states["regime"][-1]]
    assert last.liquidity == batch.session_states["liquidity"][-1]


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_that_is_none_is_refused(seed):
    with pytest.raises(ContractError) as refused:
        outlook_at(SPECS["steady"], seed, 0)
    assert refused.value.code == "SEED_OUT_OF_RANGE"
