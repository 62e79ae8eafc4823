"""One tape judged: the counts of the oracle, of any tape, and of cases done by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import ContractError
from contracts.flow import SUBTYPE_NAMES
from contracts.regime import REGIMES
from contracts.smart_flow import HYPOTHESES
from engine.evaluation import score_tape
from tests.architecture.rules import forbidden_uses
from tests.architecture.sources import ROOT
from tests.engine.evaluation import small_tapes as made
from tests.oracles import smart_flow_scores as oracle

FEW = settings(max_examples=60, deadline=None)
SEEDS = st.integers(0, 2**32 - 1)
SAID = (*HYPOTHESES, "nothing")
WHAT = (*SUBTYPE_NAMES, "nobody")


def dense(counter, *axes):
    """A counter by names as an array."""
    counts = np.zeros([len(axis) for axis in axes], dtype=np.int64)
    for key, count in counter.items():
        names = key if isinstance(key, tuple) else (key,)
        counts[tuple(axis.index(name) for axis, name in zip(axes, names, strict=True))] = count
    return counts


def same(left, right):
    one, other = left.document(), right.document()
    return one == other


@FEW
@given(SEEDS)
def test_every_count_is_the_oracles(seed):
    tape = made.random_tape(seed)
    counts = made.score(tape).counts
    told, bursts = oracle.alert_counts(tape), oracle.burst_counts(tape)
    for name in ("alerts", "right", "repeated"):
        np.testing.assert_array_equal(counts[name], dense(told[name], HYPOTHESES, REGIMES), name)
    wanted = dense(told["right_direction"], HYPOTHESES)
    np.testing.assert_array_equal(counts["right_direction"], wanted)
    for name in ("bursts", "found", "alerted"):
        wanted = dense(bursts[name], SUBTYPE_NAMES, REGIMES)
        np.testing.assert_array_equal(counts[name], wanted, name)
    for name in ("decoys", "decoys_alerted"):
        np.testing.assert_array_equal(counts[name], dense(bursts[name], SUBTYPE_NAMES), name)
    wanted = dense(oracle.confusion(tape), WHAT, REGIMES, SAID)
    np.testing.assert_array_equal(counts["confusion"], wanted)


@FEW
@given(SEEDS, st.sampled_from((10, 20)))
def test_windows_and_delays_are_the_oracles(seed, window):
    tape = made.random_tape(seed, bursts=60, minutes=(25, 15))
    score = made.score(tape, window=window)
    assert tuple(score.counts["background"]) == oracle.background(tape, len(made.SYMBOLS))
    totals, profiles = oracle.coverage(tape, window)
    assert score.counts["coverage"].tolist() == totals
    wanted = [[one[name] for name in HYPOTHESES] for one in profiles]
    assert score.counts["coverage_profiles"].tolist() == wanted
    waits = [[one[name] for name in HYPOTHESES] for one in oracle.delays(tape)]
    assert [[list(one) for one in rows] for rows in score.delays_ns.values()] == waits


@FEW
@given(SEEDS, SEEDS)
def test_the_order_of_rows_changes_nothing(seed, other):
    tape = made.random_tape(seed)
    assert same(made.score(tape), made.score(made.shuffled(tape, other)))


@FEW
@given(SEEDS)
def test_one_more_wrong_alert_never_raises_precision(seed):
    tape = made.random_tape(seed, told=0.5)
    told = {one["cluster_seq"] for one in tape["smart_flow_alerts"]}
    of = oracle.owners(tape, oracle.bursts(tape))
    silent = [cluster for cluster, burst in of.items() if burst is None and cluster not in told]
    before = made.score(tape).counts
    for cluster in silent[:1]:
        made.add_alert(tape, cluster, HYPOTHESES[seed % 6])
    after = made.score(tape).counts
    assert (after["right"] == before["right"]).all()
    assert after["alerts"].sum() == before["alerts"].sum() + len(silent[:1])
    assert (after["alerts"] >= before["alerts"]).all()


def perfect(subtypes):
    tape = made.empty()
    for k, subtype in enumerate(subtypes):
        seqs = range(10 * k + 1, 10 * k + 6)
        made.add_burst(tape, seqs, 30 * k, subtype=subtype)
        cluster = made.add_cluster(tape, seqs)
        if made.CLASS[subtype] in HYPOTHESES:
            made.add_alert(tape, cluster, made.CLASS[subtype])
    return tape


def test_a_detector_that_knows_everything_is_right_everywhere():
    counts = made.score(perfect(SUBTYPE_NAMES)).counts
    assert counts["right"].sum(axis=1).tolist() == [4, 3, 3, 3, 3, 3]
    assert (counts["right"] == counts["alerts"]).all()
    assert counts["right_direction"].tolist() == [4, 3, 3, 3, 3, 3]
    assert (counts["found"][:19] == counts["bursts"][:19]).all()
    assert counts["bursts"].sum(axis=1).tolist() == [1] * 22
    assert not counts["alerted"][19:].any()


def test_a_second_alert_of_a_burst_is_repeated_and_not_right():
    tape = made.empty()
    made.add_burst(tape, range(1, 7), 0)
    for seqs in (range(1, 4), range(4, 7)):
        made.add_alert(tape, made.add_cluster(tape, seqs))
    counts = made.score(tape).counts
    assert [counts[name][0].sum() for name in ("alerts", "right", "repeated")] == [2, 1, 1]
    assert counts["found"].sum() == 1


def test_a_wrong_alert_first_does_not_take_the_place_of_the_right_one():
    tape = made.empty()
    made.add_burst(tape, range(1, 7), 0)
    made.add_alert(tape, made.add_cluster(tape, range(1, 4)), "hedge_rebalance")
    made.add_alert(tape, made.add_cluster(tape, range(4, 7)))
    counts = made.score(tape).counts
    assert counts["right"].sum(axis=1).tolist() == [1, 0, 0, 0, 0, 0]
    assert counts["alerts"].sum(axis=1).tolist() == [1, 0, 0, 0, 0, 1]


@pytest.mark.parametrize(("others", "right"), [(3, 1), (4, 0)])
def test_half_of_the_prints_make_a_cluster_a_bursts(others, right):
    tape = made.empty()
    made.add_burst(tape, (1, 2, 3), 0)
    for seq in range(10, 10 + others):
        made.add_print(tape, seq, made.OPEN + seq * made.SECOND)
    made.add_alert(tape, made.add_cluster(tape, (1, 2, 3, *range(10, 10 + others))))
    assert made.score(tape).counts["right"].sum() == right


def test_decoys_and_hedges_are_nobodys():
    tape = made.empty()
    made.add_burst(tape, (1, 2), 0, actor="decoy")
    burst = made.add_burst(tape, (3,), 60)
    for seq in (4, 5):
        made.add_print(tape, seq, made.OPEN + 90 * made.SECOND, actor="hedge", burst=burst)
    for seqs in ((1, 2), (4, 5)):
        made.add_alert(tape, made.add_cluster(tape, seqs))
    counts = made.score(tape).counts
    assert counts["alerts"].sum() == 2
    assert counts["right"].sum() == 0
    assert counts["decoys"].sum() == counts["decoys_alerted"].sum() == 1
    # The burst's own minute is no window of background; hedges print in the same one.
    assert counts["background"].tolist() == [3 * 30 - 1, 1]
    assert counts["confusion"][-1].sum() == 2


def test_a_tape_without_flow_has_only_background():
    score = made.score(made.empty())
    assert score.counts["background"].tolist() == [90, 0]
    assert score.counts["coverage"].tolist() == [21, 0, 0]
    assert sum(int(one.sum()) for one in score.counts.values()) == 90 + 21


def test_every_profile_in_a_window_covers_it():
    tape = perfect([made.SUBTYPE_OF[name] for name in HYPOTHESES])
    score = made.score(tape)
    # All begin in the first three minutes: the windows that hold every one are the first few.
    assert score.counts["coverage"].tolist() == [21, 1, 1]
    assert score.counts["coverage_profiles"].max() == 3


def test_delays_run_from_the_first_and_from_the_last_print():
    tape = made.empty()
    made.add_burst(tape, (1, 2, 3), 0)
    made.add_alert(tape, made.add_cluster(tape, (1, 2, 3)))
    delays = made.score(tape).delays_ns
    assert delays["from_first_print"][0] == (4 * made.SECOND,)
    assert delays["from_last_print"][0] == (2 * made.SECOND,)


def broken(change):
    tape = made.empty()
    made.add_burst(tape, (1, 2, 3), 0)
    made.add_alert(tape, made.add_cluster(tape, (1, 2, 3)))
    change(tape)
    return tape


def twice(table):
    return lambda tape: tape[table].append(dict(tape[table][0]))


def written(table, column, value):
    return lambda tape: tape[table][0].update({column: value})


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (twice("flow_prints"), "EVALUATION_ROW_REPEATED"),
        (twice("smart_flow_alerts"), "EVALUATION_ROW_REPEATED"),
        (twice("session_states"), "EVALUATION_ROW_REPEATED"),
        (written("burst_labels", "subtype", "sweep"), "EVALUATION_WORD_UNKNOWN"),
        (written("smart_flow_alerts", "hypothesis_type", "unclear"), "EVALUATION_WORD_UNKNOWN"),
        (written("burst_labels", "expected_class", "unclear"), "EVALUATION_CLASS_UNEXPECTED"),
        (written("smart_flow_alerts", "cluster_seq", 9), "EVALUATION_CLUSTER_UNKNOWN"),
        (written("smart_flow_hypotheses", "cluster_seq", 9), "EVALUATION_CLUSTER_UNKNOWN"),
        (written("flow_prints", "seq", 9), "EVALUATION_PRINT_UNLABELLED"),
        (lambda tape: tape["session_states"].clear(), "EVALUATION_TAPE_EMPTY"),
    ],
)
def test_tables_that_do_not_belong_together_are_refused(change, code):
    with pytest.raises(ContractError) as refused:
        made.score(broken(change))
    assert refused.value.code == code
    assert refused.value.loc
    assert refused.value.hints


@pytest.mark.parametrize(
    "wrong", [{"preset": "calm"}, {"symbols": 0}, {"symbols": 1}, {"window": 15}]
)
def test_wrong_arguments_are_refused(wrong):
    tape = made.random_tape(4)
    with pytest.raises(ContractError) as refused:
        made.score(tape, **wrong)
    assert refused.value.code == "EVALUATION_ARGUMENT_INVALID"


@pytest.mark.parametrize(("table", "column"), [("print_labels", "actor"), (None, None)])
def test_a_missing_column_is_refused(table, column):
    tables = made.tables(made.random_tape(4))
    columns = {name: dict(getattr(tables, name)) for name in made.EMPTY}
    columns[table or "smart_flow_hypotheses"].pop(column or f"z_{HYPOTHESES[3]}")
    with pytest.raises(ContractError) as refused:
        score_tape(
            type(tables)(**columns),
            seed=1,
            preset="event_day",
            symbols=3,
            coverage_window_minutes=10,
        )
    assert refused.value.code == "EVALUATION_COLUMN_MISSING"


def test_columns_of_different_lengths_are_refused():
    tables = made.tables(made.random_tape(4))
    columns = {name: dict(getattr(tables, name)) for name in made.EMPTY}
    columns["flow_prints"]["ts_ns"] = columns["flow_prints"]["ts_ns"][1:]
    with pytest.raises(ContractError) as refused:
        type(tables)(**columns)
    assert refused.value.code == "EVALUATION_COLUMNS_UNEQUAL"


def test_log_odds_that_are_no_number_state_nothing():
    tape = made.empty()
    made.add_burst(tape, (1, 2, 3), 0)
    made.add_cluster(tape, (1, 2, 3), [math.nan] * 6)
    counts = made.score(tape).counts
    assert counts["reliability"].sum() == 0
    assert counts["z_clusters"][0, 0] == 1


@pytest.mark.parametrize("change", [{"prints": 0}, {"end_ns": made.OPEN + 30 * made.MINUTE}])
def test_bursts_that_did_not_print_or_did_not_end_are_not_there(change):
    tape = made.empty()
    made.add_burst(tape, (1, 2, 3), 0)
    assert made.score(tape).counts["bursts"].sum() == 1
    tape["burst_labels"][0].update(change)
    counts = made.score(tape).counts
    assert counts["bursts"].sum() == 0
    assert counts["coverage"].tolist() == [21, 0, 0]


def test_the_judge_knows_neither_the_detector_nor_the_generator():
    modules = sorted((ROOT / "engine" / "evaluation").glob("*.py"))
    found = [
        use for path in modules for use in forbidden_uses(path, ("engine.flow", "engine.tapes"))
    ]
    assert len(modules) > 5
    assert found == []
