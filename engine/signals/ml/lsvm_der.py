"""The signal lsvm_der: a linear classifier on derivatives, which learns on between full fits.

The reference gives the model and the count of features (60); the composition is here. The
predecessor never fitted fully again after its first fit, because a partial one always came
sooner; here the bins since the last *full* fit decide.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.signals.definition import Parameter, bins
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
from engine.signals.ml.models import Sgd
from engine.signals.ml.readings import BANDS, BANDS_RADIUS, asymmetry
from engine.signals.ml.walk_forward import Plan, WalkForward, training

_COLUMNS = tuple(
    f"{order}_{force}" for order in "vaj" for force in ("add", "pull", "fill", "rest_depth")
)

RECIPE = Recipe(
    _COLUMNS,
    latest(*(asymmetry(name, band) for name in _COLUMNS for band in BANDS))
    + windows(
        SLOPE,
        SLOPE_WINDOWS,
        *(asymmetry(name, band) for name in ("v_add", "v_pull") for band in BANDS),
    )
    + spreads(RETURN_WINDOWS, None),
)


class LinearDerivatives(MlSignal):
    """Which way a linear classifier on derivatives sees the mid go.

    60 features: the asymmetries, in the bands |k| 1–3, 4–11 and 12–23, of the first, second and
    third derivative of adds, pulls, fills and resting depth (36); slopes over 10, 25 and 50 bins
    of the asymmetries of the speeds of adds and pulls (18); mean and standard deviation of the
    mid's moves over 50, 200 and 600 bins (6). The value is the signed decision in margins.
    """

    name = "lsvm_der"
    doc = "linear classifier on derivatives of flow, fully fitted at every second fit"
    columns = RECIPE.columns
    least_radius = BANDS_RADIUS
    mode = "confidence"
    thresholds = (0.0, 0.3, 0.5, 0.7, 1.0)
    parameters = (
        Parameter("alpha", 1e-4, 1e-12, 1e6, False, "weight of the penalty"),
        bins("max_epochs", 1000, "passes of a full fit at most"),
        *training(1500, 600),
        bins("full_refit_bins", 1200, "bins after which a fit starts anew instead of going on"),
    )

    @classmethod
    def learner(cls, params: Mapping[str, float], cell_width_ms: int) -> Learner:
        """A new learner, see `MlSignal`."""
        found = cls.bound(params)
        model = Sgd(found["alpha"], int(found["max_epochs"]))
        return WalkForward(cls, RECIPE, model, Plan.of(found, int(found["full_refit_bins"])))
