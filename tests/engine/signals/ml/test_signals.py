"""The six learnt signals: they learn, look at no later bin, and give the same bytes every time."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from benchmarks.studies.ml_shuffled import COLUMNS, HOLD_BINS, MOVE_TICKS, PARAMS, planted
from contracts.errors import ConfigurationError, ContractError
from engine.signals.ml import ML_SIGNALS, predictions, versions
from engine.signals.ml.labels import first_moves

ROOT = Path(__file__).parents[4]
SERIES = planted(1000, 1)
OTHER = planted(1000, 2)
CUTS = (420, 777)
FEW_TREES = {name: {"rounds": 12} for name in ("gbm_mf", "xgb_snap")}

every_signal = pytest.mark.parametrize("signal", ML_SIGNALS, ids=lambda signal: signal.name)


def quick(signal):
    return {**PARAMS[signal.name], **FEW_TREES.get(signal.name, {})}


@cache
def values(signal):
    return predictions(signal, quick(signal), SERIES)


def digests(bins):
    """Digest of the values of every signal over a beginning."""
    return {
        one.name: sha256(predictions(one, quick(one), first(SERIES, bins)).tobytes()).hexdigest()
        for one in ML_SIGNALS
    }


def first(series, bins):
    columns = {name: rows[:bins] for name, rows in series.columns.items()}
    return replace(
        series, columns=columns, mid_price=series.mid_price[:bins], ts_ns=series.ts_ns[:bins]
    )


def spoiled(series, bins):
    """The series with another one from a bin on."""
    columns = {
        name: np.concatenate([rows[:bins], -1e3 * OTHER.columns[name][bins:]])
        for name, rows in series.columns.items()
    }
    mid = np.concatenate([series.mid_price[:bins], 2.0 * OTHER.mid_price[bins:]])
    return replace(series, columns=columns, mid_price=mid)


@every_signal
def test_a_planted_relation_is_learnt(signal):
    found = values(signal) - (0.5 if signal.mode == "probability" else 0.0)
    labels = first_moves(SERIES.mid_price, 0, 1000, MOVE_TICKS * SERIES.tick_size, HOLD_BINS)
    told = np.isfinite(found) & (found != 0.0) & (labels != 0)
    assert told.sum() > 400
    assert (np.sign(found[told]) == labels[told]).mean() > 0.65


@every_signal
def test_a_beginning_alone_gives_the_beginning_of_the_whole_to_the_bit(signal):
    for bins in CUTS:
        assert np.isfinite(values(signal)[:bins]).any()
        found = predictions(signal, quick(signal), first(SERIES, bins))
        assert found.tobytes() == values(signal)[:bins].tobytes()


@every_signal
def test_nothing_after_a_bin_changes_what_is_told_up_to_it(signal):
    bins = CUTS[0]
    learner = signal.learner(quick(signal), 100)
    changed = spoiled(SERIES, bins)
    found = np.array([learner.update(changed, bin_) for bin_ in range(bins)])
    assert found.tobytes() == values(signal)[:bins].tobytes()


@every_signal
def test_a_series_that_grows_gives_the_same_bytes_again(signal):
    learner = signal.learner(quick(signal), 100)
    found = np.array([learner.update(first(SERIES, i + 1), i) for i in range(CUTS[0])])
    assert found.tobytes() == values(signal)[: CUTS[0]].tobytes()


@every_signal
def test_there_is_no_prediction_before_the_first_fit_or_without_a_valid_book(signal):
    missing = ~np.isfinite(values(signal))
    fitted = int(np.argmin(missing))
    assert fitted >= quick(signal)["first_bin"]
    assert missing[fitted:].tolist() == (~(SERIES.mid_price[fitted:] > 0.0)).tolist()


@every_signal
def test_values_are_within_the_bounds_of_their_mode(signal):
    found = values(signal)[np.isfinite(values(signal))]
    if signal.mode == "probability":
        assert found.min() >= 0.0
        assert found.max() <= 1.0
    assert found.std() > 0.0
    assert signal.thresholds == tuple(sorted(signal.thresholds))


def test_the_derivatives_are_fitted_fully_at_every_second_fit_as_the_defaults_say():
    signal = next(one for one in ML_SIGNALS if one.name == "lsvm_der")
    found = signal.bound({})
    assert (found["refit_bins"], found["full_refit_bins"]) == (600, 1200)
    learner = signal.learner(quick(signal), 100)
    for bin_ in range(len(SERIES)):
        learner.update(SERIES, bin_)
    # At 200, 350, … 950, and full whenever 300 bins have passed since the last full one.
    assert (learner.refits, learner.partial_refits) == (6, 3)


@every_signal
def test_schedules_are_those_of_the_reference(signal):
    wanted = {
        "svm_sp": (1200, 300), "gbm_mf": (2400, 600), "knn_cl": (1800, 300),
        "lsvm_der": (1500, 600), "xgb_snap": (3000, 600), "pca_ad": (700, 100),
    }  # fmt: skip
    found = signal.bound({})
    assert (found["first_bin"], found["refit_bins"]) == wanted[signal.name]


@every_signal
def test_unknown_and_impossible_parameters_are_refused_together(signal):
    with pytest.raises(ContractError) as caught:
        signal.learner({"wings": 2, "refit_bins": 0, "first_bin": 1.5}, 100)
    codes = [(one.code, one.loc) for one in caught.value.problems]
    assert codes == [
        ("SIGNAL_PARAMETER_UNKNOWN", "wings"),
        ("SIGNAL_PARAMETER_INVALID", "refit_bins"),
        ("SIGNAL_PARAMETER_INVALID", "first_bin"),
    ]


@every_signal
def test_a_series_without_the_columns_or_with_too_few_rows_is_refused(signal):
    name = signal.columns[-1]
    rest = {one: rows for one, rows in SERIES.columns.items() if one != name}
    with pytest.raises(ContractError, match=f"reads {name}, which the series does not hold"):
        signal.learner({}, 100).update(replace(SERIES, columns=rest), 0)
    low = 50 - signal.least_radius + 1
    narrow = {one: rows[:, low:-low] for one, rows in SERIES.columns.items()}
    with pytest.raises(ContractError, match="cannot read columns of the shapes") as caught:
        signal.learner({}, 100).update(replace(SERIES, columns=narrow), 0)
    assert f"R of at least {signal.least_radius}" in caught.value.hints[0]


def test_the_declared_columns_are_those_that_are_read():
    assert {name for signal in ML_SIGNALS for name in signal.columns} == set(COLUMNS)
    for signal in ML_SIGNALS:
        only = {name: SERIES.columns[name] for name in signal.columns}
        learner = signal.learner({}, 100)
        assert np.isnan(learner.update(replace(SERIES, columns=only), 0))


def test_listing_loads_no_library_and_another_process_on_one_thread_gives_the_same_bytes():
    code = (
        "import sys; from engine.signals.ml import ML_SIGNALS; "
        "print(len(ML_SIGNALS), {'sklearn', 'lightgbm', 'xgboost'} & set(sys.modules)); "
        "from tests.engine.signals.ml.test_signals import *; print(digests(500))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["6 set()", str(digests(500))]


def test_learners_on_threads_of_one_process_disturb_each_other_in_nothing():
    signals = [one for one in ML_SIGNALS if one.name in {"svm_sp", "lsvm_der", "pca_ad"}] * 2
    with ThreadPoolExecutor(len(signals)) as pool:
        found = list(pool.map(lambda one: predictions(one, quick(one), SERIES), signals))
    for signal, one in zip(signals, found, strict=True):
        assert one.tobytes() == values(signal).tobytes()


@pytest.mark.parametrize(
    ("name", "module"),
    [("svm_sp", "sklearn"), ("gbm_mf", "lightgbm"), ("lsvm_der", "sklearn.linear_model"),
     ("xgb_snap", "xgboost"), ("pca_ad", "sklearn")],
)  # fmt: skip
def test_a_missing_library_is_named_with_what_to_install(name, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    signal = next(one for one in ML_SIGNALS if one.name == name)
    with pytest.raises(ConfigurationError) as caught:
        signal.learner({}, 100)
    assert caught.value.code == "ML_EXTRA_MISSING"
    assert caught.value.loc == module.partition(".")[0]
    assert caught.value.hints == ("pip install 'islandflow[ml]'",)


def test_the_versions_of_the_libraries_are_told():
    import lightgbm
    import sklearn
    import xgboost

    wanted = {one.__name__: one.__version__ for one in (sklearn, lightgbm, xgboost)}
    assert versions() == wanted
