"""The document of a score: read again it is the same, and nothing else is read."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.canonical import canonical_json
from contracts.errors import ContractError
from engine.evaluation import curves, pooled, tape_score
from engine.evaluation.scores import COUNTS, SUMS, total_counts, total_sums
from tests.engine.evaluation import small_tapes as made


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_document_read_again_is_the_same_score(seed):
    score = made.score(made.random_tape(seed), seed=2**63 - 1, window=20)
    read = tape_score(json.loads(canonical_json(score.document())))
    assert (read.seed, read.preset, read.symbols) == (2**63 - 1, "balanced_demo", 3)
    assert read.coverage_window_minutes == 20
    assert read.delays_ns == score.delays_ns
    for name, shape in COUNTS.items():
        assert read.counts[name].shape == score.counts[name].shape == shape
        assert (read.counts[name] == score.counts[name]).all()
        assert read.counts[name].dtype == np.int64
    for name in SUMS:
        assert (read.sums[name] == score.sums[name]).all()


def test_scores_that_were_stored_are_pooled_as_those_that_were_not():
    scores = [made.score(made.random_tape(seed), seed=seed) for seed in range(3)]
    read = [tape_score(score.document()) for score in scores]
    assert pooled(read) == pooled(scores)
    assert curves(read) == curves(scores)


def without(name):
    return lambda document: document.pop(name)


def put(name, value):
    return lambda document: document.update({name: value})


@pytest.mark.parametrize(
    "change",
    [
        without("layout"),
        without("seed"),
        without("counts"),
        put("layout", "islandflow.tape-score.v0"),
        put("preset", "calm"),
        put("preset", 3),
        put("symbols", None),
        put("counts", []),
        put("sums", {"probability": [1.0], "squared_error": [0.0]}),
        put("delays_ns", {"from_first_print": {}}),
        lambda document: document["counts"].update(alerts=[[1, 2], [3]]),
        lambda document: document["counts"]["z_clusters"].update(places=[10**9], values=[1]),
    ],
)
def test_anything_else_is_refused(change):
    document = made.score(made.random_tape(3)).document()
    change(document)
    with pytest.raises(ContractError) as refused:
        tape_score(document)
    assert refused.value.code == "EVALUATION_DOCUMENT_INVALID"
    assert refused.value.hints


def test_totals_are_sums_in_any_order():
    scores = [made.score(made.random_tape(seed)) for seed in range(4)]
    wanted = np.sum([score.counts["alerts"] for score in scores], axis=0)
    assert total_counts(scores, "alerts").tolist() == wanted.tolist()
    total = total_sums(scores, "probability")
    np.testing.assert_allclose(total, sum(score.sums["probability"] for score in scores))
    assert (total == total_sums(scores[::-1], "probability")).all()
    assert total_sums([], "squared_error").tolist() == [0.0] * 6
