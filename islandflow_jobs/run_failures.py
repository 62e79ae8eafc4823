"""Why a run failed, in lines that a person reads: what its steps and blocking checks said.

Taken from the events of the run, so that whoever started it does not matter. How errors become
failures is ``islandflow_resources.failures``; who is told is ``campaign_run`` and
``alert_sensors``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import dagster as dg

_CHECK_FAILED = "DagsterAssetCheckFailedError"


def reasons(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """What went wrong in a run, a line for each problem; empty if nothing says."""
    entries = instance.all_logs(run_id)
    events = [entry.dagster_event for entry in entries if entry.dagster_event is not None]
    found = [line for event in events for line in _lines(event, events)]
    return list(dict.fromkeys(found))


def _lines(event: dg.DagsterEvent, events: Sequence[dg.DagsterEvent]) -> Iterator[str]:
    """Lines of one event; a step that failed for another one says nothing of its own."""
    if not event.is_step_failure:
        return
    failure = event.step_failure_data
    if failure.user_failure_data is not None and failure.user_failure_data.description:
        yield from failure.user_failure_data.description.splitlines()
        return
    error = failure.error
    if error is not None and error.cls_name == _CHECK_FAILED:
        yield from _failed_checks(event.step_key, events)
        return
    while error is not None and error.cause is not None:
        error = error.cause
    said = " ".join((error.message if error else event.message or "").split())
    yield f"{event.step_key}: {said}"


def _failed_checks(step: str | None, events: Sequence[dg.DagsterEvent]) -> Iterator[str]:
    for event in events:
        if event.step_key != step or event.event_type != dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            continue
        check = event.asset_check_evaluation_data
        if not check.passed and check.severity == dg.AssetCheckSeverity.ERROR:
            yield f"{check.asset_key.to_user_string()}: {check.check_name}: {check.description}"
