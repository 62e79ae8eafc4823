"""Scores of several tapes pooled: sums over tapes, intervals over seeds."""

import json
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import ContractError
from contracts.flow import SUBTYPE_NAMES
from contracts.regime import REGIMES
from contracts.smart_flow import HYPOTHESES
from engine.evaluation import pooled
from engine.evaluation.pooling import RESAMPLES
from tests.engine.evaluation import small_tapes as made
from tests.oracles import philox
from tests.oracles import smart_flow_scores as oracle

PRESETS = ("balanced_demo", "event_day")


@cache
def tapes():
    """Three seeds, a tape of each preset for each."""
    return [made.random_tape(seed, bursts=40) for seed in range(6)]


@cache
def scores():
    """What is scored of each tape."""
    numbered = enumerate(tapes())
    return [made.score(tape, seed=10 + k // 2, preset=PRESETS[k % 2]) for k, tape in numbered]


def by_seed(count_of):
    """What an oracle counts of each seed's tapes, summed."""
    return [count_of(tapes()[2 * k]) + count_of(tapes()[2 * k + 1]) for k in range(3)]


def interval(hits, of):
    """Percentiles of ratios of seeds drawn one by one, by interpolation."""
    seeds, ratios = len(hits), []
    stream = philox.stream("evaluation/seeds")
    for b in range(RESAMPLES):
        draws = [philox.uniform(0, stream, b * seeds + k, 0) for k in range(seeds)]
        drawn = [int(draw * seeds) for draw in draws]
        whole = sum(of[one] for one in drawn)
        if whole:
            ratios.append(sum(hits[one] for one in drawn) / whole)
    return np.percentile(ratios, [2.5, 97.5])


def ends(figure):
    """The interval of a figure that has one."""
    found = [end for end in (figure.low, figure.high) if end is not None]
    assert len(found) == 2
    return found


def assert_figure(figure, hits, of):
    assert (figure.hits, figure.of) == (sum(hits), sum(of))
    assert figure.value == sum(hits) / sum(of)
    np.testing.assert_allclose(ends(figure), interval(hits, of), rtol=1e-12)


def of_profile(tape, name, hypothesis):
    return sum(n for key, n in oracle.alert_counts(tape)[name].items() if key[0] == hypothesis)


def of_class(tape, name, wanted):
    counts = oracle.burst_counts(tape)[name]
    return sum(n for (subtype, _), n in counts.items() if made.CLASS[subtype] == wanted)


@pytest.mark.parametrize("hypothesis", ["directional_accumulation", "hedge_rebalance"])
def test_precision_recall_and_their_intervals_are_the_oracles(hypothesis):
    profile = pooled(scores()).everything.profiles[hypothesis]
    right, alerts, repeated = (
        by_seed(lambda tape, name=name: of_profile(tape, name, hypothesis))
        for name in ("right", "alerts", "repeated")
    )
    found, bursts = (
        by_seed(lambda tape, name=name: of_class(tape, name, hypothesis))
        for name in ("found", "bursts")
    )
    assert_figure(profile.precision, right, alerts)
    assert_figure(profile.repeated, repeated, alerts)
    assert_figure(profile.recall, found, bursts)


def test_noise_decoys_false_alerts_and_windows_are_the_oracles():
    group = pooled(scores()).everything
    heard, bursts = (
        by_seed(lambda tape, name=name: of_class(tape, name, "unclear"))
        for name in ("alerted", "bursts")
    )
    silent = [of - hits for of, hits in zip(bursts, heard, strict=True)]
    assert_figure(group.noise_abstained, silent, bursts)
    followed, decoys = (
        by_seed(lambda tape, name=name: sum(oracle.burst_counts(tape)[name].values()))
        for name in ("decoys_alerted", "decoys")
    )
    assert_figure(group.decoys_alerted, followed, decoys)
    windows, false = (by_seed(lambda tape, k=k: oracle.background(tape, 3)[k]) for k in range(2))
    assert group.false_high.value == 2000 * sum(false) / sum(windows)
    wanted = 2000 * interval(false, windows)
    np.testing.assert_allclose(ends(group.false_high), wanted, rtol=1e-12)
    assert group.there.hits == sum(by_seed(lambda tape: oracle.coverage(tape, 10)[0][2]))


def test_every_preset_is_a_group_of_its_own_tapes():
    found = pooled(scores())
    assert tuple(found.presets) == PRESETS
    for k, preset in enumerate(PRESETS):
        alone = pooled(scores()[k::2])
        assert found.presets[preset] == alone.everything
        assert (alone.everything.tapes, alone.everything.seeds) == (3, 3)
    assert (found.everything.tapes, found.everything.seeds) == (6, 3)


def test_subtypes_regimes_and_confusion_add_up_to_the_profiles():
    group = pooled(scores()).everything
    for hypothesis, profile in group.profiles.items():
        mine = [name for name in SUBTYPE_NAMES if made.CLASS[name] == hypothesis]
        assert sum(group.subtypes[name].hits for name in mine) == profile.recall.hits
        assert sum(group.subtypes[name].of for name in mine) == profile.recall.of
        regimes = group.regimes[hypothesis]
        assert tuple(regimes) == REGIMES
        assert sum(one.precision.hits for one in regimes.values()) == profile.precision.hits
        assert sum(one.precision.of for one in regimes.values()) == profile.precision.of
        assert sum(one.recall.of for one in regimes.values()) == profile.recall.of
        said = sum(row[hypothesis] for row in group.confusion.values())
        assert said == profile.precision.of
        right = group.confusion[hypothesis][hypothesis]
        assert right == profile.precision.hits + profile.repeated.hits
    noise = [name for name in SUBTYPE_NAMES if made.CLASS[name] == "unclear"]
    assert sum(group.subtypes[name].hits for name in noise) == group.noise_abstained.hits


def test_delays_are_percentiles_of_all_right_alerts():
    waits = [oracle.delays(tape)[0]["directional_accumulation"] for tape in tapes()]
    every = [wait for one in waits for wait in one]
    found = pooled(scores()).everything.profiles["directional_accumulation"].from_first_print
    assert len(every) > 3
    assert found.median_ns == pytest.approx(np.percentile(every, 50))
    assert found.p90_ns == pytest.approx(np.percentile(every, 90))


@settings(max_examples=5, deadline=None)
@given(st.permutations(range(6)))
def test_the_order_of_tapes_changes_no_byte(order):
    shuffled = json.dumps(pooled([scores()[k] for k in order]).document(), sort_keys=True)
    assert shuffled == json.dumps(pooled(scores()).document(), sort_keys=True)


def test_an_interval_lies_about_its_figure():
    group = pooled(scores()).everything
    figures = [profile.precision for profile in group.profiles.values()]
    figures += [profile.recall for profile in group.profiles.values()]
    assert all(ends(one)[0] <= one.value <= ends(one)[1] for one in figures if one.of)
    assert any(ends(one)[0] < ends(one)[1] for one in figures)


def test_one_seed_alone_has_no_interval_however_many_tapes_it_has():
    figure = pooled(scores()[:2]).everything.noise_abstained
    assert figure.value is not None
    assert (figure.low, figure.high) == (None, None)


def test_of_nothing_there_is_no_figure():
    group = pooled([made.score(made.empty(), seed=seed) for seed in (1, 2)]).everything
    for name in HYPOTHESES:
        profile = group.profiles[name]
        assert profile.precision.value is profile.recall.value is None
        assert profile.from_first_print.median_ns is profile.from_last_print.p90_ns is None
    assert group.false_high.value == group.false_high.high == 0.0
    assert group.covered.value == 0.0


def test_no_score_is_refused():
    with pytest.raises(ContractError) as refused:
        pooled([])
    assert refused.value.code == "EVALUATION_TAPE_EMPTY"
