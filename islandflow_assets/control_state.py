"""``control_state``: the control log of the deployment as a versioned document.

No tape depends on it in the graph: a tape's spec holds the part of the log that is effective
before its end, so that a later change makes no tape stale (``market_tapes``). Saving is
``islandflow_resources.control_log``, what a change asks for ``islandflow_jobs.control_sensors``.
"""

import dagster as dg

from contracts.digest import bare
from islandflow_assets import keys
from islandflow_resources.control_log import ControlLogStore, ControlRevision
from islandflow_resources.control_states import VERSION, control_document
from islandflow_resources.database import Database
from islandflow_resources.failures import reported
from islandflow_resources.object_store import ObjectStore

_MAX_ROWS = 100
_SECOND_NS = 1_000_000_000


@dg.asset(
    name=keys.CONTROL_STATE,
    group_name=keys.MARKET,
    code_version=VERSION,
    kinds={"json"},
)
def control_state(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[ObjectStore],
    database: dg.ResourceParam[Database],
) -> dg.MaterializeResult:
    """Every revision of the control that changed something, from when on each holds.

    Its data version is what the log says: a save that changes nothing leaves it as it is.
    """
    with reported(context):
        history = ControlLogStore(database).history()
        made = control_document(store, database, history, context.run.run_id)
    last = history[-1]
    return dg.MaterializeResult(
        metadata={
            "revision": last.revision,
            "effective_ns": str(last.effective_ns),
            "state": dg.MetadataValue.json(last.control.model_dump(mode="json")),
            "modified": ", ".join(last.control.modified()) or "nothing",
            "in_force": _in_force(context, history).revision,
            "history": _history_table(history),
            "uri": dg.MetadataValue.url(store.uri(made.key)),
            "content_digest": made.content_digest,
            "recipe_digest": made.recipe,
            "used_cache": made.used_cache,
        },
        data_version=dg.DataVersion(bare(made.content_digest)),
    )


def _in_force(context: dg.AssetExecutionContext, history: list[ControlRevision]) -> ControlRevision:
    """The revision that held when the run was asked for."""
    record = context.instance.get_run_record_by_id(context.run.run_id)
    now_ns = int(record.create_timestamp.timestamp()) * _SECOND_NS if record else 0
    return [one for one in history if one.effective_ns <= now_ns][-1]


def _history_table(history: list[ControlRevision]) -> dg.TableMetadataValue:
    """The newest revisions: when they take effect, who saved them, what they say."""
    names = ("revision", "effective_ns", "updated_by", "demo_profile", "preset", "load", "hash")
    records = [
        dg.TableRecord(
            {
                "revision": one.revision,
                "effective_ns": str(one.effective_ns),
                "updated_by": one.updated_by,
                "demo_profile": one.control.demo_profile_id,
                "preset": one.control.preset_id,
                "load": one.control.load_profile_id,
                "hash": one.control_hash,
            }
        )
        for one in reversed(history[-_MAX_ROWS:])
    ]
    columns = [dg.TableColumn(name) for name in names]
    return dg.MetadataValue.table(records, dg.TableSchema(columns=columns))
