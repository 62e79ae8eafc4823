"""Everything that Dagster loads, in one place and nothing else.

``build_definitions`` lets tests swap resources. The kernel cache must be settled
before the engine is imported, hence the order of the imports.
"""

import dagster as dg

from islandflow_resources.dagster_resources import dagster_resources, resource_set

resource_set().engine_runtime.prepare()

from islandflow_assets.backtests import backtest_result, screening_result  # noqa: E402
from islandflow_assets.keys import BACKTEST_SETTINGS  # noqa: E402
from islandflow_assets.leaderboards import (  # noqa: E402
    backtest_summary,
    leaderboard,
    screening_leaderboard,
)
from islandflow_assets.scenarios import scenario_dataset, scenario_spec  # noqa: E402
from islandflow_assets.settings import BacktestConfig  # noqa: E402
from islandflow_assets.strategies import strategy_ir, strategy_spec  # noqa: E402
from islandflow_jobs.instance import warn_without_home  # noqa: E402
from islandflow_jobs.jobs import register_inbox, research, t0_screen, t1_full  # noqa: E402
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
        assets=[
            scenario_spec,
            scenario_dataset,
            strategy_spec,
            strategy_ir,
            screening_result,
            screening_leaderboard,
            backtest_result,
            backtest_summary,
            leaderboard,
        ],
        jobs=[research, t0_screen, t1_full, register_inbox],
        sensors=[inbox],
        schedules=[materialise_missing],
        resources={
            **dagster_resources(),
            BACKTEST_SETTINGS: BacktestConfig.configure_at_launch(),
            **(resources or {}),
        },
        # A click in the UI runs in one process, like the jobs: a process per step costs seconds.
        executor=dg.in_process_executor,
    )


defs = build_definitions()
warn_without_home()
