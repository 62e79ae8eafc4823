"""Bursts as they are printed: labels, legs, sizes, venues, spacing, decoys, hedges, real moves."""

import numpy as np
import pytest

from contracts.control import FAMILIES
from contracts.flow import EXPECTED_CLASS, SUBTYPES
from contracts.market import parse_occ
from contracts.tape_defaults import CHAIN
from tests.engine.tapes.market.markets import (
    MINUTE_NS,
    PROFILES,
    SECOND_NS,
    injection,
    make,
    market_spec,
    session,
)
from tests.oracles.market_flow import YEAR_NS, clean_mids, delta, last_at, tallies

BY_NAME = {one.name: one for one in SUBTYPES}
LEGS = {
    "short_straddle_harvest": 2,
    "earnings_vol_probe": 2,
    "parity_vertical": 2,
    "conversion_reversal": 3,
    "box_spread": 4,
}


@pytest.fixture(scope="module")
def counted(busy):
    return tallies(busy["option_prints"], busy["print_labels"])


@pytest.fixture(scope="module")
def printed(busy):
    """Rows of (labels row, print row) of each burst, in order, by its id."""
    place = {int(seq): row for row, seq in enumerate(busy["option_prints"]["seq"])}
    labels = busy["print_labels"]
    found = {}
    for row in np.flatnonzero((labels["burst_id"] > 0) & (labels["actor"] != "hedge")):
        found.setdefault(int(labels["burst_id"][row]), []).append(
            (row, place[int(labels["seq"][row])])
        )
    return found


def finished(tape):
    """Labels of the bursts that have no print left to come, as rows."""
    told = tape["burst_labels"]
    over = told["scheduled_ns"] < tape.spec.end_ns - 3 * MINUTE_NS
    names = list(told)
    return [
        dict(zip(names, row, strict=True))
        for row in zip(*(told[n][over] for n in names), strict=True)
    ]


def test_every_label_counts_what_its_burst_printed(busy, counted):
    told = busy["burst_labels"]
    assert set(told["burst_id"].tolist()) == set(counted)
    for place, burst in enumerate(told["burst_id"]):
        mine = counted[int(burst)]
        columns = ("prints", "contracts", "notional_usd", "start_ns", "end_ns")
        stated = [told[name][place] for name in columns]
        assert stated == pytest.approx(list(mine), rel=1e-12)
        assert 0 < told["start_ns"][place] - told["scheduled_ns"][place] < 3 * SECOND_NS


def test_labels_are_in_the_order_of_their_scheduled_times(busy):
    told = busy["burst_labels"]
    assert (np.diff(told["scheduled_ns"]) >= 0).all()
    assert (np.diff(told["burst_id"]) > 0).all()


def test_words_of_a_label_are_those_of_its_subtype(busy):
    told = busy["burst_labels"]
    assert set(told["subtype"]) == set(BY_NAME)
    for name, family, actor, expected in zip(
        told["subtype"], told["family"], told["actor"], told["expected_class"], strict=True
    ):
        assert family == BY_NAME[name].family
        assert expected == ("unclear" if actor == "decoy" else EXPECTED_CLASS[family])
    assert set(told["actor"]) == {"burst", "decoy"}


def test_a_burst_prints_every_leg_in_every_cycle(busy, printed):
    labels, prints = busy["print_labels"], busy["option_prints"]
    seen = set()
    for burst in finished(busy):
        legs = LEGS.get(burst["subtype"], 1)
        rows = printed[burst["burst_id"]]
        least, most = BY_NAME[burst["subtype"]].cycles
        assert len(rows) % legs == 0
        assert least <= len(rows) // legs <= most
        names = {str(prints["contract"][row]) for _, row in rows}
        assert len(names) <= legs
        if legs == 1 or burst["actor"] == "decoy":
            assert all(labels["package_id"][row] == 0 for row, _ in rows)
            continue
        seen.add(burst["subtype"])
        assert len(names) == legs
        for cycle in (rows[at : at + legs] for at in range(0, len(rows), legs)):
            assert {str(prints["contract"][row]) for _, row in cycle} == names
            assert len({int(prints["size"][row]) for _, row in cycle}) == 1
            assert len({int(labels["package_id"][row]) for row, _ in cycle} - {0}) == 1
            assert prints["ts_ns"][cycle[-1][1]] - prints["ts_ns"][cycle[0][1]] < 50e6
    assert seen == set(LEGS)


def test_legs_have_the_shape_of_their_structure(busy, printed):
    prints = busy["option_prints"]
    for burst in finished(busy):
        if burst["subtype"] not in LEGS or burst["actor"] == "decoy":
            continue
        legs = [
            parse_occ(str(prints["contract"][row]))
            for _, row in printed[burst["burst_id"]][: LEGS[burst["subtype"]]]
        ]
        assert len({leg.expiry for leg in legs}) == 1
        rights, strikes = [leg.right for leg in legs], [leg.strike_ticks for leg in legs]
        shape = {
            "short_straddle_harvest": ("CP", 1),
            "earnings_vol_probe": ("CP", 1),
            "parity_vertical": ("CC", 2),
            "conversion_reversal": ("CPC", 2),
            "box_spread": ("CCPP", 2),
        }[burst["subtype"]]
        assert ("".join(rights), len(set(strikes))) == shape


def test_size_follows_from_the_notional(busy):
    """Single legs: premium traded is the wanted one, unevenly cut into whole contracts."""
    ratios = []
    for burst in finished(busy):
        kind = BY_NAME[burst["subtype"]]
        low, high = kind.notional_usd
        if len(kind.legs) == 1 and kind.family != "neutral_noise":
            assert low / 4 < burst["notional_usd"] < 4 * high, burst
            ratios.append(burst["notional_usd"] / (low * high) ** 0.5)
    assert len(ratios) > 300
    assert 0.8 < np.median(ratios) < 1.25


def test_a_burst_trades_what_has_a_bid_unless_it_is_at_the_money():
    """In the last half hour of a week's expiries, most of what expires is worth nothing."""
    friday = (session("2026-01-16"),)
    busy = {"bursts_per_minute": 40.0}
    wide = CHAIN.model_copy(update={"strikes_each_side": 40})
    tape = make(market_spec(("XOM", "NVDA"), 1_200, 21_600, friday, flow=busy, chain=wide), 4)
    prints, labels = tape["option_prints"], tape["print_labels"]
    place = {int(seq): row for row, seq in enumerate(prints["seq"])}
    mids = {name: clean_mids(tape.of(name)["equity_quotes"]) for name in tape.spec.symbols}
    told = dict(zip(tape["burst_labels"]["burst_id"], tape["burst_labels"]["subtype"], strict=True))
    cents, away = [], []
    for burst, row in zip(*np.unique(labels["burst_id"], return_index=True), strict=True):
        if burst == 0 or len(BY_NAME[told[burst]].legs) > 1:
            continue
        at = place[int(labels["seq"][row])]
        contract = parse_occ(str(prints["contract"][at]))
        step = PROFILES[contract.root].strike_step_cents * 100
        (mid,) = last_at(*mids[contract.root], prints["ts_ns"][at : at + 1])
        cents.append(prints["price_ticks"][at] / 100)
        away.append(abs(contract.strike_ticks - mid) / step)
    cheap = np.array(cents) < 5
    assert len(cheap) > 200
    assert (np.array(away)[cheap] < 1.5).all()
    assert (np.array(away)[~cheap] > 1.5).any()


def test_twice_the_notional_are_twice_the_contracts_at_the_same_prices():
    def contracts(usd):
        put = injection("covered_call_overwrite", "SPY", 60, usd)
        told = make(
            market_spec(("SPY",), 120, injections=(put,), flow={"bursts_per_minute": 0.0}), 1
        )
        return int(told["burst_labels"]["contracts"][0])

    assert contracts(400_000.0) / contracts(100_000.0) == pytest.approx(4.0, rel=0.05)


def test_sweeps_cross_three_venues_at_least(busy, printed):
    prints = busy["option_prints"]
    sweeps = [one for one in finished(busy) if one["subtype"] in ("call_sweep", "put_sweep")]
    assert len(sweeps) > 50
    for burst in sweeps:
        rows = [row for _, row in printed[burst["burst_id"]]]
        assert len(set(prints["exchange"][rows])) >= 3
        assert prints["ts_ns"][rows[-1]] - prints["ts_ns"][rows[0]] < 2 * SECOND_NS


def test_bursts_of_one_subtype_on_one_symbol_keep_their_distance(busy):
    told = busy["burst_labels"]
    by_kind = {}
    for subtype, symbol, at_ns in zip(
        told["subtype"], told["symbol"], told["scheduled_ns"], strict=True
    ):
        by_kind.setdefault((subtype, symbol), []).append(int(at_ns))
    # hedging is renamed after its time was found apart
    free = {one.name for one in SUBTYPES if one.family == "hedge_reactive"}
    gaps = [
        min(np.diff(times))
        for (name, _), times in by_kind.items()
        if len(times) > 1 and name not in free
    ]
    assert len(gaps) > 40
    assert min(gaps) >= busy.spec.flow.spacing_s * SECOND_NS


def test_bursts_take_their_side_and_decoys_take_both(busy, printed):
    labels = busy["print_labels"]
    shares = {}
    for burst in finished(busy):
        kind = BY_NAME[burst["subtype"]]
        if kind.family in ("institutional_directional", "vol_seller") and len(kind.legs) == 1:
            sides = [int(labels["side"][row]) for row, _ in printed[burst["burst_id"]]]
            usual = 1 if kind.buy > kind.sell else -1
            shares.setdefault(burst["actor"], []).append(np.mean(np.array(sides) == usual))
    assert np.mean(shares["burst"]) > 0.85
    # between the quotes a decoy is as much on one side as a burst is
    assert np.mean(shares["decoy"]) < 0.7


def test_only_dealers_hedge_and_only_after_a_burst_that_leaves_them_something(busy):
    labels, told = busy["print_labels"], busy["burst_labels"]
    hedges = labels["actor"] == "hedge"
    assert hedges.sum() > 500
    assert set(labels["stream"][hedges]) == {"equity_prints"}
    actor = dict(zip(told["burst_id"], told["actor"], strict=True))
    start = dict(zip(told["burst_id"], told["start_ns"], strict=True))
    time = dict(zip(busy["equity_prints"]["seq"], busy["equity_prints"]["ts_ns"], strict=True))
    symbol = dict(zip(told["burst_id"], told["symbol"], strict=True))
    where = dict(zip(busy["equity_prints"]["seq"], busy["equity_prints"]["symbol"], strict=True))
    for seq, burst in zip(labels["seq"][hedges], labels["burst_id"][hedges], strict=True):
        assert start[burst] < time[seq]
        assert symbol[burst] == where[seq]
    hedged = {actor[burst] for burst in labels["burst_id"][hedges]}
    assert "burst" in hedged


HEDGED = {
    "SPY": ("call_sweep", 1),
    "QQQ": ("put_sweep", -1),
    "NVDA": ("call_sweep", 1),
    "TSLA": ("put_sweep", -1),
    "AAPL": ("covered_call_overwrite", -1),
    "AMD": ("cash_secured_put_write", 1),
    "XOM": ("pre_event_directional_ramp", 1),
}
"""A burst for each symbol, and the side that dealers take in the shares."""


def test_dealers_hedge_with_the_shares_that_the_deltas_say():
    """Deltas of an independent Black and Scholes; nothing else is traded that needs a hedge."""
    puts = tuple(
        injection(subtype, symbol, 45, 90_000.0) for symbol, (subtype, _) in HEDGED.items()
    )
    tape = make(
        market_spec(tuple(HEDGED), 240, injections=puts, flow={"bursts_per_minute": 0.0}), 2
    )
    for symbol, (_, side) in HEDGED.items():
        events = needs(tape.of(symbol))
        need = sum(value for kind, value in events if kind == "need")
        traded = [value for kind, value in events if kind == "hedge"]
        assert need * side > 100, symbol
        # a sale among the purchases is hedged the other way
        assert sum(value * side < 0 for value in traded) <= 0.1 * len(traded), symbol
        # some print larger than they are, as everybody's trades off exchange do
        assert 0.8 < sum(traded) / need < 1.5, (symbol, sum(traded), need)


def needs(mine):
    """Events of one symbol in order: shares that come to be needed, shares that are traded."""
    labels = mine["print_labels"]
    seqs = {int(seq): row for row, seq in enumerate(labels["seq"])}
    kinds = dict(
        zip(mine["burst_labels"]["burst_id"], mine["burst_labels"]["subtype"], strict=True)
    )
    times, mids = clean_mids(mine["equity_quotes"])
    vols = volatilities(mine["option_nbbo"])
    expiries = dict(
        zip(
            mine["option_contracts"]["contract"], mine["option_contracts"]["expiry_ns"], strict=True
        )
    )
    events = []
    options, equities = mine["option_prints"], mine["equity_prints"]
    for row, seq in enumerate(options["seq"]):
        label = seqs[int(seq)]
        if labels["actor"][label] not in ("burst", "injection"):
            continue
        name, at_ns = str(options["contract"][row]), int(options["ts_ns"][row])
        contract = parse_occ(name)
        spot = float(last_at(times, mids, at_ns))
        years = (expiries[name] - at_ns) / YEAR_NS
        slope = delta(
            spot,
            contract.strike_ticks,
            years,
            vols(name, at_ns),
            is_put=contract.right == "P",
        )
        share = BY_NAME[kinds[labels["burst_id"][label]]].hedge_share
        size = int(options["size"][row]) * 100 * share
        events.append((at_ns, "need", int(labels["side"][label]) * slope * size))
    for row, seq in enumerate(equities["seq"]):
        label = seqs[int(seq)]
        if labels["actor"][label] == "hedge":
            traded = int(labels["side"][label]) * int(equities["size"][row])
            events.append((int(equities["ts_ns"][row]), "hedge", traded))
    return [(kind, value) for _, kind, value in sorted(events)]


def volatilities(quotes):
    """Implied volatility told last of a strike before a time, whichever right had a bid."""
    known = quotes["iv_ppm"] > 0
    by_strike = {}
    for name, at_ns, iv in zip(
        quotes["contract"][known], quotes["ts_ns"][known], quotes["iv_ppm"][known], strict=True
    ):
        by_strike.setdefault(strike_of(name), []).append((int(at_ns), int(iv)))
    tables = {
        strike: tuple(map(np.array, zip(*rows, strict=True))) for strike, rows in by_strike.items()
    }
    return lambda name, at_ns: 1e-6 * float(last_at(*tables[strike_of(name)], at_ns))


def strike_of(name):
    """Expiry and strike of an OCC id: the right left out."""
    return str(name)[:12] + str(name)[13:]


def test_hedging_bursts_follow_real_moves_in_their_direction():
    """The move is that of the midpoints that were really quoted, over three minutes."""
    spec = market_spec(("SPY", "QQQ", "IWM"), 2400, flow={"bursts_per_minute": 12.0})
    follows = []
    for seed in (1, 2):
        tape = make(spec, seed)
        told = tape["burst_labels"]
        for symbol in spec.symbols:
            times, mids = clean_mids(tape.of(symbol)["equity_quotes"])
            mine = (told["symbol"] == symbol) & (told["family"] == "hedge_reactive")
            for row in np.flatnonzero(mine & (told["actor"] == "burst")):
                at_ns = told["scheduled_ns"][row]
                now, before = last_at(times, mids, np.array([at_ns, at_ns - 180 * SECOND_NS]))
                bullish = told["direction"][row] == "bullish"
                follows.append((now > before) == bullish and now != before)
                if told["subtype"][row] == "gamma_pinch_call_hedge":
                    assert bullish
                if told["subtype"][row] == "reactive_put_wall":
                    assert not bullish
    assert len(follows) > 60
    assert np.mean(follows) >= 0.9, np.mean(follows)


def test_directions_are_those_of_side_and_right(busy, printed):
    prints = busy["option_prints"]
    for burst in finished(busy):
        kind = BY_NAME[burst["subtype"]]
        if kind.family in ("vol_seller", "arbitrage", "neutral_noise"):
            assert burst["direction"] == "neutral"
        elif kind.name == "earnings_vol_probe":
            assert burst["direction"] == "mixed"
        elif kind.family != "hedge_reactive":
            right = parse_occ(str(prints["contract"][printed[burst["burst_id"]][0][1]])).right
            assert burst["direction"] == ("bullish" if right == "C" else "bearish")
    assert FAMILIES[-1] == "neutral_noise"
