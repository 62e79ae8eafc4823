"""The Monte Carlo oracle gives what was worked out by hand from docs/validation.md.

The oracle under test is tests/oracles/montecarlo.py; the engine is compared with it in
tests/engine/montecarlo. The generator below it is held to published vectors in
tests/engine/test_rng.py.
"""

import itertools
import math
import statistics
from fractions import Fraction

import numpy as np
import pytest

from contracts.validation import MonteCarloSettings
from tests.oracles import montecarlo as oracle

# Nearly every path has a losing bar, but not every one: its profit factor may be infinite.
WAVE = [0.02 * math.sin(t / 2) + 0.002 for t in range(30)]


# Every block of two bars has a losing one.
SAW = [(-1) ** t * 0.01 + 0.004 * math.sin(t * t) for t in range(40)]


def settings(**changes):
    return MonteCarloSettings(**{"block_bars": 5, "seed": 7} | changes)


def test_returns_begin_at_the_cash_and_end_with_the_money():
    assert oracle.returns_of([110.0, 99.0], 100.0) == pytest.approx([0.1, -0.1])
    assert oracle.returns_of([110.0, 0.0, 50.0], 100.0) is None
    assert oracle.returns_of([110.0, -1.0], 100.0) is None


@pytest.mark.parametrize(
    ("method", "block_bars", "wanted"),
    [
        ("circular", 40, (88, 40)),
        ("stationary", 1, (88, 1)),
        # ln 0.60548 = −0.50173; over ln 0.5 = −0.69315 that is 0.72, over ln 0.9 = −0.10536 4.76.
        ("stationary", 2, (88, 1)),
        ("stationary", 10, (88, 5)),
    ],
)
def test_a_block_is_read_off_a_published_vector(monkeypatch, method, block_bars, wanted):
    # Key 0, counter 0 gives 6627e8d5 e169c58d bc57ac4c 9b00dbd8: u = 0.88052, v = 0.60548.
    monkeypatch.setattr(oracle, "stream", lambda name: {f"montecarlo/{method}": 0}[name])
    chosen = settings(method=method, block_bars=block_bars, seed=0)
    assert next(oracle.blocks(chosen, 0, 100)) == wanted


def test_block_j_of_path_p_has_an_address_of_its_own(monkeypatch):
    asked = []
    monkeypatch.setattr(oracle, "stream", lambda _: 3)
    monkeypatch.setattr(oracle, "uniform", lambda *address: asked.append(address) or 0.5)
    list(itertools.islice(oracle.blocks(settings(method="stationary"), 2, 10), 2))
    base = 2 * 2**32
    assert asked == [(7, 3, base, 0), (7, 3, base, 1), (7, 3, base + 1, 0), (7, 3, base + 1, 1)]


def test_a_path_wraps_around_and_cuts_its_last_block():
    chosen = settings(block_bars=3)
    (first, _), (second, _) = itertools.islice(oracle.blocks(chosen, 4, 5), 2)
    wanted = [first, first + 1, first + 2, second, second + 1]
    assert oracle.resample(range(5), chosen, 4) == [t % 5 for t in wanted]
    # A block longer than the series goes round it.
    start, _ = next(oracle.blocks(settings(block_bars=7), 4, 5))
    turned = [(start + i) % 5 for i in range(5)]
    assert oracle.resample(range(5), settings(block_bars=7), 4) == turned


def test_blocks_start_anywhere_and_have_geometric_lengths():
    drawn = list(
        itertools.islice(oracle.blocks(settings(method="stationary", block_bars=4), 0, 10), 4000)
    )
    starts = np.bincount([start for start, _ in drawn], minlength=10)
    assert len(starts) == 10
    # χ² of 9 degrees has its 99.9 % quantile at 27.9.
    assert ((starts - 400) ** 2 / 400).sum() < 27.9
    lengths = [length for _, length in drawn]
    # Mean 4, variance (1 − p)/p² = 12: 4 standard errors are 4 √(12/4000) = 0.22.
    assert statistics.fmean(lengths) == pytest.approx(4, abs=0.22)
    # P(1) = 1/4, P(2) = 3/16; 4 standard errors are below 0.028.
    assert lengths.count(1) / 4000 == pytest.approx(0.25, abs=0.028)
    assert lengths.count(2) / 4000 == pytest.approx(0.1875, abs=0.028)


@pytest.mark.parametrize("method", ["circular", "stationary"])
def test_the_sum_of_a_path_varies_as_the_theory_says(method):
    # Bars i apart covary by the circular autocovariance if they share a block and not otherwise.
    # Politis, Romano 1994: they share one of geometric length with probability (1 − 1/L)^i.
    bars, length, paths = len(WAVE), 5, 1500
    r = np.array(WAVE) - np.mean(WAVE)
    shared = [
        (bars - i) * (1 - 1 / length) ** i
        if method == "stationary"
        else bars // length * max(length - i, 0)
        for i in range(bars)
    ]
    covariances = [float(np.mean(r * np.roll(r, i))) for i in range(bars)]
    pairs = zip(shared, covariances, strict=True)
    wanted = sum(n * c * (1 if i == 0 else 2) for i, (n, c) in enumerate(pairs))
    chosen = settings(method=method, block_bars=length)
    sums = [sum(oracle.resample(WAVE, chosen, path)) for path in range(paths)]
    # A variance over 1,500 paths has a relative standard error of √(2/1500) = 0.037.
    assert statistics.variance(sums) == pytest.approx(wanted, rel=0.13)


def test_a_path_is_measured_bar_by_bar():
    # Equity 1.5, 0.75, 0.9. Mean 1/15, variance (0.4333² + 0.5667² + 0.1333²)/2 = 0.26333.
    found = oracle.measure([0.5, -0.5, 0.2], 1.0)
    assert found.max_drawdown == pytest.approx(-0.5)
    assert found.profit_factor == pytest.approx(1.4)
    assert found.total_return == pytest.approx(-0.1)
    assert found.sharpe == pytest.approx(1 / 15 / math.sqrt(0.79 / 3) * math.sqrt(252))
    assert oracle.measure([-0.25, 0.1], 4.0).max_drawdown == pytest.approx(-0.25)
    assert oracle.sharpe([0.0, 0.2], 4.0) == pytest.approx(0.1 / math.sqrt(0.02) * math.sqrt(1008))


def test_a_path_without_losses_or_without_moves_is_a_special_case():
    assert oracle.measure([0.1, 0.0], 1.0).profit_factor == math.inf
    assert oracle.measure([-0.1, 0.0], 1.0).profit_factor == 0
    assert oracle.measure([0.1] * 3, 1.0) == oracle.Path(0, 0, math.inf, pytest.approx(0.331))
    assert oracle.measure([0.0] * 3, 1.0) == oracle.Path(0, 0, None, 0)


def test_a_percentile_is_interpolated():
    # Places 4 · 0.05 = 0.2, 2 and 3.8 of 1 … 5.
    found = [oracle.percentile([4, 1, 3, 2, 5], q) for q in (5, 50, 95)]
    assert found == pytest.approx([1.2, 3, 4.8])
    values = np.random.default_rng(1).normal(size=137)
    for q in (5, 50, 95):
        assert oracle.percentile(values, q) == pytest.approx(np.percentile(values, q))
    assert oracle.percentile([1, 2, math.inf], 50) == 2
    assert oracle.percentile([1, math.inf], 5) == math.inf


def test_a_standard_error_spans_order_statistics():
    # 0 … 99, median: d = 1.96 · 5 = 9.8, places 40 and 60. At 5 %: d = 4.27, places 0 and 10.
    assert oracle.standard_error(range(100), 50) == pytest.approx(20 / 3.92)
    assert oracle.standard_error(range(100), 5) == pytest.approx(10 / 3.92)
    # 0 … 19: d = 1.91, so that −1 is cut to 0, and 21 to 19.
    assert oracle.standard_error(range(20), 5) == pytest.approx(3 / 3.92)
    assert oracle.standard_error(range(20), 95) == pytest.approx(2 / 3.92)


@pytest.mark.parametrize("q", [5, 50, 95])
def test_places_in_doubles_are_the_exact_ones(q):
    # 10,000 paths: d of the median is 98 exactly, and one rounding would move a place.
    for n in range(1_000, 200_001, 1_000):
        centre = Fraction(n * q, 100)
        squared = Fraction(196, 100) ** 2 * n * q * (100 - q) / 10_000
        low, high = oracle.places(n, q)
        assert (high - centre) ** 2 >= squared > (high - 1 - centre) ** 2
        assert (centre - low) ** 2 >= squared > (centre - low - 1) ** 2


def test_paths_grow_with_the_square_of_what_is_missing():
    # 1.1 · 2000 · 1.5² = 4950; · 3² = 19800, cut to 8000; · 1.001² = 2204.4.
    assert oracle.next_count(2_000, 1.5, 200_000) == 5_000
    assert oracle.next_count(2_000, 3.0, 200_000) == 8_000
    assert oracle.next_count(2_000, 1.001, 200_000) == 3_000
    assert oracle.next_count(2_000, 3.0, 4_500) == 4_500


def test_more_paths_are_the_same_and_others():
    few = oracle.simulate(WAVE, settings(paths=20), 1.0)
    many = oracle.simulate(WAVE, settings(paths=40), 1.0)
    assert many.paths[:20] == few.paths
    assert (len(few.paths), len(many.paths), few.converged) == (20, 40, True)
    assert few.paths != oracle.simulate(WAVE, settings(paths=20, seed=8), 1.0).paths


def test_a_summary_is_of_the_paths():
    found = oracle.simulate(WAVE, settings(paths=200, ruin_drawdown=0.08), 6.0)
    drawdowns = sorted(path.max_drawdown for path in found.paths)
    # Place 199 · 0.05 = 9.95 of the signed drawdowns: nine or ten paths in 200 are worse.
    assert drawdowns[9] < found.values["max_drawdown_p95"] <= drawdowns[10]
    assert found.values["sharpe_p50"] == pytest.approx(
        statistics.median(path.sharpe for path in found.paths)
    )
    assert found.values["total_return_p5"] < found.values["total_return_p50"]
    losses = [path for path in found.paths if path.total_return < 0]
    ruins = [path for path in found.paths if path.max_drawdown <= -0.08]
    assert found.values["probability_of_loss"] == len(losses) / 200
    assert 0 < found.values["probability_of_ruin"] == len(ruins) / 200 < 1


def test_precision_stops_when_every_error_is_small_enough():
    found = oracle.simulate(SAW, settings(precision=0.04), 1.0)
    assert found.converged
    assert found.rounds[0] == 2_000
    assert len(found.rounds) > 1
    assert len(found.paths) == found.rounds[-1] < 12_000
    assert all(found.errors[name] <= found.allowed[name] for name in found.errors)
    assert len(found.errors) == 9
    deviation = statistics.stdev(path.sharpe for path in found.paths)
    assert found.allowed["sharpe_p5"] == pytest.approx(0.04 * deviation)
    assert found.allowed["probability_of_loss"] == 0.04


def test_precision_that_meets_the_cap_has_not_converged():
    found = oracle.simulate(SAW, settings(precision=0.001, max_paths=2_500), 1.0)
    assert (found.converged, found.rounds, len(found.paths)) == (False, [2_000, 2_500], 2_500)


def test_what_never_moves_or_never_loses_has_converged_without_a_profit_factor():
    still = oracle.simulate([0.0] * 4, settings(precision=0.01), 1.0)
    assert (still.converged, still.rounds) == (True, [2_000])
    assert still.reasons == {"profit_factor_p5": "no path defines it"}
    assert set(still.values.values()) == {0, None}
    rising = oracle.simulate([0.01, 0.02], settings(paths=20), 1.0)
    assert rising.reasons == {"profit_factor_p5": "no losing bar"}
    assert rising.values["probability_of_loss"] == 0


def test_an_infinite_profit_factor_has_no_deviation_but_may_have_a_percentile():
    found = oracle.simulate(WAVE, settings(precision=0.2), 1.0)
    assert max(path.profit_factor for path in found.paths) == math.inf
    assert 0 < found.values["profit_factor_p5"] < 1
    assert set(found.values) - set(found.errors) == {"profit_factor_p5"}
