"""The learned leak test: labels that rows tell are found, those that they do not are not."""

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.naive_bayes import CategoricalNB

from contracts.errors import ContractError
from contracts.flow import ACTORS
from contracts.tape_bands import ID_AUC, MARKET_AUC
from engine.tapes.market import leaks
from engine.tapes.market.leaks import LeakTest
from tests.engine.tapes.market.drawn_streams import (
    DAY_NS,
    MINUTE_NS,
    OPEN_NS,
    batch_of,
    columns_of,
    contract_columns,
    cut,
    spec_of,
)
from tests.oracles.option_statistics import Listed

BACKGROUND, BURST, DECOY, HEDGE, INJECTION = range(len(ACTORS))
SPEC = spec_of(("MSFT",), minutes=(390,))
N = 24_000
LISTED = [
    Listed(0, OPEN_NS + days * DAY_NS, strike, is_put)
    for days in (1, 8, 29)
    for strike in (95_000, 100_000, 105_000)
    for is_put in (False, True)
]


def drawn(seed, stream="option_prints", actors=(BACKGROUND, BURST, DECOY, INJECTION), n=N):
    """Prints whose fields have nothing to do with who printed them."""
    rng = np.random.default_rng(seed)
    ts = OPEN_NS + 1 + np.unique(rng.integers(0, 390 * MINUTE_NS - 1, n))
    n = len(ts)
    weights = np.array([7, 1, 1, 1][: len(actors)])
    actor = rng.choice(actors, n, p=weights / weights.sum())
    rows = {
        "ts_ns": ts,
        "ingest_ns": ts + rng.integers(25_000, 150_000, n),
        "seq": (ts - OPEN_NS) * 512 + rng.integers(0, 512, n),
        "symbol": np.zeros(n, np.int64),
        "contract": rng.integers(0, len(LISTED), n),
        "price_ticks": 100 * rng.integers(1, 400, n),
        "size": np.maximum(rng.pareto(1.2, n) * 5, 1).astype(np.int64),
        "exchange": rng.choice(7, n, p=(0.3, 0.2, 0.2, 0.1, 0.1, 0.05, 0.05)),
        "condition": rng.choice(3, n, p=(0.7, 0.2, 0.1)),
        "off_exchange": np.zeros(n, np.int64),
        "ref_seq": np.zeros(n, np.int64),
    }
    return rows, actor, stream


def outcome(rows, actor, stream, borders=(), spec=SPEC):
    columns = columns_of(stream, rows)
    code = 0 if stream == "equity_prints" else 1
    labels = {
        "seq": columns["seq"],
        "stream": np.full(len(actor), code),
        "actor": actor[np.argsort(rows["seq"], kind="stable")],
    }
    quote = {"ts_ns": [OPEN_NS], "ingest_ns": [OPEN_NS], "seq": [0], "symbol": [0]}
    quote |= {"bid_ticks": [99_900], "ask_ticks": [100_100], "bid_size": [1], "ask_size": [1]}
    nbbo = {
        "contract": np.arange(len(LISTED)),
        **{name: np.full(len(LISTED), OPEN_NS) for name in ("ts_ns", "ingest_ns")},
        "seq": 1 + np.arange(len(LISTED)),
        "bid_ticks": np.full(len(LISTED), 10_000),
        "ask_ticks": np.full(len(LISTED), 20_000),
        **{name: np.ones(len(LISTED)) for name in ("bid_size", "ask_size", "iv_ppm")},
    }
    streams = {
        "equity_quotes": columns_of("equity_quotes", quote),
        "option_nbbo": columns_of("option_nbbo", nbbo),
        stream: columns,
    }
    test = LeakTest(spec)
    for part in cut(batch_of(spec.start_ns, spec.end_ns, **streams), borders):
        test.add(part._replace(print_labels=labels), contract_columns(LISTED))
    return test


def by_field(test, stream="option_prints"):
    return {row.field: row for row in test.rows() if row.stream == stream}


def split(rows):
    """Prints to learn from and to judge: of even minutes and of odd ones."""
    is_odd = rows["ts_ns"] // MINUTE_NS % 2 == 1
    return ~is_odd, is_odd


@pytest.mark.parametrize("stream", ["option_prints", "equity_prints"])
def test_rows_that_have_nothing_to_do_with_labels_tell_nothing(stream):
    actors = (BACKGROUND, HEDGE, DECOY) if stream == "equity_prints" else (BACKGROUND, BURST, DECOY)
    rows, actor, stream = drawn(1, stream)
    actor = np.where(actor == BURST, actors[1], actor)
    found = by_field(outcome(rows, actor, stream), stream)
    assert all(row.ok for row in found.values())
    assert all(row.auc == pytest.approx(0.5, abs=4 * row.deviation) for row in found.values())
    assert len(found) == (12 if stream == "option_prints" else 6)
    other = "equity_prints" if stream == "option_prints" else "option_prints"
    silent = by_field(outcome(rows, actor, stream), other).values()
    assert all(math.isnan(row.auc) and row.ok for row in silent)


def planted(field, rows, is_burst, rng):
    """Change a field so that it tells."""
    n = len(is_burst)
    more = is_burst & (rng.random(n) < 0.3)
    if field in ("exchange", "condition"):
        rows[field] = np.where(more, 2, rows[field])
    elif field == "seq_low_bits":
        rows["seq"] = np.where(more, rows["seq"] // 64 * 64, rows["seq"])
    elif field == "seq_digit":
        rows["seq"] = np.where(more, rows["seq"] // 10 * 10, rows["seq"])
    else:
        rows["ingest_ns"] = np.where(more, rows["ts_ns"] + 10**9, rows["ingest_ns"])


@pytest.mark.parametrize("field", ["exchange", "condition", "seq_low_bits", "seq_digit", "delay"])
@pytest.mark.parametrize("stream", ["option_prints", "equity_prints"])
def test_an_id_that_tells_is_found(stream, field):
    rows, actor, stream = drawn(2, stream)
    wanted = (BURST, INJECTION)
    planted(field, rows, np.isin(actor, wanted), np.random.default_rng(3))
    found = by_field(outcome(rows, actor, stream), stream)
    assert not found[field].ok
    assert found[field].auc > 0.55
    if field in ("exchange", "condition", "seq_low_bits"):
        assert not found["together"].ok


def test_decoys_count_as_background_and_hedges_as_aftermath_of_bursts():
    rows, actor, stream = drawn(4, "equity_prints", (BACKGROUND, HEDGE, DECOY))
    rows["exchange"] = np.where(actor == DECOY, 6, rows["exchange"])
    rows["condition"] = np.where(actor == HEDGE, 2, rows["condition"])
    found = by_field(outcome(rows, actor, stream), stream)
    assert found["exchange"].auc == pytest.approx(0.5, abs=0.13)
    assert found["condition"].auc > 0.9
    rows, actor, stream = drawn(4, "option_prints", (BACKGROUND, HEDGE, DECOY))
    assert math.isnan(by_field(outcome(rows, actor, stream))["exchange"].auc)


def test_odd_lots_are_no_condition_of_their_own():
    rows, actor, stream = drawn(5, "equity_prints", (BACKGROUND, HEDGE))
    rows["condition"] = np.where(actor == HEDGE, 1, 0)
    assert by_field(outcome(rows, actor, stream), stream)["condition"].auc == 0.5


def test_what_is_true_of_even_minutes_alone_is_not_learned_for_odd_ones():
    rows, actor, stream = drawn(6)
    even, _ = split(rows)
    is_burst = np.isin(actor, (BURST, INJECTION))
    rows["exchange"] = np.where(even & is_burst, 5, rows["exchange"])
    found = by_field(outcome(rows, actor, stream))["exchange"]
    assert found.auc == pytest.approx(0.5, abs=0.02)


def single_field_oracle(values, cells, is_burst, even, odd):
    """Area by scikit-learn: naive Bayes of one categorical field."""
    model = CategoricalNB(alpha=0.5, min_categories=cells)
    model.fit(values[even][:, None], is_burst[even])
    odds = model.predict_log_proba(values[odd][:, None])
    return roc_auc_score(is_burst[odd], np.round(odds[:, 1] - odds[:, 0], 9))


def test_areas_are_those_of_scikit_learn():
    rows, actor, stream = drawn(7)
    is_burst = np.isin(actor, (BURST, INJECTION))
    rng = np.random.default_rng(8)
    for field in ("exchange", "condition", "seq_low_bits"):
        planted(field, rows, is_burst, rng)
    even, odd = split(rows)
    found = by_field(outcome(rows, actor, stream))
    values = {
        "exchange": rows["exchange"],
        "condition": rows["condition"],
        "seq_low_bits": rows["seq"] % 512,
        "seq_digit": rows["seq"] % 10,
    }
    cells = {"exchange": 12, "condition": 4, "seq_low_bits": 512, "seq_digit": 10}
    for field, column in values.items():
        expected = single_field_oracle(column, cells[field], is_burst, even, odd)
        assert found[field].auc == pytest.approx(expected, abs=1e-9)
    bits = [rows["seq"] >> k & 1 for k in range(9)]
    table = np.stack([rows["exchange"], rows["condition"], *bits], axis=1)
    model = CategoricalNB(alpha=0.5, min_categories=[12, 4, *[2] * 9])
    model.fit(table[even], is_burst[even])
    odds = model.predict_log_proba(table[odd])
    joint = roc_auc_score(is_burst[odd], np.round(odds[:, 1] - odds[:, 0], 9))
    assert found["together"].auc == pytest.approx(joint, abs=1e-9)


def market_drawn(seed, shift):
    rows, actor, stream = drawn(seed)
    rng = np.random.default_rng(seed + 100)
    is_burst = np.isin(actor, (BURST, INJECTION))
    size = np.exp(rng.normal(3 + shift * is_burst, 1.0))
    rows["size"] = np.maximum(np.rint(size), 1).astype(np.int64)
    return rows, actor, stream, is_burst


@pytest.mark.parametrize("shift", [0.0, 1.0, 3.0])
def test_areas_of_market_fields_are_those_of_their_law(shift):
    rows, actor, stream, is_burst = market_drawn(9, shift)
    _, odd = split(rows)
    found = by_field(outcome(rows, actor, stream))["size"]
    exact = roc_auc_score(is_burst[odd], rows["size"][odd])
    assert found.auc == pytest.approx(exact, abs=0.02)
    assert found.ok == (shift < 3.0)
    assert found.limit == MARKET_AUC > by_field(outcome(rows, actor, stream))["exchange"].limit


def test_market_fields_that_tell_on_both_sides_are_found():
    rows, actor, stream = drawn(10)
    is_burst = np.isin(actor, (BURST, INJECTION))
    rng = np.random.default_rng(11)
    extreme = np.where(rng.random(len(actor)) < 0.5, 1, 5_000)
    rows["size"] = np.where(is_burst, extreme, rng.integers(20, 200, len(actor)))
    assert by_field(outcome(rows, actor, stream))["size"].auc > 0.99


def told_by(field, is_burst, rows):
    """Rows of which one field tells everything."""
    strikes = np.array([one.strike for one in LISTED])
    days = np.array([(one.expiry_ns - OPEN_NS) // DAY_NS for one in LISTED])
    if field == "placement":
        return {**rows, "price_ticks": np.where(is_burst, 20_000, 15_000)}
    if field == "price":
        return {**rows, "price_ticks": np.where(is_burst, 60_000, 40_000)}
    if field == "notional":
        return {**rows, "price_ticks": rows["size"] * 0 + 100, "size": np.where(is_burst, 900, 9)}
    wanted = strikes == 100_000 if field == "moneyness" else days == 8
    place = np.arange(len(is_burst)) % 3
    chosen = np.where(is_burst, np.flatnonzero(wanted)[place], np.flatnonzero(~wanted)[place])
    return {**rows, "contract": chosen}


@pytest.mark.parametrize("field", ["placement", "price", "notional", "moneyness", "dte"])
def test_every_market_field_is_seen(field):
    rows, actor, stream = drawn(12)
    rows = told_by(field, np.isin(actor, (BURST, INJECTION)), rows)
    found = by_field(outcome(rows, actor, stream))
    assert found[field].auc > 0.99
    assert not found[field].ok
    others = {"price", "placement", "moneyness", "dte", "size", "notional"} - {field}
    tied = {"placement": "price", "price": "placement", "notional": "size"}.get(field)
    alone = others - {tied, "notional" if field in ("price", "placement") else tied}
    assert all(found[name].ok for name in alone)


def test_tapes_are_pooled_and_cut_as_one():
    one, two = outcome(*drawn(13)), outcome(*drawn(14))
    separate = [{k: v.copy() for k, v in test.tables.items()} for test in (one, two)]
    one.merge(two)
    assert all((one.tables[k] == separate[0][k] + separate[1][k]).all() for k in one.tables)
    borders = [OPEN_NS + minute * MINUTE_NS + 17 for minute in (3, 50, 51, 300)]
    many = outcome(*drawn(14), borders=borders)
    assert all((many.tables[k] == two.tables[k]).all() for k in two.tables)


def test_a_small_tape_is_not_called_a_leak_for_chance():
    rows, actor, stream = drawn(15, n=300)
    found = by_field(outcome(rows, actor, stream))
    assert all(row.deviation > 0.03 for row in found.values())
    assert all(row.ok for row in found.values())
    assert found["exchange"].limit == ID_AUC


def test_a_print_without_a_label_is_refused():
    rows, actor, stream = drawn(16, n=100)
    with pytest.raises(ContractError) as refused:
        outcome({**rows, "seq": rows["seq"]}, actor, stream, spec=SPEC).add(
            batch_of(
                SPEC.start_ns,
                SPEC.end_ns,
                {"seq": np.array([1]), "stream": np.array([1]), "actor": np.array([0])},
                **{stream: columns_of(stream, rows)},
            ),
            contract_columns(LISTED),
        )
    assert refused.value.code == "TAPE_LABEL_MISSING"
    assert refused.value.loc == str(rows["seq"][0])


def test_the_area_counts_ties_half():
    counts = np.array([[2, 2], [1, 3]])
    assert leaks.area(np.array([0.0, 1.0]), counts) == pytest.approx((3 * 2 + 0.5 * (2 + 6)) / 16)
    assert leaks.area(np.zeros(2), counts) == 0.5
    assert math.isnan(leaks.area(np.zeros(2), np.array([[1, 1], [0, 0]])))
    assert math.isnan(leaks.deviation(np.array([[1, 1], [0, 0]])))


def test_bins_are_eight_to_a_doubling():
    values = 2.0 ** np.arange(-8, 20, 0.5)
    places = leaks.bins_of(values)
    assert (np.diff(places[::2]) == 8).all()
    assert (np.diff(places) > 0).all()
    assert (leaks.bins_of(np.array([0.0, -3.0])) == 0).all()


def test_quantile_bins_hold_about_equal_shares_of_what_is_learned_from():
    rng = np.random.default_rng(17)
    table = rng.integers(0, 30, (2, 2, 512))
    joined = leaks.quantile_bins(table)
    learned = joined[0].sum(axis=0)
    assert joined.sum() == table.sum()
    assert learned.max() < 1.2 * learned.sum() / 32
    assert (joined.sum(axis=2) == table.sum(axis=2)).all()
