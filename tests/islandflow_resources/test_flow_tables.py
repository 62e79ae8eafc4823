"""Tables of what the detector says: alerts and events follow from the hypotheses, row by row."""

import math

import pytest

from contracts.flow_columns import DETECTIONS
from contracts.flow_evidence import alert_id, cluster_id
from contracts.smart_flow import HYPOTHESES, PROFILES_OF, band_of
from tests.islandflow_resources.small_detections import bold, made_once


@pytest.fixture(scope="module")
def rows():
    """Rows of every table."""
    return {name: table.to_pylist() for name, table in made_once().detect().tables().items()}


@pytest.fixture(scope="module")
def clusters(rows):
    return {row["cluster_seq"]: row for row in rows["smart_flow_hypotheses"]}


def test_every_table_has_the_columns_of_its_layout(rows):
    for name, schema in DETECTIONS.items():
        assert tuple(rows[name][0]) == schema.names


def test_there_is_an_alert_for_each_cluster_that_is_said_and_for_no_other(rows, clusters):
    said = [number for number, row in clusters.items() if not row["abstained"]]
    assert [row["cluster_seq"] for row in rows["smart_flow_alerts"]] == said
    assert 0 < len(said) < len(clusters)


def test_an_alert_says_what_its_cluster_says(rows, clusters):
    shared, policy_digest = DETECTIONS["smart_flow_alerts"].names, bold().policy_digest
    for row in rows["smart_flow_alerts"]:
        cluster = clusters[row["cluster_seq"]]
        for name in shared:
            if name in cluster:
                assert row[name] == cluster[name]
        assert row["alert_id"] == alert_id(cluster_id(row["symbol"], row["cluster_seq"]))
        assert row["profile"] == PROFILES_OF[row["hypothesis_type"]]
        assert row["band"] == band_of(row["confidence"])
        assert row["policy_digest"] == policy_digest


def test_there_is_an_event_for_each_cluster_that_is_evidence(rows, clusters):
    kept = [number for number, row in clusters.items() if row["status"] != "rejected"]
    assert [row["cluster_seq"] for row in rows["smart_money_events"]] == kept
    kinds = set()
    for row in rows["smart_money_events"]:
        cluster = clusters[row["cluster_seq"]]
        kind = "single_leg_event" if cluster["legs"] == 1 else "multi_leg_event"
        kinds.add(kind)
        assert row["event_id"] == f"smartmoney:{kind}:{row['cluster_seq']}"
        assert row["event_kind"] == kind
        assert row["event_window_ms"] == pytest.approx(
            (cluster["end_ns"] - cluster["start_ns"]) / 1e6, abs=1e-6
        )
        assert row["primary_profile_id"] == PROFILES_OF.get(cluster["hypothesis_type"], "")
        assert row["primary_direction"] == cluster["direction"]
        assert row["abstained"] == cluster["abstained"]
        assert row["suppressed_reasons"] == cluster["abstention_reasons"]
        for name in HYPOTHESES:
            chance = 1 / (1 + math.exp(-cluster[f"z_{name}"]))
            assert row[f"p_{PROFILES_OF[name]}"] == pytest.approx(chance, rel=1e-12)
    assert "single_leg_event" in kinds


def test_prints_name_packets_and_clusters_that_are_there(rows, clusters):
    packets = {row["packet_seq"]: row for row in rows["flow_packets"]}
    used = {row["packet_seq"] for row in rows["flow_prints"]} - {0}
    assert used == set(packets)
    for row in packets.values():
        assert clusters[row["cluster_seq"]]["symbol"] == row["symbol"]
    named = {row["cluster_seq"] for row in rows["flow_prints"]} - {0}
    assert named == set(clusters)
