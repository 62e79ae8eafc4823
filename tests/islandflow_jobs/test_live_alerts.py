"""What the detector beside a live tape says, against the detection of the finished tape."""

import json

import pyarrow.parquet as pq
import pytest

from contracts.control import PROFILES
from contracts.smart_flow import PROFILES_OF
from contracts.tape_defaults import default_profile
from islandflow_resources.tape_live_alerts import hits, live_alerts
from tests.graph import write_json

SEED = 5
MINUTES = 12


@pytest.fixture
def market(islandflow, bare_home, tmp_path):
    """A live tape that has come to its end, and the detection of it."""
    document = default_profile(4).model_dump(mode="json")
    document["session"] |= {"skip_s": 0, "duration_s": MINUTES * 60}
    document["flow"] |= {"bursts_per_minute": 6.0}
    path = write_json(tmp_path / "profile.json", document)
    live, found = tmp_path / "live", tmp_path / "found"
    commands = (
        ("tape", "live", "--profile", path, "--seed", SEED, "--out", live, "--speed", 10_000),
        ("flow", "detect", live, "--out", found),
    )
    for command in commands:
        code, _, err = islandflow(*(str(word) for word in command))
        assert code == 0, err
    return live, found


def test_alerts_and_counts_of_a_live_tape_are_those_of_the_stored_detection(islandflow, market):
    live, found = market
    [path] = found.glob("detections/*/smart_flow_alerts.parquet")
    stored = pq.read_table(path).to_pylist()
    told = list(live_alerts(live / "live" / "alerts.jsonl"))
    assert stored
    assert told == [
        row | {name: str(value) for name, value in row.items() if type(value) is int}
        for row in stored
    ]
    code, lines, _ = islandflow("control", "status", "--json", "--live", str(live))
    status = json.loads("\n".join(lines))
    assert code == 0
    at_ns = int(status["at_ns"])
    since_ns = at_ns - status["coverage_window_minutes"] * 60_000_000_000
    counted = {
        profile: sum(
            since_ns < row["emitted_ns"] <= at_ns and row["profile"] == profile for row in stored
        )
        for profile in PROFILES
    }
    assert status["detected"] == counted
    assert sum(counted.values()) > 0
    assert status["detected_reason"] is None


def test_hits_are_counted_after_the_start_of_the_window_up_to_its_end():
    said = [(10, "arbitrage"), (11, "arbitrage"), (20, "vol_seller"), (21, "vol_seller")]
    wanted = dict.fromkeys(PROFILES_OF.values(), 0) | {"arbitrage": 1, "vol_seller": 1}
    assert hits(said, 10, 20) == wanted


def test_a_line_that_is_not_whole_is_left_out(tmp_path):
    path = tmp_path / "alerts.jsonl"
    path.write_text('{"profile":"arbitrage"}\n{"profile":"vol')
    assert list(live_alerts(path)) == [{"profile": "arbitrage"}]
    assert list(live_alerts(tmp_path / "nothing.jsonl")) == []
