"""Walk-forward: where training and test of each fold lie, and what choosing in each one gave.

Trading the parts is ``engine.backtest``'s; the definition is docs/validation.md, "Walk-forward".
Splits that do not follow the order of time are ``combinatorial`` and ``overfitting``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from contracts.errors import ContractError
from contracts.validation import WalkForwardSettings
from engine.arrays import Floats, Ints

MIN_BARS: Final = 2
ONE_FOLD: Final = "one fold: no variance"
NO_GAIN: Final = "the mean objective in training is not positive"


@dataclass(frozen=True, slots=True)
class Fold:
    """Bars ``train_start … train_stop − 1`` choose for ``test_start … test_stop − 1``."""

    train_start: int
    train_stop: int
    test_start: int
    test_stop: int


@dataclass(frozen=True, slots=True, eq=False)
class WalkForward:
    """What the set that was best in training gave in the test, fold by fold.

    Attributes
    ----------
    chosen : ndarray, shape (folds,), int64
        Set of each fold.
    train, test : ndarray, shape (folds,), float64
        Objective of that set; NaN where it is undefined.
    mean, variance : float or None
        Of the test objective; the variance has ddof 1.
    mean_train : float or None
    efficiency : float or None
        Mean of the test over mean of the training.
    reasons : dict of str to str
        Why a number is null, by its name.
    """

    chosen: Ints
    train: Floats
    test: Floats
    mean: float | None
    variance: float | None
    mean_train: float | None
    efficiency: float | None
    reasons: dict[str, str] = field(default_factory=dict[str, str])


def folds(bars: int, settings: WalkForwardSettings) -> tuple[Fold, ...]:
    """Cut bars into folds.

    Raises
    ------
    ContractError
        ``WALK_FORWARD_TOO_SHORT`` with the first fold that has a part shorter than two bars.
    """
    found = _cut(bars, settings)
    for number, fold in enumerate(found):
        trained = fold.train_stop - fold.train_start
        tested = fold.test_stop - fold.test_start
        if min(trained, tested) < MIN_BARS:
            message = (
                f"{bars} bars in {settings.folds} folds leave fold {number} "
                f"{max(trained, 0)} bars to train on and {max(tested, 0)} to test on; "
                f"each needs {MIN_BARS}"
            )
            hint = (_hint(bars, settings),)
            raise ContractError("WALK_FORWARD_TOO_SHORT", message, f"fold {number}", hint)
    return found


def walk_forward(train: Floats, test: Floats) -> WalkForward:
    """Choose in every fold the set that was best in training, and see what it gave.

    Parameters
    ----------
    train, test : ndarray, shape (folds, sets), float64
        Objective of every set over both parts, larger is better; NaN where it is undefined:
        such sets come last. Of equal sets the first is chosen.

    Raises
    ------
    ContractError
        ``WALK_FORWARD_SHAPE`` for arrays that are empty or differ in shape.
    """
    if train.shape != test.shape or train.ndim != 2 or not train.size:
        message = f"objectives have the shapes {train.shape} in training and {test.shape} in test"
        hint = ("give one row a fold and one column a set",)
        raise ContractError("WALK_FORWARD_SHAPE", message, hints=hint)
    chosen = np.array([_choice(row) for row in train], dtype=np.int64)
    rows = np.arange(chosen.size)
    trained, tested = train[rows, chosen], test[rows, chosen]
    reasons: dict[str, str] = {}
    mean = _mean(tested, "mean", "test", reasons)
    mean_train = _mean(trained, "mean_train", "training", reasons)
    variance = _variance(tested, mean, reasons)
    efficiency = _efficiency(mean, mean_train, reasons)
    return WalkForward(chosen, trained, tested, mean, variance, mean_train, efficiency, reasons)


def _cut(bars: int, settings: WalkForwardSettings) -> tuple[Fold, ...]:
    parts = settings.folds + 1
    edges = [k * bars // parts for k in range(parts + 1)]
    return tuple(
        Fold(
            train_start=0 if settings.scheme == "anchored" else edges[k],
            train_stop=edges[k + 1] - settings.purge_bars,
            test_start=edges[k + 1] + settings.embargo_bars,
            test_stop=edges[k + 2],
        )
        for k in range(settings.folds)
    )


def _hint(bars: int, settings: WalkForwardSettings) -> str:
    """The most folds that would do, or that none does."""
    for count in range(settings.folds - 1, 0, -1):
        fewer = _cut(bars, settings.model_copy(update={"folds": count}))
        shortest = min(min(f.train_stop - f.train_start, f.test_stop - f.test_start) for f in fewer)
        if shortest >= MIN_BARS:
            return f"set folds to {count} or fewer, or give more bars"
    gaps = f"purge_bars {settings.purge_bars}, embargo_bars {settings.embargo_bars}"
    return f"give more bars, or lower what is left out ({gaps}): no number of folds does"


def _choice(row: Floats) -> int:
    defined = np.flatnonzero(~np.isnan(row))
    return int(defined[np.argmax(row[defined])]) if defined.size else 0


def _mean(values: Floats, name: str, part: str, reasons: dict[str, str]) -> float | None:
    """Mean over all folds: leaving out those that do not define it would flatter the rest."""
    broken = np.flatnonzero(~np.isfinite(values))
    if broken.size:
        listed = ", ".join(str(fold) for fold in broken)
        reasons[name] = f"the objective is not defined in the {part} of fold {listed}"
        return None
    return math.fsum(values.tolist()) / values.size


def _variance(values: Floats, mean: float | None, reasons: dict[str, str]) -> float | None:
    if mean is None:
        reasons["variance"] = reasons["mean"]
        return None
    if values.size < 2:
        reasons["variance"] = ONE_FOLD
        return None
    return math.fsum(((values - mean) * (values - mean)).tolist()) / (values.size - 1)


def _efficiency(
    mean: float | None, mean_train: float | None, reasons: dict[str, str]
) -> float | None:
    if mean is None or mean_train is None:
        reasons["efficiency"] = reasons.get("mean_train") or reasons["mean"]
        return None
    if mean_train <= 0.0:
        reasons["efficiency"] = NO_GAIN
        return None
    return mean / mean_train
