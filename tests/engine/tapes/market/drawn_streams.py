"""Markets that tests draw themselves: rows of any kind, as batches and as an oracle's rows.

Nothing here is of the generator. Statistics of known law are drawn in the tests that need them.
Run as a module it prints the statistics of a small market, which is how interpreted kernels are
compared with compiled ones.
"""

import json
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from contracts.market import Expiry, Session
from contracts.tape import TapeSpec
from contracts.tape_columns import STREAMS
from contracts.tape_defaults import CHAIN, CONTROL, FLOW, PRICES, SURFACE, default_universe
from contracts.tape_defaults import QUOTES as QUOTE_PROFILE
from engine.tapes.market.events import Batch
from engine.tapes.market.scorecard import Scorecard
from tests.oracles.market_statistics import Facts, Print, Quote, Tape
from tests.oracles.option_statistics import Chains, Listed, OptionPrint, OptionQuote

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
DAY_NS = 86_400 * SECOND_NS
OPEN_NS = 1_768_401_000 * SECOND_NS
KINDS = {
    "int64": np.int64,
    "int32": np.int32,
    "int8": np.int8,
    "bool": np.bool_,
    "string": np.int32,
}


def spec_of(symbols=("SPY", "MSFT", "UNH"), minutes=(390,), **changes):
    """A spec of some symbols of the defaults, and a session a day of so many minutes each."""
    known = {one.symbol: one for one in default_universe()}
    sessions = [session_of(day, length) for day, length in enumerate(minutes)]
    fields = {
        "id": "drawn",
        "version": "0.1",
        "universe": tuple(known[name] for name in symbols),
        "chain": CHAIN,
        "prices": PRICES,
        "surface": SURFACE,
        "quotes": QUOTE_PROFILE,
        "flow": FLOW,
        "injections": (),
        "sessions": tuple(sessions),
        "start_ns": sessions[0].open_ns,
        "end_ns": sessions[-1].close_ns,
        "control": CONTROL,
    }
    return TapeSpec(**{**fields, **changes})


def session_of(day, minutes):
    open_ns = OPEN_NS + day * DAY_NS
    expiry = Expiry(
        date="2026-03-20",
        close_ns=OPEN_NS + 60 * DAY_NS,
        is_daily=True,
        is_weekly=True,
        is_monthly=True,
    )
    return Session(
        date=f"2026-01-{14 + day}",
        open_ns=open_ns,
        close_ns=open_ns + minutes * MINUTE_NS,
        expiries=(expiry,),
    )


def empty(stream):
    """Columns of a stream without rows."""
    return {column.name: np.zeros(0, KINDS[column.kind]) for column in STREAMS[stream].columns}


def columns_of(stream, rows):
    """Columns of rows that are given as columns by name, in order of their numbers."""
    order = np.argsort(rows["seq"], kind="stable")
    return {
        column.name: np.asarray(rows[column.name]).astype(KINDS[column.kind])[order]
        for column in STREAMS[stream].columns
    }


def batch_of(start_ns, end_ns, labels=None, **streams):
    """A batch of some streams; those that are not given have no rows."""
    given = {name: streams.get(name, empty(name)) for name in STREAMS}
    return Batch(start_ns, end_ns, given, labels or {}, {}, [], [])


def cut(batch, borders):
    """The same rows in several batches."""
    edges = [batch.start_ns, *sorted(borders), batch.end_ns]
    for start, end in pairwise(edges):
        streams = {}
        for name, columns in batch.streams.items():
            rows = slice(*np.searchsorted(columns["ts_ns"], (start, end)))
            streams[name] = {key: values[rows] for key, values in columns.items()}
        yield batch_of(start, end, **streams)


def contract_columns(listed):
    """The list of contracts as the engine takes it."""
    table = np.array([tuple(map(int, one)) for one in listed], np.int64).reshape(-1, 4)
    names = ("symbol", "expiry_ns", "strike_ticks", "right")
    return {name: table[:, at].copy() for at, name in enumerate(names)}


class Drawn(NamedTuple):
    """A market that was drawn: for the engine, and for the oracles."""

    spec: TapeSpec
    batch: Batch
    contracts: dict
    tape: Tape
    chains: Chains


def times(rng, spec, each):
    """Distinct times, some `each` a session, many soon after another; numbers that ascend."""
    drawn = [rng.integers(one.open_ns, one.close_ns - SECOND_NS, each) for one in spec.sessions]
    base = np.concatenate(drawn)
    lone = rng.random(len(base)) < 0.5
    soon = base[rng.integers(0, len(base), len(base))] + rng.integers(1, 4_000_000, len(base))
    early = [one.open_ns + 1 + np.arange(len(spec.universe)) for one in spec.sessions]
    ts = np.unique(np.concatenate([np.where(lone, base, soon), *early]))
    return ts, (ts - spec.start_ns) * 512 + rng.integers(0, 512, len(ts))


def drawn_market(seed, spec, each=4000):
    """Rows of every kind in a market without any law; `each` events in each session."""
    rng = np.random.default_rng(seed)
    ts, seq = times(rng, spec, each)
    stream = rng.choice(4, len(ts), p=(0.45, 0.25, 0.2, 0.1))
    opens = np.searchsorted(ts, [one.open_ns for one in spec.sessions])
    first = (opens[:, None] + np.arange(len(spec.universe))).reshape(-1)
    stream[first] = 0
    symbols = len(spec.universe)
    mids = 20_000 + 200 * symbols_walk(rng, len(ts), symbols)
    contracts = listed_of(spec, rng)
    base = {"ts_ns": ts, "seq": seq, "ingest_ns": ts + rng.integers(0, 100_000, len(ts))}
    shared = {
        name: {k: v[stream == at] for k, v in base.items()} for at, name in enumerate(STREAMS)
    }
    is_first = np.isin(np.flatnonzero(stream == 0), first)
    streams = {
        "equity_quotes": draw_quotes(rng, shared["equity_quotes"], mids[stream == 0], is_first),
        "equity_prints": draw_prints(rng, shared["equity_prints"], mids[stream == 1]),
        "option_nbbo": draw_option_quotes(rng, shared["option_nbbo"], contracts),
        "option_prints": draw_option_prints(rng, shared["option_prints"], contracts),
    }
    made = {name: columns_of(name, rows) for name, rows in streams.items()}
    batch = batch_of(spec.start_ns, spec.end_ns, **made)
    tape, chains = rows_of(spec, batch, contracts)
    return Drawn(spec, batch, contract_columns(contracts), tape, chains)


def symbols_walk(rng, rows, symbols):
    """Random walks with heavy tails, shape (rows, symbols)."""
    steps = rng.standard_t(3, (rows, symbols)) * rng.choice((0.0, 1.0), (rows, symbols))
    return np.rint(np.cumsum(steps * 0.4, axis=0)).astype(np.int64)


def draw_quotes(rng, rows, mids, is_first):
    """Quotes of every kind; the first ones of a session are clean, one for each symbol."""
    n, symbols = len(rows["seq"]), mids.shape[1]
    symbol = rng.integers(0, symbols, n)
    symbol[is_first] = np.arange(is_first.sum()) % symbols
    spread = np.where(is_first, 100, 100 * rng.choice((1, 1, 1, 2, 3, 0, -1, 40), n))
    bid = mids[np.arange(n), symbol] - spread // 200 * 100
    bid = np.where(~is_first & (rng.random(n) < 0.01), 0, bid)
    bid += np.where(rng.random(n) < 0.003, 50, 0)
    sizes = {"bid_size": np.full(n, 100), "ask_size": np.full(n, 100)}
    return {**rows, "symbol": symbol, "bid_ticks": bid, "ask_ticks": bid + spread, **sizes}


def draw_prints(rng, rows, mids):
    n = len(rows["seq"])
    symbol = rng.integers(0, mids.shape[1], n)
    off = rng.random(n) < 0.4
    price = mids[np.arange(n), symbol] + rng.choice((-100, 0, 0, 100), n) + np.where(off, 50, 0)
    condition = rng.choice(5, n, p=(0.5, 0.25, 0.15, 0.05, 0.05))
    known = rows["seq"][np.maximum(np.arange(n) - rng.integers(1, 40, n), 0)]
    late = np.where(rng.random(n) < 0.02, 10**8, 0)
    return {
        **rows,
        "ingest_ns": rows["ingest_ns"] + late,
        "symbol": symbol,
        "price_ticks": price,
        "size": np.maximum(rng.pareto(1.5, n) * 60, 1).astype(np.int64),
        "exchange": np.where(off, 6, rng.integers(0, 6, n)),
        "condition": condition,
        "off_exchange": off,
        "ref_seq": np.where(condition < 3, 0, known),
    }


def listed_of(spec, rng):
    """Contracts of every symbol: four expiries, strikes around 2 dollars, both rights."""
    listed = [
        Listed(symbol, OPEN_NS + days * DAY_NS + 6 * 60 * MINUTE_NS, strike, is_put)
        for symbol in range(len(spec.universe))
        for days in (0, 3, 20, 35)
        for strike in range(15_000, 25_001, 500)
        for is_put in (False, True)
    ]
    return [listed[at] for at in rng.permutation(len(listed))]


def draw_option_quotes(rng, rows, contracts):
    n = len(rows["seq"])
    contract = rng.integers(0, len(contracts), n)
    fair = np.rint(rng.gamma(3.0, 5_000.0, n) / 100) * 100
    bid = np.where(rng.random(n) < 0.8, np.where(fair < 30_000, fair, fair // 1000 * 1000), fair)
    strikes = np.array([one.strike for one in contracts])[contract]
    skew = 0.3 - 0.4 * (strikes / 20_000 - 1) + rng.normal(0, 0.01, n)
    return {
        **rows,
        "contract": contract,
        "bid_ticks": bid,
        "ask_ticks": bid + rng.choice((100, 500, 1000, 1000, 0), n),
        "bid_size": np.ones(n),
        "ask_size": np.ones(n),
        "iv_ppm": np.where(rng.random(n) < 0.9, skew * 1e6, 0),
    }


def draw_option_prints(rng, rows, contracts):
    n = len(rows["seq"])
    contract = rng.integers(0, len(contracts), n)
    for at in np.flatnonzero(rng.random(n) < 0.8)[1:]:
        contract[at] = contract[at - 1]
    return {
        **rows,
        "contract": contract,
        "price_ticks": np.rint(rng.gamma(3.0, 5_000.0, n) / 100) * 100 + 100,
        "size": np.maximum(rng.pareto(1.0, n) * 4, 1).astype(np.int64),
        "exchange": rng.integers(0, 12, n),
        "condition": rng.integers(0, 4, n),
    }


def rows_of(spec, batch, contracts):
    """The rows as the oracles take them."""

    def rows(kind, stream, *names):
        columns = [batch.streams[stream][name].tolist() for name in names]
        return [kind(*values) for values in zip(*columns, strict=True)]

    prices = ("bid_ticks", "ask_ticks")
    prints = ("symbol", "price_ticks", "size", "condition", "off_exchange", "ref_seq")
    facts = [
        Facts(one.spread_cents * 100, one.annual_vol, one.option_tick) for one in spec.universe
    ]
    shares = {
        name.removesuffix("_share"): value
        for name, value in spec.quotes.model_dump().items()
        if name.endswith("_share")
    }
    tape = Tape(
        [(one.open_ns, one.close_ns) for one in spec.sessions],
        facts,
        shares,
        rows(Quote, "equity_quotes", "ts_ns", "seq", "symbol", *prices),
        rows(Print, "equity_prints", "ts_ns", "ingest_ns", "seq", *prints),
    )
    traded = ("ts_ns", "seq", "contract", "price_ticks", "size", "exchange")
    chains = Chains(
        contracts,
        rows(OptionQuote, "option_nbbo", "ts_ns", "seq", "contract", *prices, "iv_ppm"),
        rows(OptionPrint, "option_prints", *traded),
    )
    return tape, chains


def small_scorecard():
    """Every statistic of a small market, as text, so that all bits are compared."""
    drawn = drawn_market(5, spec_of(("SPY", "UNH"), minutes=(70, 70)), each=400)
    card = Scorecard(drawn.spec)
    card.add(drawn.batch, drawn.contracts)
    return {name: float(value).hex() for name, value in card.values().items()}


if __name__ == "__main__":
    print(json.dumps(small_scorecard()))  # noqa: T201 - read by a test
