"""The signal svm_sp: a linear support vector machine on the spatial profile.

The reference gives the model, the counts and the windows (45 features); the composition is here.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.signals.definition import Parameter, bins
from engine.signals.ml.definition import Learner, MlSignal
from engine.signals.ml.features import RETURN_WINDOWS, Recipe, latest, spreads
from engine.signals.ml.libraries import load
from engine.signals.ml.models import Svm
from engine.signals.ml.readings import BANDS, PRESSURE, VACUUM, net_asymmetry, net_pressure
from engine.signals.ml.walk_forward import Plan, WalkForward, training

RECIPE = Recipe(
    (PRESSURE, VACUUM),
    latest(*(net_pressure(k) for k in range(-50, 51, 5)))
    + spreads(RETURN_WINDOWS, *(net_asymmetry(band) for band in BANDS))
    + spreads(RETURN_WINDOWS, None),
)


class SvmSpatial(MlSignal):
    """Which way a linear support vector machine sees the mid go, from the profile of P − V.

    45 features: pressure less vacuum at every fifth row from −50 to 50 (21); the mean and the
    standard deviation, over 50, 200 and 600 bins, of its asymmetry between the bids' and the
    asks' rows of the bands |k| 1–3, 4–11 and 12–23 (18); the same of the mid's moves in ticks a
    bin (6). The value is the signed decision in margins.
    """

    name = "svm_sp"
    doc = "linear support vector machine on the spatial profile of pressure less vacuum"
    columns = RECIPE.columns
    least_radius = 50
    mode = "confidence"
    thresholds = (0.0, 0.2, 0.4, 0.6, 0.8)
    parameters = (
        Parameter("c", 0.1, 1e-6, 1e6, False, "weight of the errors"),
        bins("max_iterations", 1000, "passes of the solver at most"),
        *training(1200, 300),
    )

    @classmethod
    def learner(cls, params: Mapping[str, float], cell_width_ms: int) -> Learner:
        """A new learner, see `MlSignal`."""
        found = cls.bound(params)
        load("sklearn")
        model = Svm(found["c"], int(found["max_iterations"]))
        return WalkForward(cls, RECIPE, model, Plan.of(found))
