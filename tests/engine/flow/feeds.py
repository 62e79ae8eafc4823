"""Small feeds for the detector of smart flow: chains, policies, events as dicts, and as its arrays.

Times, prices and sizes are drawn so that every limit of grouping is reached within some hundred
events. Words stand in the dicts; codes are made of them where the detector is called.
"""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np

from contracts.flow_columns import (
    DARK_EVENT_ROWS,
    FLOW_PACKETS,
    FLOW_PRINTS,
    HYPOTHESIS_ROWS,
)
from contracts.flow_features import FEATURE_NAMES
from contracts.flow_policy import ScoringPolicy
from contracts.smart_flow import HYPOTHESES, MODEL_VERSION, POLICY_VERSION
from contracts.tape_columns import (
    EQUITY_CONDITIONS,
    EQUITY_VENUES,
    OFF_EXCHANGE,
    OPTION_CONDITIONS,
    OPTION_VENUES,
)
from engine.flow.api import FlowDetector, events_of, joined
from engine.flow.watermark import STREAM_COLUMNS

SECOND = 1_000_000_000
MS = 1_000_000
DAY = 86_400 * SECOND
START = 1_772_461_800 * SECOND
SYMBOLS = 2
STRIKES = (990_000, 1_000_000, 1_010_000)
TABLES = (FLOW_PRINTS, FLOW_PACKETS, HYPOTHESIS_ROWS, DARK_EVENT_ROWS)


def chain():
    """Contracts: two symbols, two expiries, three strikes, both rights."""
    return [
        {
            "symbol": symbol,
            "expiry_ns": START + days * DAY + 19_000 * SECOND,
            "strike_ticks": strike,
            "right": right,
        }
        for symbol in range(SYMBOLS)
        for days in (0, 17)
        for strike in STRIKES
        for right in "CP"
    ]


def calendar():
    """Events: one that is over, one known, one announced while the feed runs."""
    return [
        {"symbol": 0, "announced_ns": START - 9 * DAY, "event_ns": START + 30 * SECOND},
        {"symbol": 0, "announced_ns": START - DAY, "event_ns": START + 11 * DAY},
        {"symbol": 1, "announced_ns": START + 60 * SECOND, "event_ns": START + 25 * DAY},
    ]


def policy(seed=0, grouping=None, rules=None, levels=None):
    """A valid policy with weights that look drawn at random, and levels to one's liking."""
    drawn = random.Random(seed)
    hypotheses = {}
    for name in HYPOTHESES:
        alert = drawn.uniform(-2.0, 1.0)
        hypotheses[name] = {
            "patterns": {
                f"pattern_{place}": {
                    "intercept": drawn.uniform(-1, 1),
                    "weights": {feature: drawn.gauss(0.0, 0.3) for feature in FEATURE_NAMES},
                }
                for place in range(drawn.choice((1, 2, 3)))
            },
            "alert_z": alert,
            "high_z": alert + drawn.uniform(0.2, 2.0),
            "ceiling": drawn.choice((0.6, 0.72, 0.8, 0.95)),
            **(levels or {}),
        }
    document = {
        "id": "drawn",
        "version": "1.0",
        "policy_version": POLICY_VERSION,
        "model_version": MODEL_VERSION,
        "grouping": {
            "min_print_usd": 1000.0,
            "leg_gap_ms": 5.0,
            "packet_ms": 500.0,
            "quiet_s": 6.0,
            "longest_s": 60.0,
            "stale_ms": 1000.0,
            **(grouping or {}),
        },
        "rules": {
            "min_premium_usd": 5000.0,
            "min_orders": 2,
            "min_coverage": 0.35,
            "max_stale": 0.5,
            "wide_spread_bps": 800.0,
            "wide_underlying_bps": 150.0,
            "min_margin": 0.1,
            **(rules or {}),
        },
        "hypotheses": hypotheses,
        "tuning": {"seeds": [], "markets": []},
    }
    return ScoringPolicy.model_validate(document)


def drawn_policy(seed):
    """A policy whose levels are drawn too."""
    drawn = random.Random(seed)
    grouping = {
        "min_print_usd": drawn.choice((0.5, 1000.0, 4000.0)),
        "leg_gap_ms": drawn.choice((0.0, 1.0, 5.0, 100.0)),
        "packet_ms": drawn.choice((1.0, 500.0, 3000.0)),
        "quiet_s": drawn.choice((0.5, 3.0, 6.0, 20.0)),
        "longest_s": drawn.choice((5.0, 60.0, 180.0)),
        "stale_ms": drawn.choice((50.0, 1000.0, 10_000.0)),
    }
    rules = {
        "min_premium_usd": drawn.choice((0.0, 0.0, 5000.0, 50_000.0)),
        "min_orders": drawn.choice((1, 1, 2, 3)),
        "min_coverage": drawn.choice((0.0, 0.35, 0.8)),
        "max_stale": drawn.choice((0.3, 0.5, 1.0)),
        "wide_spread_bps": drawn.choice((150.0, 800.0)),
        "wide_underlying_bps": drawn.choice((3.0, 150.0)),
        "min_margin": drawn.choice((0.0, 0.1, 1.0)),
    }
    return policy(seed, grouping, rules)


def equity_quote(ts_ns, symbol=0, bid=999_900, ask=1_000_100):
    """A quote of an underlying."""
    return {
        "stream": "equity_quotes",
        "ts_ns": ts_ns,
        "symbol": symbol,
        "bid_ticks": bid,
        "ask_ticks": ask,
    }


def equity_print(ts_ns, price, size, symbol=0, condition="REGULAR", off_exchange=True):
    """A trade of an underlying."""
    return {
        "stream": "equity_prints",
        "ts_ns": ts_ns,
        "symbol": symbol,
        "price_ticks": price,
        "size": size,
        "exchange": OFF_EXCHANGE if off_exchange else EQUITY_VENUES[0],
        "condition": condition,
        "off_exchange": off_exchange,
    }


def nbbo(ts_ns, contract=0, bid=19_800, ask=20_200, iv_ppm=300_000):
    """A quote of a contract."""
    return {
        "stream": "option_nbbo",
        "ts_ns": ts_ns,
        "contract": contract,
        "bid_ticks": bid,
        "ask_ticks": ask,
        "iv_ppm": iv_ppm,
    }


def option_print(ts_ns, contract=0, price=20_200, size=10, exchange="CBOE", condition="AUTO"):
    """A trade of a contract."""
    return {
        "stream": "option_prints",
        "ts_ns": ts_ns,
        "contract": contract,
        "price_ticks": price,
        "size": size,
        "exchange": exchange,
        "condition": condition,
    }


def numbered(events, first=1):
    """The events with sequence numbers, in their order."""
    return [{**event, "seq": first + place} for place, event in enumerate(events)]


def feed(seed, count):
    """Events whose times lie from nothing to tens of seconds apart."""
    drawn = random.Random(seed)
    now = START + drawn.randrange(SECOND)
    events = []
    while len(events) < count:
        now += _step(drawn)
        if drawn.random() < 0.02:
            now = -(-now // SECOND) * SECOND
        events += _happening(drawn, now, drawn.randrange(SYMBOLS))
    return numbered(sorted(events, key=lambda event: event["ts_ns"]))


def _step(drawn):
    longest = drawn.choices(
        (0, 1_000, 4 * MS, 100 * MS, 900 * MS, 7 * SECOND, 40 * SECOND),
        (5, 15, 30, 20, 15, 10, 2),
    )[0]
    return drawn.randint(0, longest)


def _happening(drawn, now, symbol):
    """One or some events at about one time."""
    kind = drawn.random()
    if kind < 0.15:
        middle = drawn.randrange(998_000, 1_002_000, 50)
        width = drawn.choice((0, 100, 100, 200, 6_000, -100))
        bid = drawn.choice((0, middle, middle, middle, middle, middle))
        return [equity_quote(now, symbol, bid, middle + width)]
    if kind < 0.25:
        return _dark(drawn, now, symbol)
    first = symbol * 12 + drawn.choice((0, 6)) + drawn.choice((0, 0, 0, 1, 2, 3, 4, 5))
    if kind < 0.5:
        return [_quoted(drawn, now, first)]
    if kind < 0.9:
        return [_traded(drawn, now, first, drawn.choice((1, 5, 10, 10, 40)))]
    legs = drawn.sample(range(6), drawn.randint(2, 5))
    size = drawn.choice((5, 10, 40))
    start = first // 6 * 6
    gap = drawn.choice((0, 1_000, 1_500_000, 5_000_000))
    return [_traded(drawn, now + place * gap, start + leg, size) for place, leg in enumerate(legs)]


def _dark(drawn, now, symbol):
    """Quotes of an underlying, with prints in and around them."""
    half = drawn.choice((100, 100, 100, 2_400, 2_600))
    events = []
    for _ in range(drawn.choice((1, 1, 3, 8))):
        events.append(equity_quote(now, symbol, 1_000_000 - half, 1_000_000 + half))
        now += drawn.choice((0, 1_000, SECOND, SECOND + 1))
        price = 1_000_000 + drawn.choice((-half - 50, -half, 0, half, half, half + 50))
        size = drawn.choice((199, 200, 900, 1_999, 2_000, 5_000))
        condition = drawn.choices(EQUITY_CONDITIONS, (16, 1, 1, 1, 1))[0]
        events.append(equity_print(now, price, size, symbol, condition, drawn.random() < 0.9))
    return events


def _quoted(drawn, now, contract):
    bid = drawn.choice((0, 19_800, 19_900, 20_000))
    ask = drawn.choice((0, 20_000, 20_000, 20_100, 20_200, 23_000, 19_900))
    return nbbo(now, contract, bid, ask, drawn.choice((0, 20_000, 300_000, 412_345)))


def _traded(drawn, now, contract, size):
    price = drawn.choice((19_700, 19_800, 19_900, 20_000, 20_000, 20_100, 20_200, 23_100))
    condition = drawn.choices(OPTION_CONDITIONS, (8, 2, 1, 1))[0]
    return option_print(now, contract, price, size, drawn.choice(OPTION_VENUES[:5]), condition)


_CODES = {
    ("equity_prints", "condition"): EQUITY_CONDITIONS,
    ("option_prints", "condition"): OPTION_CONDITIONS,
    ("option_prints", "exchange"): OPTION_VENUES,
}


def arrays(events):
    """The events as the detector takes them, in the order that they stand in."""
    columns = {}
    for name, wanted in STREAM_COLUMNS.items():
        rows = [event for event in events if event["stream"] == name]
        columns[name] = {
            key: np.array([_code(name, key, row[key]) for row in rows], dtype=np.int64)
            for key in wanted
        }
    return events_of(columns)


def _code(stream, key, value):
    words = _CODES.get((stream, key))
    return words.index(value) if words else int(value)


def detector(under, contracts=None, scheduled=None, lateness_ns=0, symbols=SYMBOLS):
    """A detector with its contracts listed."""
    contracts = chain() if contracts is None else contracts
    scheduled = calendar() if scheduled is None else scheduled
    keys = ("symbol", "announced_ns", "event_ns")
    made = FlowDetector(
        symbols,
        {key: np.array([row[key] for row in scheduled], dtype=np.int64) for key in keys},
        under,
        lateness_ns,
    )
    made.list_contracts(listed(contracts))
    return made


def listed(contracts):
    """Contracts as columns of codes."""
    return {
        "symbol": np.array([row["symbol"] for row in contracts], dtype=np.int64),
        "expiry_ns": np.array([row["expiry_ns"] for row in contracts], dtype=np.int64),
        "strike_ticks": np.array([row["strike_ticks"] for row in contracts], dtype=np.int64),
        "right": np.array(["CP".index(row["right"]) for row in contracts], dtype=np.int64),
    }


def detected(made, events, cuts=()):
    """What a detector says of events that come in pieces."""
    bounds = [0, *sorted(cuts), len(events)]
    parts = [made.push(arrays(events[start:stop])) for start, stop in pairwise(bounds)]
    return joined([*parts, made.finish()])
