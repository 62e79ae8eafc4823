"""Chains of options to audit: any quotes, quotes around a surface, and violations planted there.

Rows are the oracle's; `streams` and `contract_columns` make of them what the engine takes.
"""

import math
from functools import cache

import numpy as np
from hypothesis import strategies as st

from engine.tapes.market import surface
from tests.oracles.static_arbitrage import Contract, Row

DAY_NS = 86_400_000_000_000
START_NS = 1_700_000_000_000_000_000
CENT = 100


def columns(rows, code):
    names = ("ts_ns", "seq", code, "bid_ticks", "ask_ticks")
    table = np.array([row[1:] for row in rows], np.int64).reshape(-1, 5)
    types = (np.int64, np.int64, np.int32, np.int32, np.int32)
    return {name: table[:, at].astype(types[at]) for at, name in enumerate(names)}


def contract_columns(contracts):
    names = ("symbol", "expiry_ns", "strike_ticks", "right")
    table = np.array(contracts, np.int64).reshape(-1, 4)
    return {name: table[:, at].copy() for at, name in enumerate(names)}


def streams(rows):
    ordered = sorted(rows, key=lambda row: (row.ts_ns, row.seq))
    equities = columns([row for row in ordered if row.is_equity], "symbol")
    return equities, columns([row for row in ordered if not row.is_equity], "contract")


@st.composite
def markets(draw):
    """Small markets of any quotes, near enough to sound ones that each check goes both ways."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    size, rounds = draw(st.sampled_from([(1, 4), (3, 3), (9, 3), (12, 4)]))
    strikes = sorted(int(k) for k in rng.choice(np.arange(80, 121), size, replace=False))
    expiries = draw(st.sampled_from([1, 3]))
    listed = [
        Contract(symbol, START_NS + DAY_NS * expiry, strike, is_put)
        for symbol in range(2)
        for expiry in range(expiries)
        for strike in strikes
        for is_put in (False, True)
    ]
    contracts = [listed[at] for at in rng.permutation(len(listed))]
    contracts = contracts[: max(1, int(len(listed) * draw(st.sampled_from([0.5, 1.0]))))]
    noise = draw(st.sampled_from([0, 1, 4, 30]))
    moves = draw(st.sampled_from([0.0, 0.02, 0.3]))
    rows = []
    for seq in range(rounds * len(contracts)):
        # Times are often equal, and numbers then tell the order.
        ts_ns = START_NS + seq // 2
        if seq < 2 or rng.random() < moves:
            bid, spread = 100 + int(rng.integers(-3, 4)), int(rng.choice([1, 2, 2, 3, 0, -1, 40]))
            rows.append(Row(True, ts_ns, seq, int(rng.integers(2)), bid, bid + spread))
            continue
        code = int(rng.integers(len(contracts)))
        _, expiry_ns, strike, is_put = contracts[code]
        deep = max(strike - 100 if is_put else 100 - strike, 0)
        time_value = 6 + (expiry_ns - START_NS) // DAY_NS - abs(strike - 100) // 4
        fair = max(deep + time_value, 0) + int(rng.integers(-noise, noise + 1))
        fair += int(rng.choice([0, 150], p=[0.99, 0.01]))
        bid = max(fair - int(rng.integers(0, 3)), 0)
        ask = fair + int(rng.choice([1, 1, 2, 3, 0, -1]))
        rows.append(Row(False, ts_ns, seq, code, bid, max(ask, 0)))
    borders = draw(st.lists(st.integers(START_NS, START_NS + 200), max_size=3))
    return contracts, rows, borders


def chain(spot, expiries, strikes, symbol=0):
    return [
        Contract(symbol, START_NS + int(days * DAY_NS), int(strike), is_put)
        for days in expiries
        for strike in spot * np.asarray(strikes) // (50 * CENT) * (50 * CENT)
        for is_put in (False, True)
    ]


def fair_value(contract, spot, model, now_ns):
    years = (contract.expiry_ns - now_ns) / (365 * DAY_NS)
    theta = surface.atm_variance(years, model["short"], model["long"], 2.0, 0.0)
    k = math.log(contract.strike / spot)
    w = surface.ssvi_variance(k, theta, model["rho"], model["eta"], model["gamma"])
    return surface.option_price(not contract.is_put, spot, float(contract.strike), w)


def sweep(contracts, spot, model, first, rng, tick=CENT):
    """The underlying's quote, then one of every contract that encloses its value."""
    ts_ns = START_NS + first
    rows = [Row(True, ts_ns, first, 0, spot - CENT, spot + CENT)]
    for code, contract in enumerate(contracts):
        value = fair_value(contract, float(spot), model, ts_ns)
        half = rng.uniform(0.0, 3.0 * tick)
        bid = max(math.floor((value - half) / tick) * tick, 0)
        ask = max(math.ceil((value + half) / tick) * tick, bid + tick)
        seq = first + 1 + code
        rows.append(Row(False, START_NS + seq, seq, code, bid, ask))
    return rows


MODEL = {"short": 0.09, "long": 0.05, "rho": -0.6, "eta": 1.0, "gamma": 0.4}
SPOT = 100 * 10_000
STRIKES = (0.8, 0.86, 0.9, 0.95, 1.0, 1.04, 1.1, 1.15, 1.25)
CHAIN = chain(SPOT, (7.0, 30.0, 90.0), STRIKES)
MODELS = st.builds(
    lambda short, long, rho, share, gamma: {
        "short": short,
        "long": long,
        "rho": rho,
        "eta": share * 2.0 / (1.0 + abs(rho)),
        "gamma": gamma,
    },
    st.floats(0.001, 1.0),
    st.floats(0.001, 1.0),
    st.floats(-0.9, 0.9),
    st.floats(0.1, 1.0),
    st.floats(0.0, 0.5),
)


def planted(changes, first=3000):
    """Two sound sweeps around one in which some contracts are quoted as told; and its rows."""
    rng = np.random.default_rng(3)
    rows = sweep(CHAIN, SPOT - 300, MODEL, 0, rng)
    bad = sweep(CHAIN, SPOT, MODEL, first, rng)
    numbers = {code: first + 1 + code for code in range(len(CHAIN))}
    for code, (bid, ask) in changes.items():
        bad[1 + code] = bad[1 + code]._replace(bid=bid, ask=ask)
    return [*rows, *bad, *sweep(CHAIN, SPOT + 700, MODEL, first + 1000, rng)], numbers


def place(expiry, strike, is_put=False):
    return expiry * 2 * len(STRIKES) + 2 * strike + is_put


def quote_of(code):
    """Bid and ask of a contract in the sweep that is spoilt."""
    return next((row.bid, row.ask) for row in planted({})[0] if row.seq == 3001 + code)


def shifted(code, bid=0, ask=0):
    """One side of a quote moved, the other moved along where they would meet."""
    old_bid, old_ask = quote_of(code)
    new_bid = max(min(old_bid + bid, old_ask + ask - CENT), 0)
    return max(new_bid, old_bid + bid), max(old_ask + ask, old_bid + bid + CENT)


CALL, HIGHER, FAR, PUT = place(1, 4), place(1, 5), place(2, 4), place(1, 4, True)
DEEP, NEXT, NEAR = place(1, 0), place(1, 1), place(0, 0)


@cache
def cases():
    """Changes of quotes that violate each kind, and the contracts of the violation."""
    return {
        "vertical": ({HIGHER: (quote_of(CALL)[1] + 100, quote_of(CALL)[1] + 200)}, (HIGHER, CALL)),
        "width": (
            {NEXT: (0, quote_of(DEEP)[0] - (CHAIN[NEXT].strike - CHAIN[DEEP].strike) - 100)},
            (DEEP, NEXT),
        ),
        "butterfly": ({CALL: shifted(CALL, bid=8000)}, (place(1, 3), CALL, HIGHER)),
        "calendar": ({FAR: (0, quote_of(CALL)[0] - 100)}, (CALL, FAR)),
        "parity": ({CALL: shifted(CALL, bid=2000)}, (CALL, PUT)),
        "bounds": ({NEAR: (100, SPOT - CENT - CHAIN[NEAR].strike - 1)}, (NEAR,)),
    }
