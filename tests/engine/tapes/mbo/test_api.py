"""Tapes: the same bytes whatever asks for them, the records well formed, the mid on the path."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.errors import UnrepresentableError
from contracts.mbo import mbo_spec_from
from engine import paths
from engine.book.events import Events
from engine.tapes.mbo import VERSION, MboTape, version
from engine.tapes.mbo import layout as at
from engine.tapes.mbo.api import fair_ticks, joined
from tests.engine.tapes.mbo.markets import CASES, SECOND_NS, digest, events, scenario, spec
from tests.engine.tapes.mbo.replay import mids, replay, rows_of

# A digest that changes here changes every stored tape: raise engine.tapes.mbo.VERSION with it.
GOLDEN = {
    "quiet": "6442f33ccc71070feb7dbb3016f9c2575267c7ba",
    "volatile": "0b11eac7030071e46aed9fd1d30f34723fd3ecc9",
    "later bars of a thin book": "5a5a49ffc96f66f8de3672f12c0292c1b25504ca",
    "a path that jumps": "cf2e10a8330ae01be2758f35f77313d949aca6f8",
    "other flow": "67c9e1e91c6137afe8dbd50c48948b6f835f204e",
}
WHOLE = spec("volatile", bar_ns=10 * SECOND_NS)


def head(made: Events, rows: int) -> str:
    return digest(made.part(0, rows))


def test_a_tape_is_the_same_for_ever():
    assert {name: digest(events(case, seed=5)) for name, case in CASES.items()} == GOLDEN
    assert VERSION == "1"


def test_equal_specifications_and_seeds_make_equal_bytes_and_other_seeds_do_not():
    assert digest(events(WHOLE, 3)) == digest(events(WHOLE, 3))
    assert digest(events(WHOLE, 3)) != digest(events(WHOLE, 4))


@pytest.mark.parametrize("rows", [1, 7, 1000, 10**7])
def test_the_size_of_the_batches_changes_no_byte(rows):
    wanted = CASES["volatile"]
    batches = list(MboTape(wanted, 5).batches(rows))
    assert all(batch.rows == rows for batch in batches[:-1])
    assert digest(joined(batches)) == digest(events(wanted, 5))


def test_batches_cross_the_borders_of_chunks_without_a_trace():
    wanted = spec("volatile", bars=3)
    whole = events(wanted)
    tape = MboTape(wanted, 1)
    parts = [tape.next(rows) for rows in (70_001, 1, 9_998, 10**6)]
    assert [part.rows for part in parts[:3]] == [70_001, 1, 9_998]
    assert whole.rows > 85_000
    assert digest(joined(parts)) == digest(whole)
    assert tape.next(5).rows == 0


def test_a_longer_range_of_bars_extends_the_shorter():
    short = events(spec("volatile", bars=1, bar_ns=10 * SECOND_NS))
    long = events(spec("volatile", bars=3, bar_ns=10 * SECOND_NS))
    assert long.rows > 1.2 * short.rows > 5000
    assert head(long, short.rows) == digest(short)
    assert long.ts_ns[short.rows] >= spec("volatile", bar_ns=10 * SECOND_NS).end_ns


def test_every_event_lies_in_the_range_of_the_tape():
    wanted = CASES["later bars of a thin book"]
    made = events(wanted)
    assert wanted.start_ns == wanted.scenario.start_ns + 7 * wanted.step_ns
    assert made.ts_ns[0] == wanted.start_ns
    assert made.ts_ns[-1] < wanted.end_ns == wanted.start_ns + 2 * wanted.step_ns


@pytest.mark.parametrize("name", CASES)
def test_the_records_of_every_kind_of_tape_are_well_formed(name):
    book = replay(rows_of(events(CASES[name], 5)))
    assert len(book.tops) > 5


def test_a_tape_of_a_minute_is_well_formed_and_has_every_kind_of_record():
    made = events(spec("volatile"))
    book = replay(rows_of(made))
    assert made.rows > 25_000
    assert {chr(code) for code in np.unique(made.action)} == set("RACMFT")
    partial = [row for row in rows_of(made) if row[1] == "C" and row[3] in book.orders]
    assert partial, "no order was cancelled in part"


specifications = st.fixed_dictionaries(
    {
        "bars": st.integers(1, 3),
        "first_bar": st.integers(0, 150),
        "bar_ns": st.sampled_from([SECOND_NS, 2_500_000_000]),
        "events_per_second": st.sampled_from([1.0, 20.0, 150.0]),
        "tick_int": st.sampled_from([1, 250_000_000, 10**12]),
        "start_price_ticks": st.sampled_from([2_000, 3_333, 1_000_000]),
        "lots": st.sampled_from([{}, {"median": 100_000, "p90": 100_000, "p99": 100_000}]),
        "depth": st.fixed_dictionaries(
            {
                "first_level": st.sampled_from([0.05, 0.5, 2.0]),
                "rise_levels": st.sampled_from([2, 20]),
                "near_ticks": st.sampled_from([1, 9]),
                "reach_ticks": st.sampled_from([10, 1000]),
            }
        ),
        "flow": st.fixed_dictionaries(
            {
                "modifies_per_add": st.sampled_from([0.0, 0.5, 5.0]),
                "market_orders_per_add": st.sampled_from([0.001, 0.15, 2.0]),
                "join_share": st.sampled_from([0.01, 0.45, 0.6]),
                "near_share": st.sampled_from([0.01, 0.3]),
                "branching": st.sampled_from([0.0, 0.8, 0.95]),
            }
        ),
    }
)
markets = st.sampled_from(
    [
        scenario("trend", drift=0, sigma=0),
        scenario("trend", drift=20, sigma=5),
        scenario("shock_mix", p_jump=0.5, jump_mu=0, jump_sigma=200, sigma=30),
    ]
)


@settings(
    derandomize=True,
    database=None,
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(specifications, markets, st.integers(0, 2**63 - 1))
def test_the_records_of_any_specification_are_well_formed(changes, market, seed):
    wanted = mbo_spec_from({"id": "any", "version": "0.1", "scenario": market, **changes})
    try:
        made = events(wanted, seed)
    except UnrepresentableError:
        fair = paths.simulate(wanted.scenario, seed).close_ticks.min() * 1e-4
        assert fair * wanted.start_price_ticks < 2_000
        return
    assert len(replay(rows_of(made)).tops) >= 1


@pytest.mark.parametrize(("market", "most"), [("quiet", 3.0), ("trending", 4.0), ("volatile", 5.0)])
def test_the_mid_stays_within_a_few_ticks_of_the_path(market, most):
    wanted = spec(market, bars=1, bar_ns=60 * SECOND_NS)
    tape = MboTape(wanted, 2)
    book = replay(rows_of(joined(list(tape.batches()))))
    times, mid = mids(book, wanted.tick_int)
    away = np.abs(mid - tape.fair(times))
    assert away.max() <= most
    assert away.mean() < 1.5


def test_the_mid_follows_a_jump_of_the_path_through_the_levels():
    jumps = scenario("shock_mix", p_jump=1, jump_mu=100, jump_sigma=0, sigma=0)
    wanted = mbo_spec_from(
        {"id": "up", "version": "0.1", "scenario": jumps, "bars": 2, "bar_ns": 20 * SECOND_NS}
    )
    tape = MboTape(wanted, 1)
    times, mid = mids(replay(rows_of(joined(list(tape.batches())))), wanted.tick_int)
    opened, _ = fair_ticks(wanted, 1)
    assert opened[1] - opened[0] > 800
    settled = times > wanted.start_ns + 30 * SECOND_NS
    assert np.abs(mid - tape.fair(times))[settled].max() < 5


def test_the_path_starts_at_the_price_that_is_asked_and_moves_as_the_scenario_does():
    wanted = spec("volatile", bars=30, start_price_ticks=40_000)
    opened, closed = fair_ticks(wanted, 9)
    bars = paths.simulate(wanted.scenario, 9)
    assert opened[0] == pytest.approx(40_000)
    assert closed / 40_000 == pytest.approx(bars.close_ticks[:30] * 0.01 / 100)
    tape = MboTape(wanted, 9)
    middle = np.array([wanted.start_ns + 3 * wanted.step_ns // 2], dtype=np.int64)
    assert tape.fair(middle)[0] == pytest.approx((opened[1] + closed[1]) / 2)


@pytest.mark.parametrize("rate", [20.0, 200.0, 2000.0])
def test_the_mean_rate_is_the_one_that_is_asked(rate):
    made = events(spec("trending", events_per_second=rate, bars=3, bar_ns=40 * SECOND_NS))
    fed = int((made.flags & 32 == 0).sum())
    assert fed / 120 == pytest.approx(rate, rel=0.2)


def test_a_full_book_lets_orders_go_and_goes_on():
    tape = MboTape(spec("quiet", events_per_second=30.0), 1)
    tape.next(1)
    state = tape._state
    room = int(state.orders.shape[0] - state.ints[at.ORDERS] - state.ints[at.ORDERS + 1])
    free = int(state.ints[at.FREE])
    for _ in range(4):
        free = int(state.orders[free, at.NEXT])
    state.orders[free, at.NEXT] = -1
    rest = joined(list(tape.batches()))
    adds, cancels = (int((rest.action == ord(letter)).sum()) for letter in "AC")
    held = int(state.ints[at.ORDERS] + state.ints[at.ORDERS + 1])
    assert room > 100
    assert held <= state.orders.shape[0] - room + 5
    assert rest.rows > 1000
    assert adds > 300
    assert cancels > 300


@pytest.mark.parametrize("ticks", [2_000, 10_000_000])
def test_a_path_that_leaves_the_prices_of_a_tape_is_refused_with_its_bar(ticks):
    drift = -100 if ticks == 2_000 else 100
    document = {
        "id": "off",
        "version": "0.1",
        "scenario": scenario("trend", drift=drift, sigma=0),
        "bars": 100,
        "start_price_ticks": ticks,
        "tick_int": 2**37,
    }
    if ticks == 10_000_000:
        document["tick_int"] = 400_000_000_000
    with pytest.raises(UnrepresentableError) as refused:
        MboTape(mbo_spec_from(document), 1)
    assert refused.value.code == "TAPE_UNREPRESENTABLE"
    assert refused.value.loc == ("bar 29" if ticks == 2_000 else "bar 15")


def test_a_seed_out_of_range_is_refused():
    with pytest.raises(Exception, match="outside 0"):
        MboTape(spec(), -1)


def test_the_version_of_a_tape_names_its_path_too():
    assert version(spec()) == f"1.{paths.version(spec().scenario)}"
