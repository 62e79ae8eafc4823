"""The table of columns: values of the kernels, each column once, as many at a time as fit.

What the kernels compute is tested in test_indicators.py, how conditions use columns in
tests/engine/backtest/test_agreement.py.
"""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from contracts.strategy import strategy_from
from engine.dsl import ColumnTable, compile_strategy, compile_sweep, indicators, rolling
from tests.oracles import expressions
from tests.properties import strategies

EXACT = 1e-9
PARAMS = {"fast": 4.0, "level": 100.5}
SLOW = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)
BARS = strategies.bars("walk", 120, 1)
SPARSE = BARS | {"volume": np.where(np.arange(120) % 50 == 30, 0.0, BARS["volume"])}


def program(*texts):
    """Program of one rule per numeric term, none of which is computed on the stack."""
    rules = [{"if": f"lag({text}, 0) > 1", "then": "close"} for text in texts]
    return compile_strategy(strategy_from(strategies.document(rules)))


def values(text, columns):
    """A numeric term on every bar, as a table computes it."""
    compiled = program(text)
    specs = compiled.lowered.columns
    table = ColumnTable(specs, columns, len(specs))
    rows = table.require([len(specs) - 1])
    return table.rows[rows[-1], 1:].copy()


def kernel(function, x, n):
    out = np.full(len(x), 99.0)
    function(x, n, out)
    return out


def extremes(function, x, n):
    out = np.full(len(x), 99.0)
    function(x, n, np.empty(n, dtype=np.int64), out)
    return out


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("ma", indicators.moving_average),
        ("ema", indicators.ema),
        ("rsi", indicators.rsi),
        ("lag", indicators.lag),
        ("stdev", rolling.deviation),
        ("slope", rolling.slope),
    ],
)
@pytest.mark.parametrize("n", [2, 3, 14, 120, 121])
def test_a_column_is_what_its_kernel_computes(name, function, n):
    ratio = np.divide(
        SPARSE["close"], SPARSE["volume"], out=np.full(120, np.nan), where=SPARSE["volume"] != 0
    )
    for text, x in (("close", SPARSE["close"]), ("close / volume", ratio)):
        found = values(f"{name}({text}, {n})", SPARSE)
        assert found.tobytes() == kernel(function, x, n).tobytes()


@pytest.mark.parametrize("n", [1, 2, 14, 200])
def test_extremes_and_ranges_are_what_their_kernels_compute(n):
    for name in ("highest", "lowest"):
        wanted = extremes(getattr(indicators, name), BARS["high"], n)
        assert values(f"{name}(high, {n})", BARS).tobytes() == wanted.tobytes()
    out = np.full(120, 99.0)
    indicators.atr(BARS["high"], BARS["low"], BARS["close"], n, out)
    assert values(f"atr({n})", BARS).tobytes() == out.tobytes()


def test_a_column_of_a_column_is_computed_from_it():
    mean = kernel(indicators.moving_average, BARS["close"], 5)
    assert (
        values("rsi(ma(close, 5), 7)", BARS).tobytes() == kernel(indicators.rsi, mean, 7).tobytes()
    )
    spread = BARS["high"] - -BARS["low"] * 2.5
    wanted = kernel(rolling.deviation, spread, 9)
    assert values("stdev(high - -low * 2.5, 9)", BARS).tobytes() == wanted.tobytes()


def test_a_lag_looks_back_and_is_undefined_before():
    columns = strategies.bars("walk", 10, 1)
    for n in (0, 1, 9, 10, 11):
        found = values(f"lag(close, {n})", columns)
        assert np.isnan(found[:n]).all()
        assert found[n:].tolist() == columns["close"][: max(0, 10 - n)].tolist()


def test_division_by_zero_and_overflow_are_undefined():
    columns = strategies.bars("flat", 5, 1)
    for text in ("1 / (close - close)", "close * 1e308", "close * 1e308 - close * 1e308"):
        assert np.isnan(values(text, columns)).all()


@hypothesis_settings(max_examples=150, suppress_health_check=SLOW)
@given(strategies.numbers(1), strategies.series(60))
def test_a_numeric_term_is_the_oracles_on_every_bar(text, columns):
    found = values(text, columns)
    plain = {name: series.tolist() for name, series in columns.items()}
    tree = expressions.parse(text)
    scale = max(map(max, plain.values()))
    for t, value in enumerate(found.tolist()):
        wanted = expressions.value_at(tree, t, plain, PARAMS)
        if wanted is None:
            assert math.isnan(value)
        else:
            assert value == pytest.approx(wanted, rel=EXACT, abs=1e-12 * scale)


def test_the_bar_before_the_first_is_undefined_in_every_row():
    specs = program("ma(close, 3)", "atr(5)").lowered.columns
    table = ColumnTable(specs, BARS, 2)
    for wanted in ([0], [1], range(len(specs))):
        table.require(wanted)
        assert np.isnan(table.rows[:, 0]).all()
        assert table.rows.shape[1] == 121


def test_columns_leave_the_data_alone():
    before = {name: column.copy() for name, column in BARS.items()}
    specs = program("-ma(close, 3) / (open - open)", "highest(high, 3) * volume").lowered.columns
    ColumnTable(specs, BARS, 3).require(range(len(specs)))
    for name, column in BARS.items():
        assert column.tobytes() == before[name].tobytes()


def test_a_closure_is_a_column_and_all_that_it_is_computed_from():
    compiled = program("ma(close + open, 3)", "lag(atr(5), 1)", "ma(close, 3)")
    names = compiled.described_columns()
    table = ColumnTable(compiled.lowered.columns, BARS, 1)
    of = {
        text: {names[source] for source in table.closure(index)} for index, text in enumerate(names)
    }
    assert of["close"] == {"close"}
    assert of["ma(close, 3)"] == {"ma(close, 3)", "close"}
    assert of["close + open"] == {"close + open", "close", "open"}
    assert of["ma(close + open, 3)"] == {"ma(close + open, 3)", "close + open", "close", "open"}
    assert of["lag(atr(5), 1)"] == {"lag(atr(5), 1)", "atr(5)", "high", "low", "close"}


def test_what_is_required_has_a_row_and_nothing_else_has():
    compiled = program("ma(close, 3)", "ma(open, 4)")
    names = compiled.described_columns()
    table = ColumnTable(compiled.lowered.columns, BARS, len(names))
    rows = dict(zip(names, table.require([names.index("ma(open, 4)")]).tolist(), strict=True))
    assert {name for name, row in rows.items() if row >= 0} >= {"open", "ma(open, 4)"}
    assert rows["ma(close, 3)"] == rows["close"] == -1
    assert len({row for row in rows.values() if row >= 0}) == sum(row >= 0 for row in rows.values())


def test_a_column_that_is_held_is_not_computed_again():
    specs = program("ma(close, 3)", "ma(open, 4)").lowered.columns
    table = ColumnTable(specs, BARS, len(specs))
    [row] = {int(table.require([index])[index]) for index in [len(specs) - 1] * 2}
    table.rows[row, 1:] = 7.0
    again = table.require(range(len(specs)))
    assert again[len(specs) - 1] == row
    assert set(table.rows[row, 1:].tolist()) == {7.0}


SWEEP = compile_sweep(
    strategy_from(
        strategies.document(
            [
                {"if": "rsi(ma(close, fast), slow) > lag(atr(fast), 2)", "then": "buy"},
                {"if": "close < lowest(close - open * level, slow)", "then": "close"},
            ]
        )
        | {"params": {"fast": 3, "slow": 5, "level": 0.5}}
    ),
    {"fast": [2, 3, 4, 5] * 3, "slow": [2] * 4 + [7] * 4 + [30] * 4, "level": [0.1, 0.2] * 6},
)


def required(table, index):
    """Bytes of every column of one set of the sweep, by column."""
    rows = table.require(SWEEP.slots[index].tolist())
    return {slot: table.rows[rows[slot], 1:].tobytes() for slot in SWEEP.slots[index].tolist()}


def needed(index) -> set[int]:
    """All columns that one set of the sweep is computed from."""
    return set[int]().union(*(WHOLE.closure(slot) for slot in SWEEP.slots[index].tolist()))


WHOLE = ColumnTable(SWEEP.columns, BARS, len(SWEEP.columns))


@hypothesis_settings(max_examples=40)
@given(
    st.integers(1, len(SWEEP.columns) + 3),
    st.lists(st.integers(0, SWEEP.size - 1), min_size=1, max_size=30),
)
def test_a_table_that_must_make_way_computes_the_same_bytes_again(capacity, order):
    table = ColumnTable(SWEEP.columns, BARS, capacity)
    assert table.holds_all == (capacity >= len(SWEEP.columns))
    for index in order:
        assert required(table, index) == required(WHOLE, index)
    most = max(len(needed(index)) for index in order)
    assert table.rows.shape[0] <= max(min(capacity, len(SWEEP.columns)), most)


def test_a_table_keeps_to_its_budget_and_grows_only_for_one_request_that_needs_more():
    [most] = {len(needed(index)) for index in range(SWEEP.size)}
    small = ColumnTable(SWEEP.columns, BARS, 2)
    assert small.rows.shape[0] == 2
    for index in [*range(SWEEP.size), *range(SWEEP.size)]:
        required(small, index)
        assert small.rows.shape[0] == most
    assert WHOLE.rows.shape[0] == len(SWEEP.columns) > 2 * most
