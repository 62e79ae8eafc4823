"""Verdicts on pooled figures: at the bound, below it, and where nothing was counted."""

from contracts.flow import SUBTYPE_NAMES
from contracts.smart_flow import HYPOTHESES
from engine.evaluation import coverage_levels, levels, pooled
from tests.engine.evaluation import small_tapes as made


def tape_of(found, missed=0, false=0, *, noise=20, heard=0, every=1, minutes=30):
    """Of each profile so many bursts found and missed, and so many alerts of background."""
    tape = made.empty(minutes)
    seqs = iter(range(1, 10**6))
    chosen = [made.SUBTYPE_OF[name] for _ in range(found + missed) for name in HYPOTHESES]
    for k, subtype in enumerate(chosen):
        seq = next(seqs)
        made.add_burst(tape, (seq,), k * every % 800, subtype=subtype)
        cluster = made.add_cluster(tape, (seq,))
        if k // len(HYPOTHESES) < found:
            made.add_alert(tape, cluster, made.CLASS[subtype])
    for k in range(noise):
        seq = next(seqs)
        made.add_burst(tape, (seq,), k, subtype=SUBTYPE_NAMES[-1])
        cluster = made.add_cluster(tape, (seq,))
        if k < heard:
            made.add_alert(tape, cluster, confidence=0.6)
    for k in range(false):
        seq = next(seqs)
        made.add_print(tape, seq, made.OPEN + (600 + k) * made.SECOND)
        made.add_alert(tape, made.add_cluster(tape, (seq,)), HYPOTHESES[k % 6])
    return tape


def verdicts(tape, **arguments):
    scores = [made.score(tape, seed=seed, **arguments) for seed in (1, 2)]
    return levels(pooled(scores))


def failed(found):
    return {(one.name, one.hypothesis) for one in found if not one.ok}


def test_figures_at_their_bounds_are_reached():
    # 63 of 70 right, 63 of 90 found, 19 of 20 noise bursts without an alert.
    found = verdicts(tape_of(63, 27, noise=20, heard=1))
    by_name = {(one.name, one.hypothesis): one for one in found}
    assert by_name["recall", "volatility_supply"].figure.value == 0.7
    assert by_name["noise_abstained", ""].figure.value == 0.95
    assert failed(found) == set()
    assert len(found) == 14
    assert {(one.name, one.rule, one.bound) for one in found} == {
        ("precision", "at_least", 0.9),
        ("recall", "at_least", 0.7),
        ("noise_abstained", "at_least", 0.95),
        ("false_high", "below", 1.0),
    }


def test_one_burst_less_is_not_enough():
    found = verdicts(tape_of(62, 28, noise=20, heard=2))
    assert failed(found) == {("recall", name) for name in HYPOTHESES} | {("noise_abstained", "")}


def test_false_alerts_spoil_precision_and_the_background():
    # 9 right of 10 are just enough, 9 of 11 are not.
    assert failed(verdicts(tape_of(9, false=6), symbols=2000)) == set()
    spoilt = failed(verdicts(tape_of(9, false=12), symbols=2000))
    assert spoilt == {("precision", name) for name in HYPOTHESES}
    assert failed(verdicts(tape_of(9, false=6), symbols=50)) == {("false_high", "")}


def test_one_false_alert_in_two_thousand_windows_is_one_too_many():
    tape = made.empty(20)
    made.add_print(tape, 1, made.OPEN)
    made.add_alert(tape, made.add_cluster(tape, (1,)))
    (judged,) = (one for one in verdicts(tape, symbols=100) if one.name == "false_high")
    assert (judged.figure.value, judged.ok) == (1.0, False)
    (judged,) = (one for one in verdicts(tape, symbols=101) if one.name == "false_high")
    assert judged.ok


def test_what_nothing_was_counted_for_is_not_reached():
    found = verdicts(made.empty())
    assert failed(found) == {
        *((name, one) for name in ("precision", "recall") for one in HYPOTHESES),
        ("noise_abstained", ""),
    }
    assert all(one.figure.value is None for one in found if not one.ok)


def test_every_preset_is_judged_alone():
    good = made.score(tape_of(3), seed=1, preset="event_day", symbols=500)
    bad = made.score(tape_of(1, 9), seed=1, preset="dealer_day", symbols=500)
    found = levels(pooled([good, bad]))
    assert {one.preset for one in found} == {"event_day", "dealer_day"}
    assert {one.preset for one in found if not one.ok} == {"dealer_day"}


def test_coverage_is_judged_by_windows_with_every_profile():
    tape = tape_of(10, every=13, minutes=14)
    for window, ok in ((10, True), (30, False)):
        (judged,) = coverage_levels(pooled([made.score(tape, window=window)]))
        assert judged.ok is ok
        assert (judged.name, judged.bound) == ("covered", 0.95)
