"""The signal knn_cl: what followed the bins most like this one.

The reference gives the model and the count of features (35); the composition is here. It is the
one learnt signal that needs no library.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.signals.definition import Parameter
from engine.signals.ml.definition import Learner, MlSignal
from engine.signals.ml.features import (
    RETURN_WINDOWS,
    SLOPE,
    SLOPE_WINDOWS,
    Recipe,
    latest,
    spreads,
    windows,
)
from engine.signals.ml.models import Neighbours
from engine.signals.ml.readings import (
    BANDS,
    BANDS_RADIUS,
    PRESSURE,
    VACUUM,
    above,
    asymmetry,
    below,
    cell,
    mean_of,
    net_asymmetry,
)
from engine.signals.ml.walk_forward import Plan, WalkForward, training

_COMPARED = ("v_add", "v_pull", "v_fill", "flow_score")

RECIPE = Recipe(
    (PRESSURE, VACUUM, *_COMPARED, "flow_state_code", "state5_code"),
    latest(
        *(
            mean_of(PRESSURE, side(band)) + mean_of(VACUUM, side(band), -1.0)
            for band in BANDS
            for side in (below, above)
        ),
        *(asymmetry(name, band) for name in _COMPARED for band in BANDS),
    )
    + windows(SLOPE, SLOPE_WINDOWS, *(net_asymmetry(band) for band in BANDS))
    + spreads(RETURN_WINDOWS, None)
    + latest(cell("state5_code", 1), asymmetry("flow_state_code", (1, BANDS_RADIUS))),
)


class KnnClassifier(MlSignal):
    """Share of rises less that of falls among the nearest bins, each weighted by 1 / distance.

    35 features, scaled to mean 0 and deviation 1: the mean of pressure less vacuum of either
    side of the bands |k| 1–3, 4–11 and 12–23 (6); the bands' asymmetries of the speeds of adds,
    pulls and fills and of the flow score (12); slopes over 10, 25 and 50 bins of the bands'
    asymmetries of pressure less vacuum (9); mean and standard deviation of the mid's moves over
    50, 200 and 600 bins (6); the label of the rows above the centre, and the asymmetry of the
    flow states (2).
    """

    name = "knn_cl"
    doc = "nearest neighbours among the bins that are settled"
    columns = RECIPE.columns
    least_radius = BANDS_RADIUS
    mode = "confidence"
    thresholds = (0.0, 0.1, 0.2, 0.3)
    parameters = (
        Parameter("neighbours", 11.0, 1.0, 1000.0, True, "how many vote"),
        *training(1800, 300),
    )

    @classmethod
    def learner(cls, params: Mapping[str, float], cell_width_ms: int) -> Learner:
        """A new learner, see `MlSignal`."""
        found = cls.bound(params)
        return WalkForward(cls, RECIPE, Neighbours(int(found["neighbours"])), Plan.of(found))
