"""Do learnt signals earn where there is nothing to learn? Planted, shuffled and unpurged markets.

``python -m benchmarks.studies.ml_shuffled`` prints the long study as a markdown table; its short
form is tests/engine/signals/ml/test_shuffled.py. A planted market has a driver that both the
rows and the mid follow; a shuffled one has the same rows, and mids that know nothing of them;
an unpurged learner trains on labels that later bins decided.
"""

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, NamedTuple

import numpy as np

from engine.signals.ml import ML_SIGNALS, MlSignal, Series, predictions
from engine.signals.ml.knn_cl import RECIPE, KnnClassifier
from engine.signals.ml.models import Neighbours
from engine.signals.ml.walk_forward import Plan, WalkForward

Floats = np.ndarray

BINS: Final = 4_000
SEEDS: Final = 20
REFIT_BINS: Final = 300
RADIUS: Final = 50
TICK: Final = 0.25
MOVE_TICKS: Final = 2
HOLD_BINS: Final = 40
Z_95: Final = 1.959963984540054
COLUMNS: Final = tuple(sorted({name for signal in ML_SIGNALS for name in signal.columns}))
_OPPOSITE: Final = ("vacuum_variant", "v_pull", "a_pull", "j_pull")

_LABELLED: Final[dict[str, float]] = {
    "tp_ticks": MOVE_TICKS,
    "sl_ticks": MOVE_TICKS,
    "max_hold_bins": HOLD_BINS,
    "embargo_bins": HOLD_BINS,
    "min_train_rows": 60,
    "first_bin": 200,
    "refit_bins": 150,
}
_TREES: Final[dict[str, float]] = {**_LABELLED, "rounds": 30}
PARAMS: Final[dict[str, dict[str, float]]] = {
    "svm_sp": _LABELLED,
    "gbm_mf": _TREES,
    "knn_cl": _LABELLED,
    "lsvm_der": {**_LABELLED, "full_refit_bins": 300},
    "xgb_snap": _TREES,
    "pca_ad": {"window_bins": 200, "first_bin": 200, "refit_bins": 100},
}
"""Labels of a few ticks and a few bins, so that thousands of bins hold hundreds of trades."""

THRESHOLDS: Final = {"probability": 0.5, "confidence": 0.0}


class Worth(NamedTuple):
    """Profits of some trades together, in ticks."""

    trades: int
    mean: float
    error: float

    def holds_nothing(self, z: float = Z_95) -> bool:
        """Whether 0 lies in the interval of `z` standard errors about the mean."""
        return abs(self.mean) <= z * self.error

    def earns(self, z: float = Z_95) -> bool:
        """Whether the whole interval lies above 0."""
        return self.mean > z * self.error


def planted(bins: int, seed: int) -> Series:
    """A market whose mid and rows follow one driver, with one valid bin in a hundred missing."""
    rng = np.random.default_rng(seed)
    driver, shocks = np.zeros(bins), rng.normal(size=bins) * math.sqrt(1.0 - 0.95**2)
    for i in range(1, bins):
        driver[i] = 0.95 * driver[i - 1] + shocks[i]
    side = np.sign(-np.arange(-RADIUS, RADIUS + 1))
    columns = {}
    for name in COLUMNS:
        way = -1.0 if name in _OPPOSITE else 1.0
        columns[name] = way * np.outer(driver, side) + rng.normal(size=(bins, 2 * RADIUS + 1))
    steps = np.where(rng.random(bins) < 0.5 + 0.4 * np.tanh(driver), 1, -1)
    mid = 20_000.0 + TICK * np.cumsum(np.roll(steps, 1))
    mid[rng.random(bins) < 0.01] = np.nan
    ts_ns = np.arange(bins, dtype=np.int64) * 100_000_000
    return Series(columns, mid, ts_ns, 100, TICK)


def shuffled(series: Series, seed: int) -> Series:
    """The same rows with mids whose increments are permuted and have signs drawn anew.

    The signs take out the drift of the sample, which a permutation keeps and anything would earn
    that goes one way.
    """
    rng = np.random.default_rng(seed)
    valid = np.flatnonzero(series.mid_price > 0.0)
    increments = rng.permutation(np.diff(series.mid_price[valid]))
    increments *= rng.choice((-1.0, 1.0), len(increments))
    mid = np.full(len(series), np.nan)
    mid[valid] = series.mid_price[valid[0]] + np.concatenate(([0.0], np.cumsum(increments)))
    return replace(series, mid_price=mid)


def profits(values: Floats, mode: str, mid: Floats) -> Floats:
    """Profits in ticks, free of costs, of entries that wait for the exit of the one before.

    Exits are at `MOVE_TICKS` either way, or after `HOLD_BINS`.
    """
    centre = 0.5 if mode == "probability" else 0.0
    found: list[float] = []
    free_from = 0
    for i in np.flatnonzero(np.isfinite(values) & (mid > 0.0)).tolist():
        if (
            i < free_from
            or values[i] == centre
            or abs(values[i] - centre) < THRESHOLDS[mode] - centre
        ):
            continue
        later = i + 1 + np.flatnonzero(mid[i + 1 : i + HOLD_BINS] > 0.0)
        if len(later) == 0:
            continue
        moves = (mid[later] - mid[i]) / TICK
        hits = np.flatnonzero(np.abs(moves) >= MOVE_TICKS)
        end = int(hits[0]) if len(hits) else len(later) - 1
        found.append(math.copysign(1.0, values[i] - centre) * float(moves[end]))
        free_from = int(later[end])
    return np.array(found)


def worth(found: Sequence[Floats]) -> Worth:
    """Mean and standard error of profits of one market or more."""
    all_of_them = np.concatenate(found)
    count = len(all_of_them)
    return Worth(
        count, float(all_of_them.mean()), float(all_of_them.std(ddof=1)) / math.sqrt(count)
    )


def earned(signal: type[MlSignal], series: Series, **changes: float) -> Floats:
    """Profits of a signal on a market, with some of its parameters changed."""
    params = {**PARAMS[signal.name], **changes}
    return profits(predictions(signal, params, series), signal.mode, series.mid_price)


def unpurged(series: Series) -> Floats:
    """Profits of nearest neighbours fitted often, on labels that later bins decided."""
    params = KnnClassifier.bound({**PARAMS["knn_cl"], "refit_bins": 5})
    plan = replace(Plan.of(params), gap_bins=0)
    learner = WalkForward(KnnClassifier, RECIPE, Neighbours(int(params["neighbours"])), plan)
    values = np.array([learner.update(series, bin_) for bin_ in range(len(series))])
    return profits(values, KnnClassifier.mode, series.mid_price)


def cell(found: Worth) -> str:
    """Mean with the half width of its interval of 95 %, and the number of trades."""
    return f"{found.mean:+.4f} ± {Z_95 * found.error:.4f} ({found.trades})"


def row(name: str, markets: Sequence[Floats], shuffles: Sequence[Floats]) -> str:
    """Line of the table: what is earned, and how many shuffled markets show nothing."""
    nothing = sum(worth([one]).holds_nothing() for one in shuffles)
    cells = (cell(worth(markets)), cell(worth(shuffles)), f"{nothing} of {len(shuffles)}")
    return f"| {name} | {' | '.join(cells)} |"


def both(profit: Callable[[Series], Floats]) -> tuple[list[Floats], list[Floats]]:
    """Profits on every planted market and on every shuffled one, each made when it is its turn."""
    worlds = (planted(BINS, seed) for seed in range(SEEDS))
    pairs = [(profit(one), profit(shuffled(one, seed))) for seed, one in enumerate(worlds)]
    return [one for one, _ in pairs], [other for _, other in pairs]


def main() -> int:
    """Print the table; 1 if a signal earns on shuffled markets, or the control does not."""
    print(
        "| signal | planted, ticks a trade | shuffled | shuffled markets with 0 in the interval |"
    )
    print("|---|---|---|---|")
    failed = False
    for signal in ML_SIGNALS:
        markets, shuffles = both(partial(earned, signal, refit_bins=REFIT_BINS))
        print(row(signal.name, markets, shuffles), flush=True)
        failed |= worth(shuffles).earns() or not worth(markets).earns()
    markets, control = both(unpurged)
    print(row("knn_cl, unpurged", markets, control))
    return int(failed or not worth(control).earns())


if __name__ == "__main__":
    sys.exit(main())
