"""The oracle of judged detections on a tape that can be judged by hand."""

import pytest

from tests.oracles import smart_flow_scores as oracle

MINUTE = oracle.MINUTE
SWEEP = "directional_accumulation"


def burst(number, actor, wanted, prints):
    return {
        "burst_id": number,
        "actor": actor,
        "subtype": f"kind_{number}",
        "symbol": "SPY",
        "start_ns": 0,
        "end_ns": prints - 1,
        "prints": prints,
        "expected_class": wanted,
        "direction": "bullish",
        "regime": "calm",
    }


def row(cluster, emitted, z):
    scores = dict.fromkeys((f"z_{name}" for name in oracle.HYPOTHESES), -5.0)
    said = {"cluster_seq": cluster, "emitted_ns": emitted, "start_ns": 0}
    return {**said, **scores, f"z_{SWEEP}": z}


def alert(cluster, emitted, band="high"):
    return {
        "cluster_seq": cluster,
        "symbol": "SPY",
        "emitted_ns": emitted,
        "start_ns": MINUTE if cluster == 30 else 0,
        "hypothesis_type": SWEEP,
        "direction": "bullish",
        "confidence": 0.9,
        "band": band,
    }


@pytest.fixture
def tape():
    """Burst 1 in clusters 10 and 20, a decoy in 30, half of a second burst in 20 as well."""
    prints = {1: (10, 1), 2: (10, 1), 3: (20, 1), 4: (20, 2), 5: (30, 3), 6: (30, 0)}
    actors = {0: "background", 1: "burst", 2: "burst", 3: "decoy"}
    return {
        "flow_prints": [
            {"seq": seq, "ts_ns": MINUTE if cluster == 30 else seq, "cluster_seq": cluster}
            for seq, (cluster, _) in prints.items()
        ],
        "print_labels": [
            {"seq": seq, "stream": "option_prints", "actor": actors[of], "burst_id": of}
            for seq, (_, of) in prints.items()
        ],
        "burst_labels": [
            burst(1, "burst", SWEEP, 3),
            burst(2, "burst", "hedge_rebalance", 1),
            burst(3, "decoy", "unclear", 1),
        ],
        "smart_flow_hypotheses": [row(10, 500, 2.0), row(20, 400, 3.0), row(30, 300, 1.0)],
        "smart_flow_alerts": [alert(10, 500), alert(20, 400), alert(30, 300)],
        "session_states": [{"ts_ns": k * MINUTE, "regime": "calm"} for k in range(3)],
    }


def test_a_cluster_is_of_whom_half_of_it_is(tape):
    assert oracle.owners(tape, oracle.bursts(tape)) == {10: 1, 20: 1, 30: None}
    assert oracle.owners(tape, oracle.decoys(tape)) == {10: None, 20: None, 30: 3}


def test_the_first_right_alert_is_right_and_the_next_repeats_it(tape):
    said = oracle.matched(tape, tape["smart_flow_alerts"])
    assert [(one["cluster_seq"], what) for one, _, what in said] == [
        (30, "wrong"),
        (20, "right"),
        (10, "repeated"),
    ]
    assert oracle.alert_counts(tape)["right_direction"] == {SWEEP: 1}
    assert oracle.delays(tape)[0][SWEEP] == [400]
    assert oracle.delays(tape)[1][SWEEP] == [398]


def test_found_alerted_and_followed(tape):
    counts = oracle.burst_counts(tape)
    assert counts["found"] == {("kind_1", "calm"): 1, ("kind_2", "calm"): 0}
    assert counts["decoys_alerted"] == {"kind_3": 1}
    assert oracle.confusion(tape) == {("kind_1", "calm", SWEEP): 2, ("nobody", "calm", SWEEP): 1}


def test_windows(tape):
    assert oracle.background(tape, 2) == (2 * 3 - 1, 1)
    totals, profiles = oracle.coverage(tape, 2)
    assert totals == [2, 0, 0]
    assert profiles[0] == {SWEEP: 1}
    assert profiles[1] == {SWEEP: 1, "hedge_rebalance": 1}


def test_levels_are_matched_anew(tape):
    points = oracle.precision_recall([tape], SWEEP, [1.0, 2.0, 3.0])
    assert points == [(3.0, 1, 1, 1.0, 1.0), (2.0, 2, 1, 0.5, 1.0), (1.0, 3, 1, 1 / 3, 1.0)]
    assert oracle.average_precision(points) == 1.0
    rows, brier = oracle.reliability([tape], "hedge_rebalance")
    assert rows == [(3, 0, pytest.approx(1 / (1 + 2.718281828459045**5)))]
    assert brier == pytest.approx(rows[0][2] ** 2)
