"""Features are what plain numpy takes of the windows that end at the bin."""

import numpy as np
import pytest

from benchmarks.studies.ml_shuffled import planted
from engine.signals.ml import gbm_mf, knn_cl, lsvm_der, svm_sp, xgb_snap
from engine.signals.ml.features import (
    DEVIATION,
    LATEST,
    MEAN,
    SLOPE,
    TOTAL,
    Features,
    Recipe,
    windows,
)
from engine.signals.ml.readings import asymmetry

COUNTS = {svm_sp: 45, gbm_mf: 53, knn_cl: 35, lsvm_der: 60, xgb_snap: 163}
BAND = (4, 11)
READING = asymmetry("v_add", BAND)
RECIPE = Recipe(
    ("v_add",),
    (
        (READING, LATEST, 1),
        *windows(MEAN, (7, 60), READING, None),
        *windows(DEVIATION, (7, 60), READING, None),
        *windows(SLOPE, (7, 60), READING, None),
        *windows(TOTAL, (7, 60), READING, None),
    ),
)


@pytest.mark.parametrize("module", COUNTS, ids=lambda module: module.__name__.rpartition(".")[2])
def test_a_recipe_has_the_features_that_the_reference_counts(module):
    assert len(module.RECIPE.features) == COUNTS[module]
    assert len(set(module.RECIPE.features)) == COUNTS[module]


def taken(kind, values):
    if kind == TOTAL:
        return values.sum()
    if kind == MEAN:
        return values.mean()
    if kind == DEVIATION:
        return values.std()
    return np.polyfit(np.arange(len(values)), values, 1)[0] if len(values) > 1 else 0.0


def test_windows_are_what_numpy_takes_of_them_even_when_they_are_not_full():
    series = planted(150, 1)
    rows = series.columns["v_add"]
    middle = rows.shape[1] // 2
    low, high = BAND
    bids = rows[:, middle - high : middle - low + 1].mean(axis=1)
    read = bids - rows[:, middle + low : middle + high + 1].mean(axis=1)
    valid = np.flatnonzero(series.mid_price > 0)
    moves = np.zeros(150)
    moves[valid[1:]] = np.diff(series.mid_price[valid]) / series.tick_size
    features = Features(RECIPE, middle)
    out = np.empty(len(features))
    for i in range(150):
        features.put(series, i, out)
        wanted = [read[i]]
        wanted += [
            taken(kind, (moves if one is None else read)[max(0, i + 1 - width) : i + 1])
            for one, kind, width in RECIPE.features[1:]
        ]
        assert out == pytest.approx(wanted, rel=1e-9, abs=1e-9)


def test_a_wider_window_of_rows_gives_the_same_features():
    series = planted(5, 2)
    narrow, wide = Features(knn_cl.RECIPE, 50), Features(knn_cl.RECIPE, 53)
    sides = ((0, 0), (3, 3))
    padded = {
        name: np.pad(rows, sides, constant_values=9.0) for name, rows in series.columns.items()
    }
    grown = type(series)(padded, series.mid_price, series.ts_ns, 100, series.tick_size)
    one, other = np.empty(35), np.empty(35)
    for i in range(5):
        narrow.put(series, i, one)
        wide.put(grown, i, other)
        assert one.tobytes() == other.tobytes()
