"""What Dagster loads: valid, cheap to load, with resources that tests can replace."""

import re

import dagster as dg

from engine import dsl
from islandflow_jobs.definitions import build_definitions, defs
from islandflow_jobs.jobs import SCENARIO_INBOX
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.results import VERSION as RESULT_VERSION
from tests.campaign_graph import ASSETS as CAMPAIGN_ASSETS
from tests.graph import CALM, QUIET, write_json

NAMES = sorted(
    [
        *(
            "backtest_result",
            "backtest_summary",
            "leaderboard",
            "scenario_dataset",
            "scenario_spec",
        ),
        *("screening_leaderboard", "screening_result", "strategy_ir", "strategy_spec"),
        *("monte_carlo_summary", "walk_forward_summary", "published_serving_spec"),
        *("mbo_tape", "grid_dataset", "mbo_source", "book_checkpoint", "recorded_grid_dataset"),
        *("pipeline_dataset", "dataset_campaign"),
        *("control_state", "tape", "market_session"),
        *("tape_labels", "tape_manifest", "replay_plan"),
        *("flow_packets", "smart_flow_hypotheses", "smart_flow_alerts", "smart_money_events"),
        *("detection_report", "coverage_report", "duckdb_catalogue"),
        *CAMPAIGN_ASSETS,
    ]
)


def test_dagster_finds_the_definitions_loadable():
    dg.Definitions.validate_loadable(defs)
    keys = defs.resolve_asset_graph().get_all_asset_keys()
    assert sorted(key.to_user_string() for key in keys) == NAMES


def test_every_asset_has_a_code_version_made_of_its_domains():
    versions = {name: defs.resolve_asset_graph().get(dg.AssetKey(name)).code_version
                for name in NAMES}  # fmt: skip
    assert all(re.fullmatch(r"[0-9]+(\.[0-9]+(-[0-9]+)*)*", one) for one in versions.values())
    made = [one for name, one in versions.items() if name.startswith(("backtest", "screening"))]
    assert {*made, versions["leaderboard"]} == {RESULT_VERSION}
    assert versions["strategy_ir"] == dsl.VERSION


def test_every_asset_and_check_says_what_it_is():
    for one in defs.assets:
        assert all(spec.description for spec in one.specs)
        assert all(spec.description for spec in one.check_specs)


def test_jobs_run_in_one_process_so_that_kernels_and_connections_are_shared():
    for name in (
        *("research", "t0_screen", "t1_full", "register_inbox"),
        *("validation", "campaign", "promotion", "books", "recorded_books"),
        *("pipeline_datasets", "dataset_campaigns", "market_tapes", "control", "smart_flow"),
        "catalogue",
    ):
        assert defs.resolve_job_def(name).executor_def is dg.in_process_executor


def test_a_replaced_resource_is_the_one_that_runs_use(graph, tmp_path):
    other = FolderStore(tmp_path / "other")
    (tmp_path / "other" / SCENARIO_INBOX).mkdir(parents=True)
    write_json(tmp_path / "other" / SCENARIO_INBOX / "a.json", CALM | {"id": "elsewhere"})
    replaced = {"store": dg.ResourceDefinition.hardcoded_resource(other)}
    job = build_definitions(replaced).resolve_job_def("register_inbox")
    before = graph.objects()
    assert job.execute_in_process(instance=graph.instance, run_config=QUIET).success
    assert graph.scenario_keys[-1].startswith("elsewhere-")
    assert other.keys(SCENARIO_INBOX) == []
    assert graph.objects() == before


def test_sensors_and_schedules_start_the_jobs_of_campaigns():
    started = {one.name: [target.job_name for target in one.targets] for one in defs.sensors}
    assert started["start_campaigns"] == ["campaign"]
    assert started["promote_winners"] == ["promotion"]
    assert started["start_dataset_campaigns"] == ["dataset_campaigns"]
    assert started["follow_control"] == ["market_tapes", "control"]
    assert {"inbox", "alert_failures", "alert_staleness"} <= started.keys()
    assert {one.name: one.job_name for one in defs.schedules} == {
        "materialise_missing": "research",
        "finish_campaigns": "campaign",
    }


def test_a_campaign_is_one_partition_of_each_of_its_assets():
    graph = defs.resolve_asset_graph()
    for name in (*CAMPAIGN_ASSETS, "published_serving_spec"):
        assert graph.get(dg.AssetKey(name)).partitions_def.name == "campaign"
