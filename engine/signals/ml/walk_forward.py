"""When a learner is fitted, and on which rows: walk-forward with purge and embargo.

At bin i a row t is trained on only if t + max_hold_bins + embargo_bins ≤ i. The label of t is
settled by the bins below t + max_hold_bins, so the purge alone keeps every later bin out. The
embargo widens the gap: labels of neighbouring rows overlap and features have windows of up to
600 bins, so the last rows with settled labels are nearly copies of what is asked now. Its
default is the label horizon, and the gap is never below the label horizon. What is fitted is a
`Model`; how, ``models``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from contracts.errors import ContractError
from engine.arrays import Floats
from engine.signals.definition import Parameter, bins
from engine.signals.ml.definition import MlSignal, Series, check_columns
from engine.signals.ml.features import Features, Recipe
from engine.signals.ml.history import History
from engine.signals.ml.labels import first_moves
from engine.signals.ml.libraries import Examples

MOST_ROWS: Final = 200_000


def _ticks(name: str, default: float) -> Parameter:
    return Parameter(
        name, default, 0.5, 10_000.0, False, "ticks; the nearer barrier is the label's"
    )


def training(first_bin: int, refit_bins: int) -> tuple[Parameter, ...]:
    """Parameters that all signals learnt from labels have, with a signal's own schedule."""
    return (
        _ticks("tp_ticks", 8.0),
        _ticks("sl_ticks", 4.0),
        bins("max_hold_bins", 1200, "bins within which the mid must have moved, or has no label"),
        bins("embargo_bins", 1200, "bins between the last settled label and the present", low=0),
        Parameter(
            "max_train_rows", 20_000.0, 10.0, MOST_ROWS, True, "newest bins that are trained on"
        ),
        Parameter(
            "min_train_rows", 200.0, 10.0, MOST_ROWS, True, "labelled rows below which no fit is"
        ),
        bins("first_bin", first_bin, "bin of the first fit, if there are rows by then", low=0),
        bins("refit_bins", refit_bins, "bins from one fit to the next"),
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """The parameters of `training`, and how often a fit starts anew (0: always)."""

    move_ticks: float
    max_hold_bins: int
    gap_bins: int
    max_train_rows: int
    min_train_rows: int
    first_bin: int
    refit_bins: int
    full_refit_bins: int

    @staticmethod
    def of(params: Mapping[str, float], full_refit_bins: int = 0) -> Plan:
        """The plan that all parameters of a signal make."""
        hold = int(params["max_hold_bins"])
        return Plan(
            min(params["tp_ticks"], params["sl_ticks"]),
            hold,
            hold + int(params["embargo_bins"]),
            int(params["max_train_rows"]),
            int(params["min_train_rows"]),
            int(params["first_bin"]),
            int(params["refit_bins"]),
            full_refit_bins,
        )

    def due(self, bin_: int) -> bool:
        """Whether a fit is tried at a bin."""
        return bin_ >= self.first_bin and (bin_ - self.first_bin) % self.refit_bins == 0


class Model(Protocol):
    """What is fitted to examples and asked row by row."""

    def fit(self, examples: Examples) -> bool:
        """Start anew; false, and nothing changed, if these examples do not suffice."""
        ...

    def extend(self, examples: Examples) -> bool:
        """Learn from rows that were not seen, keeping what is known; false as in `fit`."""
        ...

    def predict(self, row: Floats) -> float:
        """Value for one row of features; only asked after a fit."""
        ...


class WalkForward:
    """The learner of a signal: features, plan and model put together.

    Parameters
    ----------
    signal : type of MlSignal
    recipe : Recipe
    model : Model
    plan : Plan

    Attributes
    ----------
    refits, partial_refits : int
        Fits so far, partial ones included; and how many of them were partial.
    """

    def __init__(self, signal: type[MlSignal], recipe: Recipe, model: Model, plan: Plan) -> None:
        self.refits = 0
        self.partial_refits = 0
        self._signal, self._recipe = signal, recipe
        self._model, self._plan = model, plan
        self._features: Features | None = None
        self._history = History(plan.gap_bins + plan.max_train_rows + 1, len(recipe.features))
        self._next = 0
        self._full_at = 0
        self._seen = 0

    def update(self, series: Series, bin_: int) -> float:
        """Prediction at a bin, see `Learner`."""
        self._next = in_order(self._signal, bin_, self._next)
        if self._features is None:
            check_columns(self._signal, series)
            radius = series.columns[self._recipe.columns[0]].shape[1] // 2
            self._features = Features(self._recipe, radius)
        row = self._history.place(bin_)
        self._features.put(series, bin_, row)
        if self._plan.due(bin_):
            self._refit(series, bin_)
        if not self.refits or not series.mid_price[bin_] > 0.0 or not np.isfinite(row).all():
            return np.nan
        return self._model.predict(row)

    def _refit(self, series: Series, bin_: int) -> None:
        plan = self._plan
        stop = bin_ - plan.gap_bins + 1
        first = max(0, stop - plan.max_train_rows)
        if stop <= 0:
            return
        if self.refits and bin_ - self._full_at < plan.full_refit_bins:
            if self._model.extend(self._examples(series, max(first, self._seen), stop)):
                self._count(stop)
                self.partial_refits += 1
            return
        examples = self._examples(series, first, stop)
        if len(examples) >= plan.min_train_rows and self._model.fit(examples):
            self._count(stop)
            self._full_at = bin_

    def _count(self, stop: int) -> None:
        self.refits += 1
        self._seen = stop

    def _examples(self, series: Series, start: int, stop: int) -> Examples:
        """Rows start … stop − 1 that have a label and finite features."""
        plan = self._plan
        mid = series.mid_price[: stop - 1 + plan.max_hold_bins]
        move = plan.move_ticks * series.tick_size
        labels = first_moves(mid, start, stop, move, plan.max_hold_bins)
        features = self._history.rows(start, stop)
        usable = (labels != 0) & np.isfinite(features).all(axis=1)
        return Examples(features, labels, np.arange(start, stop)).where(usable)


def in_order(signal: type[MlSignal], bin_: int, expected: int) -> int:
    """The bin after this one, which is the one expected.

    Raises
    ------
    ContractError
        ``SIGNAL_BIN_OUT_OF_ORDER``.
    """
    if bin_ == expected:
        return bin_ + 1
    said = f"the learner of {signal.name} was asked for bin {bin_} where bin {expected} is next"
    hints = ("ask every bin once, in order, from bin 0; make a new learner to start again",)
    raise ContractError("SIGNAL_BIN_OUT_OF_ORDER", said, str(bin_), hints)
