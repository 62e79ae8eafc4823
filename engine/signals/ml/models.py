"""The models of the learnt signals: scaled planes, boosted trees, nearest neighbours.

Each is a `Model` of ``walk_forward``. The libraries that fit them are ``libraries``; what is
asked at every bin is compiled here where it is simple, so that it costs microseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np

from engine.arrays import Floats, Labels
from engine.jit import kernel
from engine.signals.ml.libraries import Boosting, Descent, Examples, Plane, Probability, svm

Growing: TypeAlias = Callable[[Examples, Examples, Boosting], Probability]

_LEAST_OF_A_KIND: Final = 2
_TRAINED_ON: Final = 0.8


def both_kinds(examples: Examples) -> bool:
    """Whether there is something to tell apart."""
    ups = int(np.count_nonzero(examples.labels > 0))
    return min(ups, len(examples) - ups) >= _LEAST_OF_A_KIND


class Scaler:
    """Mean 0 and standard deviation 1 over the rows fitted to; what never varies becomes 0."""

    def __init__(self, rows: Floats) -> None:
        deviation = rows.std(axis=0)
        self.mean: Floats = rows.mean(axis=0)
        # Sums of equal numbers may leave a deviation of rounding errors, which is none.
        varies = deviation > 1e-12 * np.maximum(1.0, np.abs(self.mean))
        self.factor: Floats = np.where(varies, 1.0 / np.where(varies, deviation, 1.0), 0.0)

    def scaled(self, examples: Examples) -> Examples:
        """The examples with scaled features."""
        features = (examples.features - self.mean) * self.factor
        return Examples(features, examples.labels, examples.bins)


@kernel
def _decision(row: Floats, mean: Floats, factor: Floats, weights: Floats, offset: float) -> float:
    total = offset
    for i in range(row.shape[0]):
        total += weights[i] * ((row[i] - mean[i]) * factor[i])
    return total


class Linear:
    """A plane through scaled features: a base of those below."""

    _scaler: Scaler
    _plane: Plane

    def predict(self, row: Floats) -> float:
        """Signed decision, in units of the margin."""
        scaler, plane = self._scaler, self._plane
        return _decision(row, scaler.mean, scaler.factor, plane.weights, plane.offset)


class Svm(Linear):
    """Linear support vector machine.

    Parameters
    ----------
    c : float
        Weight of the errors.
    max_iterations : int
    """

    def __init__(self, c: float, max_iterations: int) -> None:
        self._c, self._max_iterations = c, max_iterations

    def fit(self, examples: Examples) -> bool:
        """Fit anew, see `Model`."""
        if not both_kinds(examples):
            return False
        self._scaler = Scaler(examples.features)
        self._plane = svm(self._scaler.scaled(examples), self._c, self._max_iterations)
        return True

    def extend(self, examples: Examples) -> bool:
        """The same as `fit`: it has no partial form."""
        return self.fit(examples)


class Sgd(Linear):
    """Linear classifier by stochastic gradient descent, which can go on learning.

    Parameters
    ----------
    alpha : float
        Weight of the penalty.
    max_epochs : int
    """

    def __init__(self, alpha: float, max_epochs: int) -> None:
        self._descent = Descent(alpha, max_epochs)

    def fit(self, examples: Examples) -> bool:
        """Fit anew, see `Model`."""
        if not both_kinds(examples):
            return False
        self._scaler = Scaler(examples.features)
        self._plane = self._descent.fit(self._scaler.scaled(examples))
        return True

    def extend(self, examples: Examples) -> bool:
        """One pass over new rows; the scale stays that of the last fit."""
        if not len(examples):
            return False
        self._plane = self._descent.extend(self._scaler.scaled(examples))
        return True


class Trees:
    """Boosted trees whose number is found on the newest fifth of the rows.

    The rows before it are purged: none has a label that reaches into that fifth.

    Parameters
    ----------
    grow : Growing
        Function of ``libraries``.
    how : Boosting
    max_hold_bins, min_train_rows : int
        Horizon of the labels; and rows that must be left after the split.
    """

    _probability: Probability

    def __init__(
        self, grow: Growing, how: Boosting, max_hold_bins: int, min_train_rows: int
    ) -> None:
        self._grow, self._how = grow, how
        self._max_hold_bins, self._min_train_rows = max_hold_bins, min_train_rows

    def split(self, examples: Examples) -> tuple[Examples, Examples]:
        """The rows that trees are grown on, and the later ones that say when to stop."""
        first, last = int(examples.bins[0]), int(examples.bins[-1])
        edge = first + int(_TRAINED_ON * (last + 1 - first))
        early = examples.bins + self._max_hold_bins <= edge
        return examples.where(early), examples.where(examples.bins >= edge)

    def fit(self, examples: Examples) -> bool:
        """Fit anew, see `Model`."""
        train, later = self.split(examples)
        if len(train) < self._min_train_rows or not both_kinds(train) or not both_kinds(later):
            return False
        self._probability = self._grow(train, later, self._how)
        return True

    def extend(self, examples: Examples) -> bool:
        """The same as `fit`: it has no partial form."""
        return self.fit(examples)

    def predict(self, row: Floats) -> float:
        """Probability that the mid rises first."""
        return self._probability(row)


@kernel
def nearest(rows: Floats, labels: Labels, row: Floats, distances: Floats, votes: Labels) -> None:
    """Squared distances and labels of the rows nearest to one, nearest first.

    Of rows equally far the older is taken. A row is left as soon as it is farther than the
    farthest of those held.

    Parameters
    ----------
    distances, votes : ndarray, shape (k,)
        Written; k is at most the number of rows.
    """
    k = distances.shape[0]
    distances[:] = np.inf
    votes[:] = 0
    for i in range(rows.shape[0]):
        total = 0.0
        for j in range(row.shape[0]):
            difference = rows[i, j] - row[j]
            total += difference * difference
            if total >= distances[k - 1]:
                break
        if total >= distances[k - 1]:
            continue
        at = k - 1
        while at > 0 and distances[at - 1] > total:
            distances[at], votes[at] = distances[at - 1], votes[at - 1]
            at -= 1
        distances[at], votes[at] = total, labels[i]


class Neighbours:
    """The k nearest of the scaled rows vote, each by the inverse of its distance.

    Rows at no distance outvote all others, as in scikit-learn's classifier.

    Parameters
    ----------
    k : int
    """

    _scaler: Scaler
    _rows: Floats
    _labels: Labels

    def __init__(self, k: int) -> None:
        self._distances = np.empty(k)
        self._votes = np.empty(k, dtype=np.int8)

    def fit(self, examples: Examples) -> bool:
        """Fit anew, see `Model`."""
        if not both_kinds(examples) or len(examples) < len(self._votes):
            return False
        self._scaler = Scaler(examples.features)
        self._rows = self._scaler.scaled(examples).features
        self._labels = examples.labels
        return True

    def extend(self, examples: Examples) -> bool:
        """The same as `fit`: it has no partial form."""
        return self.fit(examples)

    def predict(self, row: Floats) -> float:
        """Share of the votes for a rise less that for a fall, −1 … 1."""
        scaled = (row - self._scaler.mean) * self._scaler.factor
        nearest(self._rows, self._labels, scaled, self._distances, self._votes)
        if self._distances[0] == 0.0:
            return float(self._votes[self._distances == 0.0].mean())
        weights = 1.0 / np.sqrt(self._distances)
        return float((weights * self._votes).sum() / weights.sum())
