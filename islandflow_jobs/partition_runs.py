"""Runs of a job by partition, asked for many partitions at once.

A question for each partition costs milliseconds, and there may be a hundred thousand. What the
answers decide is ``campaign_sensors`` and ``dataset_sensors``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

import dagster as dg

PARTITION_TAG: Final = "dagster/partition"
CHUNK: Final = 500
"""Partitions that are asked for at once; SQLite takes no more than 32 766 variables."""


def runs_by_partition(
    instance: dg.DagsterInstance,
    job: str,
    keys: Sequence[str] | None = None,
    statuses: Sequence[dg.DagsterRunStatus] = (),
    since: datetime | None = None,
) -> dict[str, list[dg.DagsterRun]]:
    """Runs of a job by partition, the newest first; partitions without one are left out.

    Parameters
    ----------
    keys : sequence of str, optional
        Only of these partitions, at most `CHUNK`.
    statuses : sequence of DagsterRunStatus, optional
        Only of these; of any status if none is named.
    since : datetime, optional
        Only runs that were made after it.
    """
    tags = None if keys is None else {PARTITION_TAG: list(keys)}
    wanted = dg.RunsFilter(job_name=job, tags=tags, statuses=statuses, created_after=since)
    found: dict[str, list[dg.DagsterRun]] = {}
    for run in instance.get_runs(wanted):
        found.setdefault(run.tags.get(PARTITION_TAG, ""), []).append(run)
    return found


def chunks(keys: Iterable[str]) -> Iterator[list[str]]:
    """Keys in their order, `CHUNK` at a time."""
    chunk: list[str] = []
    for key in keys:
        chunk.append(key)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
