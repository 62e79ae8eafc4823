"""A model that keeps the examples it was given, and short schedules with few rows."""

from engine.signals.ml.svm_sp import RECIPE, SvmSpatial
from engine.signals.ml.walk_forward import Plan, WalkForward

QUICK = {
    "tp_ticks": 2, "sl_ticks": 2, "max_hold_bins": 40, "embargo_bins": 60,
    "max_train_rows": 20_000, "min_train_rows": 10, "first_bin": 150, "refit_bins": 50,
}  # fmt: skip


class Keeper:
    """Takes all examples and foresees the number of those of its last fit."""

    def __init__(self):
        self.full, self.partial = [], []

    def fit(self, examples):
        self.full.append(examples)
        return True

    def extend(self, examples):
        self.partial.append(examples)
        return True

    def predict(self, row):
        assert row.shape == (len(RECIPE.features),)
        return float(len(self.full[-1]))


def kept(series, full_refit_bins=0, **changes):
    """The keeper that a series was shown to, its learner, and the bins of the fits."""
    keeper = Keeper()
    learner = WalkForward(
        SvmSpatial, RECIPE, keeper, Plan.of({**QUICK, **changes}, full_refit_bins)
    )
    fitted_at = []
    for bin_ in range(len(series)):
        before = learner.refits
        learner.update(series, bin_)
        fitted_at += [bin_] * (learner.refits - before)
    return keeper, learner, fitted_at
