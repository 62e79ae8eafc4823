"""What a person sees of a detection in the UI: numbers, tables and pictures of each part.

Pictures are ``flow_plots``; how right a detection is stands in reports, whose pictures are
``flow_curves``. The assets are ``smart_flow``.
"""

from __future__ import annotations

from typing import Any, Final

import dagster as dg
import numpy as np
import pyarrow as pa

from contracts.flow_columns import (
    ALERTS,
    DETECTIONS,
    FLOW_PACKETS,
    HYPOTHESIS_ROWS,
    SMART_MONEY_EVENTS,
)
from contracts.flow_manifest import detection_key
from islandflow_assets.flow_plots import (
    NOT_NAMED,
    alerts_chart,
    confidence_chart,
    events_chart,
    packets_chart,
    reasons_chart,
    word_counts,
)
from islandflow_assets.time_axes import clock
from islandflow_resources.flow_folder import StoredDetection
from islandflow_resources.sound_detections import SoundDetection

ALERTS_SHOWN: Final = 20
"""Alerts in the table of the surest ones."""
_SECOND_NS: Final = 1_000_000_000
_DAY_NS: Final = 86_400 * _SECOND_NS
_TABLE: Final = ("table", "rows", "bytes", "content_digest", "uri")
_ALERT: Final = (
    "time_utc",
    "symbol",
    "hypothesis_type",
    "direction",
    "confidence",
    "premium_usd",
    "contract",
    "alert_id",
)


def packet_metadata(title: str, found: SoundDetection) -> dict[str, Any]:
    """The detection as a whole: its policy, its tables, premium by time.

    Parameters
    ----------
    title : str
    found : SoundDetection
        Whose detection stands.
    """
    detection = found.detection
    assert detection is not None
    manifest, policy = detection.manifest, detection.policy
    shown: dict[str, Any] = {
        "packets": packets_chart(f"{title} · packets", detection.table(FLOW_PACKETS.name)),
        "tables": _tables(detection),
        "detection_id": manifest.detection_id,
        "tape_id": manifest.tape_id,
        "policy": f"{policy.id} {policy.version}",
        "policy_digest": manifest.policy_digest,
        "detector_version": manifest.detector_version,
        "events": manifest.events,
        "late": manifest.late,
        "repeated": manifest.repeated,
        "manifest": dg.MetadataValue.url(detection.store.uri(detection.key)),
        "detection_digest": manifest.content_digest,
        "used_cache": found.used_cache,
        "seconds": round(found.seconds, 4),
        **_stored(detection, FLOW_PACKETS.name),
    }
    if not found.used_cache:
        shown["events_per_second"] = round(manifest.events / max(found.seconds, 1e-9))
    return shown


def hypothesis_metadata(title: str, detection: StoredDetection) -> dict[str, Any]:
    """What clusters may be, and why nothing is said of most."""
    rows = detection.table(HYPOTHESIS_ROWS.name)
    return {
        "reasons": reasons_chart(f"{title} · reasons", rows),
        "types": _counts(rows, "hypothesis_type"),
        "statuses": _counts(rows, "status"),
        "structures": _counts(rows, "structure_type"),
        **_stored(detection, HYPOTHESIS_ROWS.name),
    }


def alert_metadata(title: str, detection: StoredDetection) -> dict[str, Any]:
    """What is said aloud: when, how surely, and the surest of it."""
    rows = detection.table(ALERTS.name)
    return {
        "alerts": alerts_chart(f"{title} · alerts", rows),
        "confidence": confidence_chart(f"{title} · confidence", rows),
        "surest": _surest(rows),
        "profiles": _counts(rows, "profile"),
        "directions": _counts(rows, "direction"),
        "bands": _counts(rows, "band"),
        "symbols": _counts(rows, "symbol"),
        **_stored(detection, ALERTS.name),
    }


def event_metadata(title: str, detection: StoredDetection) -> dict[str, Any]:
    """Clusters as smart-money events: their likeliest profiles, and why the others have none."""
    rows = detection.table(SMART_MONEY_EVENTS.name)
    return {
        "events": events_chart(f"{title} · events", rows),
        "profiles": _counts(rows, "primary_profile_id", NOT_NAMED),
        "directions": _counts(rows, "primary_direction"),
        "kinds": _counts(rows, "event_kind"),
        "suppressed_reasons": _counts(rows, "suppressed_reasons"),
        **_stored(detection, SMART_MONEY_EVENTS.name),
    }


def _stored(detection: StoredDetection, name: str) -> dict[str, Any]:
    """Rows, digest and place of a table."""
    table = detection.manifest.tables[name]
    return {
        "dagster/row_count": table.rows,
        "uri": dg.MetadataValue.url(_uri(detection, name)),
        "content_digest": table.digest,
    }


def _uri(detection: StoredDetection, name: str) -> str:
    key = detection_key(detection.manifest.detection_id, f"{name}.parquet")
    return detection.store.uri(key)


def _tables(detection: StoredDetection) -> dg.TableMetadataValue:
    """A row per table of a detection."""
    manifest = detection.manifest
    sizes = {file.name: file.size_bytes for file in manifest.files}
    records = [
        dg.TableRecord(
            {
                "table": name,
                "rows": manifest.tables[name].rows,
                "bytes": sizes[f"{name}.parquet"],
                "content_digest": manifest.tables[name].digest,
                "uri": _uri(detection, name),
            }
        )
        for name in DETECTIONS
    ]
    columns = [dg.TableColumn(name) for name in _TABLE]
    return dg.MetadataValue.table(records, dg.TableSchema(columns=columns))


def _surest(alerts: pa.Table) -> dg.TableMetadataValue:
    """The surest alerts, of equal ones the first that was said."""
    order = [
        ("confidence", "descending"),
        ("emitted_ns", "ascending"),
        ("cluster_seq", "ascending"),
    ]
    # Arrow sorts no tables that have texts as codes: places of rows are sorted in their stead.
    numbers = alerts.select([name for name, _ in order])
    placed = numbers.append_column("place", pa.array(np.arange(alerts.num_rows)))
    places = placed.sort_by(order).column("place").slice(0, ALERTS_SHOWN)
    first = alerts.take(places).to_pylist()
    records = [
        dg.TableRecord(
            {
                "time_utc": _time(one["emitted_ns"]),
                "symbol": one["symbol"],
                "hypothesis_type": one["hypothesis_type"],
                "direction": one["direction"],
                "confidence": round(one["confidence"], 4),
                "premium_usd": round(one["premium_usd"], 2),
                "contract": one["contract"],
                "alert_id": one["alert_id"],
            }
        )
        for one in first
    ]
    columns = [dg.TableColumn(name) for name in _ALERT]
    return dg.MetadataValue.table(records, dg.TableSchema(columns=columns))


def _time(at_ns: int) -> str:
    return f"{clock(at_ns, _DAY_NS)} {clock(at_ns, _SECOND_NS)}"


def _counts(rows: pa.Table, name: str, empty: str = "") -> dg.JsonMetadataValue:
    """How often each text of a column occurs, the most frequent first."""
    counts = word_counts(rows.column(name))
    return dg.MetadataValue.json({text or empty: count for text, count in counts.items()})
