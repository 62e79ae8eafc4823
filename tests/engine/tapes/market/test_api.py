"""The tape is the same bytes whoever makes it and however it is cut; its records are sound."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.errors import ContractError
from contracts.tape_columns import PRINT_LABELS, STREAMS
from engine.tapes.market.api import MarketTape
from tests.engine.tapes.market.markets import (
    MINUTE_NS,
    SECOND_NS,
    digests,
    made,
    make,
    market_spec,
    root_of,
    session,
)

ROOT = Path(__file__).parents[4]
SPEC = market_spec(("SPY", "NVDA"), 420, flow={"bursts_per_minute": 30.0})
OPEN_NS = SPEC.start_ns


@pytest.fixture(scope="module")
def whole():
    return make(SPEC, 4).digest()


def test_the_same_inputs_give_the_same_bytes_and_another_seed_gives_others(whole):
    assert make(SPEC, 4).digest() == whole
    assert make(SPEC, 5).digest() != whole


def test_another_process_gives_the_same_bytes():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.engine.tapes.market.markets"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"compiled": True, "digests": digests()}


@settings(
    derandomize=True,
    database=None,
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.integers(1, 419), max_size=30).map(sorted))
def test_where_a_tape_is_cut_changes_no_byte(whole, cuts):
    parts = made(MarketTape(SPEC, 4), *(OPEN_NS + cut * SECOND_NS for cut in cuts))
    assert parts.digest() == whole


def test_cut_at_every_second_a_tape_is_the_same(whole):
    every = made(MarketTape(SPEC, 4), *(OPEN_NS + cut * SECOND_NS for cut in range(1, 420)))
    assert every.digest() == whole


def test_batches_end_where_five_minutes_end_and_hold_what_lies_between():
    tape = MarketTape(market_spec(("XOM",), 700, 100), 1)
    batches = list(tape.batches())
    edges = [(one.start_ns, one.end_ns) for one in batches]
    first = tape.spec.sessions[0].open_ns
    assert edges == [
        (first + a * SECOND_NS, first + b * SECOND_NS)
        for a, b in ((100, 300), (300, 600), (600, 800))
    ]
    for batch in batches:
        times = np.concatenate([batch.streams[name]["ts_ns"] for name in STREAMS])
        assert batch.start_ns <= times.min()
        assert times.max() < batch.end_ns
        assert batch.rows == len(times) > 100
    assert tape.position_ns == tape.spec.end_ns
    assert tape.advance(tape.spec.end_ns + SECOND_NS).rows == 0


def test_every_stream_is_ordered_and_every_number_is_unique(busy):
    numbers = np.concatenate([busy[name]["seq"] for name in STREAMS])
    assert len(np.unique(numbers)) == len(numbers)
    for name in STREAMS:
        ts, received, seq = (busy[name][column] for column in ("ts_ns", "ingest_ns", "seq"))
        keys = np.lexsort((seq, received, ts))
        assert (keys == np.arange(len(ts))).all()
        assert (received >= ts).all()
        assert (np.diff(ts[np.argsort(seq)]) >= 0).all()


def test_events_of_one_symbol_never_share_a_time(busy):
    for symbol in busy.spec.symbols:
        mine = busy.of(symbol)
        times = np.concatenate([mine[name]["ts_ns"] for name in STREAMS])
        assert len(np.unique(times)) == len(times)


def test_columns_are_those_of_their_layouts():
    batch = MarketTape(SPEC, 1).advance(OPEN_NS + 2 * SECOND_NS)
    kinds = {"int64": np.int64, "int32": np.int32, "int8": np.int8, "bool": np.bool_}
    tables = {**batch.streams, "print_labels": batch.print_labels}
    for name, schema in {**STREAMS, "print_labels": PRINT_LABELS}.items():
        found = {column: values.dtype for column, values in tables[name].items()}
        wanted = {one.name: np.dtype(kinds.get(one.kind, np.int32)) for one in schema.columns}
        assert found == wanted
        assert list(found) == [one.name for one in schema.columns]


def test_every_print_has_one_label(busy):
    prints = np.concatenate([busy["equity_prints"]["seq"], busy["option_prints"]["seq"]])
    assert sorted(prints) == list(busy["print_labels"]["seq"])
    options = busy["print_labels"]["stream"] == "option_prints"
    assert set(busy["print_labels"]["seq"][options]) == set(busy["option_prints"]["seq"])


def test_a_print_is_withdrawn_or_corrected_after_it_was_made():
    spec = market_spec(("SPY",), 240, quotes={"cancel_share": 0.05, "correct_share": 0.05})
    prints = make(spec, 1)["equity_prints"]
    seen = dict(zip(prints["seq"].tolist(), range(len(prints["seq"])), strict=True))
    amended = np.flatnonzero(prints["ref_seq"])
    assert {"CANCEL", "CORRECT"} == set(prints["condition"][amended])
    for row in amended:
        about = seen[int(prints["ref_seq"][row])]
        assert about < row
        assert prints["price_ticks"][about] == prints["price_ticks"][row]
        assert prints["exchange"][about] == prints["exchange"][row]
    assert not set(prints["condition"][prints["ref_seq"] == 0]) & {"CANCEL", "CORRECT"}


def test_prints_on_an_exchange_trade_at_the_last_quote(busy):
    mine = busy.of("SPY")
    quotes, prints = mine["equity_quotes"], mine["equity_prints"]
    sides = dict(zip(mine["print_labels"]["seq"], mine["print_labels"]["side"], strict=True))
    lit = np.flatnonzero(~prints["off_exchange"] & (prints["ref_seq"] == 0))
    at = np.searchsorted(quotes["ts_ns"], prints["ts_ns"][lit]) - 1
    bought = np.array([sides[seq] > 0 for seq in prints["seq"][lit]])
    touch = np.where(bought, quotes["ask_ticks"][at], quotes["bid_ticks"][at])
    assert (prints["price_ticks"][lit] == touch).all()


def test_reference_data_say_what_the_ids_say(busy):
    rows = busy["option_contracts"]
    assert len(rows["contract"]) == len(set(rows["contract"]))
    for name, symbol, strike, right in zip(
        rows["contract"], rows["symbol"], rows["strike_ticks"], rows["right"], strict=True
    ):
        assert (name[:6].strip(), name[12], int(name[13:]) * 10) == (symbol, right, strike)
    assert set(busy["option_nbbo"]["contract"]) <= set(rows["contract"])
    known = busy["event_calendar"]
    near = {one.symbol: one.event_in_days for one in busy.spec.universe if one.event_in_days}
    assert set(known["symbol"]) == set(near)
    assert (known["announced_ns"] < busy.spec.start_ns).all()
    assert (known["event_ns"] > busy.spec.sessions[0].close_ns).all()


def test_counts_of_what_was_scheduled_are_those_of_the_labels(busy):
    tape = MarketTape(busy.spec, 1)
    tape.advance(busy.spec.end_ns)
    since, until = OPEN_NS + 5 * MINUTE_NS, OPEN_NS + 15 * MINUTE_NS
    told = busy["burst_labels"]
    inside = (told["scheduled_ns"] >= since) & (told["scheduled_ns"] < until)
    families = told["family"][inside & (told["actor"] == "burst")]
    counted = tape.scheduled(since, until)
    assert sum(counted.values()) > 100
    assert counted == {family: int((families == family).sum()) for family in counted}


def test_states_are_told_once_a_minute(busy):
    states = busy["session_states"]
    assert list(np.diff(states["ts_ns"])) == [MINUTE_NS] * 19
    assert set(" ".join(states["focus"]).split()) == set(busy.spec.symbols)


def test_an_unknown_symbol_is_refused_with_those_there_are():
    with pytest.raises(ContractError) as refused:
        MarketTape(SPEC, 1, ("SPY", "AAPL"))
    assert (refused.value.code, refused.value.loc) == ("TAPE_SYMBOL_UNKNOWN", "AAPL")
    assert "SPY, NVDA" in refused.value.hints[0]


def test_a_seed_out_of_range_is_refused():
    with pytest.raises(ContractError) as refused:
        MarketTape(SPEC, -1)
    assert refused.value.code == "SEED_OUT_OF_RANGE"


def test_the_largest_universe_has_room_for_a_number_for_everybody():
    spec = market_spec(seconds=2)
    tape = MarketTape(spec, 1)
    batch = tape.advance(spec.end_ns)
    slots = batch.streams["equity_quotes"]["seq"] % 512
    quotes = batch.streams["equity_quotes"]
    assert len(np.unique(slots)) > 3
    assert (quotes["seq"] // 512 + OPEN_NS == quotes["ts_ns"]).all()


def test_a_half_day_ends_when_it_ends():
    spec = market_spec(("XOM",), 12_600, sessions=(session("2026-11-27", 3.5),))
    tape = MarketTape(spec, 1)
    assert spec.end_ns == spec.sessions[0].close_ns
    last = tape.advance(spec.end_ns).streams["equity_quotes"]["ts_ns"][-1]
    assert spec.end_ns - 60 * SECOND_NS < last < spec.end_ns


def test_roots_of_contracts_are_symbols(busy):
    assert set(root_of(busy["option_nbbo"]["contract"])) == set(busy.spec.symbols)
