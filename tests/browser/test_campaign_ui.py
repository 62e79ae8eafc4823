"""A finished campaign in the UI: its tables and pictures, as an analyst finds them."""

import re

import pytest
from playwright.sync_api import expect

from islandflow_assets import keys
from tests.campaign_graph import only_campaign

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def test_a_finished_campaign_shows_its_heat_map_its_equity_fan_and_its_gate(graph, visit):
    key = only_campaign(graph)
    shows_a_picture(visit, keys.CAMPAIGN_LEADERBOARD, key, "heat_map", "sharpe of crossing")
    shows_a_picture(visit, keys.CAMPAIGN_ROBUSTNESS, key, "equity_fan", "growth over")
    visit.open_partition(keys.PROMOTION_DOSSIER, key)
    expect(visit.value("passed")).to_be_visible()
    assert visit.value("passed").text_content() == "true"
    table = visit.value("criteria")
    expect(table.get_by_text("closed trades")).to_be_visible()
    expect(table.get_by_text("checksums", exact=True)).to_be_visible()


def shows_a_picture(visit, asset, partition, label, named):
    """Assert that one partition of an asset shows a drawn picture of some name."""
    visit.open_partition(asset, partition)
    visit.value(label).get_by_text("[Show Markdown]").click()
    drawn = visit.page.get_by_role("dialog").get_by_role("img", name=re.compile(named))
    expect(drawn).to_be_visible()
    assert drawn.evaluate("image => image.complete && image.naturalWidth") >= 600
