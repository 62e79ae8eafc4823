"""Hard facts of a tape: sound rows keep them, and every way of breaking one is found."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.flow import SUBTYPE_NAMES
from engine.tapes.market import audit
from engine.tapes.market.audit import Audit
from tests.engine.tapes.market.drawn_streams import (
    DAY_NS,
    OPEN_NS,
    SECOND_NS,
    batch_of,
    columns_of,
    contract_columns,
    cut,
    drawn_market,
    spec_of,
)
from tests.oracles.option_statistics import Listed, held_of, variation

PRINTS = ("equity_prints", "option_prints")


def labels_of(streams):
    """A label of the background for every print."""
    seq = np.concatenate([streams[name]["seq"] for name in PRINTS])
    stream = np.concatenate([np.full(len(streams[n]["seq"]), at) for at, n in enumerate(PRINTS)])
    order = np.argsort(seq)
    zeros = np.zeros(len(seq), np.int64)
    return {"seq": seq[order], "stream": stream[order], "actor": zeros, "burst_id": zeros}


def sound(symbol="UNH", n=40):
    """A tape that keeps every fact: one symbol, one contract at 2.90 and later at 3.10 dollars."""
    spec = spec_of((symbol,), minutes=(60,))
    at = OPEN_NS + 1 + np.arange(n) * SECOND_NS
    bid = np.where(np.arange(n) < n // 2, 29_000, 31_000)

    def keyed(offset):
        ts = at + offset
        return {"ts_ns": ts, "ingest_ns": ts + 20, "seq": (ts - OPEN_NS) * 512 + offset}

    ones, zeros = np.ones(n), np.zeros(n)
    sizes = {"bid_size": ones, "ask_size": ones}
    equity = {"symbol": zeros, "exchange": zeros, "condition": zeros, "ref_seq": zeros}
    rows = {
        "equity_quotes": {"symbol": zeros, "bid_ticks": 100_000 * ones, "ask_ticks": 100_100 * ones}
        | sizes,
        "option_nbbo": {"contract": zeros, "bid_ticks": bid, "ask_ticks": bid + 2_000} | sizes,
        "equity_prints": {**equity, "price_ticks": 100_000 * ones, "size": ones},
        "option_prints": {"contract": zeros, "price_ticks": bid, "size": ones} | equity,
    }
    rows["option_nbbo"]["iv_ppm"] = ones
    rows["equity_prints"]["off_exchange"] = zeros
    streams = {
        name: columns_of(name, {**keyed(offset), **columns})
        for offset, (name, columns) in enumerate(rows.items())
    }
    contracts = contract_columns([Listed(0, OPEN_NS + 9 * DAY_NS, 100_000, False)])
    batch = batch_of(spec.start_ns, spec.end_ns, labels_of(streams), **streams)
    return spec, batch, contracts


def broken(spec, batch, contracts):
    """Facts that do not hold, with the first row that breaks each."""
    card = Audit(spec)
    found = card.add(batch, contracts)
    assert card.findings() == found
    return {(one.fact, one.stream): one.first_row for one in found if one.violations}


def test_a_sound_tape_keeps_every_fact():
    spec, batch, contracts = sound()
    assert broken(spec, batch, contracts) == {}
    found = Audit(spec).add(batch, contracts)
    facts = {
        "columns_laid_out",
        "texts_silent",
        "codes_known",
        "numbers_ascend",
        "labels_complete",
        "rows_ordered",
        "rows_inside",
        "received_after",
        "on_grid",
        "near_quote",
    }
    assert {one.fact for one in found} == facts
    assert all(one.rows > 0 and (one.first_row, one.first_seq) == (-1, -1) for one in found)


CHANGES = [
    ("equity_prints", "price_ticks", 3, 100_050, {("on_grid", "equity_prints"): 3}),
    ("equity_prints", "price_ticks", 3, 100_300, {("near_quote", "equity_prints"): 3}),
    ("equity_prints", "price_ticks", 3, 99_900, {}),
    ("equity_prints", "ingest_ns", 4, 0, {("received_after", "equity_prints"): 4}),
    ("equity_quotes", "ask_ticks", 5, 100_101, {("on_grid", "equity_quotes"): 5}),
    ("equity_quotes", "bid_ticks", 5, 0, {}),
    ("equity_quotes", "ts_ns", 0, OPEN_NS - 1, {("rows_inside", "equity_quotes"): 0}),
    ("option_nbbo", "bid_ticks", 6, 29_100, {("on_grid", "option_nbbo"): 6}),
    ("option_nbbo", "bid_ticks", 30, 30_500, {("on_grid", "option_nbbo"): 30}),
    ("option_nbbo", "bid_ticks", 6, 0, {}),
    (
        "option_nbbo",
        "ask_ticks",
        6,
        0,
        {("on_grid", "option_nbbo"): 6, ("near_quote", "option_prints"): 6},
    ),
    ("option_prints", "price_ticks", 7, 29_100, {("on_grid", "option_prints"): 7}),
    ("option_prints", "price_ticks", 30, 31_500, {("on_grid", "option_prints"): 30}),
    ("option_prints", "price_ticks", 30, 30_000, {}),
    ("option_prints", "price_ticks", 30, 29_000, {("near_quote", "option_prints"): 30}),
    ("option_prints", "price_ticks", 30, 34_000, {}),
    ("option_prints", "price_ticks", 30, 35_000, {("near_quote", "option_prints"): 30}),
    ("option_prints", "exchange", 8, 12, {("codes_known", "option_prints"): 8}),
    ("option_prints", "condition", 8, -1, {("codes_known", "option_prints"): 8}),
    ("option_prints", "contract", 8, 1, {("codes_known", "option_prints"): 8}),
    ("equity_prints", "symbol", 8, 1, {("codes_known", "equity_prints"): 8}),
    ("equity_prints", "condition", 8, 5, {("codes_known", "equity_prints"): 8}),
]


@pytest.mark.parametrize(("stream", "column", "row", "value", "expected"), CHANGES)
def test_one_changed_value_breaks_its_fact_and_no_other(stream, column, row, value, expected):
    spec, batch, contracts = sound()
    batch.streams[stream][column][row] = value
    assert broken(spec, batch, contracts) == expected


def test_a_print_of_a_withdrawn_trade_may_be_anywhere():
    spec, batch, contracts = sound()
    batch.streams["equity_prints"]["price_ticks"][3] = 120_000
    batch.streams["equity_prints"]["condition"][3] = 3
    assert broken(spec, batch, contracts) == {}


def test_a_print_off_exchange_may_be_between_cents():
    spec, batch, contracts = sound()
    batch.streams["equity_prints"]["price_ticks"][3] = 100_051
    batch.streams["equity_prints"]["off_exchange"][3] = True
    assert broken(spec, batch, contracts) == {}


def test_a_print_may_be_away_from_a_quote_that_the_underlying_has_left():
    spec, batch, contracts = sound()
    nbbo = batch.streams["option_nbbo"]
    batch.streams["option_nbbo"] = {
        name: values[np.arange(len(values)) != 30] for name, values in nbbo.items()
    }
    batch.streams["option_prints"]["price_ticks"][30] = 45_000
    assert broken(spec, batch, contracts) == {("near_quote", "option_prints"): 30}
    batch.streams["equity_quotes"]["bid_ticks"][30:] -= 100
    batch.streams["equity_prints"]["price_ticks"][30:] -= 100
    assert broken(spec, batch, contracts) == {}


def test_prints_without_a_quote_are_not_near_one():
    spec, batch, contracts = sound()
    nbbo = batch.streams["option_nbbo"]
    batch.streams["option_nbbo"] = {name: values[10:] for name, values in nbbo.items()}
    assert broken(spec, batch, contracts) == {("near_quote", "option_prints"): 0}


def test_rows_out_of_order_are_found_by_time_by_receipt_and_by_number():
    spec, batch, contracts = sound()
    quotes = batch.streams["equity_quotes"]
    for name, values in quotes.items():
        if name != "seq":
            values[[4, 5]] = values[[5, 4]]
    assert broken(spec, batch, contracts) == {
        ("rows_ordered", "equity_quotes"): 5,
        ("numbers_ascend", "streams"): 17,
    }
    spec, batch, contracts = sound()
    batch.streams["equity_quotes"]["ts_ns"][5] = batch.streams["equity_quotes"]["ts_ns"][4]
    batch.streams["equity_quotes"]["ingest_ns"][4] += 2 * SECOND_NS
    assert ("rows_ordered", "equity_quotes") in broken(spec, batch, contracts)


def test_events_of_one_time_need_no_order_of_their_numbers():
    spec, batch, contracts = sound()
    quotes = batch.streams["equity_quotes"]
    for name in ("ts_ns", "ingest_ns"):
        quotes[name][5] = quotes[name][4]
    quotes["ingest_ns"][5] += 1
    quotes["seq"][[4, 5]] = quotes["seq"][4] + np.array([2, 1])
    facts = broken(spec, batch, contracts)
    assert ("rows_ordered", "equity_quotes") not in facts


def test_a_number_that_is_used_twice_is_found_across_streams_and_batches():
    spec, batch, contracts = sound()
    batch.streams["option_nbbo"]["seq"][9] = batch.streams["equity_quotes"]["seq"][9]
    assert set(broken(spec, batch, contracts)) == {("numbers_ascend", "streams")}
    spec, batch, contracts = sound()
    early, late = cut(batch, [OPEN_NS + 20 * SECOND_NS])
    late.streams["equity_quotes"]["seq"][0] = early.streams["option_prints"]["seq"][-1]
    card = Audit(spec)
    first = card.add(early._replace(print_labels=labels_of(early.streams)), contracts)
    second = card.add(late._replace(print_labels=labels_of(late.streams)), contracts)
    assert not any(one.violations for one in first)
    assert [one.fact for one in second if one.violations] == ["numbers_ascend"]


@pytest.mark.parametrize("spoil", ["missing", "twice", "other_stream", "stranger"])
def test_every_print_has_one_label(spoil):
    spec, batch, contracts = sound()
    labels = batch.print_labels
    if spoil == "missing":
        labels = {name: values[1:] for name, values in labels.items()}
    elif spoil == "twice":
        labels = {name: np.concatenate([values[:1], values]) for name, values in labels.items()}
    elif spoil == "other_stream":
        labels["stream"][0] = 1 - labels["stream"][0]
    else:
        labels["seq"][0] += 1
    found = broken(spec, batch._replace(print_labels=labels), contracts)
    assert set(found) == {("labels_complete", "print_labels")}


@pytest.mark.parametrize("spoil", ["more", "less", "renamed", "ragged", "stream"])
def test_columns_other_than_those_of_the_layout_are_found_and_nothing_else_is_looked_at(spoil):
    spec, batch, contracts = sound()
    streams = dict(batch.streams)
    quotes = dict(streams["equity_quotes"])
    if spoil == "more":
        quotes["actor"] = quotes["symbol"]
    elif spoil == "less":
        del quotes["symbol"]
    elif spoil == "renamed":
        quotes = {("label" if name == "symbol" else name): v for name, v in quotes.items()}
    elif spoil == "ragged":
        quotes["symbol"] = quotes["symbol"][1:]
    else:
        streams["bursts"] = {}
    streams["equity_quotes"] = quotes
    card = Audit(spec)
    found = card.add(batch._replace(streams=streams), contracts)
    assert [one.fact for one in found] == ["columns_laid_out", "texts_silent"]
    assert [one.violations for one in found] == [1, 0]


@pytest.mark.parametrize(
    "text", [*SUBTYPE_NAMES, "Call-Sweep", "box spread", "is_decoy", "x_label"]
)
def test_texts_that_tell_are_found(text):
    assert audit.telling(["ISO", text, "NASDAQ"]) == [text]


def test_the_vocabulary_of_the_streams_tells_nothing(monkeypatch):
    assert audit.texts_silent().violations == 0
    known = {**audit.VOCABULARIES, ("option_prints", "condition"): ("AUTO", "ISO", "HEDGE_X")}
    monkeypatch.setattr(audit, "VOCABULARIES", known)
    assert audit.texts_silent().violations == 1


def test_totals_of_a_tape_count_rows_of_its_own_tables():
    spec, batch, contracts = sound()
    batch.streams["equity_prints"]["price_ticks"][[25, 30]] = 100_050
    card = Audit(spec)
    for part in cut(batch, [OPEN_NS + 10 * SECOND_NS, OPEN_NS + 28 * SECOND_NS]):
        card.add(part._replace(print_labels=labels_of(part.streams)), contracts)
    (found,) = (one for one in card.findings() if one.violations)
    seq = batch.streams["equity_prints"]["seq"]
    assert found == ("on_grid", "equity_prints", 40, 2, 25, seq[25])


def test_quotes_of_a_session_before_do_not_hold():
    spec = spec_of(("UNH",), minutes=(60, 60))
    _, batch, contracts = sound()
    later = {
        name: {
            key: values + (DAY_NS * (512 if key == "seq" else 1) if key in KEYS else 0)
            for key, values in columns.items()
        }
        for name, columns in batch.streams.items()
        if name in PRINTS
    }
    card = Audit(spec)
    first = spec.sessions[0]
    card.add(batch._replace(end_ns=first.close_ns), contracts)
    labels = labels_of(later)
    end = spec.end_ns
    found = card.add(batch_of(spec.sessions[1].open_ns, end, labels, **later), contracts)
    assert {(one.fact, one.stream) for one in found if one.violations} == {
        ("near_quote", "option_prints"),
        ("near_quote", "equity_prints"),
    }


KEYS = ("ts_ns", "ingest_ns", "seq")


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), parts=st.integers(0, 3))
def test_prices_of_any_market_are_judged_as_an_oracle_judges_them(seed, parts):
    drawn = drawn_market(seed, spec_of(minutes=(30,)), each=250)
    rng = np.random.default_rng(seed)
    card = Audit(drawn.spec)
    for part in cut(drawn.batch, rng.integers(OPEN_NS + 1, drawn.batch.end_ns, parts).tolist()):
        card.add(part._replace(print_labels=labels_of(part.streams)), drawn.contracts)
    found = {(one.fact, one.stream): one.violations for one in card.findings()}
    kinds = [one.option_tick for one in drawn.tape.facts]
    chains = drawn.chains
    ticks = [kinds[one.symbol] for one in chains.contracts]
    assert found["on_grid", "option_prints"] == sum(
        p.price % variation(ticks[p.contract], p.price) != 0 for p in chains.prints
    )
    assert found["on_grid", "option_nbbo"] == sum(
        any(x % variation(ticks[q.contract], x) for x in (q.bid, q.ask)) or q.ask == 0
        for q in chains.quotes
    )
    outside = 0
    for p, held in zip(chains.prints, held_of(drawn.tape, chains), strict=True):
        step = variation(ticks[p.contract], p.price)
        if held.quote is None:
            outside += 1
        elif held.moved_ts <= held.quote.ts:
            outside += not held.quote.bid - step <= p.price <= held.quote.ask + step
    assert found["near_quote", "option_prints"] == outside
    assert found["near_quote", "equity_prints"] == equities_outside(drawn.tape)


def equities_outside(tape):
    """Trades more than a cent away from the last quote of two sides that do not cross."""
    last, outside = {}, 0
    for row in sorted([*tape.quotes, *tape.prints], key=lambda row: row.seq):
        if hasattr(row, "bid"):
            if 0 < row.bid < row.ask:
                last[row.symbol] = (row.bid, row.ask)
        elif row.condition < 3:
            bid, ask = last.get(row.symbol, (0, 0))
            outside += not bid - 100 <= row.price <= ask + 100
    return outside
