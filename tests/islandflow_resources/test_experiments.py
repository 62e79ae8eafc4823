"""Experiments as they are run: references by name, every problem at once with its pointer."""

import itertools
import json
from dataclasses import replace

import pytest

from contracts.errors import ContractError
from contracts.experiment import experiment_from, load_serving
from contracts.mbo import mbo_spec_from
from contracts.pipeline import pipeline_from
from engine.tapes.mbo.api import MboTape
from islandflow_resources.campaigns import campaign_of, register, registered
from islandflow_resources.experiments import ReadyExperiment, set_id_of, split_params, told_params
from islandflow_resources.mbo_sources import register_source
from islandflow_resources.mbo_tapes import register_spec
from islandflow_resources.mbo_writers import write_events
from islandflow_resources.pipelines import ready_pipeline, register_pipeline
from islandflow_resources.servings import ready_serving, register_serving
from islandflow_resources.signal_trials import Calibration, SignalChunk
from tests.islandflow_resources.books import RUN, short_tape
from tests.islandflow_resources.campaigning import empty_home
from tests.islandflow_resources.experimenting import (
    CANDIDATES,
    RADIUS,
    ROBUSTNESS,
    RUNS,
    TAPE,
    document,
    ready,
    serving_document,
    small,
)

pytestmark = pytest.mark.xdist_group("books")

NARROW = {"pipeline": {"pipeline": {"grid_radius_ticks": 4}}}


@pytest.fixture(scope="module")
def home():
    """A home where a tape, a pipeline, a serving and a recorded file are registered."""
    with empty_home() as home:
        place = home.store, home.database
        register_spec(*place, mbo_spec_from(TAPE))
        pipeline = pipeline_from(serving_document()["pipeline"])
        register_pipeline(*place, ready_pipeline(*place, pipeline))
        serving = load_serving(json.dumps(serving_document(signal={"name": "msd"})))
        register_serving(*place, ready_serving(*place, serving))
        yield home


def refused(home, written):
    """Codes and pointers of all that is wrong with an experiment; each with a message."""
    with pytest.raises(ContractError) as raised:
        ready(home, written)
    problems = raised.value.problems
    assert all(one.message for one in problems)
    return [(one.code, one.loc) for one in problems]


def test_an_experiment_knows_what_it_is_made_of(home):
    experiment = ready(home)
    assert (experiment.trials, experiment.sets, len(experiment.captures)) == (RUNS, RUNS // 2, 2)
    assert [one.signal.name for one in experiment.entries] == ["derivative", "msd", "spg"]
    assert [one["zscore_window_bins"] for one in experiment.entries[0].sets] == [20.0, 30.0]
    assert experiment.entries[0].sets[0]["zscore_min_periods"] == 5.0
    assert experiment.rules == [(2, 2, 2), (4, 2, 2)]
    assert experiment.key.startswith("tiny-")
    assert experiment.document_key == f"campaigns/{experiment.key}/campaign.json"
    [variant] = experiment.variants
    assert variant.config.runtime_config.grid_radius_ticks == RADIUS
    assert CANDIDATES == 2 * (2 * 6 + 6 + 5)


def test_what_is_named_is_written_out_and_the_hash_is_that_of_the_whole(home):
    named = small(serving="quiet")
    written = small()
    by_pipeline = small(serving={**serving_document(signal={"name": "msd"}), "pipeline": "quiet"})
    by_tape = small(serving=serving_document(signal={"name": "msd"}, capture={"tape": TAPE["id"]}))
    found = [ready(home, one) for one in (named, written, by_pipeline, by_tape)]
    assert len({one.spec.campaign_hash for one in found}) == 1
    assert found[0].pipeline.config is not None
    assert experiment_from(written).campaign_hash != found[0].spec.campaign_hash


def test_what_was_registered_is_the_same_experiment(home):
    experiment = ready(home)
    assert register(experiment, home.store, home.database)
    assert not register(ready(home), home.store, home.database)
    for name in (experiment.key, "tiny", experiment.spec.campaign_hash):
        again = registered(home.database, name)
        assert isinstance(again, ReadyExperiment)
        assert again == experiment
        assert again.entries == experiment.entries
        assert [one.config for one in again.variants] == [one.config for one in experiment.variants]
    assert campaign_of(experiment.spec.document()).key == experiment.key
    assert campaign_of(ready(home, experiment.spec.document()).spec.document()) == experiment


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"serving": "nosuch"}, [("SERVING_NOT_REGISTERED", "/serving")]),
        (
            {"serving": {**serving_document(), "pipeline": "nosuch"}},
            [("PIPELINE_NOT_REGISTERED", "/serving/pipeline")],
        ),
        (
            {"serving": serving_document(capture={"tape": "nosuch"})},
            [("TAPE_NOT_REGISTERED", "/serving/pipeline/capture/tape")],
        ),
        (
            {"serving": serving_document(capture={"tape": None, "recorded": "nosuch"})},
            [("SOURCE_NOT_REGISTERED", "/serving/pipeline/capture/recorded")],
        ),
        (
            {"serving": serving_document(signal={"name": "luck"})},
            [("SIGNAL_UNKNOWN", "/serving/signal/name")],
        ),
        (
            {"serving": serving_document(signal={"name": "msd", "params": {"colour": 1}})},
            [("SIGNAL_PARAMETER_UNKNOWN", "/serving/signal/params/colour")],
        ),
        (
            {"serving": serving_document(signal={"name": "pfp", "params": {"lag_bins": 0.5}})},
            [("SIGNAL_PARAMETER_INVALID", "/serving/signal/params/lag_bins")],
        ),
        (
            {"sweep": {"per_signal": {"luck": {}}}},
            [("SIGNAL_UNKNOWN", "/sweep/per_signal/luck")],
        ),
        (
            {"sweep": {"per_signal": {"msd": {"colour": [1]}}}},
            [("SIGNAL_PARAMETER_UNKNOWN", "/sweep/per_signal/msd/colour/0")],
        ),
        (
            {"sweep": {"per_signal": {"pfp": {"lag_bins": [3, 2.5, -1]}}}},
            [
                ("SIGNAL_PARAMETER_INVALID", "/sweep/per_signal/pfp/lag_bins/1"),
                ("SIGNAL_PARAMETER_INVALID", "/sweep/per_signal/pfp/lag_bins/2"),
            ],
        ),
        (
            {"serving": serving_document(projection={"horizons_ms": [100, 250]})},
            [("SERVING_HORIZON", "/serving/projection/horizons_ms/1")],
        ),
        (
            {"sweep": {"pipeline": {"flow_windows": [[2, 5], [2, 3, 4]]}}},
            [("PIPELINE_RULE_BROKEN", "/sweep")],
        ),
        (
            {"serving": serving_document(pipeline={"pipeline": {"flow_windows": [2, 3, 4]}})},
            [("PIPELINE_RULE_BROKEN", "/serving/pipeline/pipeline")],
        ),
        (
            {
                "serving": serving_document(
                    signal={
                        "name": "derivative",
                        "params": {"zscore_window_bins": 10, "zscore_min_periods": 20},
                    }
                )
            },
            [("SERVING_RULE_BROKEN", "/serving")],
        ),
        (
            {"sweep": {"scoring": {"zscore_window_bins": [4], "zscore_min_periods": [9]}}},
            [("SCORING_RULE_BROKEN", "/sweep/scoring/zscore_min_periods")],
        ),
        (
            {"sweep": {"scoring": {"threshold_neutral": [0.5, 1.5]}}},
            [("SCORING_VALUE_OUT_OF_RANGE", "/sweep/scoring/threshold_neutral")],
        ),
        (
            {"eval": {"max_hold_bins": 150}},
            [("WALK_FORWARD_TOO_SHORT", "/robustness/walk_forward")],
        ),
        ({"eval": {"warmup_bins": 195}}, [("EXPERIMENT_TOO_SHORT", "/eval")]),
        (
            {
                "robustness": {
                    **ROBUSTNESS,
                    "walk_forward": None,
                    "overfitting": {"blocks": 16, "purge_bars": 20, "probes": 2},
                }
            },
            [("OVERFITTING_TOO_SHORT", "/robustness/overfitting")],
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_code_and_pointer(home, changes, wanted):
    found = refused(home, document(**changes))
    assert found == wanted


def test_problems_of_different_kinds_are_told_together(home):
    serving = serving_document(signal={"name": "msd", "params": {"weighted": 3}})
    found = refused(
        home,
        document(
            serving=serving,
            sweep={
                "per_signal": {"luck": {}, "jad": {"colour": [1]}, "ads": {"tanh_scale": [0]}},
            },
        ),
    )
    assert {loc for _, loc in found} >= {
        "/serving/signal/params/weighted",
        "/sweep/per_signal/luck",
        "/sweep/per_signal/jad/colour/0",
        "/sweep/per_signal/ads/tanh_scale/0",
    }


def test_a_recorded_file_has_no_seeds(home, tmp_path):
    path = tmp_path / "session.dbn"
    write_events(path, MboTape(short_tape(), 1).batches(), symbol="MNQH6")
    key = register_source(home.store, home.database, path, None, RUN).source.key
    serving = serving_document(capture={"tape": None, "recorded": key})
    assert refused(home, document(serving=serving)) == [("EXPERIMENT_SEEDS", "/seeds")]
    written = document(serving=serving)
    del written["seeds"]
    experiment = ready(home, written)
    assert [one.recorded for one in experiment.captures] == [key]


def test_without_seeds_the_pipeline_s_own_counts(home):
    written = document(serving=serving_document(capture={"seed": 7}))
    del written["seeds"]
    assert [one.seed for one in ready(home, written).captures] == [7]
    written["seeds"] = "3,9"
    assert [one.seed for one in ready(home, written).captures] == [3, 9]


def test_a_window_narrower_than_a_signal_reads_is_refused_for_every_such_signal(home):
    per_signal = {"ads": {}, "msd": {}, "jad": {}}
    found = refused(
        home, document(serving=serving_document(**NARROW), sweep={"per_signal": per_signal})
    )
    assert [code for code, _ in found] == ["SIGNAL_RADIUS"] * 2
    assert all("grid_radius_ticks" in loc for _, loc in found)


def test_results_of_v1_need_the_radius_of_v1_and_are_not_promoted(home):
    v1 = document(eval={"compat": "v1"}, promotion=None)
    assert refused(home, v1) == [("EXPERIMENT_V1_RADIUS", "/eval/compat")]
    wide = serving_document(pipeline={"pipeline": {"grid_radius_ticks": 50}})
    assert ready(home, {**v1, "serving": wide}).variants
    with pytest.raises(ContractError, match="results of v1 cannot be promoted"):
        ready(home, document(eval={"compat": "v1"}))


def test_v1_has_the_windows_of_v1_unless_others_are_asked_for(home):
    wide = serving_document(pipeline={"pipeline": {"grid_radius_ticks": 50}})
    sweep = {"per_signal": {"derivative": {"d2_weight": [0, 1]}}}
    v1 = document(serving=wide, eval={"compat": "v1"}, promotion=None, sweep=sweep)

    def windows(written):
        [entry] = ready(home, written).entries
        return {(one["zscore_window_bins"], one["zscore_min_periods"]) for one in entry.sets}

    assert windows(v1) == {(300.0, 75.0)}
    asked = {"per_signal": {"derivative": {"zscore_window_bins": [240]}}}
    assert windows({**v1, "sweep": asked}) == {(240.0, 75.0)}
    assert windows(document(serving=wide, sweep=sweep)) == {(240.0, 60.0)}


def test_a_sweep_of_too_many_runs_is_refused_before_it_is_made(home):
    axes = {"d1_weight": [*range(200)], "d2_weight": [*range(200)], "d3_weight": [*range(200)]}
    assert refused(home, document(sweep={"per_signal": {"derivative": axes}})) == [
        ("EXPERIMENT_TOO_LARGE", "/sweep")
    ]


@pytest.mark.parametrize(
    ("changes", "loc"),
    [
        ({"eval": {"tp_ticks": [2, 4, 2]}}, "/eval/tp_ticks/2"),
        ({"eval": {"sl_ticks": [2, 2]}}, "/eval/sl_ticks/1"),
        ({"eval": {"cooldown_bins": [5, 5]}}, "/eval/cooldown_bins/1"),
        ({"eval": {"thresholds": [0.1, 0.2, 0.1]}}, "/eval/thresholds/2"),
        ({"sweep": {"per_signal": {"pfp": {"lag_bins": [3, 3.0]}}}},
         "/sweep/per_signal/pfp/lag_bins/1"),
        ({"sweep": {"scoring": {"tanh_scale": [2, 2]}}}, "/sweep/scoring/tanh_scale/1"),
        ({"sweep": {"pipeline": {"tau_jerk": [2, 3, 3]}}}, "/sweep/pipeline/tau_jerk/2"),
    ],
)  # fmt: skip
def test_the_same_value_twice_is_refused_as_it_would_count_as_another_candidate(home, changes, loc):
    assert refused(home, document(**changes)) == [("EXPERIMENT_REPEATED", loc)]


def test_a_sweep_of_pipeline_and_scoring_has_a_configuration_for_each_combination(home):
    sweep = {"pipeline": {"tau_jerk": [5, 10]}, "scoring": {"tanh_scale": [2, 4]}}
    experiment = ready(home, small(sweep={**sweep, "per_signal": {"msd": {}}}))
    told = [
        (one.config.runtime_config.tau_jerk, one.config.runtime_config.flow_tanh_scale)
        for one in experiment.variants
    ]
    assert told == [*itertools.product((5.0, 10.0), (2.0, 4.0))]
    assert [one.number for one in experiment.variants] == [0, 1, 2, 3]
    assert experiment.sets == 4 * 1 * 2
    hashes = {one.serving.serving_hash for one in experiment.variants}
    assert len(hashes) == 4
    assert len({one.pipeline.pipeline_hash for one in experiment.variants}) == 2


def test_a_candidate_s_parameters_can_be_taken_apart_again_and_name_it(home):
    experiment = ready(home)
    [variant] = experiment.variants
    seen = set()
    for entry in experiment.entries:
        for params in entry.sets:
            for rule in experiment.rules:
                told = told_params(params, rule, 0.25)
                assert split_params(told) == (params, rule, 0.25)
                seen.add(set_id_of(variant, entry.signal, params, told))
    assert len(seen) == 8
    told = told_params(params, rule, 0.5)
    assert set_id_of(variant, entry.signal, params, told) not in seen


def test_the_number_of_a_configuration_enters_no_identity_and_no_stored_row(home):
    experiment = ready(home)
    [variant] = experiment.variants
    entry = experiment.entries[0]
    elsewhere = replace(variant, number=7)
    told = told_params(entry.sets[0], experiment.rules[0], 0.25)
    assert "variant" not in told
    ids = {set_id_of(one, entry.signal, entry.sets[0], told) for one in (variant, elsewhere)}
    assert len(ids) == 1
    calibration = Calibration("sha256:" + "0" * 64, 300)
    chunks = [
        SignalChunk(one, entry.signal, entry.sets, experiment.spec.settings, 0, calibration)
        for one in (variant, elsewhere)
    ]
    assert len({one.recipe("dataset", "sha256:" + "1" * 64).digest for one in chunks}) == 1
