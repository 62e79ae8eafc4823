"""Pipelines and campaigns of datasets: identity, sessions, configurations, what is expanded.

Single broken documents are in contracts/fixtures/invalid/pipelines and dataset_campaigns.
"""

import copy
import json
import math
from datetime import UTC, datetime

import pytest
import yaml

from contracts.canonical import canonical_json
from contracts.errors import ContractError
from contracts.grid import GridConfig, load_grid_config
from contracts.pipeline import (
    MAX_PIPELINES,
    DatasetCampaign,
    Overrides,
    PipelineSpec,
    load_dataset_campaign,
    load_pipeline,
    pipeline_from,
)
from tests.contracts.fixture_files import FOLDER, document, valid_files

PIPELINES = {path.stem: path for path in valid_files("pipelines")}
CAMPAIGNS = {path.stem: path for path in valid_files("dataset_campaigns")}
SMALLEST = document(PIPELINES["pipeline_smallest"])
FULL = document(PIPELINES["pipeline_every_field"])
BASE = load_grid_config((FOLDER / "grid_configs/grid_shipped.json").read_bytes())
FROZEN = {
    "pipeline_every_field": "9aa46dcb777141d7e46c572141718738221571e784aa5a86bebfe34e0f405bc2",
    "pipeline_recorded": "a2f358061b67d04792b0c5ae1d513310f69ba374b853b812476755aef26aacad",
    "pipeline_smallest": "aab2a33b319f21a370f638750197a8a1f78bcc1e8d86aba02d2234fda150cf7c",
    "dataset_campaign_axes_and_bundles": (
        "2d02350332e1aee65dc4bb5d880953304b3ac85487c946c44b0d229dacc6be30"
    ),
    "dataset_campaign_lists": "26e227e2d5942a67e888645740c0e49ce3b7dc72a7d126de0740535172082d0b",
    "dataset_campaign_smallest": "35e8f3557df3a9c509f51e975ee1accb062dc0cff54a0a600bebe354b50a9fc3",
}
HOUR_NS = 3_600_000_000_000


def pipeline(**changes) -> PipelineSpec:
    return pipeline_from({**copy.deepcopy(SMALLEST), **changes})


def campaign(**changes) -> DatasetCampaign:
    written = {"id": "many", "version": "0.1", "base": SMALLEST, **changes}
    return load_dataset_campaign(json.dumps(written))


def overridden(config: GridConfig, name: str):
    return getattr(config.runtime_config, name)


@pytest.mark.parametrize("name", PIPELINES)
def test_the_hash_of_a_pipeline_never_changes(name):
    assert load_pipeline(PIPELINES[name].read_bytes()).pipeline_hash == f"sha256:{FROZEN[name]}"


@pytest.mark.parametrize("name", CAMPAIGNS)
def test_the_hash_of_a_campaign_of_datasets_never_changes(name):
    spec = load_dataset_campaign(CAMPAIGNS[name].read_bytes())
    assert spec.campaign_hash == f"sha256:{FROZEN[name]}"


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_reads_back_from_what_is_hashed_in_either_notation(name):
    spec = load_pipeline(PIPELINES[name].read_bytes())
    turned = dict(reversed(spec.document().items()))
    for text in (canonical_json(spec.document()), json.dumps(turned), yaml.safe_dump(turned)):
        assert load_pipeline(text) == spec
        assert load_pipeline(text).pipeline_hash == spec.pipeline_hash


@pytest.mark.parametrize(
    ("day", "utc_hour"), [("2026-02-06", 14), ("2026-07-06", 13), ("2026-03-09", 13)]
)
def test_a_session_is_told_in_the_times_of_the_exchange(day, utc_hour):
    session = {"dt": day, "start_time": "09:30", "end_time": "10:30"}
    capture = pipeline(capture={"tape": "mbo_quiet", **session}).capture
    assert capture.start_ns is not None
    assert capture.end_ns == capture.start_ns + HOUR_NS
    wanted = datetime.fromisoformat(f"{day}T{utc_hour}:30").replace(tzinfo=UTC)
    assert capture.start_ns == int(wanted.timestamp()) * 10**9


def test_without_a_session_all_events_count():
    capture = pipeline().capture
    assert (capture.start_ns, capture.end_ns) == (None, None)


def test_every_override_reaches_the_configuration_and_nothing_else_changes():
    told = FULL["pipeline"]
    assert set(told) == set(Overrides.model_fields)
    for name, value in told.items():
        if name in ("flow_windows", "flow_rollup_weights"):
            continue
        config = pipeline(pipeline={name: value}).grid_config(BASE)
        assert overridden(config, name) == value
        rest = {**config.runtime_config.resolved(), name: overridden(BASE, name)}
        theirs = BASE.runtime_config.resolved()
        derived = {"config_version", "projection_horizons_ms"}
        assert {key for key in theirs if rest[key] != theirs[key]} <= derived
        assert config.projection == BASE.projection


def test_what_follows_from_other_fields_follows_from_the_overrides():
    config = pipeline(pipeline={"cell_width_ms": 250}).grid_config(BASE)
    bins = BASE.runtime_config.projection_horizons_bins
    assert config.runtime_config.horizons_ms == tuple(250 * one for one in bins)
    assert config.runtime_config.derived_version != BASE.runtime_config.derived_version
    again = pipeline(pipeline={"cell_width_ms": 100}).grid_config(BASE)
    assert again.identity() == BASE.identity()


def test_a_pipeline_that_brings_its_base_ignores_another():
    spec = pipeline_from(FULL)
    assert spec.config is not None
    assert spec.grid_config(BASE) == spec.grid_config(spec.config)
    assert spec.grid_config(BASE).identity() != BASE.identity()


def test_where_a_configuration_comes_from_is_no_part_of_a_pipeline():
    bare = {name: FULL["config"][name] for name in ("runtime_config", "projection")}
    assert set(FULL["config"]) > set(bare)
    assert pipeline(config=bare).pipeline_hash == pipeline(config=FULL["config"]).pipeline_hash


def test_overrides_that_do_not_fit_the_base_are_refused_in_its_place():
    with pytest.raises(ContractError, match="differ in length") as caught:
        pipeline(pipeline={"flow_windows": [2, 8]}).grid_config(BASE)
    assert (caught.value.code, caught.value.loc) == ("PIPELINE_RULE_BROKEN", "/runtime_config")


def test_a_campaign_is_the_product_of_its_axes_and_bundles():
    spec = load_dataset_campaign(CAMPAIGNS["dataset_campaign_axes_and_bundles"].read_bytes())
    made = spec.pipelines()
    told = [(one.pipeline.cell_width_ms, one.pipeline.tau_rest_decay) for one in made]
    assert told == [
        (width, decay) for width in (100, 250) for decay in (15, 30, 60) for _ in range(2)
    ]
    assert {one.pipeline.flow_windows for one in made} == {(2, 8), (4, 16, 64)}
    assert {one.pipeline.grid_radius_ticks for one in made} == {40}
    assert {one.capture for one in made} == {spec.base.capture}
    assert len({one.name for one in made}) == len({one.pipeline_hash for one in made}) == 12


def test_what_a_bundle_says_wins_over_an_axis_and_equal_pipelines_come_once():
    bundles = [{"tau_jerk": 9}, {"tau_velocity": 4, "tau_jerk": 9}]
    made = campaign(axes={"tau_velocity": [1, 4]}, bundles=bundles).pipelines()
    told = [(one.pipeline.tau_velocity, one.pipeline.tau_jerk) for one in made]
    assert told == [(1, 9), (4, 9)]


def test_a_campaign_without_axes_is_its_base():
    assert campaign().pipelines() == [pipeline()]


def test_the_order_in_which_axes_are_written_does_not_matter():
    axes = {"tau_jerk": [5, 6], "tau_velocity": [1, 2]}
    turned = dict(reversed(axes.items()))
    assert campaign(axes=axes).pipelines() == campaign(axes=turned).pipelines()
    assert campaign(axes=axes).campaign_hash == campaign(axes=turned).campaign_hash


def test_a_long_name_of_a_base_leaves_room_for_what_differs():
    base = {**SMALLEST, "name": "n" * 64}
    made = campaign(base=base, axes={"tau_jerk": [5, 6]}).pipelines()
    assert {len(one.name) for one in made} == {64}
    assert len({one.name for one in made}) == 2


def test_a_campaign_of_too_many_datasets_is_refused():
    side = list(range(1, math.isqrt(MAX_PIPELINES) + 1))
    assert len(campaign(axes={"tau_jerk": side, "tau_velocity": side}).axes) == 2
    with pytest.raises(ContractError, match="would make 20000 datasets"):
        campaign(axes={"tau_jerk": side, "tau_velocity": side}, bundles=[{}, {"c1_v_add": 2}])
