"""The signal gbm_mf: LightGBM on features of many kinds.

The reference gives the model and the count of features (53); the composition is here.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.signals.definition import Parameter, bins
from engine.signals.ml.definition import Learner, MlSignal
from engine.signals.ml.features import (
    RETURN_WINDOWS,
    SLOPE,
    SLOPE_WINDOWS,
    TOTAL,
    Recipe,
    latest,
    spreads,
    windows,
)
from engine.signals.ml.libraries import Boosting, lightgbm_trees, load
from engine.signals.ml.models import Trees
from engine.signals.ml.readings import (
    BANDS,
    BANDS_RADIUS,
    PRESSURE,
    VACUUM,
    Reading,
    above,
    asymmetry,
    below,
    cell,
    less,
    mean_of,
)
from engine.signals.ml.walk_forward import Plan, WalkForward, training

_ALL = (1, BANDS_RADIUS)
_FORCES = ("v_add", "v_pull", "v_fill", PRESSURE, VACUUM)
_MOVES = ("best_bid_move_ticks", "best_ask_move_ticks")


def _by_distance(column: str) -> Reading:
    """Sum over the asks' rows less that over the bids' rows, every row weighted by 1 / |k|."""
    rows = (*below(_ALL), *above(_ALL))
    return tuple((column, k, 1.0 / k) for k in rows)


RECIPE = Recipe(
    (*_FORCES, "flow_score", "flow_state_code", "state5_code", *_MOVES),
    latest(*(asymmetry(name, band) for name in _FORCES for band in BANDS))
    + windows(
        SLOPE,
        SLOPE_WINDOWS,
        *(asymmetry("v_add", band) + less(asymmetry("v_pull", band)) for band in BANDS),
    )
    + latest(*(mean_of("flow_score", side(band)) for band in BANDS for side in (below, above)))
    + latest(*(mean_of("flow_state_code", side(_ALL)) for side in (below, above)))
    + latest(_by_distance(PRESSURE), _by_distance(VACUUM), cell("state5_code", 1))
    + windows(TOTAL, (10, 50), *(cell(name, 0) for name in _MOVES))
    + spreads(RETURN_WINDOWS, None)
    + windows(TOTAL, (1, 5, 10, 25, 50, 100, 200, 300), None),
)


class GbmManyFeatures(MlSignal):
    """Probability of a rise by LightGBM's trees.

    53 features: the asymmetries, in the bands |k| 1–3, 4–11 and 12–23, of the speeds of adds,
    pulls and fills, of pressure and of vacuum (15); slopes over 10, 25 and 50 bins of the
    bands' adds less pulls (9); the mean flow score of either side of each band (6) and the mean
    flow state of either side (2); pressure and vacuum weighted by 1 / k (2); the label of the rows
    above the centre (1); the moves of the best bid and ask over 10 and 50 bins (4); mean and
    standard deviation of the mid's moves over 50, 200 and 600 bins (6); the mid's move over 1,
    5, 10, 25, 50, 100, 200 and 300 bins (8).
    """

    name = "gbm_mf"
    doc = "LightGBM on 53 features of flow, labels and moves"
    columns = RECIPE.columns
    least_radius = BANDS_RADIUS
    mode = "probability"
    thresholds = (0.50, 0.52, 0.55, 0.58, 0.60, 0.65)
    parameters = (
        Parameter("leaves", 31.0, 2.0, 1024.0, True, "leaves of a tree"),
        Parameter("learning_rate", 0.05, 1e-4, 1.0, False, "share of a tree that is believed"),
        bins("rounds", 200, "trees at most"),
        bins("stop_rounds", 20, "trees without gain on the newest fifth that end the growth"),
        *training(2400, 600),
    )

    @classmethod
    def learner(cls, params: Mapping[str, float], cell_width_ms: int) -> Learner:
        """A new learner, see `MlSignal`."""
        found = cls.bound(params)
        load("lightgbm")
        how = Boosting(
            found["learning_rate"],
            int(found["rounds"]),
            int(found["stop_rounds"]),
            int(found["leaves"]),
        )
        plan = Plan.of(found)
        model = Trees(lightgbm_trees, how, plan.max_hold_bins, plan.min_train_rows)
        return WalkForward(cls, RECIPE, model, plan)
