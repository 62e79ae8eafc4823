"""Curves: at every level what the oracle finds when it matches anew."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.smart_flow import HYPOTHESES
from engine.evaluation import curves, pooled
from engine.evaluation.scores import Z_LIMIT, Z_STEPS
from tests.engine.evaluation import small_tapes as made
from tests.oracles import smart_flow_scores as oracle

SEEDS = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=2, unique=True)
FEW = settings(max_examples=6, deadline=None)
Z_LEVELS = [k / Z_STEPS for k in range(-6 * Z_STEPS, 6 * Z_STEPS)]
CONFIDENCES = [k / 256 for k in range(128, 257)]


def as_rows(points):
    return [(one.level, one.kept, one.right, one.precision, one.recall) for one in points]


@FEW
@given(SEEDS, st.sampled_from(HYPOTHESES))
def test_precision_against_recall_is_the_oracles_at_every_level(seeds, hypothesis):
    tapes = [made.random_tape(seed) for seed in seeds]
    found = curves([made.score(tape) for tape in tapes])[hypothesis]
    wanted = oracle.precision_recall(tapes, hypothesis, Z_LEVELS)
    assert as_rows(found.precision_recall) == wanted
    if any(row[4] is None for row in wanted) or not wanted:
        return
    assert found.average_precision == pytest.approx(oracle.average_precision(wanted), abs=1e-12)


@FEW
@given(SEEDS, st.sampled_from(HYPOTHESES))
def test_abstention_is_the_oracles_at_every_confidence(seeds, hypothesis):
    tapes = [made.random_tape(seed) for seed in seeds]
    found = curves([made.score(tape) for tape in tapes])[hypothesis].abstention
    wanted = oracle.abstention(tapes, hypothesis, CONFIDENCES)
    assert as_rows(found) == wanted
    assert [one.share_kept for one in found] == [row[1] / wanted[-1][1] for row in wanted]


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.sampled_from(HYPOTHESES))
def test_reliability_is_the_oracles(seeds, hypothesis):
    tapes = [made.random_tape(seed) for seed in seeds]
    if not all(tape["smart_flow_hypotheses"] for tape in tapes):
        return
    found = curves([made.score(tape) for tape in tapes])[hypothesis]
    rows, brier = oracle.reliability(tapes, hypothesis)
    mine = [one for one in found.reliability if one.clusters]
    assert [(one.clusters, one.true) for one in mine] == [row[:2] for row in rows]
    assert [one.stated for one in mine] == pytest.approx([row[2] for row in rows], rel=1e-12)
    assert [one.observed for one in mine] == [row[1] / row[0] for row in rows]
    assert found.brier == pytest.approx(brier, rel=1e-12)
    assert all(one.low <= one.stated <= one.high for one in mine)


def test_the_last_point_of_abstention_is_the_figure_without_a_level():
    scores = [made.score(made.random_tape(seed), seed=seed) for seed in range(5)]
    group, found = pooled(scores).everything, curves(scores)
    for name in HYPOTHESES:
        last = found[name].abstention[-1]
        assert last.precision == group.profiles[name].precision.value
        assert last.recall == group.profiles[name].recall.value
        assert last.share_kept == 1.0
    kept = [point.kept for point in found["all"].abstention]
    assert kept == sorted(kept)
    assert kept[-1] == sum(group.profiles[name].precision.of for name in HYPOTHESES)


@pytest.mark.parametrize("z", [-40.0, -0.01, 0.0, 0.0624, 40.0, np.inf])
def test_a_level_is_the_greatest_of_the_grid_that_is_not_above(z):
    tape = made.empty()
    made.add_burst(tape, (1, 2, 3), 0)
    made.add_cluster(tape, (1, 2, 3), [z, *[-50.0] * 5])
    points = curves([made.score(tape)])["directional_accumulation"].precision_recall
    wanted = np.clip(np.floor(z * Z_STEPS) / Z_STEPS, -Z_LIMIT, Z_LIMIT)
    assert as_rows(points) == [(wanted, 1, 1, 1.0, 1.0)]


def test_a_perfect_order_of_clusters_has_an_average_precision_of_one():
    tape = made.empty()
    for k in range(6):
        seqs = (10 * k + 1, 10 * k + 2)
        made.add_burst(tape, seqs, 60 * k, actor="decoy" if k > 2 else "burst")
        made.add_cluster(tape, seqs, [5.0 - k, *[-9.0] * 5])
    assert curves([made.score(tape)])["directional_accumulation"].average_precision == 1.0


def test_without_tapes_or_bursts_there_is_no_average():
    for scores in ([], [made.score(made.empty())]):
        found = curves(scores)["structure_arbitrage"]
        assert found.average_precision is found.brier is None
        assert found.precision_recall == found.abstention == ()
        assert all(one.stated is one.observed is None for one in found.reliability)
