"""Events of a batch: one materialisation per published partition, and no other.

A step over many partitions yields one plain output, which lets downstream steps
run, marked so that Dagster adds no event of its own: its own would carry one data
version for all partitions, and would claim those that were refused. The marker is
Dagster's (it exists for observed sources); a test holds the pinned release to it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import dagster as dg
from dagster._core.definitions.data_version import NULL_EVENT_POINTER
from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION

from contracts.digest import bare
from contracts.errors import Problem
from islandflow_assets.partitions import Cell

NO_OWN_EVENTS: Final = {SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True}
_MAX_ROWS: Final = 100
_PAGE: Final = 1_000
_CLOCKS_APART_S: Final = 60.0
"""How far the clocks of a database and of a run may differ."""


@dataclass(frozen=True, slots=True)
class Published:
    """One partition that now stands in the store.

    Attributes
    ----------
    partition : Cell
    data_version : str
        Content digest.
    inputs : dict of str to str
        Content digests of what it was made from, by asset.
    metadata : dict
        What a person sees in the UI.
    """

    partition: Cell
    data_version: str
    inputs: dict[str, str]
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Outcome of one check over a batch: which partitions failed it, and why."""

    name: str
    passed: int
    failures: Sequence[tuple[Cell, Problem]] = ()
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])


def output() -> dg.Output[None]:
    """The output of a batch step, without events of its own."""
    return dg.Output(None, metadata=NO_OWN_EVENTS)


def newest_events(instance: dg.DagsterInstance, *assets: str) -> dict[str, str]:
    """Pointers to the newest event of assets, to be taken before a step reads them.

    Dagster calls a partition stale if one of its inputs has an event with another
    data version behind the pointer. One pointer serves all partitions of a step.
    """
    found: dict[str, str] = {}
    for asset in assets:
        records = instance.fetch_materializations(dg.AssetKey(asset), limit=1).records
        found[asset] = str(records[0].storage_id) if records else NULL_EVENT_POINTER
    return found


def published_by_run(context: dg.AssetExecutionContext, asset: str) -> set[str]:
    """Partitions of an asset that this run published, or the run that it continues.

    What an earlier run published is not counted: this one has looked again, and may
    have found it damaged.
    """
    run, instance = context.run, context.instance
    runs = {run.run_id, run.parent_run_id, run.root_run_id}
    record = instance.get_run_record_by_id(run.root_run_id or run.run_id)
    since = record.create_timestamp.timestamp() - _CLOCKS_APART_S if record else None
    wanted = dg.AssetRecordsFilter(dg.AssetKey(asset), after_timestamp=since)
    found: set[str] = set()
    page = instance.fetch_materializations(wanted, limit=_PAGE)
    while True:
        found |= {str(one.partition_key) for one in page.records if one.run_id in runs}
        if not page.has_more:
            return found
        page = instance.fetch_materializations(wanted, limit=_PAGE, cursor=page.cursor)


def materialisations(
    asset: str,
    code_version: str,
    published: Sequence[Published],
    pointers: Mapping[str, str] | None = None,
) -> Iterator[dg.AssetMaterialization]:
    """One event per published partition, with its versions and those of its inputs.

    Parameters
    ----------
    pointers : mapping of str to str
        What `newest_events` said of every input.
    """
    for one in published:
        tags = {
            "dagster/data_version": bare(one.data_version),
            "dagster/data_version_is_user_provided": "true",
            "dagster/code_version": code_version,
        }
        for name, pointer in (pointers or {}).items():
            tags[f"dagster/input_event_pointer/{name}"] = pointer
        for name, digest in one.inputs.items():
            tags[f"dagster/input_data_version/{name}"] = bare(digest)
        yield dg.AssetMaterialization(
            asset, partition=one.partition.key, tags=tags, metadata=one.metadata
        )


def check_results(
    asset: str,
    verdicts: Sequence[Verdict],
    log: logging.Logger | None = None,
    *,
    is_last: bool = False,
) -> Iterator[dg.AssetCheckResult]:
    """One result per check, a failed one said in the log too; it blocks only if none passed.

    A blocking error stops every downstream step of the run, and a good partition
    must not wait for a bad one: what is missing at the end is named, and fails the
    run, in the check of the summary.

    Parameters
    ----------
    is_last : bool
        Nothing waits downstream, so that a single failure fails the run here.
    """
    for verdict in verdicts:
        failed = len(verdict.failures)
        blocks = failed > 0 and (is_last or verdict.passed == 0)
        if failed and log is not None:
            # Dagster's own error names the check but neither partition nor reason.
            said = f"check {verdict.name}: {_sentence(verdict)}"
            log.log(logging.ERROR if blocks else logging.WARNING, said)
        yield dg.AssetCheckResult(
            asset_key=asset,
            check_name=verdict.name,
            passed=failed == 0,
            severity=dg.AssetCheckSeverity.ERROR if blocks else dg.AssetCheckSeverity.WARN,
            description=_sentence(verdict),
            metadata={
                "partitions_passed": verdict.passed,
                "partitions_failed": failed,
                **({"failures": _table(verdict)} if failed else {}),
                **verdict.metadata,
            },
        )


def _sentence(verdict: Verdict) -> str:
    failed = len(verdict.failures)
    if not failed:
        return f"holds for {verdict.passed} partitions"
    partition, problem = verdict.failures[0]
    more = f", and {failed - 1} more" if failed > 1 else ""
    return f"{failed} of {failed + verdict.passed} partitions fail: {partition} ({problem}){more}"


def _table(verdict: Verdict) -> dg.TableMetadataValue:
    records = [
        dg.TableRecord(
            {
                "partition": str(partition),
                "code": problem.code,
                "where": problem.loc,
                "message": problem.message,
            }
        )
        for partition, problem in verdict.failures[:_MAX_ROWS]
    ]
    columns = [dg.TableColumn(name) for name in ("partition", "code", "where", "message")]
    return dg.MetadataValue.table(records, dg.TableSchema(columns=columns))
