"""Parts of a dataset: indicators and slippage remember what was before, the account does not.

The oracle trades whole series; here it decides nothing before a window and stops at its end.
"""

import numpy as np
import pytest

from contracts.backtest import METRICS, bars_per_day
from contracts.errors import ContractError
from contracts.strategy import strategy_from
from engine.backtest import Evaluation, SweepResult, run, run_sweep, run_windows
from engine.dsl import compile_sweep
from engine.dsl.sweep import Sweep
from tests.engine.backtest.cases import PLAIN, dataset, priced, settings
from tests.oracles import backtest as oracle
from tests.properties.strategies import bars, busy, document

COSTS = PLAIN | {"fee_bps": 2.0, "base_bps": 1.0, "k_vol": 0.4}
BARS = 700
RNG = np.random.default_rng(3)
EXITS = {
    "sizing": {"type": "risk_bps", "bps": 20},
    "stop_loss_bps": 90,
    "take_profit_bps": 120,
    "max_holding_bars": 25,
    "cooldown_bars": 2,
    "allow_short": True,
    "max_margin": 50_000,
}
REMEMBERING = (
    [
        {"if": "close > bbands(close, n, 1.5, upper) and volume > level", "then": "sell"},
        {"if": "crossover(close, ema(lag(close, 1), n))", "then": "buy"},
        {"if": "rsi(close, n) < 40", "then": "close"},
    ],
    {"n": {"default": 6, "min": 1, "max": 90}, "level": 40},
    {"n": RNG.integers(2, 90, 40), "level": RNG.uniform(0, 200, 40)},
)
FORGETTING = (
    [
        {
            "if": "volume > level",
            "then": "buy",
            "order": {"type": "limit", "offset_bps": 10},
        },
        {"if": "close > open * factor", "then": "sell", "order": {"type": "stop"}},
        {"if": "volume < 40", "then": "close"},
    ],
    {"level": 150, "factor": 1.001},
    {"level": RNG.uniform(50, 300, 40), "factor": RNG.uniform(0.999, 1.003, 40)},
)
SPANS = [range(130), range(130, 400), range(399, 401), range(250, 700), range(700), range(5, 31)]


def swept(case) -> Sweep:
    rules, params, values = case
    return compile_sweep(strategy_from(document(rules, EXITS) | {"params": params}), values)


def data(count: int = BARS):
    return dataset(bars("gaps", count, 3))


def everything(found: SweepResult) -> list[bytes]:
    """Every byte of a result, its sums included."""
    names = ("metrics", "fills", "rejected_orders", "conflicts", "final_equity", "final_qty")
    arrays = [getattr(found, name) for name in names]
    if found.moments is not None:
        sums = found.moments
        arrays += [sums.counts, sums.sums, sums.squares, sums.powers]
    return [array.tobytes() for array in arrays]


@pytest.mark.parametrize("bars_held", [2, 3, 16, 17, 255, 256, 257, 699, 700])
@pytest.mark.parametrize("case", [REMEMBERING, FORGETTING], ids=["remembering", "forgetting"])
def test_a_window_from_the_first_bar_is_the_beginning_of_the_data(case, bars_held):
    sweep = swept(case)
    [part] = run_windows(data(), sweep, settings(COSTS), [range(bars_held)], gap_bars=2)
    alone = run_sweep(data().first(bars_held), sweep, settings(COSTS), gap_bars=2)
    assert everything(part) == everything(alone)
    assert bars_held < 200 or part.fills.sum() > 100


@pytest.mark.parametrize("policy", ["touch", "open"])
@pytest.mark.parametrize("delay", [0, 1, 3])
def test_a_strategy_without_memory_trades_a_window_like_data_of_its_own(delay, policy):
    sweep = swept(FORGETTING)
    flat = settings(COSTS | {"k_vol": 0.0, "bar_delay": delay, "gap_policy": policy})
    found = run_windows(data(), sweep, flat, SPANS, gap_bars=1)
    for span, part in zip(SPANS, found, strict=True):
        alone = run_sweep(data().part(span), sweep, flat, gap_bars=1)
        assert everything(part) == everything(alone)
        assert len(span) < 100 or part.fills.sum() > 100


def test_indicators_of_a_window_remember_the_bars_before():
    sweep, span = swept(REMEMBERING), range(300, 360)
    [part] = run_windows(data(), sweep, settings(COSTS), [span])
    alone = run_sweep(data().part(span), sweep, settings(COSTS))
    assert part.fills.sum() > alone.fills.sum()


def crossing():
    rules = [
        {"if": "crossover(close, level)", "then": "buy"},
        {"if": "crossunder(close, level)", "then": "close"},
    ]
    spec = strategy_from(document(rules) | {"params": {"level": 105}})
    return compile_sweep(spec, {})


def test_a_crossing_on_the_first_bar_of_a_window_sees_the_bar_before():
    closes = dataset(priced(100, 100, 110, 121, 121, 121))
    at_once = settings(PLAIN | {"bar_delay": 0})
    seen, after = run_windows(closes, crossing(), at_once, [range(2, 6), range(3, 6)])
    assert seen.fills.tolist() == [1]
    assert seen.final_equity[0] == pytest.approx(110_000)
    assert after.fills.tolist() == [0]
    alone = run_sweep(closes.part(range(2, 6)), crossing(), at_once)
    assert alone.fills.tolist() == [0]


def test_nothing_that_was_decided_before_a_window_happens_in_it():
    closes = dataset(priced(100, 100, 110, 121, 121, 121))
    late = settings(PLAIN | {"bar_delay": 2})
    whole, part = run_windows(closes, crossing(), late, [range(6), range(3, 6)])
    assert (whole.fills.tolist(), part.fills.tolist()) == ([1], [0])
    assert (part.final_equity.tolist(), part.final_qty.tolist()) == ([100_000.0], [0.0])


def test_slippage_that_follows_volatility_remembers_the_bars_before():
    closes = [100.0, 103, 99, 104, 98, 100, 100, 100, 100]
    rules = [{"if": "close > 0", "then": "buy"}, {"if": "close < 0", "then": "close"}]
    sweep = compile_sweep(strategy_from(document(rules) | {"params": {}}), {})
    flat = PLAIN | {"bar_delay": 0, "k_vol": 0.5, "window_bars": 5}
    [part] = run_windows(dataset(priced(*closes)), sweep, settings(flat), [range(5, 9)])
    slip = oracle.slippage_bps(closes, 5, flat) * 1e-4
    assert slip > 0.01
    assert part.final_equity[0] == pytest.approx(100_000 / (1 + slip), rel=1e-12)
    alone = run_sweep(dataset(priced(*closes)).part(range(5, 9)), sweep, settings(flat))
    assert alone.final_equity[0] == pytest.approx(100_000)


@pytest.mark.parametrize("case", [REMEMBERING, FORGETTING], ids=["remembering", "forgetting"])
def test_neither_threads_nor_memory_nor_company_change_a_byte(case):
    sweep, flat = swept(case), settings(COSTS)
    whole = [everything(one) for one in run_windows(data(), sweep, flat, SPANS, gap_bars=2)]
    assert len({part[0] for part in whole}) == len(SPANS)
    for threads, memory_bytes in ((2, 128 << 20), (3, 0), (1, 0), (2, 5 * 8 * (BARS + 1))):
        found = run_windows(data(), sweep, flat, SPANS, threads, memory_bytes, gap_bars=2)
        assert [everything(one) for one in found] == whole
    for span, part in zip(SPANS, whole, strict=True):
        [alone] = run_windows(data(), sweep, flat, [span], gap_bars=2)
        assert everything(alone) == part


def test_a_window_over_everything_is_the_whole_sweep_and_each_set_by_itself():
    sweep, flat = swept(REMEMBERING), settings(COSTS)
    [part] = run_windows(data(), sweep, flat, [range(BARS)])
    assert everything(part) == everything(run_sweep(data(), sweep, flat))
    for index in (0, 17, 39):
        asked = Evaluation(sweep.program(index), sweep.spec.risk, flat)
        [alone] = run([data()], [asked])
        assert part.metrics[index].tobytes() == alone.values.tobytes()


def test_a_bad_bar_outside_a_window_is_refused_too():
    broken = bars("walk", 50, 1)
    broken["high"][7] = 1.0
    with pytest.raises(ContractError, match="BACKTEST_DATA_INVALID"):
        run_windows(dataset(broken), crossing(), settings(PLAIN), [range(20, 40)])


class Later(oracle.Rules):
    """Rules of the oracle that decide nothing before a bar."""

    first = 0

    def decide(self, bar, result):
        if bar >= self.first:
            return super().decide(bar, result)
        result.decisions.append(oracle.NO_RULE)
        return None


def windowed(drawn, columns, flat, span: range, monkeypatch) -> oracle.Run:
    """What the oracle makes of a window: it knows the bars before, but is flat and silent."""
    later = type("From", (Later,), {"first": span.start})
    monkeypatch.setattr(oracle, "Rules", later)
    known = {name: values[: span.stop].tolist() for name, values in columns.items()}
    found = oracle.run(drawn, known, flat)
    found.equity, found.qty = found.equity[span.start :], found.qty[span.start :]
    return found


@pytest.mark.parametrize("seed", range(40))
def test_a_window_is_traded_as_the_oracle_trades_it(seed, monkeypatch):
    drawn, columns, flat = busy(seed, 150)
    spans = [range(40, 150), range(1, 60), range(90, 92), range(77, 141)]
    closes, sweep = dataset(columns), compile_sweep(strategy_from(drawn), {})
    found = run_windows(closes, sweep, settings(flat), spans, gap_bars=1)
    for span, part in zip(spans, found, strict=True):
        wanted = windowed(drawn, columns, flat, span, monkeypatch)
        assert part.fills.tolist() == [len(wanted.fills)]
        assert part.rejected_orders.tolist() == [wanted.rejected]
        assert part.conflicts.tolist() == [wanted.conflicts]
        assert part.final_equity[0] == pytest.approx(wanted.equity[-1], rel=1e-9, abs=1e-4)
        assert part.final_qty[0] == pytest.approx(wanted.qty[-1], rel=1e-9)
        measured = oracle.measure(
            wanted, closes.ts_ns[span.start : span.stop].tolist(), 100_000.0, bars_per_day("1m")
        )
        for name, value in zip(METRICS, part.metrics[0].tolist(), strict=True):
            other = measured.get(name)
            assert (
                value == pytest.approx(other, rel=1e-7, abs=1e-9)
                if other is not None
                else (np.isnan(value))
            ), name


def test_the_oracles_windows_trade_a_lot(monkeypatch):
    drawn = [busy(seed, 150) for seed in range(40)]
    traded = [len(windowed(*one, range(40, 150), monkeypatch).fills) for one in drawn]
    assert np.median(traded) > 10
