"""What the UI shows of a detection is what its manifest and its tables say."""

import pytest

from contracts.canonical import canonical_json
from contracts.digest import document_digest
from contracts.flow_columns import ALERTS, DETECTIONS, SMART_MONEY_EVENTS
from contracts.flow_manifest import (
    CONTRACT,
    FILES,
    POLICY,
    VERSION,
    detection_id,
    detection_key,
    detection_recipe,
    sealed_detection,
)
from contracts.smart_flow import HYPOTHESES
from islandflow_assets.flow_shown import (
    ALERTS_SHOWN,
    alert_metadata,
    event_metadata,
    hypothesis_metadata,
    packet_metadata,
)
from islandflow_resources.flow_folder import StoredDetection
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.mbo_files import file_digest
from islandflow_resources.sound_detections import SoundDetection
from islandflow_resources.stored_files import StoredFile, put_file
from islandflow_resources.table_schemas import coded
from islandflow_resources.tape_files import TapeFile
from tests.islandflow_assets.pictures import picture, words
from tests.islandflow_resources.flow_detections import (
    CALL,
    OPEN_NS,
    alert,
    detection,
    policy,
    row,
    table,
)

SECOND_NS = 1_000_000_000
TAPE = document_digest({"tape": "by hand"})
DETECTOR = "1.0.0-by-hand"


def alerts():
    """Twenty-five of them, a second apart, the surest last."""
    return [
        alert(
            alert_id=f"smartflow:alert:hypothesis:cluster:SPY:{k}",
            cluster_seq=k,
            emitted_ns=OPEN_NS + k * SECOND_NS,
            hypothesis_type=HYPOTHESES[k % 2],
            confidence=0.52 + 0.01 * k,
            premium_usd=1_000.125 + k,
        )
        for k in range(25)
    ]


def event(number, profile, **changes):
    told = {
        "event_id": f"smartmoney:single_leg_event:{number}",
        "cluster_seq": number,
        "symbol": "SPY",
        "emitted_ns": OPEN_NS,
        "event_kind": "single_leg_event",
        "primary_profile_id": profile,
        "primary_direction": "bullish",
        "abstained": not profile,
    }
    return row(SMART_MONEY_EVENTS, **{**told, **changes})


@pytest.fixture
def stored(tmp_path):
    """A detection whose tables are made by hand, in a store."""
    tables = {
        **detection(alerts=alerts()),
        SMART_MONEY_EVENTS.name: table(
            SMART_MONEY_EVENTS,
            [event(1, "vol_seller"), event(2, ""), event(3, "", primary_direction="unknown")],
        ),
    }
    return stored_detection(FolderStore(tmp_path / "objects"), tables, tmp_path)


def as_codes(rows, schema):
    """Rows as a detection writes them."""
    for place, column in enumerate(schema.columns):
        if column.kind == "string":
            texts = rows.column(column.name).dictionary_encode()
            rows = rows.set_column(place, column.name, texts)
    return coded(rows, schema)


def stored_detection(store, tables, folder):
    hashes = {}
    for name, schema in DETECTIONS.items():
        with TapeFile(folder / f"{name}.parquet", schema) as file:
            file.append(as_codes(tables[name], schema))
            hashes[name] = file.hashes
    (folder / POLICY).write_bytes(canonical_json(policy().document()))
    identity = detection_id(detection_recipe(TAPE, policy().policy_digest, DETECTOR, 0))
    files = [
        {
            "name": name,
            "digest": file_digest(folder / name),
            "size_bytes": (folder / name).stat().st_size,
        }
        for name in FILES
    ]
    for one in files:
        key = detection_key(identity, one["name"])
        put_file(store, StoredFile(key, one["digest"]), folder / one["name"])
    body = {
        "detection_version": VERSION,
        "contract_version": CONTRACT,
        "detection_id": identity,
        "tape_id": "0123456789abcdef",
        "tape_digest": TAPE,
        "detector_version": DETECTOR,
        "policy_digest": policy().policy_digest,
        "lateness_ns": 0,
        "events": 9_000,
        "late": 3,
        "repeated": 2,
        "tables": {name: one.document() for name, one in hashes.items()},
        "files": files,
    }
    return StoredDetection(store, sealed_detection(body), True)


def records(value):
    return [dict(one.data) for one in value.records]


def test_packets_show_the_detection_as_a_whole(stored):
    shown = packet_metadata("a tape", SoundDetection(None, stored, False, 4.5))
    manifest = stored.manifest
    assert shown["policy"] == "by-hand 1.0"
    assert shown["policy_digest"] == policy().policy_digest
    assert shown["detector_version"] == DETECTOR
    assert shown["detection_id"] == manifest.detection_id
    assert (shown["events"], shown["late"], shown["repeated"]) == (9_000, 3, 2)
    assert shown["dagster/row_count"] == 3
    assert shown["content_digest"] == manifest.tables["flow_packets"].digest
    assert shown["detection_digest"] == manifest.content_digest
    assert shown["manifest"].url == stored.store.uri(stored.key)
    assert shown["used_cache"] is False
    assert shown["seconds"] == 4.5
    assert shown["events_per_second"] == 2_000
    assert "a tape · packets" in words(picture(shown["packets"]))


def test_of_a_detection_that_was_there_no_rate_is_told(stored):
    shown = packet_metadata("a tape", SoundDetection(None, stored, True, 0.5))
    assert shown["used_cache"] is True
    assert "events_per_second" not in shown


def test_every_table_is_listed_with_its_rows_bytes_and_place(stored):
    found = records(packet_metadata("t", SoundDetection(None, stored, False, 1.0))["tables"])
    assert [one["table"] for one in found] == list(DETECTIONS)
    for one in found:
        data = stored.store.get(f"detections/{stored.manifest.detection_id}/{one['table']}.parquet")
        assert one["bytes"] == len(data)
        assert one["rows"] == stored.table(one["table"]).num_rows
        assert one["uri"].endswith(f"{one['table']}.parquet")
        assert one["content_digest"] == stored.manifest.tables[one["table"]].digest


def test_hypotheses_show_what_they_are_and_why_nothing_is_said(stored):
    shown = hypothesis_metadata("a tape", stored)
    assert shown["types"].data == {"directional_accumulation": 1, "unclear": 1}
    assert shown["statuses"].data == {"down_weighted": 1, "rejected": 1}
    assert shown["structures"].data == {"single": 2}
    assert shown["dagster/row_count"] == 2
    assert "clusters that are evidence: 1, said aloud: 1" in words(picture(shown["reasons"]))


def test_alerts_list_the_twenty_surest_with_their_times(stored):
    shown = alert_metadata("a tape", stored)
    found = records(shown["surest"])
    assert len(found) == ALERTS_SHOWN
    assert [one["confidence"] for one in found] == [round(0.76 - 0.01 * k, 4) for k in range(20)]
    assert found[0] == {
        "time_utc": "2026-01-08 14:30:24",
        "symbol": "SPY",
        "hypothesis_type": HYPOTHESES[0],
        "direction": "bullish",
        "confidence": 0.76,
        "premium_usd": 1_024.12,
        "contract": CALL,
        "alert_id": "smartflow:alert:hypothesis:cluster:SPY:24",
    }
    assert shown["dagster/row_count"] == 25
    assert shown["profiles"].data == {"institutional_directional": 25}
    assert shown["content_digest"] == stored.manifest.tables[ALERTS.name].digest
    assert shown["uri"].url.endswith("smart_flow_alerts.parquet")
    assert "alerts in 5 minutes · in all 25" in words(picture(shown["alerts"]))
    assert "alerts: 25" in words(picture(shown["confidence"]))


def test_events_show_their_profiles_and_those_that_have_none(stored):
    shown = event_metadata("a tape", stored)
    assert shown["profiles"].data == {"none named": 2, "vol_seller": 1}
    assert shown["directions"].data == {"bullish": 2, "unknown": 1}
    assert shown["kinds"].data == {"single_leg_event": 3}
    assert shown["dagster/row_count"] == 3
    assert "events in 5 minutes · in all 3" in words(picture(shown["events"]))


def test_a_detection_that_says_nothing_is_shown(tmp_path):
    empty = {name: table(schema, []) for name, schema in DETECTIONS.items()}
    silent = stored_detection(FolderStore(tmp_path / "objects"), empty, tmp_path)
    nothing = "nothing to draw: there is no finite value"
    shown = alert_metadata("a tape", silent)
    assert records(shown["surest"]) == []
    assert nothing in words(picture(shown["alerts"]))
    assert nothing in words(picture(hypothesis_metadata("a tape", silent)["reasons"]))
    assert nothing in words(picture(event_metadata("a tape", silent)["events"]))
    found = SoundDetection(None, silent, False, 1.0)
    assert nothing in words(picture(packet_metadata("a tape", found)["packets"]))
