"""The control log as an asset: its version is what it says."""

import pytest

from contracts.control import SyntheticControlState
from islandflow_assets import keys
from tests.market_graph import markets_graph

PAST_NS = 1_700_000_000_000_000_000
FUTURE_NS = 4_000_000_000_000_000_000


@pytest.fixture
def markets():
    with markets_graph() as markets:
        yield markets


def published(markets):
    """What a run of the asset says: its data version and metadata."""
    run = markets.run_control()
    assert run.success, run.said
    [one] = run.materialised(keys.CONTROL_STATE).values()
    return one.tags["dagster/data_version"], one.metadata


def test_before_anything_was_saved_every_default_holds(markets):
    version, metadata = published(markets)
    assert metadata["revision"].value == metadata["in_force"].value == 0
    assert metadata["modified"].value == "nothing"
    assert metadata["state"].value == SyntheticControlState().model_dump(mode="json")
    assert published(markets)[0] == version


def test_a_revision_changes_the_version_and_is_told(markets):
    before, _ = published(markets)
    markets.save(PAST_NS, preset_id="event_day")
    markets.save(FUTURE_NS, load_profile_id="firehose")
    version, metadata = published(markets)
    assert version != before
    assert (metadata["revision"].value, metadata["in_force"].value) == (2, 1)
    assert metadata["modified"].value == "/load_profile_id, /preset_id"
    rows = [record.data for record in metadata["history"].records]
    assert [row["revision"] for row in rows] == [2, 1, 0]
    assert [row["preset"] for row in rows] == ["event_day", "event_day", "balanced_demo"]
    assert rows[1]["updated_by"] == "a test"
    assert metadata["used_cache"].value is False
    assert published(markets)[1]["used_cache"].value is True


def test_a_save_that_changes_nothing_changes_no_version(markets):
    markets.save(PAST_NS, preset_id="event_day")
    version, _ = published(markets)
    assert markets.save(FUTURE_NS, preset_id="event_day") == 1
    assert published(markets)[0] == version
