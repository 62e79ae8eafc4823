"""The signal xgb_snap: XGBoost on a snapshot of the rows.

The reference gives the model, the rows and the count of features (163).
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.signals.definition import Parameter, bins
from engine.signals.ml.definition import Learner, MlSignal
from engine.signals.ml.features import TOTAL, Recipe, latest, windows
from engine.signals.ml.libraries import Boosting, load, xgboost_trees
from engine.signals.ml.models import Trees
from engine.signals.ml.readings import PRESSURE, VACUUM, above, below, cell, total_of
from engine.signals.ml.walk_forward import Plan, WalkForward, training

_RADIUS = 25
_COLUMNS = (PRESSURE, VACUUM, "flow_score")

RECIPE = Recipe(
    _COLUMNS,
    latest(*(cell(name, k) for name in _COLUMNS for k in range(-_RADIUS, _RADIUS + 1)))
    + windows(TOTAL, (1, 10, 50, 200), None)
    + latest(*(total_of(name, side((1, _RADIUS))) for name in _COLUMNS for side in (below, above))),
)


class XgbSnapshot(MlSignal):
    """Probability of a rise by XGBoost's trees.

    163 features: pressure, vacuum and flow score of the rows −25 … 25 (153); the mid's move in
    ticks over 1, 10, 50 and 200 bins (4); the sums of the three over the 25 rows of either
    side (6).
    """

    name = "xgb_snap"
    doc = "XGBoost on a snapshot of pressure, vacuum and flow score of 51 rows"
    columns = RECIPE.columns
    least_radius = _RADIUS
    mode = "probability"
    thresholds = (0.50, 0.52, 0.55, 0.58, 0.60, 0.65)
    parameters = (
        Parameter("depth", 4.0, 1.0, 16.0, True, "depth of a tree"),
        Parameter("learning_rate", 0.1, 1e-4, 1.0, False, "share of a tree that is believed"),
        bins("rounds", 150, "trees at most"),
        bins("stop_rounds", 15, "trees without gain on the newest fifth that end the growth"),
        *training(3000, 600),
    )

    @classmethod
    def learner(cls, params: Mapping[str, float], cell_width_ms: int) -> Learner:
        """A new learner, see `MlSignal`."""
        found = cls.bound(params)
        load("xgboost")
        how = Boosting(
            found["learning_rate"],
            int(found["rounds"]),
            int(found["stop_rounds"]),
            int(found["depth"]),
        )
        plan = Plan.of(found)
        model = Trees(xgboost_trees, how, plan.max_hold_bins, plan.min_train_rows)
        return WalkForward(cls, RECIPE, model, plan)
