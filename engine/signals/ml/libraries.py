"""The libraries of the extra ``ml``, behind functions with types; nothing else imports them.

Every fit runs on one thread with a fixed seed and no clock, so the same rows give the same model.
What is fitted when, and on which rows, is ``walk_forward``.
"""

# Glue to scikit-learn, LightGBM and XGBoost, which carry no types.
# pyright: basic

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from threading import Lock
from typing import Any, Final, Protocol

import numpy as np

from contracts.errors import ConfigurationError
from engine.arrays import Floats, Labels

SEED: Final = 42
_LOCK: Final = Lock()
MODULES: Final[Mapping[str, tuple[str, ...]]] = {
    "sklearn": ("scikit-learn",),
    "lightgbm": ("lightgbm",),
    "xgboost": ("xgboost-cpu", "xgboost"),
}
"""Modules by name, and the distributions that may hold them."""


# A fit of thousands of rows spends its time on empty bins of histograms, not on rows.
_XGBOOST_BINS: Final = 64


@dataclass(frozen=True, slots=True)
class Examples:
    """Rows with labels, oldest first.

    Attributes
    ----------
    features : ndarray, shape (rows, features), float64
        Finite.
    labels : ndarray, shape (rows,), int8
        −1 or 1.
    bins : ndarray, shape (rows,), int64
        Where the rows are from.
    """

    features: Floats
    labels: Labels
    bins: np.ndarray[Any, np.dtype[np.int64]]

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.labels)

    def where(self, mask: np.ndarray[Any, np.dtype[np.bool_]]) -> Examples:
        """Some of the rows."""
        return Examples(self.features[mask], self.labels[mask], self.bins[mask])


class Probability(Protocol):
    """Probability that the label is 1, given one row of features."""

    def __call__(self, row: Floats) -> float: ...


@dataclass(frozen=True, slots=True)
class Plane:
    """A linear decision: weights · row + offset."""

    weights: Floats
    offset: float


@dataclass(frozen=True, slots=True)
class Components:
    """Principal components of rows.

    Attributes
    ----------
    mean : ndarray, shape (features,), float64
    axes : ndarray, shape (components, features), float64
        Orthonormal.
    variances : ndarray, shape (components,), float64
        Along the axes.
    """

    mean: Floats
    axes: Floats
    variances: Floats


def load(module: str) -> Any:
    """Import a module of a library of the extra.

    Raises
    ------
    ConfigurationError
        ``ML_EXTRA_MISSING`` when it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        library = module.partition(".")[0]
        raise ConfigurationError(
            "ML_EXTRA_MISSING",
            f"a learnt signal needs {MODULES[library][0]}, which cannot be imported: {error}",
            loc=library,
            hints=("pip install 'islandflow[ml]'",),
        ) from error


def versions() -> dict[str, str]:
    """Versions of the libraries that are installed, by the name of their module.

    Models, and so results, may differ between versions: they belong to a result's identity.
    """
    found: dict[str, str] = {}
    for module, distributions in MODULES.items():
        for distribution in distributions:
            try:
                found[module] = metadata.version(distribution)
                break
            except metadata.PackageNotFoundError:
                continue
    return found


@cache
def _threads() -> Any:
    """What limits the threads of the linear algebra, which loading scikit-learn brings along."""
    load("sklearn")
    return importlib.import_module("threadpoolctl").ThreadpoolController()


@contextmanager
def _alone() -> Iterator[None]:
    """One fit of scikit-learn at a time, on one thread, free to stop when its passes are over.

    The number of threads and the filters of warnings belong to the process: without the lock,
    the end of one fit would change them under another. That the passes are bounded is meant: it
    bounds what a fit may cost, so no warning says so.
    """
    with _LOCK, _threads().limit(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore", load("sklearn.exceptions").ConvergenceWarning)
        yield


def svm(examples: Examples, c: float, max_iterations: int) -> Plane:
    """Linear support vector machine, hinge loss, classes balanced (``LinearSVC``)."""
    model = load("sklearn.svm").LinearSVC(
        C=c, loss="hinge", class_weight="balanced", random_state=SEED, max_iter=max_iterations
    )
    with _alone():
        model.fit(examples.features, examples.labels)
    return _plane(model)


class Descent:
    """Linear classifier by stochastic gradient descent on the hinge loss (``SGDClassifier``)."""

    def __init__(self, alpha: float, max_epochs: int) -> None:
        self._model = load("sklearn.linear_model").SGDClassifier(
            loss="hinge", alpha=alpha, random_state=SEED, max_iter=max_epochs
        )

    def fit(self, examples: Examples) -> Plane:
        """Forget everything and fit until the loss stays."""
        with _alone():
            self._model.fit(examples.features, examples.labels)
        return _plane(self._model)

    def extend(self, examples: Examples) -> Plane:
        """One more pass, over these rows only."""
        with _alone():
            self._model.partial_fit(examples.features, examples.labels)
        return _plane(self._model)


def _plane(model: Any) -> Plane:
    weights = np.ascontiguousarray(model.coef_[0], dtype=np.float64)
    return Plane(weights, float(np.ravel(model.intercept_)[0]))


def components(rows: Floats, count: int) -> Components:
    """Principal components by a full decomposition (``PCA``)."""
    model = load("sklearn.decomposition").PCA(count, svd_solver="full")
    with _alone():
        model.fit(rows)
    parts = (model.mean_, model.components_, model.explained_variance_)
    return Components(*(np.ascontiguousarray(part, dtype=np.float64) for part in parts))


@dataclass(frozen=True, slots=True)
class Boosting:
    """How trees are grown.

    Attributes
    ----------
    learning_rate : float
    rounds, stop_rounds : int
        Trees at most; and how many without a better loss on the later rows end the growth.
    size : int
        Leaves of a tree (LightGBM) or its depth (XGBoost).
    """

    learning_rate: float
    rounds: int
    stop_rounds: int
    size: int


def lightgbm_trees(train: Examples, later: Examples, how: Boosting) -> Probability:
    """Trees of LightGBM, as many as the later rows like best."""
    library = load("lightgbm")
    settings = {
        "objective": "binary",
        "num_leaves": how.size,
        "learning_rate": how.learning_rate,
        "seed": SEED,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    first = library.Dataset(train.features, train.labels > 0)
    booster = library.train(
        settings,
        first,
        num_boost_round=how.rounds,
        valid_sets=[library.Dataset(later.features, later.labels > 0, reference=first)],
        callbacks=[library.early_stopping(how.stop_rounds, verbose=False)],
    )
    trees = booster.best_iteration

    def probability(row: Floats) -> float:
        return float(booster.predict(row[None], num_iteration=trees, num_threads=1)[0])

    return probability


def xgboost_trees(train: Examples, later: Examples, how: Boosting) -> Probability:
    """Trees of XGBoost, as many as the later rows like best."""
    library = load("xgboost")
    settings = {
        "objective": "binary:logistic",
        "max_depth": how.size,
        "learning_rate": how.learning_rate,
        "seed": SEED,
        "tree_method": "hist",
        "max_bin": _XGBOOST_BINS,
        "device": "cpu",
        "nthread": 1,
        "verbosity": 0,
    }
    booster = library.train(
        settings,
        library.DMatrix(train.features, train.labels > 0, nthread=1),
        num_boost_round=how.rounds,
        evals=[(library.DMatrix(later.features, later.labels > 0, nthread=1), "later")],
        early_stopping_rounds=how.stop_rounds,
        verbose_eval=False,
    )
    trees = (0, booster.best_iteration + 1)

    def probability(row: Floats) -> float:
        return float(booster.inplace_predict(row[None], iteration_range=trees)[0])

    return probability
