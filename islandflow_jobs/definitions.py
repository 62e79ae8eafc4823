"""Everything that Dagster loads, in one place and nothing else.

``build_definitions`` lets tests swap resources. The kernel cache must be settled
before the engine is imported, hence the order of the imports.
"""

import dagster as dg

from islandflow_resources.dagster_resources import dagster_resources, resource_set

resource_set().engine_runtime.prepare()

from islandflow_assets.backtests import backtest_result, screening_result  # noqa: E402
from islandflow_assets.books import book_checkpoint, mbo_source, mbo_tape  # noqa: E402
from islandflow_assets.campaign_reports import (  # noqa: E402
    campaign_leaderboard,
    campaign_robustness,
    overfit_report,
    promotion_dossier,
)
from islandflow_assets.campaigns import (  # noqa: E402
    campaign_trials,
    nothing_passed,
    trial_shares,
)
from islandflow_assets.catalogue import duckdb_catalogue  # noqa: E402
from islandflow_assets.control_state import control_state  # noqa: E402
from islandflow_assets.detection_reports import (  # noqa: E402
    coverage_report,
    detection_report,
)
from islandflow_assets.grids import grid_dataset, recorded_grid_dataset  # noqa: E402
from islandflow_assets.keys import (  # noqa: E402
    BACKTEST_SETTINGS,
    GRID_SETTINGS,
    VALIDATION_SETTINGS,
)
from islandflow_assets.leaderboards import (  # noqa: E402
    backtest_summary,
    leaderboard,
    screening_leaderboard,
)
from islandflow_assets.market_tapes import (  # noqa: E402
    market_session,
    replay_plan,
    tape,
    tape_labels,
    tape_manifest,
)
from islandflow_assets.pipeline_datasets import (  # noqa: E402
    dataset_campaign,
    pipeline_dataset,
)
from islandflow_assets.presentation import presented  # noqa: E402
from islandflow_assets.scenarios import scenario_dataset, scenario_spec  # noqa: E402
from islandflow_assets.serving import published_serving_spec  # noqa: E402
from islandflow_assets.settings import (  # noqa: E402
    BacktestConfig,
    GridSettings,
    ValidationConfig,
)
from islandflow_assets.smart_flow import (  # noqa: E402
    flow_packets,
    smart_flow_alerts,
    smart_flow_hypotheses,
    smart_money_events,
)
from islandflow_assets.strategies import strategy_ir, strategy_spec  # noqa: E402
from islandflow_assets.validations import (  # noqa: E402
    monte_carlo_summary,
    walk_forward_summary,
)
from islandflow_jobs.alert_sensors import alert_failures, alert_staleness  # noqa: E402
from islandflow_jobs.campaign_sensors import (  # noqa: E402
    finish_campaigns,
    promote_winners,
    start_campaigns,
)
from islandflow_jobs.control_sensors import follow_control  # noqa: E402
from islandflow_jobs.dataset_sensors import start_dataset_campaigns  # noqa: E402
from islandflow_jobs.instance import warn_without_home  # noqa: E402
from islandflow_jobs.jobs import (  # noqa: E402
    books,
    campaign,
    catalogue,
    control,
    dataset_campaigns,
    market_tapes,
    pipeline_datasets,
    promotion,
    recorded_books,
    register_inbox,
    research,
    smart_flow,
    t0_screen,
    t1_full,
    validation,
)
from islandflow_jobs.schedules import materialise_missing  # noqa: E402
from islandflow_jobs.sensors import inbox  # noqa: E402


def build_definitions(
    resources: dict[str, dg.ResourceDefinition] | None = None,
) -> dg.Definitions:
    """Definitions of the graph, with some resources replaced.

    Parameters
    ----------
    resources : dict, optional
        Definitions that replace those of the environment, by name.
    """
    return dg.Definitions(
        assets=presented(
            [
                scenario_spec,
                scenario_dataset,
                strategy_spec,
                strategy_ir,
                screening_result,
                screening_leaderboard,
                backtest_result,
                backtest_summary,
                leaderboard,
                monte_carlo_summary,
                walk_forward_summary,
                trial_shares,
                campaign_trials,
                campaign_leaderboard,
                campaign_robustness,
                overfit_report,
                promotion_dossier,
                published_serving_spec,
                mbo_tape,
                grid_dataset,
                mbo_source,
                book_checkpoint,
                recorded_grid_dataset,
                pipeline_dataset,
                dataset_campaign,
                control_state,
                tape,
                market_session,
                tape_labels,
                tape_manifest,
                replay_plan,
                flow_packets,
                smart_flow_hypotheses,
                smart_flow_alerts,
                smart_money_events,
                detection_report,
                coverage_report,
                duckdb_catalogue,
            ]
        ),
        jobs=[
            research,
            t0_screen,
            t1_full,
            validation,
            campaign,
            promotion,
            books,
            recorded_books,
            pipeline_datasets,
            dataset_campaigns,
            market_tapes,
            smart_flow,
            control,
            catalogue,
            register_inbox,
        ],
        sensors=[
            inbox,
            start_campaigns,
            start_dataset_campaigns,
            promote_winners,
            follow_control,
            alert_failures,
            alert_staleness,
        ],
        schedules=[materialise_missing, finish_campaigns],
        resources={
            **dagster_resources(),
            BACKTEST_SETTINGS: BacktestConfig.configure_at_launch(),
            VALIDATION_SETTINGS: ValidationConfig.configure_at_launch(),
            GRID_SETTINGS: GridSettings.configure_at_launch(),
            "nothing_passed": nothing_passed,
            **(resources or {}),
        },
        # A click in the UI runs in one process, like the jobs: a process per step costs seconds.
        executor=dg.in_process_executor,
    )


defs = build_definitions()
warn_without_home()
