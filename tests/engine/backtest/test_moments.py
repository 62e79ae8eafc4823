"""Sums of a trial's returns are those of its curve, block by block.

The curves come from the engine itself (test_agreement.py says that they are right); what is made
of the sums is tested in tests/engine/validate.
"""

import numpy as np
import pytest

from contracts.strategy import strategy_from
from engine.backtest import Evaluation, run, run_sweep
from engine.backtest.moments import block_edges, kept_bars
from engine.dsl import compile_sweep
from engine.dsl.sweep import Sweep
from tests.engine.backtest.cases import LONG_SHORT, PLAIN, curves, dataset, priced, settings
from tests.properties.strategies import bars, document

COSTS = settings(PLAIN | {"fee_bps": 2.0, "base_bps": 1.0, "k_vol": 0.4})
RULES = [
    {"if": "close > ma(close, n)", "then": "buy"},
    {"if": "close < ma(close, n) - level", "then": "sell"},
]
LOSING = [{"if": "close > 0", "then": "sell"}, {"if": "close < 1", "then": "close"}]


def swept(sets: int = 12) -> Sweep:
    spec = strategy_from(
        document(RULES, LONG_SHORT)
        | {"params": {"n": {"default": 3, "min": 1, "max": 60}, "level": 0.1}}
    )
    values = {"n": np.arange(2, sets + 2), "level": np.linspace(0.0, 0.3, sets)}
    return compile_sweep(spec, values)


def returns(data, sweep: Sweep, index: int, chosen=COSTS) -> np.ndarray:
    """Returns of one set, from its curve."""
    asked = Evaluation(sweep.program(index), sweep.spec.risk, chosen, keep_curves=True)
    [found] = run([data], [asked])
    curve = np.append(chosen.initial_cash, curves(found)["equity"])
    return curve[1:] / curve[:-1] - 1.0


def blocks(values: np.ndarray, gap: int) -> list[np.ndarray]:
    """The 16 pieces of a series, each without its beginning but the first."""
    count = len(values)
    starts = [b * count // 16 for b in range(17)]
    return [
        values[starts[b] : starts[b + 1]][gap if b else 0 :] for b in range(16)
    ]  # fmt: skip


@pytest.mark.parametrize("gap", [0, 1, 7, 43, 44, 1000])
@pytest.mark.parametrize("kind", ["walk", "gaps"])
def test_the_sums_of_every_block_are_those_of_the_curve(kind, gap):
    data, sweep = dataset(bars(kind, 701, 5)), swept()
    moments = run_sweep(data, sweep, COSTS, gap_bars=gap).moments
    assert moments is not None
    assert (moments.sums.shape, moments.powers.shape) == ((sweep.size, 16), (sweep.size, 4))
    for index in range(sweep.size):
        r = returns(data, sweep, index)
        assert np.count_nonzero(r) > 20
        pieces = blocks(r, gap)
        assert moments.counts.tolist() == [len(piece) for piece in pieces]
        scale = np.abs(r).sum()
        sums = [piece.sum() for piece in pieces]
        np.testing.assert_allclose(moments.sums[index], sums, rtol=1e-9, atol=1e-13 * scale)
        squares = [(piece**2).sum() for piece in pieces]
        np.testing.assert_allclose(moments.squares[index], squares, rtol=1e-9, atol=1e-15)
        powers = [(r**k).sum() for k in (1, 2, 3, 4)]
        sizes = [(np.abs(r) ** k).sum() for k in (1, 2, 3, 4)]
        assert np.all(np.abs(moments.powers[index] - powers) <= 1e-12 * np.array(sizes))


@pytest.mark.parametrize("count", [2, 3, 5, 15, 16, 17, 31, 33])
@pytest.mark.parametrize("gap", [0, 1, 2])
def test_few_bars_leave_blocks_empty(count, gap):
    data, sweep = dataset(bars("jumps", count, 9)), swept(4)
    moments = run_sweep(data, sweep, COSTS, gap_bars=gap).moments
    assert moments is not None
    for index in range(sweep.size):
        r = returns(data, sweep, index)
        pieces = blocks(r, gap)
        assert moments.counts.tolist() == [len(piece) for piece in pieces]
        sums = [piece.sum() for piece in pieces]
        np.testing.assert_allclose(moments.sums[index], sums, rtol=1e-9, atol=1e-15)
        assert moments.powers[index, 0] == pytest.approx(r.sum(), rel=1e-9, abs=1e-15)
    if gap == 0:
        assert int(moments.counts.sum()) == count


def test_whole_sums_do_not_depend_on_the_gap():
    data, sweep = dataset(bars("walk", 640, 2)), swept()
    found = [run_sweep(data, sweep, COSTS, gap_bars=gap).moments for gap in (0, 3, 39, 40)]
    whole = [one.powers for one in found if one is not None]
    for powers in whole[1:]:
        np.testing.assert_allclose(powers, whole[0], rtol=1e-12, atol=1e-15)
    last = found[-1]
    assert last is not None
    assert last.counts.tolist() == [40] + [0] * 15
    assert last.sums[:, 1:].tolist() == [[0.0] * 15] * sweep.size


def losing(*closes: float):
    """A short position of everything, on closes that are given."""
    risk = {"sizing": {"type": "fixed_qty", "qty": 1000}, "allow_short": True}
    spec = strategy_from(document(LOSING, risk) | {"params": {}})
    return dataset(priced(*closes)), compile_sweep(spec, {})


@pytest.mark.parametrize(
    "closes",
    [
        [100, 100, 150, 201, 120, 100, 100, 100],  # below zero, and back again
        [100, 100, 150, 200, 120, 100, 100, 100],  # exactly zero, and back again
        [100, 100, 100, 100, 100, 100, 100, 260],  # on the last bar
    ],
)
def test_a_trial_that_lost_its_equity_has_no_sums(closes):
    data, sweep = losing(*closes)
    flat = settings(PLAIN | {"bar_delay": 0})
    found = run_sweep(data, sweep, flat, gap_bars=0)
    assert found.moments is not None
    assert found.fills.tolist() == [1]
    for values in (found.moments.sums, found.moments.squares, found.moments.powers):
        assert np.isnan(values).all()
    assert found.moments.counts.sum() == len(closes)


def test_a_trial_that_keeps_a_little_has_them_all():
    data, sweep = losing(100, 100, 150, 199, 120, 100, 100, 100)
    flat = settings(PLAIN | {"bar_delay": 0})
    found = run_sweep(data, sweep, flat, gap_bars=0)
    assert found.moments is not None
    curve = np.array([100, 100, 50, 1, 80, 100, 100, 100]) / 100
    r = curve[1:] / curve[:-1] - 1
    assert found.moments.powers[0] == pytest.approx([(r**k).sum() for k in (1, 2, 3, 4)])


def test_sums_are_made_only_when_they_are_asked_for_and_change_nothing_else():
    data, sweep = dataset(bars("walk", 300, 2)), swept()
    plain, summed = (run_sweep(data, sweep, COSTS, gap_bars=gap) for gap in (None, 0))
    assert plain.moments is None
    assert summed.moments is not None
    assert plain.metrics.tobytes() == summed.metrics.tobytes()
    assert plain.final_equity.tobytes() == summed.final_equity.tobytes()


def test_threads_and_memory_change_no_byte_of_the_sums():
    data, sweep = dataset(bars("walk", 500, 2)), swept(40)

    def summed(threads, memory_bytes):
        moments = run_sweep(data, sweep, COSTS, threads, memory_bytes, gap_bars=3).moments
        assert moments is not None
        return [moments.sums.tobytes(), moments.squares.tobytes(), moments.powers.tobytes()]

    whole = summed(1, 128 << 20)
    for threads, memory_bytes in ((2, 128 << 20), (3, 128 << 20), (1, 0), (2, 3 * 8 * 501)):
        assert summed(threads, memory_bytes) == whole


@pytest.mark.parametrize("count", [1, 15, 16, 100, 12345])
def test_blocks_part_the_bars_evenly(count):
    edges = block_edges(count)
    assert (edges[0], edges[-1], len(edges)) == (0, count, 17)
    sizes = np.diff(edges)
    assert sizes.max() - sizes.min() <= 1
    assert kept_bars(edges, 0).tolist() == sizes.tolist()
    assert kept_bars(edges, count).tolist() == [sizes[0]] + [0] * 15
