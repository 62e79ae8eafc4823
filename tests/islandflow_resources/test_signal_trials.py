"""Trials of one chunk: where thresholds come from, and the oracle's numbers on the stored grid.

Which chunks an experiment has, and that each is made once, is in test_experiment_trials.py.
"""

import json
import math

import numpy as np
import pytest

from contracts.errors import ContractError
from contracts.validation import BLOCKS
from engine.signals.evaluate import Rule
from islandflow_resources.experiment_trials import calibration_of
from islandflow_resources.signal_trials import evaluator_of
from tests.islandflow_resources.campaigning import Home
from tests.islandflow_resources.experimenting import (
    BINS,
    EVAL,
    FIRST,
    SHARE,
    WARMUP,
    chunks_of,
    datasets_home,
    finished_folder,
    grid_columns,
    judged,
    opened,
    oracle_market,
    ready,
    run,
    serving_document,
    small,
)
from tests.oracles import barrier_trades as trades
from tests.oracles.book_signals import SIGNALS
from tests.oracles.signal_thresholds import adaptive

pytestmark = pytest.mark.xdist_group("books")


@pytest.fixture(scope="module")
def home():
    home = Home.embedded(finished_folder())
    yield home
    home.database.dispose()


@pytest.fixture(scope="module")
def experiment(home):
    return ready(home)


@pytest.fixture(scope="module")
def made(home, experiment):
    return run(home, experiment)


@pytest.fixture(scope="module")
def chunks(home, made):
    return chunks_of(home, made)


# -- calibration ---------------------------------------------------------------------------------


def of_signal(chunks, name):
    return [(row, table) for row, table in chunks if row["strategy_id"] == name]


def test_thresholds_of_every_dataset_are_those_of_the_first(home, experiment, chunks):
    assert len(chunks) == 6
    for name in ("msd", "spg"):
        (_, first), (_, second) = of_signal(chunks, name)
        assert first["threshold"].to_pylist() == second["threshold"].to_pylist()
        levels = []
        for number in (0, 1):
            with opened(home, experiment, number) as data:
                assert data.bins == BINS[number]
                values = SIGNALS[name](grid_columns(data))
                levels.append(adaptive(name, values, slice(WARMUP, FIRST)))
        assert sorted(set(first["threshold"].to_pylist())) == pytest.approx(levels[0], abs=1e-6)
        assert levels[0] != levels[1]


def test_nothing_is_traded_inside_the_calibration_part(home, experiment):
    assert int(SHARE * BINS[0]) == FIRST > WARMUP
    with opened(home, experiment) as data:
        calibration = calibration_of(experiment, data.dataset)
        assert calibration.first_bin == FIRST
        assert calibration.dataset_digest == data.dataset.content_digest
        evaluator = evaluator_of(data, experiment.spec.settings, calibration.first_bin)
        loud = np.where(np.arange(BINS[0]) % 2, 1.0, -1.0)
        found = evaluator.trades(loud, Rule(1.0, 2, 2, 2))
        assert found["bin_idx"][0] == FIRST
        assert len(found["bin_idx"]) > 3


# -- what the numbers are ------------------------------------------------------------------------


def oracle_rule(row, first=FIRST):
    return trades.Rule(
        threshold=row["threshold"],
        tp_ticks=row["tp_ticks"],
        sl_ticks=row["sl_ticks"],
        max_hold_bins=EVAL["max_hold_bins"],
        first_bin=first,
        cooldown_bins=row["cooldown_bins"],
        fee_ticks=EVAL["costs"]["fee_ticks"],
    )


def signal_params(row):
    told = json.loads(row["params"])
    return {
        name.removeprefix("signal."): int(value) if float(value).is_integer() else value
        for name, value in told.items()
        if name.startswith("signal.")
    }


def test_every_trial_is_the_oracle_s_on_the_stored_grid(home, experiment, chunks):
    seen = 0
    for number in (0, 1):
        with opened(home, experiment, number) as data:
            market, grid = oracle_market(data), grid_columns(data)
            own = [table for row, table in chunks
                   if row["scenario_key"] == data.dataset.dataset_id]  # fmt: skip
            assert len(own) == 3
            for table in own:
                seen += sum(check_row(row, market, grid) for row in table.to_pylist())
    assert seen > 100


def check_row(row, market, grid, signal=None, gap=2):
    """Hold one trial against the oracle; the number of its trades."""
    signal = signal or next(name for name in ("spg", "msd", "derivative") if is_of(row, name))
    timed = {"cell_width_ms": 100} if signal == "derivative" else {}
    values = SIGNALS[signal](grid, **signal_params(row), **timed)
    account = trades.account(values.tolist(), market, oracle_rule(row))
    figures = trades.figures(account, market)
    for name, figure in figures.items():
        none = 0 if name in ("n_up", "n_down") else math.nan
        ours, wanted = (none if value is None else value for value in (row[name], figure))
        assert ours == pytest.approx(wanted, rel=1e-9, abs=1e-9, nan_ok=True), (signal, name)
    returns = np.zeros(len(market.mid) - FIRST)
    for one in account.trades:
        returns[one.bin_idx - FIRST] += one.pnl_ticks / 2_000.0
    powers = [row[f"return_power_{k}"] for k in range(1, 5)]
    assert powers == pytest.approx([(returns**k).sum() for k in range(1, 5)], rel=1e-9, abs=1e-15)
    edges = np.arange(BLOCKS + 1) * len(returns) // BLOCKS
    sums = [returns[edges[b] + (gap if b else 0) : edges[b + 1]].sum() for b in range(BLOCKS)]
    told = [row[f"block_sum_{b:02}"] for b in range(BLOCKS)]
    assert told == pytest.approx(sums, rel=1e-9, abs=1e-15)
    if returns.any():
        assert row["sharpe"] == pytest.approx(returns.mean() / returns.std(ddof=1), rel=1e-6)
    return len(account.trades)


def is_of(row, signal):
    marks = {"derivative": "signal.d1_weight", "spg": "signal.fast_span_bins"}
    return f'"{marks.get(signal, "signal.weighted")}"' in row["params"]


def test_a_calibration_without_values_is_refused(home):
    with datasets_home() as own:
        written = small(eval={"calibration_share": 0.0})
        with pytest.raises(ContractError, match="no threshold of msd follows") as raised:
            run(own, ready(own, written))
        assert raised.value.code == "CALIBRATION_EMPTY"
        asked = small(eval={"calibration_share": 0.0, "thresholds": [5.0, 0.5]})
        found = chunks_of(own, run(own, ready(own, asked)))
        assert {tuple(table["threshold"].to_pylist()) for _, table in found} == {
            (5.0, 0.5, 5.0, 0.5)
        }


def test_variants_have_datasets_of_their_own_and_other_numbers():
    sweep = {
        "pipeline": {"tau_jerk": [5, 10]},
        "scoring": {"tanh_scale": [2, 4]},
        "per_signal": {"erd": {"zscore_window_bins": [20], "zscore_min_periods": [3],
                               "gate": [0]}},
    }  # fmt: skip
    with datasets_home() as home:
        written = small(
            id="swept",
            serving=serving_document(signal={"name": "erd"}),
            seeds="1",
            sweep=sweep,
            eval={"thresholds": [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]},
        )
        experiment = ready(home, written)
        made = run(home, experiment)
        assert made.trials == made.made == experiment.trials == 4 * 2
        found = chunks_of(home, made)
        assert len({row["scenario_key"] for row, _ in found}) == 4
        configs = [one.config.identity() for one in experiment.variants]
        assert len({json.dumps(one, sort_keys=True) for one in configs}) == 4
        numbers = [json.loads(row["params"])["variant"]
                   for row in made.candidates.table.to_pylist()]  # fmt: skip
        assert numbers == sorted(numbers)
        assert set(numbers) == {0, 1, 2, 3}
        assert len({row["dataset_digest"] for row, _ in found}) == 4
        shown = []
        for number, (_, table) in enumerate(found):
            with opened(home, experiment, 0, number) as data:
                market, grid = oracle_market(data), grid_columns(data)
                own = table.to_pylist()
                assert sum(check_row(row, market, grid, "erd", gap=0) for row in own) > 0
                shown.append(SIGNALS["erd"](grid, **signal_params(own[0])).tobytes())
        # The scale squeezes the score that erd reads.
        assert len(set(shown)) > 1
        assert run(home, experiment).made == 0


def test_a_configuration_that_another_experiment_counts_otherwise_has_the_same_trials():
    """It is variant 1 of one experiment and variant 0 of the other."""
    with datasets_home() as home:
        sweep = {"pipeline": {"tau_jerk": [5, 10]}, "per_signal": {"msd": {}}}
        first = ready(home, small(id="both", seeds="1", sweep=sweep))
        made = run(home, first)
        other = {**sweep, "pipeline": {"tau_jerk": [10]}}
        alone = ready(home, small(id="alone", seeds="1", sweep=other))
        again = run(home, alone)
        assert (made.made, again.made, again.trials) == (4, 0, 2)

        def rows(table, variant):
            return [
                {**row, "params": {**json.loads(row["params"]), "variant": None}, "candidate": None}
                for row in table.to_pylist()
                if json.loads(row["params"])["variant"] == variant
            ]

        assert rows(again.candidates.table, 0) == rows(made.candidates.table, 1)
        assert rows(made.candidates.table, 0) != rows(made.candidates.table, 1)
        best = judged(home, alone).dossier
        assert {one.name for one in best.criteria} >= {"parity", "checksums"}
