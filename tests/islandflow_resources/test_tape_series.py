"""Series of a tape, held to what its streams plainly say."""

import json
import math

import numpy as np
import pytest

from contracts.canonical import canonical_json
from contracts.control import FAMILIES
from contracts.regime import PHASES, REGIMES
from islandflow_resources import tape_series
from islandflow_resources.tape_batches import StoredBatches
from islandflow_resources.tape_series import MINUTE_NS, TapeSeries
from tests.islandflow_resources.small_markets import made_market

TICKS = 10_000


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Spec, stored batches, bursts, contracts, and the document of the series."""
    with made_market(tmp_path_factory.mktemp("series") / "made") as market:
        spec = market.ref.tape.spec
        stored = StoredBatches(market.tape.place, spec)
        batches, bursts = list(stored), stored.bursts()
        yield spec, stored, batches, bursts, document_of(spec, stored, batches, bursts)


def document_of(spec, stored, batches, bursts):
    series = TapeSeries(spec, stored.contracts)
    for batch in batches:
        series.add(batch)
    return series.document(bursts)


def whole(batches, stream, name):
    return np.concatenate([batch.streams[stream][name] for batch in batches])


def test_volume_is_that_of_the_prints_of_each_minute(told):
    spec, _, batches, _, document = told
    assert document["times_ns"] == [str(spec.start_ns + k * MINUTE_NS) for k in range(10)]
    for name, stream in (("shares", "equity_prints"), ("contracts", "option_prints")):
        sizes, times = whole(batches, stream, "size"), whole(batches, stream, "ts_ns")
        expected = [
            sizes[(times // MINUTE_NS) == int(ns) // MINUTE_NS].sum() for ns in document["times_ns"]
        ]
        assert document[name] == [float(f"{value:.6g}") for value in expected]


def test_a_price_is_the_last_clean_mid_of_its_minute(told):
    spec, _, batches, _, document = told
    assert document["symbols"] == list(spec.symbols)
    columns = ("ts_ns", "symbol", "bid_ticks", "ask_ticks")
    rows = list(zip(*(whole(batches, "equity_quotes", name).tolist() for name in columns),
                    strict=True))  # fmt: skip
    for slot, symbol in enumerate(spec.symbols):
        for place, start in enumerate(map(int, document["times_ns"])):
            bid, ask = [
                (bid, ask) for ts, of, bid, ask in rows
                if of == slot and start <= ts < start + MINUTE_NS and 0 < bid < ask
            ][-1]  # fmt: skip
            shown = document["prices"][symbol][place]
            assert shown == pytest.approx((bid + ask) / 2 / TICKS, rel=1e-5)


def test_states_are_those_of_the_minutes(told):
    _, _, batches, _, document = told
    codes = np.concatenate([batch.session_states["regime"] for batch in batches])
    assert document["regimes"] == [REGIMES[code] for code in codes]
    phases = np.concatenate([batch.session_states["phase"] for batch in batches])
    assert document["phases"] == [PHASES[code] for code in phases]
    levels = np.concatenate([batch.session_states["volatility"] for batch in batches])
    assert document["levels"]["volatility"] == pytest.approx(levels.tolist(), rel=1e-5)
    assert set(" ".join(document["focus"]).split()) <= set(document["symbols"])


def test_a_smile_is_what_stood_out_of_the_money_when_half_the_tape_was_over(told):
    spec, stored, batches, _, document = told
    look = int(document["smiles"]["time_ns"])
    assert look == spec.start_ns + 5 * MINUTE_NS
    columns = ("ts_ns", "contract", "iv_ppm")
    rows = zip(*(whole(batches, "option_nbbo", name).tolist() for name in columns), strict=True)
    stands = {code: iv for ts, code, iv in rows if ts < look}
    curve = next(one for one in document["smiles"]["curves"] if one["symbol"] == spec.symbols[1])
    contracts, first = stored.contracts, spec.sessions[0].expiries
    expiry = min(one.close_ns for one in first if one.close_ns > look and math.isclose(
        (one.close_ns - look) / 86_400e9, curve["days"], abs_tol=1e-3))  # fmt: skip
    shown = dict(zip(curve["moneyness"], curve["volatility"], strict=True))
    assert list(shown) == sorted(shown)
    assert min(shown) < 0 < max(shown)
    known = {
        iv / 1e6 for code, iv in stands.items()
        if iv > 0 and contracts["symbol"][code] == 1 and contracts["expiry_ns"][code] == expiry
    }  # fmt: skip
    assert len(shown) >= 5
    for value in shown.values():
        assert any(math.isclose(value, iv, rel_tol=1e-5) for iv in known)
    assert min(known) <= curve["at_the_money"] <= max(known)


def test_coverage_counts_bursts_by_profile_and_window_and_no_decoys(told):
    spec, _, _, bursts, document = told
    width = spec.control.at(spec.start_ns).coverage_window_minutes
    coverage = document["coverage"]
    assert (coverage["window_minutes"], len(coverage["times_ns"])) == (width, 1)
    decoy = 2
    for place, family in enumerate(FAMILIES):
        mine = (bursts["family"] == place) & (bursts["actor"] != decoy)
        assert coverage["bursts"][family] == [int(mine.sum())]
    assert sum(map(sum, coverage["bursts"].values())) > 0


def test_a_long_tape_is_told_in_few_points_that_add_up_to_the_same(told, monkeypatch):
    spec, stored, batches, bursts, fine = told
    monkeypatch.setattr(tape_series, "MOST_POINTS", 4)
    coarse = document_of(spec, stored, batches, bursts)
    assert coarse["minutes"] == 3
    assert coarse["times_ns"] == fine["times_ns"][::3]
    assert sum(coarse["shares"]) == pytest.approx(sum(fine["shares"]), rel=1e-5)
    for symbol in spec.symbols:
        assert coarse["prices"][symbol] == [fine["prices"][symbol][at] for at in (2, 5, 8, 9)]
    assert coarse["coverage"] == fine["coverage"]
    assert json.loads(canonical_json(coarse)) == coarse


def test_a_minute_without_a_quote_has_the_price_of_the_one_before(told):
    spec, stored, batches, bursts, fine = told
    only = batches[0]
    silent = only._replace(streams={**only.streams, "equity_quotes": {
        name: values[:0] for name, values in only.streams["equity_quotes"].items()}})  # fmt: skip
    held = document_of(spec, stored, [only], bursts)
    symbol = spec.symbols[0]
    assert held["prices"][symbol][5:] == [fine["prices"][symbol][4]] * 5
    unknown = document_of(spec, stored, [silent], bursts)
    assert unknown["prices"][symbol] == [None] * 10
    assert unknown["smiles"]["curves"] == []
