"""A control takes effect when it says, on what comes then, and never on what is made."""

import numpy as np
import pytest

from contracts.control import ControlLog, ControlVersion
from contracts.errors import ContractError
from contracts.flow import SUBTYPES
from contracts.tape_columns import STREAMS
from engine.tapes.market.api import MarketTape
from tests.engine.tapes.market.markets import SECOND_NS, log, made, make, market_spec, session

EVENTS = (*STREAMS, "print_labels", "session_states")
OPEN_NS = session("2026-01-14").open_ns
LATER_NS = OPEN_NS + 211 * SECOND_NS
CHANGES = {
    "preset": {"preset_id": "retail_chase"},
    "load": {"load_profile_id": "firehose"},
    "weights": {"profile_weights": {"arbitrage": 1.6, "event_driven": 0.6}},
    "coverage": {"coverage_assist": False},
}


def spec_of(*changes):
    return market_spec(
        ("SPY", "NVDA"), 400, control=log(*changes), flow={"bursts_per_minute": 30.0}
    )


@pytest.fixture(scope="module")
def unchanged():
    return make(spec_of(), 2)


@pytest.mark.parametrize("name", CHANGES)
def test_what_comes_before_a_change_is_as_it_would_have_been(unchanged, name):
    changed = make(spec_of((LATER_NS, CHANGES[name])), 2)
    before, after = (0, LATER_NS), (LATER_NS, changed.spec.end_ns)
    wanted = unchanged.between(*before).digest(*EVENTS)
    assert len(unchanged.between(*before)["option_prints"]["seq"]) > 1000
    assert changed.between(*before).digest(*EVENTS) == wanted
    assert changed.between(*after).digest(*EVENTS) != unchanged.between(*after).digest(*EVENTS)


@pytest.mark.parametrize("told_s", [0, 100, 211])
def test_a_log_that_grows_gives_the_tape_of_the_grown_log(told_s):
    """Until the moment it takes effect a change may be told at any time."""
    tape = MarketTape(spec_of(), 2)
    grown = log((LATER_NS, {"preset_id": "dealer_day", "load_profile_id": "active"}))
    parts = [tape.advance(OPEN_NS + told_s * SECOND_NS)]
    tape.set_control(grown)
    batch = make(spec_of((LATER_NS, {"preset_id": "dealer_day", "load_profile_id": "active"})), 2)
    rest = made(tape)
    for name in STREAMS:
        for column in ("seq", "ts_ns", "ingest_ns"):
            first = parts[0].streams[name][column]
            whole = np.concatenate([first, rest[name][column]])
            assert (whole == batch[name][column]).all()
    assert (
        rest["burst_labels"]["notional_usd"].tolist()
        == batch["burst_labels"]["notional_usd"].tolist()
    )
    after = (OPEN_NS + told_s * SECOND_NS, tape.spec.end_ns)
    assert rest.digest(*STREAMS) == batch.between(*after).digest(*STREAMS)


def test_saving_the_same_again_changes_nothing(unchanged):
    state = spec_of().control.versions[0].control
    times = (0, OPEN_NS - 5 * SECOND_NS, LATER_NS, LATER_NS + SECOND_NS)
    idle = ControlLog(
        versions=tuple(ControlVersion(effective_ns=ns, control=state) for ns in times)
    )
    tape = MarketTape(spec_of().model_copy(update={"control": idle}), 2)
    assert made(tape).digest() == unchanged.digest()
    live = MarketTape(spec_of(), 2)
    live.advance(LATER_NS + 7 * SECOND_NS)
    live.set_control(idle)
    rest = unchanged.between(LATER_NS + 7 * SECOND_NS, live.spec.end_ns)
    assert made(live).digest(*EVENTS) == rest.digest(*EVENTS)


def test_what_is_made_cannot_be_changed():
    tape = MarketTape(spec_of(), 2)
    tape.advance(LATER_NS + SECOND_NS)
    with pytest.raises(ContractError) as refused:
        tape.set_control(log((LATER_NS, {"preset_id": "dealer_day"})))
    assert refused.value.code == "CONTROL_IN_THE_PAST"
    tape.set_control(log((LATER_NS + SECOND_NS, {"preset_id": "dealer_day"})))


def test_overnight_a_change_may_still_be_told_after_the_close():
    days = (session("2026-01-14", 0.25), session("2026-01-15", 0.25))
    spec = market_spec(("XOM",), 86_400 + 300, sessions=days)
    night_ns = days[0].close_ns + 3600 * SECOND_NS
    change = log((night_ns, {"load_profile_id": "active"}))
    tape = MarketTape(spec, 3)
    tape.advance(days[0].close_ns + 60 * SECOND_NS)
    tape.set_control(change)
    rest = made(tape)
    whole = make(spec.model_copy(update={"control": change}), 3)
    assert rest.digest(*STREAMS) == whole.between(days[1].open_ns, spec.end_ns).digest(*STREAMS)


def test_load_changes_how_much_comes_and_not_what_it_is():
    """Arrivals double and redouble, twice the volume comes of each at the heaviest load."""
    made_by = {
        load: make(
            market_spec(
                ("SPY",),
                600,
                control=log((0, {"load_profile_id": load})),
                flow={"bursts_per_minute": 1.5, "spacing_s": 0.0},
            ),
            1,
        )
        for load in ("steady", "active", "firehose")
    }
    steady = made_by["steady"]
    for load, times in (("active", 2), ("firehose", 8)):
        heavy = made_by[load]
        for table in ("equity_prints", "option_prints", "burst_labels"):
            column = "burst_id" if table == "burst_labels" else "seq"
            ratio = len(heavy[table][column]) / len(steady[table][column])
            assert 0.7 * times < ratio < 1.3 * times, (load, table, ratio)
    for tape in made_by.values():
        told = tape["burst_labels"]
        most = {one.name: one.cycles[1] * len(one.legs) for one in SUBTYPES}
        assert all(told["prints"] <= [most[name] for name in told["subtype"]])
