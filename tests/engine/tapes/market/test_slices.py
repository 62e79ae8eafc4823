"""A part of a tape, made alone, is that part of the whole: symbols, times, sessions, universes."""

import numpy as np
import pytest

from contracts.tape_columns import STREAMS
from engine.tapes.market.latent import Latent
from tests.engine.tapes.market.markets import (
    MINUTE_NS,
    PROFILES,
    SECOND_NS,
    Made,
    make,
    market_spec,
    session,
)

EVENTS = (*STREAMS, "print_labels")
TWO_DAYS = (session("2026-01-14", 3.5), session("2026-01-15"))


def widened(spec, *symbols):
    """The same tape with other symbols appended to its universe."""
    universe = (*spec.universe, *(PROFILES[name] for name in symbols))
    return spec.model_copy(update={"universe": universe})


@pytest.mark.parametrize("symbols", [("SPY",), ("XOM",), ("NVDA", "SPY")])
def test_symbols_alone_are_their_slice_of_the_whole(busy, symbols):
    alone, mine = make(busy.spec, 1, symbols), busy.of(*symbols)
    assert len(mine["burst_labels"]["symbol"]) > 100
    tables = [*EVENTS, "burst_labels", "event_calendar"]
    assert alone.digest(*tables) == mine.digest(*tables)
    assert alone.digest("session_states") == busy.digest("session_states")
    assert set(alone["option_contracts"]["contract"]) == set(mine["option_contracts"]["contract"])


@pytest.mark.parametrize(("start_s", "seconds"), [(7, 20), (299, 2), (300, 300), (431, 769)])
def test_a_window_of_time_is_its_slice_of_the_whole(busy, start_s, seconds):
    start_ns = busy.spec.start_ns + start_s * SECOND_NS
    end_ns = start_ns + seconds * SECOND_NS
    spec = busy.spec.model_copy(update={"start_ns": start_ns, "end_ns": end_ns})
    alone, mine = make(spec, 1), busy.between(start_ns, end_ns)
    assert len(mine["option_prints"]["seq"]) > 20
    assert alone.digest(*EVENTS, "session_states") == mine.digest(*EVENTS, "session_states")
    over = (busy["burst_labels"]["end_ns"] >= start_ns) & (busy["burst_labels"]["end_ns"] < end_ns)
    ended = busy.where({"burst_labels": over})
    told = np.isin(alone["burst_labels"]["burst_id"], ended["burst_labels"]["burst_id"])
    assert alone.where({"burst_labels": told}).digest() == ended.digest()


def test_a_longer_tape_extends_the_shorter(busy):
    end_ns = busy.spec.start_ns + 431 * SECOND_NS
    short = make(busy.spec.model_copy(update={"end_ns": end_ns}), 1)
    tables = (*EVENTS, "session_states")
    assert short.digest(*tables) == busy.between(0, end_ns).digest(*tables)


def test_another_session_extends_the_one_before_and_lists_chains_of_its_own():
    first = market_spec(("CVX", "BAC"), 12_600, sessions=TWO_DAYS[:1])
    both = market_spec(("CVX", "BAC"), 86_400 + 120, sessions=TWO_DAYS)
    alone, two = make(first, 2), make(both, 2)
    close_ns, open_ns = TWO_DAYS[0].close_ns, TWO_DAYS[1].open_ns
    assert alone.digest(*EVENTS) == two.between(0, close_ns).digest(*EVENTS)
    quotes = two["equity_quotes"]
    assert not ((quotes["ts_ns"] >= close_ns) & (quotes["ts_ns"] < open_ns)).any()
    late = two.between(open_ns, both.end_ns)
    assert len(late["option_prints"]["seq"]) > 20
    listed = two["option_contracts"]
    assert {TWO_DAYS[0].open_ns, TWO_DAYS[1].open_ns} == set(listed["first_ns"])
    expired = listed["contract"][listed["expiry_ns"] <= close_ns]
    assert not set(late["option_nbbo"]["contract"]) & set(expired)
    window = both.model_copy(update={"start_ns": open_ns})
    assert make(window, 2).digest(*EVENTS) == late.digest(*EVENTS)


def test_prices_before_flow_do_not_know_of_a_symbol_more():
    spec = market_spec(("SPY", "NVDA", "AMD", "XOM"), 900)
    few, many = Latent(spec, 6), Latent(widened(spec, "AAPL", "JPM", "TSLA"), 6)
    for minutes in (0, 5, 10):
        at_ns = spec.start_ns + minutes * MINUTE_NS
        one, other = (latent.next(at_ns, 300, spec.control) for latent in (few, many))
        assert one.paths.tobytes() == other.paths[:4].tobytes()
        assert one.heat.tobytes() == other.heat[:4].tobytes()
        assert one.cells.tobytes() == other.cells.tobytes()


def test_without_bursts_a_symbol_more_changes_none_whose_place_in_the_focus_it_leaves():
    """Activity follows the focus, and nothing else of the events does: all draws are one's own."""
    spec = market_spec(("SPY", "NVDA", "AMD", "XOM"), 900, flow={"bursts_per_minute": 0.0})
    verdicts = []
    for seed in range(4):
        few, many = make(spec, seed), make(widened(spec, "TSLA", "PFE"), seed)
        for symbol in spec.symbols:
            same_focus = np.array_equal(seen(few, symbol), seen(many, symbol))
            same = few.of(symbol).digest(*EVENTS) == many.of(symbol).digest(*EVENTS)
            verdicts.append((same_focus, same))
    assert verdicts.count((True, True)) >= 4
    assert verdicts.count((False, False)) >= 1
    assert not verdicts.count((True, False))


def seen(made: Made, symbol):
    """Whether a symbol is in focus and has an event, minute by minute."""
    states = made["session_states"]
    return [[symbol in text.split() for text in states[column]] for column in ("focus", "events")]


def test_until_the_focus_differs_a_symbol_more_changes_no_byte_of_the_others():
    spec = market_spec(("SPY", "NVDA", "AMD", "XOM"), 900, flow={"bursts_per_minute": 0.0})
    prefixes = 0
    for seed in range(4):
        few, many = make(spec, seed), make(widened(spec, "TSLA"), seed)
        told = (one["session_states"]["focus"] for one in (few, many))
        differs = [set(a.split()) != set(b.split()) for a, b in zip(*told, strict=True)]
        minutes = differs.index(True) if any(differs) else len(differs)
        prefixes += minutes
        end_ns = spec.start_ns + minutes * MINUTE_NS
        theirs = many.of(*spec.symbols).between(0, end_ns)
        assert few.between(0, end_ns).digest(*EVENTS) == theirs.digest(*EVENTS)
    assert prefixes >= 5
