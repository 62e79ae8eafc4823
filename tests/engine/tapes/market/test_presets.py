"""Presets differ as they are named, seed by seed: two samples of twenty by Mann and Whitney."""

from functools import cache

import numpy as np
import pytest
from scipy import stats

from contracts.regime import PRESET_BIAS
from engine.tapes.market import layout as at
from engine.tapes.market.latent import Latent
from tests.engine.tapes.market.markets import SECOND_NS, log, make, market_spec
from tests.engine.tapes.market.plans import planned
from tests.oracles.market_flow import clean_mids, last_at

SEEDS = range(20)
SECONDS = 1800


def control(preset):
    return log((0, {"preset_id": preset}))


def figures(preset, seed):
    """Volatility, spread and activity of one symbol as they are emitted."""
    spec = market_spec(("CVX",), SECONDS, control=control(preset), flow={"bursts_per_minute": 0.0})
    tape = make(spec, seed)
    quotes = tape["equity_quotes"]
    times, mids = clean_mids(quotes)
    grid = spec.start_ns + np.arange(60, SECONDS + 1, 10) * SECOND_NS
    returns = np.diff(np.log(last_at(times, mids, grid)))
    spreads = (quotes["ask_ticks"] - quotes["bid_ticks"])[quotes["ask_ticks"] > quotes["bid_ticks"]]
    prints = len(tape["equity_prints"]["seq"]) + len(tape["option_prints"]["seq"])
    return float(np.sqrt((returns**2).mean())), float(spreads.mean()), prints


@pytest.fixture(scope="module")
def samples():
    return {
        preset: np.array([figures(preset, seed) for seed in SEEDS])
        for preset in ("quiet_range", "retail_chase")
    }


@pytest.mark.parametrize(("place", "name"), list(enumerate(("volatility", "spread", "activity"))))
def test_a_quiet_range_is_calmer_than_a_retail_chase(samples, place, name):
    quiet, chase = (samples[preset][:, place] for preset in ("quiet_range", "retail_chase"))
    p = stats.mannwhitneyu(quiet, chase, alternative="less").pvalue
    assert p < 0.01, f"{name}: p = {p:.2g}, medians {np.median(quiet):.4g}, {np.median(chase):.4g}"


@cache
def bursts(preset):
    """Bursts of twenty minutes by family, seed by seed."""
    spec = market_spec(
        ("SPY", "NVDA", "TSLA", "XOM"),
        1200,
        control=control(preset),
        flow={"bursts_per_minute": 20.0, "spacing_s": 10.0, "decoys_per_burst": 0.0},
    )
    return [planned(spec, seed).families() for seed in SEEDS]


def shares(preset, family):
    """Share of a family among the bursts, seed by seed."""
    return np.array([counts[family] / sum(counts.values()) for counts in bursts(preset)])


@pytest.mark.parametrize(
    ("preset", "family"), [("event_day", "event_driven"), ("retail_chase", "retail_whale")]
)
def test_a_preset_has_more_bursts_of_its_name_than_a_quiet_range(preset, family):
    mine, quiet = shares(preset, family), shares("quiet_range", family)
    p = stats.mannwhitneyu(mine, quiet, alternative="greater").pvalue
    assert p < 0.01, f"{family}: p = {p:.2g}, medians {np.median(mine):.3f}, {np.median(quiet):.3f}"


def level(spec, seed):
    """Mean level of volatility of a session's first hours."""
    latent = Latent(spec, seed)
    starts = range(spec.start_ns, spec.end_ns, 300 * SECOND_NS)
    cells = [latent.next(start_ns, 300, spec.control).cells for start_ns in starts]
    return np.concatenate(cells)[:, at.VOLATILITY].mean()


def test_presets_are_told_apart_by_the_levels_of_their_states():
    """Volatility's level lies as the presets' amplitudes and regimes make it lie."""
    means = {}
    for preset in PRESET_BIAS:
        spec = market_spec(("XOM",), 7200, control=control(preset))
        means[preset] = np.mean([level(spec, seed) for seed in range(10)])
    assert means["quiet_range"] < 0.8 * means["balanced_demo"]
    assert means["balanced_demo"] < min(means[name] for name in ("event_day", "retail_chase"))
