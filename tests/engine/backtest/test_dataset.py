"""Bars are checked before anything runs on them: every broken one is named with its row.

Reading bars from files is tested with the resources; what runs on sound bars, in test_agreement.py.
"""

import math

import numpy as np
import pytest

from contracts.backtest import bars_per_day
from contracts.costs import Slippage
from contracts.errors import ContractError
from engine.backtest import Dataset, run
from engine.backtest.dataset import Prepared
from tests.engine.backtest.cases import PLAIN, curves, dataset, evaluation, settings, times
from tests.oracles import backtest as oracle
from tests.properties.strategies import PRICES, bars, document

COUNT = 40
RULES = [{"if": "close > open", "then": "buy"}, {"if": "close < open", "then": "close"}]


def refusal(columns, ts_ns=None) -> ContractError:
    with pytest.raises(ContractError) as caught:
        Prepared(Dataset(times(COUNT) if ts_ns is None else ts_ns, columns, "1m"))
    assert caught.value.code == "BACKTEST_DATA_INVALID"
    return caught.value


def broken(name, row, value):
    """Sound bars with one number changed."""
    columns = bars("walk", COUNT, 1)
    columns[name][row] = value
    return columns


def test_sound_bars_are_taken_as_they_are():
    columns = bars("gaps", COUNT, 1)
    prepared = Prepared(dataset(columns))
    assert prepared.bars.tobytes() == b"".join(columns[name].tobytes() for name in PRICES)
    assert prepared.day_ends.tolist() == [COUNT - 1]


@pytest.mark.parametrize("name", PRICES)
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("row", [0, 17, COUNT - 1])
def test_what_is_no_price_is_refused_with_its_row(name, value, row):
    error = refusal(broken(name, row, value))
    assert error.loc == f"row {row}"
    assert "price" in error.message


@pytest.mark.parametrize(
    ("name", "value"), [("high", 1.0), ("low", 1e6), ("open", 1e6), ("close", 1.0)]
)
@pytest.mark.parametrize("row", [0, 17, COUNT - 1])
def test_a_high_or_low_that_does_not_enclose_the_bar_is_refused_with_its_row(name, value, row):
    error = refusal(broken(name, row, value))
    assert error.loc == f"row {row}"
    assert "enclose" in error.message


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("row", [0, 17, COUNT - 1])
def test_a_volume_that_is_no_number_is_refused_with_its_row(value, row):
    error = refusal(broken("volume", row, value))
    assert error.loc == f"row {row}"
    assert "volume" in error.message


def test_of_several_broken_rows_the_first_is_named_with_what_to_do():
    columns = broken("close", 30, math.nan)
    columns["open"][9] = -1.0
    error = refusal(columns)
    assert error.loc == "row 9"
    assert error.hints


@pytest.mark.parametrize("name", [*PRICES, "volume"])
@pytest.mark.parametrize("count", [COUNT - 1, COUNT + 1])
def test_columns_of_unequal_length_are_refused_with_their_lengths(name, count):
    columns = bars("walk", COUNT, 1)
    columns[name] = np.resize(columns[name], count)
    error = refusal(columns)
    assert "length" in error.message
    assert f"'{name}': {count}" in error.message


def test_times_of_another_length_are_refused():
    assert "'ts_ns': 39" in refusal(bars("walk", COUNT, 1), times(COUNT - 1)).message


def test_the_first_bars_of_a_dataset_are_a_dataset_of_them():
    columns = bars("walk", COUNT, 1)
    whole = Dataset(times(COUNT), columns, "5m", bars_per_day=77.0)
    part = whole.first(15)
    assert (part.bars, part.timeframe, part.bars_per_day) == (15, "5m", 77.0)
    assert part.ts_ns.tolist() == times(COUNT)[:15].tolist()
    assert {name: values.tobytes() for name, values in part.fields.items()} == {
        name: values[:15].tobytes() for name, values in columns.items()
    }
    assert whole.bars == COUNT
    for everything in (None, COUNT, COUNT + 1):
        assert whole.first(everything) is whole


def test_a_broken_bar_beyond_max_bars_is_not_looked_at():
    data, asked = dataset(broken("close", 30, math.nan)), evaluation(document(RULES))
    short = asked.settings.model_copy(update={"max_bars": 30})
    [found] = run([data], [type(asked)(asked.program, asked.risk, short, keep_curves=True)])
    assert curves(found)["equity"].size == 30
    with pytest.raises(ContractError, match="row 30"):
        run([data], [asked])


def test_bars_per_day_are_those_of_the_timeframe_unless_they_are_given():
    columns = bars("walk", COUNT, 1)
    assert Dataset(times(COUNT), columns, "15m").bars_per_day == bars_per_day("15m") == 96
    assert Dataset(times(COUNT), columns, "15m", 26.0).bars_per_day == 26


@pytest.mark.parametrize("window_bars", [2, 5, 20, 60])
@pytest.mark.parametrize("k_vol", [0.0, 0.7])
def test_the_slippage_of_every_bar_is_that_of_the_returns_up_to_it(window_bars, k_vol):
    columns = bars("jumps", COUNT, 5)
    flat = PLAIN | {"base_bps": 2.0, "k_vol": k_vol, "window_bars": window_bars}
    model: Slippage = settings(flat).costs.slippage
    prepared = Prepared(dataset(columns))
    wanted = [oracle.slippage_bps(columns["close"].tolist(), t, flat) * 1e-4 for t in range(COUNT)]
    np.testing.assert_allclose(prepared.slip(model), wanted, rtol=1e-9, atol=1e-15)
    assert prepared.slip(model) is prepared.slip(model)
