"""Which of Dagster's executors runs the steps of a campaign, as the environment says.

Where the chunks of a step are made is ``islandflow_resources.executors``.
"""

from __future__ import annotations

import dagster as dg

from islandflow_resources.settings import load_settings


def campaign_executor() -> dg.ExecutorDefinition:
    """In one process, unless ``ISLANDFLOW_EXECUTOR`` asks for parallel steps.

    Processes are forked from one that has the graph loaded, because loading it costs seconds.
    """
    settings = load_settings()
    if settings.executor != "multiprocess":
        return dg.in_process_executor
    return dg.multiprocess_executor.configured(
        {
            "max_concurrent": settings.threads,
            "start_method": {
                "forkserver": {"preload_modules": ["islandflow_jobs.definitions"]},
            },
        }
    )
