"""Bars of a backtest, and what of them and of the settings a result's cache key depends on."""

from dataclasses import replace

import numpy as np
import pytest

from contracts.scenario import TIMEFRAME_NS
from engine import paths
from islandflow_resources import datasets, results
from islandflow_resources.backtest_data import BacktestData
from islandflow_resources.bar_files import read_bar_file
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.materialise import dataset_ref
from tests.graph import CALM, market, strategy
from tests.islandflow_resources import ohlcv_files
from tests.islandflow_resources.backtests import bars, crossings, request

DIGEST = "blake3:" + "7" * 64


def of_market(**changes):
    spec = market(CALM, **changes)
    ref = dataset_ref(spec, 1)
    made = paths.simulate(spec, 1)
    return BacktestData.of_dataset(datasets.table_of(made), spec, datasets.digest_of(ref, made))


def with_bars(data, **changes):
    """The same data with other properties of the bars."""
    return replace(data, bars=replace(data.bars, **changes))


def test_prices_of_a_dataset_are_ticks_times_their_size():
    spec = market(CALM, tick_size=0.25)
    made = paths.simulate(spec, 1)
    data = BacktestData.of_dataset(datasets.table_of(made), spec, DIGEST)
    assert (data.tick_size, data.content_digest) == (0.25, DIGEST)
    np.testing.assert_array_equal(data.bars.fields["low"], made.low_ticks * 0.25)
    np.testing.assert_array_equal(data.bars.fields["volume"], made.volume_lots)
    assert (data.first_ts_ns, data.last_ts_ns) == (made.ts_ns[0], made.ts_ns[-1])
    assert data.metric_settings.bars_per_day == 1440


def test_bars_of_a_file_state_their_own_trading_day(tmp_path):
    path = ohlcv_files.write(tmp_path / "bars.csv", ohlcv_files.bars())
    data = BacktestData.of_file(read_bar_file(path, "1h", 6.5))
    assert (data.tick_size, data.metric_settings.bars_per_day) == (None, 6.5)
    assert data.content_digest.startswith("blake3:")
    assert data.document["rows"] == 6


def test_our_own_file_and_the_dataset_that_it_is_ask_for_the_same_result(tmp_path):
    spec = market(CALM)
    ref, store = dataset_ref(spec, 1), FolderStore(tmp_path)
    stored = datasets.publish(store, ref, paths.simulate(spec, 1), {})
    file = BacktestData.of_file(read_bar_file(tmp_path / ref.dataset_key, "1m", None))
    own = BacktestData.of_dataset(stored.table, spec, stored.manifest.content_digest)
    assert request(file).cache_key == request(own).cache_key


def test_the_first_bars_keep_the_digest_of_the_whole():
    data = bars(rows=120)
    cut = data.first(50)
    assert (cut.bars.bars, cut.content_digest, cut.tick_size) == (50, data.content_digest, 0.01)
    assert cut.last_ts_ns == data.bars.ts_ns[49]
    assert cut.metric_settings == data.metric_settings


@pytest.mark.parametrize("max_bars", [None, 120, 5_000])
def test_a_limit_that_cuts_nothing_asks_for_the_same_result(max_bars):
    data = bars(rows=120)
    cut = request(data.first(max_bars), max_bars=max_bars)
    assert cut.cache_key == request(data).cache_key
    assert cut.request == {}


def test_the_limit_counts_by_the_bars_that_it_leaves():
    data = bars(rows=120)
    left = data.first(60)
    assert request(left).cache_key == request(left, max_bars=60).cache_key
    assert len({request(data.first(n)).cache_key for n in (59, 60, 61, 120)}) == 4


def test_strategies_of_one_meaning_ask_for_the_same_result():
    data = bars()
    same = [
        strategy(),
        strategy(id="other", name="Other", metadata={"notes": ["same"], "tags": ["x"]}),
        strategy(params={"unused": 3}),
    ]
    assert len({request(data, spec).cache_key for spec in same}) == 1
    up, down = ({"if": text, "then": "buy"} for text in ("close > open", "open < close"))
    sell = {"if": "close < open", "then": "sell"}
    written = [strategy(rules=[rule, sell]) for rule in (up, down)]
    assert len({request(data, spec).cache_key for spec in written}) == 1


CHANGES = {
    "the data's digest": {"data": {"content_digest": DIGEST}},
    "the tick size": {"data": {"tick_size": None}},
    "the timeframe": {"bars_": {"timeframe": "5m", "bars_per_day": 1440.0}},
    "the annualisation": {"bars_": {"bars_per_day": 390.0}},
    "the start": {"bars_": {"ts_ns": bars().bars.ts_ns + TIMEFRAME_NS["1d"]}},
    "the fee": {"settings": {"costs": {"fee_bps": 2.0}}},
    "the base slippage": {"settings": {"costs": {"slippage": {"base_bps": 2.0}}}},
    "the slippage of volatility": {"settings": {"costs": {"slippage": {"k_vol": 0.5}}}},
    "the window of volatility": {"settings": {"costs": {"slippage": {"window_bars": 21}}}},
    "the delay": {"settings": {"bar_delay": 2}},
    "the gap policy": {"settings": {"gap_policy": "open"}},
    "the initial cash": {"settings": {"initial_cash": 1e6}},
    "the lot size": {"settings": {"lot_size": 1.0}},
    "short positions": {"risk": {"allow_short": True}},
    "the margin": {"risk": {"max_margin": 5.0}},
    "the sizing": {"risk": {"sizing": {"type": "fixed_qty", "qty": 1}}},
    "the stop": {"risk": {"stop_loss_bps": 100}},
    "the take-profit": {"risk": {"take_profit_bps": 100}},
    "the trailing stop": {"risk": {"trailing_stop_bps": 100}},
    "the longest holding": {"risk": {"max_holding_bars": 10}},
    "the cooldown": {"risk": {"cooldown_bars": 5}},
}


def changed(data=None, bars_=None, settings=None, risk=None):
    """Cache key of a request with some things changed."""
    base = replace(bars(), **(data or {}))
    base = with_bars(base, **bars_) if bars_ else base
    spec = strategy(risk={**strategy().document()["risk"], **(risk or {})})
    return request(base, spec, **(settings or {})).cache_key


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_a_result_depends_on_is_in_its_cache_key(name):
    assert changed(**CHANGES[name]) != changed()


def test_every_single_change_asks_for_a_result_of_its_own():
    keys = [changed(), *(changed(**change) for change in CHANGES.values())]
    keys += [
        request(bars(), spec).cache_key
        for spec in (
            crossings(3, 10),
            strategy(rules=strategy().document()["rules"][::-1]),
            strategy(rules=[
                rule | {"order": {"type": "limit", "offset_bps": 5}}
                for rule in strategy().document()["rules"]
            ]),
        )
    ]  # fmt: skip
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("version", ["0.0", "2.3"])
def test_a_new_version_of_language_or_engine_asks_for_a_new_result(monkeypatch, version):
    old = request(bars()).cache_key
    monkeypatch.setattr(results, "VERSION", version)
    assert request(bars()).cache_key != old


def test_other_bars_of_a_market_are_another_request():
    one, two = of_market(), of_market(start_price=101.0)
    assert request(one).cache_key != request(two).cache_key
