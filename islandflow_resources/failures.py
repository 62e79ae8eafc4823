"""One policy for failures: islandflow's errors as Dagster understands them.

Dagster repeats a failure on three paths, and a permanent error stops all of them:
the step's own retries (a `Failure` that allows none), the daemon's run retries and
whatever asks again later (tags put on the run). A retryable error becomes a
bounded, spaced request to repeat the step. The errors themselves live in
``contracts.errors``; this alone of the resources imports Dagster.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import pydantic

from contracts.canonical import pointer
from contracts.errors import IslandflowError, Problem

STEP_RETRIES = 3
FIRST_PAUSE_S = 2.0
PERMANENT_TAG = "islandflow/permanent_failure"
"""Tag of a run that failed for good; its value is the code. Schedules do not ask again."""
_RUN_RETRIES_TAG = "dagster/max_retries"


@contextmanager
def reported(context: dg.OpExecutionContext | dg.AssetExecutionContext) -> Iterator[None]:
    """Run the body of an asset or op; what it raises on purpose becomes Dagster's.

    The body holds ``with reported(context):`` and no other handling of errors.

    Raises
    ------
    dagster.Failure
        For permanent errors, with a table of all problems.
    dagster.RetryRequested
        For retryable errors, at most `STEP_RETRIES` times, with growing pauses.
    """
    try:
        yield
    except IslandflowError as error:
        if error.retryable:
            context.log.warning(f"{error}")
            raise retry_request(context.retry_number) from error
        mark_permanent(context, error.code)
        raise permanent_failure(error.problems) from error
    except pydantic.ValidationError as error:
        mark_permanent(context, "DOCUMENT_INVALID")
        raise permanent_failure(_validation_problems(error)) from error


def permanent_failure(problems: tuple[Problem, ...]) -> dg.Failure:
    """A failure that no step retry repeats, with its problems as a table."""
    records = [
        dg.TableRecord(
            {
                "code": problem.code,
                "where": problem.loc,
                "message": problem.message,
                "hint": " ".join(problem.hints),
            }
        )
        for problem in problems
    ]
    columns = [dg.TableColumn(name, "string") for name in ("code", "where", "message", "hint")]
    table = dg.MetadataValue.table(records, dg.TableSchema(columns=columns))
    description = "\n".join(str(problem) for problem in problems)
    metadata = {"problems": table, "code": problems[0].code}
    return dg.Failure(description, metadata=metadata, allow_retries=False)


def retry_request(retry_number: int) -> dg.RetryRequested:
    """A request to repeat the step after a pause that doubles each time."""
    pause_s = FIRST_PAUSE_S * 2.0**retry_number
    return dg.RetryRequested(max_retries=STEP_RETRIES, seconds_to_wait=pause_s)


def mark_permanent(context: dg.OpExecutionContext | dg.AssetExecutionContext, code: str) -> None:
    """Tag the run, so that neither the daemon nor a schedule repeats what cannot succeed."""
    is_asset = isinstance(context, dg.AssetExecutionContext)
    run_id = (context.op_execution_context if is_asset else context).run_id
    if context.instance.has_run(run_id):
        context.instance.add_run_tags(run_id, {PERMANENT_TAG: code, _RUN_RETRIES_TAG: "0"})


def _validation_problems(error: pydantic.ValidationError) -> tuple[Problem, ...]:
    return tuple(
        Problem("DOCUMENT_INVALID", detail["msg"], pointer(detail["loc"]))
        for detail in error.errors(include_url=False, include_context=False)
    )
