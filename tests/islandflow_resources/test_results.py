"""A result in the store: what its files say, its digest, and what is refused."""

import json

import numpy as np
import pytest

from contracts.columns import EQUITY, TRADES
from contracts.errors import IntegrityError, NotFoundError
from engine import backtest
from engine.backtest import orders
from islandflow_resources import results
from tests.graph import strategy
from tests.islandflow_resources.backtests import bars, request

EXITS = {"stop_loss_bps": 60, "take_profit_bps": 90, "trailing_stop_bps": 80, "max_holding_bars": 9}


def outcome_of(ref):
    [outcome] = backtest.run([ref.data.bars], [results.evaluation(ref)])
    return outcome


def shuffled(rows=800):
    """Bars on which the strategy below leaves positions in every way."""
    return bars(rows=rows, seed=3)


def busy():
    rules = [
        {"if": "close > ma(close, 3)", "then": "buy"},
        {"if": "close < ma(close, 30)", "then": "sell"},
    ]
    risk = {"sizing": {"type": "percent_equity", "percent": 50}, **EXITS}
    return strategy(id="busy", rules=rules, risk=risk)


@pytest.fixture
def stored(object_store):
    ref = request(shuffled(), busy())
    return object_store, ref, results.publish(object_store, ref, outcome_of(ref))


def test_a_published_result_is_found_and_says_the_same(stored):
    store, ref, made = stored
    found = results.lookup(store, ref)
    assert found is not None
    assert (found.used_cache, made.used_cache) == (True, False)
    assert found.result == made.result
    assert found.digest == made.digest == results.digest_of(ref, outcome_of(ref))
    assert results.lookup(store, request(shuffled(), strategy())) is None


def test_the_result_records_what_it_was_made_with(stored):
    _, ref, made = stored
    result = made.result
    assert (result.cache_key, result.ir_hash) == (ref.cache_key, ref.program.ir_hash)
    assert (result.strategy_id, result.strategy_hash) == ("busy", busy().strategy_hash)
    assert (result.bars, result.timeframe, result.tick_size) == (800, "1m", 0.01)
    assert result.metric_settings.bars_per_day == 1440
    assert (result.first_ts_ns, result.version) == (str(ref.data.first_ts_ns), results.VERSION)
    assert set(result.file_digests) == {*results.FILES, "result.json"}


def test_the_equity_balances_and_ends_at_the_final_equity(stored):
    store, ref, made = stored
    equity = made.equity(store)
    assert equity.column_names == list(EQUITY.names)
    columns = {name: equity[name].to_numpy() for name in equity.column_names}
    np.testing.assert_array_equal(columns["ts_ns"], ref.data.bars.ts_ns)
    value = columns["cash"] + columns["position_qty"] * ref.data.bars.fields["close"]
    np.testing.assert_allclose(columns["equity"], value, rtol=1e-9)
    assert columns["equity"][-1] == made.result.final_equity


def test_every_fill_says_what_decided_it(stored):
    store, ref, made = stored
    trades = made.trades(store)
    assert trades.column_names == list(TRADES.names)
    assert trades.num_rows == made.result.fills > 20
    reasons = set(trades["reason"].to_pylist())
    assert {"rule 0", "stop_loss", "take_profit", "trailing_stop"} <= reasons
    assert reasons <= {
        "rule 0",
        "rule 1",
        "stop_loss",
        "take_profit",
        "trailing_stop",
        "max_holding",
    }
    bar = trades["bar"].to_numpy()
    np.testing.assert_array_equal(trades["ts_ns"].to_numpy(), ref.data.bars.ts_ns[bar])


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (0, "rule 0"),
        (31, "rule 31"),
        (orders.BY_STOP_LOSS, "stop_loss"),
        (orders.BY_TAKE_PROFIT, "take_profit"),
        (orders.BY_TRAILING_STOP, "trailing_stop"),
        (orders.BY_MAX_HOLDING, "max_holding"),
    ],
)
def test_reasons_have_names(code, name):
    assert results.reason_name(code) == name


def test_a_strategy_that_never_trades_stores_an_empty_trade_log(object_store):
    rules = [{"if": "close < 0", "then": "buy"}, {"if": "close < 0 - 1", "then": "sell"}]
    ref = request(bars(), strategy(rules=rules))
    made = results.publish(object_store, ref, outcome_of(ref))
    assert made.trades(object_store).num_rows == 0
    assert (made.result.fills, made.result.metrics["sharpe"]) == (0, 0.0)
    assert made.result.metrics["win_rate"] is None
    assert "win_rate" in made.result.reasons
    found = results.lookup(object_store, ref)
    assert found is not None
    assert found.result == made.result


def test_metrics_stand_in_a_file_of_their_own_with_their_reasons(stored):
    store, ref, made = stored
    metrics = json.loads(store.get(f"{ref.prefix}/metrics.json"))
    assert metrics == {"metrics": made.result.metrics, "reasons": made.result.reasons}


def test_the_stored_document_names_no_strategy(stored):
    store, ref, _ = stored
    document = json.loads(store.get(ref.result_key))
    assert "busy" not in json.dumps(document)
    twin = request(shuffled(), busy().model_copy(update={"id": "twin"}))
    found = results.lookup(store, twin)
    assert found is not None
    assert found.result.strategy_id == "twin"


def test_publishing_twice_adopts_what_is_there(stored):
    store, ref, made = stored
    before = {key: store.get(key) for key in store.keys("")}
    again = results.publish(store, ref, outcome_of(ref))
    assert again.result == made.result
    assert {key: store.get(key) for key in store.keys("")} == before


def test_a_result_under_another_key_is_not_trusted(stored):
    store, ref, _ = stored
    other = request(shuffled(), strategy())
    for name in (*results.FILES, "result.json"):
        store.put_if_absent(f"{other.prefix}/{name}", store.get(f"{ref.prefix}/{name}"))
    with pytest.raises(IntegrityError) as caught:
        results.lookup(store, other)
    assert (caught.value.code, other.result_key in caught.value.message) == ("OBJECT_DAMAGED", True)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"null", b"{}", b'{"a": NaN}', b"\xff", b'"\xed\xa0\x80"', b"{" * 900]
)
def test_a_document_that_is_none_is_damage(object_store, text):
    ref = request(bars())
    object_store.put_if_absent(ref.result_key, text)
    with pytest.raises(IntegrityError):
        results.read_document(object_store, ref.cache_key, ref.strategy)
    moved = results.discard(object_store, ref)
    assert [object_store.get(key) for key in moved] == [text]
    with pytest.raises(NotFoundError):
        results.read_document(object_store, ref.cache_key, ref.strategy)
