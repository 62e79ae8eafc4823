"""Servings and experiments: identity, and the configuration that a serving makes of a pipeline.

Single broken documents are in contracts/fixtures/invalid/servings and experiments.
"""

import copy
import json
import math

import pytest
import yaml

from contracts.campaign import OBJECTIVES
from contracts.canonical import canonical_json
from contracts.errors import ContractError
from contracts.experiment import (
    SIGNAL_OBJECTIVES,
    ExperimentSpec,
    ServingSpec,
    experiment_from,
    load_experiment,
    load_serving,
)
from contracts.grid import GridConfig, load_grid_config
from contracts.pipeline import pipeline_from
from tests.contracts.fixture_files import FOLDER, document, valid_files

SERVINGS = {path.stem: path for path in valid_files("servings")}
EXPERIMENTS = {path.stem: path for path in valid_files("experiments")}
SMALLEST = document(EXPERIMENTS["experiment_smallest"])
BASE = load_grid_config((FOLDER / "grid_configs/grid_shipped.json").read_bytes())
PIPELINE = pipeline_from(document(FOLDER / "pipelines/pipeline_smallest.json"))
FROZEN = {
    "serving_every_field": "4adb847fcb01bc083062fa7d0777c9c91f94cae1534cc300515a31a1c5cc56c7",
    "serving_smallest": "710434f8e2c7a2b3cb02e2e4d0b130c3f64e40c8721320a63615c975e65f2397",
    "experiment_every_field": "c582e7150b1b9c96ae75773e7fc9d4e66cbdeab7613e30b3361d6c6c7be7eab6",
    "experiment_smallest": "cd036a30d2831e62b5a08762884ff85c0c632e4a18fc6d6f5531501068801214",
    "experiment_sweep": "761207ddb5854288115364b7ba1ebd790575bfcbdcc83b90d329555ef2319056",
}


def serving(**changes) -> ServingSpec:
    return load_serving(json.dumps({**document(SERVINGS["serving_smallest"]), **changes}))


def experiment(**changes) -> ExperimentSpec:
    return experiment_from({**copy.deepcopy(SMALLEST), **changes})


def config_of(**changes) -> GridConfig:
    return serving(**changes).grid_config(PIPELINE, BASE)


def differing(config: GridConfig) -> set[str]:
    """Fields of the runtime configuration that differ from the base, derived ones apart."""
    ours, theirs = config.runtime_config.resolved(), BASE.runtime_config.resolved()
    return {name for name in ours if ours[name] != theirs[name]} - {"config_version"}


@pytest.mark.parametrize("name", SERVINGS)
def test_the_hash_of_a_serving_never_changes(name):
    spec = load_serving(SERVINGS[name].read_bytes())
    assert spec.serving_hash == f"sha256:{FROZEN[name]}"
    assert load_serving(canonical_json(spec.document())) == spec


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_hash_of_an_experiment_never_changes(name):
    spec = load_experiment(EXPERIMENTS[name].read_bytes())
    assert spec.campaign_hash == f"sha256:{FROZEN[name]}"
    assert spec.campaign_key == f"{spec.id}-{FROZEN[name][:12]}"
    turned = dict(reversed(spec.document().items()))
    for text in (canonical_json(turned), yaml.safe_dump(turned, sort_keys=False)):
        assert load_experiment(text) == spec


def test_a_serving_decides_how_the_score_is_made():
    scoring = {
        "zscore_window_bins": 200, "zscore_min_periods": 50, "derivative_weights": [0.6, 0.3, 0.1],
        "tanh_scale": 2.5, "threshold_neutral": 0.2,
    }  # fmt: skip
    runtime = config_of(scoring=scoring).runtime_config
    assert (runtime.flow_zscore_window_bins, runtime.flow_zscore_min_periods) == (200, 50)
    assert runtime.flow_derivative_weights == (0.6, 0.3, 0.1)
    assert (runtime.flow_tanh_scale, runtime.flow_neutral_threshold) == (2.5, 0.2)
    assert differing(config_of(scoring=scoring)) == {
        "flow_zscore_window_bins", "flow_zscore_min_periods", "flow_derivative_weights",
        "flow_tanh_scale", "flow_neutral_threshold",
    }  # fmt: skip


def test_parameters_of_the_derivative_are_those_of_the_state_model():
    params = {"zscore_window_bins": 120, "zscore_min_periods": 30, "d2_weight": 0.5}
    runtime = config_of(signal={"name": "derivative", "params": params}).runtime_config
    assert runtime.state_model_zscore_window_bins == 120
    assert isinstance(runtime.state_model_zscore_window_bins, int)
    assert (runtime.state_model_zscore_min_periods, runtime.state_model_d2_weight) == (30, 0.5)


def test_parameters_of_another_signal_leave_the_dataset_alone():
    other = config_of(signal={"name": "ads", "params": {"d2_weight": 0.5}})
    assert other.identity() == config_of(signal={"name": "pfp"}).identity()


def test_a_parameter_that_the_state_model_does_not_have_is_refused():
    with pytest.raises(ContractError, match="state_model_windows") as caught:
        config_of(signal={"name": "derivative", "params": {"windows": 3}})
    assert caught.value.code == "SERVING_FIELD_UNKNOWN"


def test_horizons_become_bins_of_the_pipeline():
    told = {"horizons_ms": [500, 1000], "use_cubic": True, "cubic_scale": 0.1}
    config = config_of(projection=told)
    assert config.runtime_config.projection_horizons_bins == (5, 10)
    assert config.runtime_config.horizons_ms == (500, 1000)
    assert config.projection.projection_use_cubic
    assert config.projection.projection_cubic_scale == 0.1
    wide = pipeline_from({**PIPELINE.document(), "pipeline": {"cell_width_ms": 250}})
    spec = serving(projection=told)
    assert spec.grid_config(wide, BASE).runtime_config.projection_horizons_bins == (2, 4)


def test_no_horizons_keep_those_of_the_configuration():
    kept = config_of().runtime_config.projection_horizons_bins
    assert kept == BASE.runtime_config.projection_horizons_bins


@pytest.mark.parametrize(("horizon_ms", "nearest"), [(250, 200), (30, 100), (1060, 1100)])
def test_a_horizon_between_bins_is_refused_and_the_nearest_is_told(horizon_ms, nearest):
    with pytest.raises(ContractError) as caught:
        config_of(projection={"horizons_ms": [500, horizon_ms]})
    assert (caught.value.code, caught.value.loc) == (
        "SERVING_HORIZON",
        "/projection/horizons_ms/1",
    )
    assert caught.value.hints == (f"write {nearest}",)


def test_signals_take_part_by_the_serving_and_by_the_sweep():
    spec = load_experiment(EXPERIMENTS["experiment_sweep"].read_bytes())
    assert spec.signals == {"ads": {}, "derivative": {"d2_weight": 0.25}}
    assert experiment().signals == {}
    assert experiment(sweep={"per_signal": {"spg": {}}}).signals == {"spg": {}}


def test_an_experiment_may_sweep_what_a_pipeline_overrides():
    for field, values in (("tau_jerk", [5, 2.5]), ("flow_windows", [[2, 4], [3]])):
        spec = experiment(sweep={"pipeline": {field: values}})
        assert len(spec.sweep.pipeline[field]) == 2


def test_objectives_are_told_apart_from_those_of_strategies():
    for name in SIGNAL_OBJECTIVES:
        assert experiment(objective=name).objective == name
    for name in set(OBJECTIVES) - set(SIGNAL_OBJECTIVES):
        with pytest.raises(ContractError, match="EXPERIMENT_VALUE_UNKNOWN"):
            experiment(objective=name)


@pytest.mark.parametrize("number", [math.inf, math.nan])
def test_a_threshold_is_finite(number):
    with pytest.raises(ContractError):
        experiment(eval={"thresholds": [number]})


def test_only_results_of_v2_are_promoted():
    promotion = {"alias": "quiet"}
    assert experiment(promotion=promotion).settings.compat == "v2"
    with pytest.raises(ContractError, match="results of v1 cannot be promoted"):
        experiment(promotion=promotion, eval={"compat": "v1"})
