"""Models: what scikit-learn would say, purged splits, and rows that do not suffice."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from engine.signals.ml.libraries import Boosting, Examples, lightgbm_trees
from engine.signals.ml.models import Neighbours, Scaler, Sgd, Svm, Trees

RNG = np.random.default_rng(7)
ROWS = RNG.normal(size=(400, 6)) * (1, 10, 0.1, 1, 1, 0) + 3.0
LABELS = np.where(ROWS[:, 0] + ROWS[:, 1] / 10 + RNG.normal(size=400) > 6, 1, -1).astype(np.int8)
EXAMPLES = Examples(ROWS, LABELS, np.arange(400))
ASKED = RNG.normal(size=(50, 6)) * (1, 10, 0.1, 1, 1, 0) + 3.0
HOW = Boosting(0.05, 10, 5, 7)


def test_neighbours_vote_as_in_scikit_learn():
    model = Neighbours(11)
    assert model.fit(EXAMPLES)
    scaler = StandardScaler().fit(ROWS)
    peer = KNeighborsClassifier(11, weights="distance").fit(scaler.transform(ROWS), LABELS)
    asked = np.concatenate([ASKED, ROWS[:5]])
    shares = peer.predict_proba(scaler.transform(asked))
    found = [model.predict(row) for row in asked]
    assert found == pytest.approx((shares[:, 1] - shares[:, 0]).tolist(), abs=1e-9)
    assert found[-5:] == LABELS[:5].tolist()


def test_the_plane_decides_as_the_library_does():
    model = Svm(0.1, 10_000)
    assert model.fit(EXAMPLES)
    scaled = StandardScaler().fit(ROWS)
    peer = LinearSVC(
        C=0.1, loss="hinge", class_weight="balanced", random_state=42, max_iter=10_000
    ).fit(scaled.transform(ROWS), LABELS)
    wanted = peer.decision_function(scaled.transform(ASKED))
    assert [model.predict(row) for row in ASKED] == pytest.approx(wanted.tolist(), abs=1e-6)


def test_a_feature_that_never_varies_is_scaled_to_nothing():
    scaled = Scaler(ROWS).scaled(EXAMPLES).features
    assert scaled[:, :5].std(axis=0) == pytest.approx(np.ones(5))
    assert not scaled[:, 5].any()


def test_no_label_of_the_rows_trees_grow_on_reaches_into_those_that_stop_them():
    train, later = Trees(lightgbm_trees, HOW, 30, 10).split(EXAMPLES)
    assert later.bins.tolist() == list(range(320, 400))
    assert train.bins.tolist() == list(range(291))


@pytest.mark.parametrize(
    "model",
    [Svm(0.1, 1000), Sgd(1e-4, 1000), Neighbours(11), Trees(lightgbm_trees, HOW, 30, 10)],
    ids=lambda model: type(model).__name__,
)
def test_rows_of_one_kind_fit_nothing(model):
    assert not model.fit(Examples(ROWS, np.ones(400, dtype=np.int8), np.arange(400)))
    assert model.fit(EXAMPLES)


def test_trees_are_not_grown_when_the_purge_leaves_too_few_rows():
    assert not Trees(lightgbm_trees, HOW, 30, 292).fit(EXAMPLES)
    assert not Trees(lightgbm_trees, HOW, 320, 10).fit(EXAMPLES)
    assert Trees(lightgbm_trees, HOW, 30, 291).fit(EXAMPLES)


def test_a_partial_fit_goes_on_from_what_is_known():
    whole, partial = Sgd(1e-4, 1000), Sgd(1e-4, 1000)
    assert whole.fit(EXAMPLES)
    assert partial.fit(EXAMPLES)
    before = partial.predict(ASKED[0])
    assert whole.predict(ASKED[0]) == before
    assert partial.extend(EXAMPLES.where(EXAMPLES.bins >= 350))
    assert partial.predict(ASKED[0]) != before
    assert not partial.extend(EXAMPLES.where(EXAMPLES.bins < 0))
