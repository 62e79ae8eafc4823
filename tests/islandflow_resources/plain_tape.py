"""A plain tape with the interface of the engine's: valid events without any model behind them.

An independent source for the tests of files, loaders and replay: every second is drawn by
itself, so however it is advanced it says the same.
"""

from functools import lru_cache

import numpy as np

from contracts.control import SECOND_NS
from contracts.market import Contract, occ_id
from contracts.tape import spec_from
from contracts.tape_columns import PRINT_LABELS, STREAMS
from contracts.tape_defaults import default_profile
from engine.tapes.market.events import VOCABULARIES, Batch
from islandflow_resources.tape_buckets import buckets_of
from islandflow_resources.tape_specs import resolve

VERSION = "plain.1"
SHARES = {"equity_quotes": 5, "equity_prints": 1, "option_nbbo": 6, "option_prints": 1}
"""Events of each stream in a second, times the density."""
ROOM = 1 << 24


def plain_spec(symbols=2, seconds=420, start_s=120, **changes):
    """A short spec: by default from two minutes after the open on, in three stretches."""
    profile = default_profile(symbols)
    spec = resolve(profile, start_ns=_open(profile) + start_s * SECOND_NS, duration_s=seconds)
    return spec_from({**spec.model_dump(mode="json"), **changes})


class PlainTape:
    """Events of a spec and a seed; see ``engine.tapes.market.api.MarketTape``.

    The last seconds that were drawn are kept, but for a tape that `forgets`.
    """

    forgets = False

    def __init__(self, spec, seed, density=3):
        self.spec, self.seed, self.density = spec, seed, density
        self.position_ns = spec.start_ns
        self.contracts, self._rows = _contracts(spec)
        self._bursts = []

    def contract_rows(self):
        return self._rows

    def event_calendar(self):
        first = self.spec.sessions[0].open_ns
        return {
            "symbol": np.zeros(1, np.int32),
            "announced_ns": np.array([first - 86_400 * SECOND_NS]),
            "event_ns": np.array([first + 3_600 * SECOND_NS]),
        }

    def burst_labels(self):
        names = {
            "actor": "burst",
            "subtype": VOCABULARIES["burst_labels", "subtype"][0],
            "family": "institutional_directional",
            "expected_class": "directional_accumulation",
            "direction": "bullish",
            "regime": "trend_up",
            "phase": "open",
        }
        count = len(self._bursts)
        times = np.array(self._bursts, np.int64)
        codes = {
            name: np.full(count, VOCABULARIES["burst_labels", name].index(word), np.int8)
            for name, word in names.items()
        }
        ones = np.ones(count, np.int64)
        return {
            "burst_id": np.arange(1, count + 1),
            "actor": codes["actor"],
            "subtype": codes["subtype"],
            "family": codes["family"],
            "symbol": np.zeros(count, np.int32),
            "scheduled_ns": times,
            "start_ns": times,
            "end_ns": times,
            "prints": ones,
            "contracts": ones,
            "notional_usd": np.full(count, 1234.5),
            **{name: codes[name] for name in ("expected_class", "direction", "regime", "phase")},
        }

    def batches(self):
        for bucket in buckets_of(self.spec):
            self.position_ns = bucket.start_ns
            yield self.advance(bucket.end_ns)

    def advance(self, until_ns):
        start = self.position_ns
        seconds = [self._second(ns) for ns in range(start, until_ns, SECOND_NS)]
        streams = {name: _joined([one[0][name] for one in seconds]) for name in STREAMS}
        labels = _joined([one[1] for one in seconds])
        self.position_ns = until_ns
        minutes = np.array(
            [ns for ns in range(start, until_ns, SECOND_NS) if ns % (60 * SECOND_NS) == 0],
            np.int64,
        )
        # A bucket that begins inside a minute shows the states of the minutes that begin in it.
        zeros = np.zeros(len(minutes), np.int8)
        levels = np.full(len(minutes), 0.5)
        states = {"ts_ns": minutes, "regime": zeros, "phase": zeros, "preset": zeros}
        states |= {"volatility": levels, "liquidity": levels, "cleanliness": levels}
        focus = [(0,)] * len(minutes)
        return Batch(start, until_ns, streams, labels, states, focus, [()] * len(minutes))

    def _second(self, ns):
        draw = _drawn.__wrapped__ if self.forgets else _drawn
        sizes = len(self.spec.universe), len(self.contracts)
        streams, labels = draw(*sizes, self.seed, self.density, ns)
        if len(labels["seq"]) and ns % (60 * SECOND_NS) == 0:
            self._bursts.append(ns)
            burst_id = labels["burst_id"].copy()
            burst_id[0] = len(self._bursts)
            labels = labels | {"burst_id": burst_id}
        return {name: dict(columns) for name, columns in streams.items()}, dict(labels)


@lru_cache(maxsize=2_048)
def _drawn(symbols, contracts, seed, density, ns):
    """Events of a second and the labels of its prints, to be read only."""
    counts = {name: share * density for name, share in SHARES.items()}
    rng = np.random.default_rng([seed, ns // SECOND_NS])
    total = sum(counts.values())
    ts = np.sort(rng.integers(ns, ns + SECOND_NS, total))
    ingest = ts + rng.integers(0, 1_000_000, total)
    # Ties in time have no order of receipt but that of their numbers.
    seq = (ns // SECOND_NS % 100_000) * ROOM + np.arange(1, total + 1)
    kinds = rng.permutation(np.repeat(np.arange(4), list(counts.values())))
    streams = {}
    for kind, name in enumerate(STREAMS):
        rows = kinds == kind
        key = {"ts_ns": ts[rows], "ingest_ns": ingest[rows], "seq": seq[rows]}
        streams[name] = key | _values(name, counts[name], (symbols, contracts), rng)
    labels = _labels(seq, kinds)
    for columns in (*streams.values(), labels):
        for column in columns.values():
            column.flags.writeable = False
    return streams, labels


def _values(name, count, sizes, rng):
    def whole(low, high, kind=np.int32):
        return rng.integers(low, high, count).astype(kind)

    symbols, contracts = sizes
    bid = whole(100, 50_000) * 100
    quote = {"bid_ticks": bid, "ask_ticks": bid + 100}
    quote |= {"bid_size": whole(1, 500), "ask_size": whole(1, 500)}
    trade = {"price_ticks": bid, "size": whole(1, 900)}
    venue = {"exchange": whole(0, 6, np.int8), "condition": whole(0, 4, np.int8)}
    if name == "equity_quotes":
        return {"symbol": whole(0, symbols)} | quote
    if name == "equity_prints":
        off, about = venue["exchange"] > 3, np.zeros(count, np.int64)
        about_it = {"off_exchange": off, "ref_seq": about}
        return {"symbol": whole(0, symbols)} | trade | venue | about_it
    contract = {"contract": whole(0, contracts)}
    if name == "option_nbbo":
        return contract | quote | {"iv_ppm": whole(100_000, 900_000)}
    return contract | trade | venue


def _labels(seq, kinds):
    is_print = (kinds == 1) | (kinds == 3)
    count = int(is_print.sum())
    labels = {column.name: np.zeros(count, np.int64) for column in PRINT_LABELS.columns}
    labels["seq"] = seq[is_print]
    labels["stream"] = (kinds[is_print] == 3).astype(np.int8)
    labels["actor"], labels["side"] = np.zeros(count, np.int8), np.ones(count, np.int8)
    labels["is_open"] = np.ones(count, np.bool_)
    return labels


def _open(profile):
    return resolve(profile).start_ns


def _contracts(spec):
    rows = []
    for place, one in enumerate(spec.universe):
        for expiry in spec.sessions[0].expiries[:3]:
            for step in (-1, 0, 1):
                for code, right in enumerate("CP"):
                    middle = round(one.start_price_cents / one.strike_step_cents) + step
                    strike = middle * one.strike_step_cents * 100
                    day = np.datetime64(expiry.date).item()
                    name = occ_id(Contract(one.symbol, day, right, strike))
                    rows.append((name, place, expiry.close_ns, strike, code))
    names, places, closes, strikes, rights = zip(*rows, strict=True)
    return list(names), {
        "contract": np.arange(len(names)),
        "symbol": np.array(places, np.int32),
        "expiry_ns": np.array(closes, np.int64),
        "strike_ticks": np.array(strikes, np.int32),
        "right": np.array(rights, np.int8),
        "first_ns": np.full(len(rows), spec.sessions[0].open_ns, np.int64),
    }


def _joined(parts):
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
