"""The UI on a small graph: the lineage, a failed check, and a partition made by clicking."""

import json
import logging
import re

import pytest
from playwright.sync_api import expect

from islandflow_assets import keys
from islandflow_assets.partitions import Partition
from islandflow_resources.materialise import dataset_ref
from tests.graph import CALM, SINKING, market

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

RUN_S = 90.0


@pytest.fixture
def sinking(graph):
    """A partition whose guards have just failed; run before the browser takes the event loop."""
    [key] = graph.register(market(SINKING))
    cell = Partition(key, 1)
    assert not graph.run_one(cell).success
    return cell


def test_the_lineage_shows_all_four_assets(visit):
    visit.open("/asset-groups")
    drawing = visit.page.locator("svg")
    groups = {
        keys.SCENARIOS: (keys.SCENARIO_SPEC, keys.SCENARIO_DATASET),
        keys.BACKTESTS: (keys.BACKTEST_RESULT, keys.BACKTEST_SUMMARY),
    }
    for group, assets in groups.items():
        # An opened group moves into view, and what is out of view is not drawn.
        drawing.get_by_text(group, exact=True).first.click()
        for asset in assets:
            node = drawing.get_by_text(asset, exact=True).first
            node.wait_for()
            assert node.is_visible()


def test_a_failed_check_says_which_partition_failed_and_why(sinking, visit):
    visit.open(f"/assets/{keys.SCENARIO_DATASET}?view=checks&checkDetail={keys.GUARDS_HOLD}")
    said = visit.page.get_by_text(f"1 of 1 partitions fail: {sinking} (SCENARIO_UNREPRESENTABLE")
    said.wait_for()
    assert "hint: lower sigma, drift or duration_bars" in said.inner_text()


def test_a_clicked_partition_shows_its_plot_and_the_digest_of_its_manifest(visit, graph):
    cell = Partition(graph.scenario_keys[0], 2)
    launch(visit, keys.SCENARIOS, cell)
    visit.page.get_by_role("link", name="View", exact=True).click()
    ended = visit.page.get_by_text(re.compile("^(Success|Failure|Canceled)$")).first
    ended.wait_for(timeout=RUN_S * 1000)
    assert ended.inner_text() == "Success", errors_of_last_run(graph)

    visit.open_partition(keys.SCENARIO_DATASET, str(cell))
    expect(visit.value("content_digest")).to_have_text(manifest(graph, cell)["content_digest"])
    expect(visit.value("timeframe")).to_have_text("1m")
    visit.value("price").get_by_text("[Show Markdown]").click()
    plot = visit.page.get_by_role("dialog").get_by_role(
        "img", name=re.compile(f"^{re.escape(str(cell))} · price")
    )
    expect(plot).to_be_visible()
    assert plot.evaluate("image => image.complete && image.naturalWidth") == 720


def errors_of_last_run(graph):
    """What the newest run logged as errors."""
    [run] = graph.instance.get_runs(limit=1)
    entries = graph.instance.all_logs(run.run_id)
    return "\n".join(entry.user_message for entry in entries if entry.level >= logging.ERROR)


def launch(visit, group, cell):
    """Choose one partition for the assets of a group in the dialog of its page, and start it."""
    visit.open(f"/locations/islandflow/asset-groups/{group}/lineage")
    visit.page.get_by_role("button", name="Materialize all…").click()
    dialog = visit.page.get_by_role("dialog")
    for key in (cell.scenario_key, str(cell.seed)):
        # A chosen dimension names its partition, so the first that asks is the next one.
        dialog.get_by_text("Select a partition or create one").first.click()
        named = visit.page.get_by_text(key, exact=True)
        visit.page.get_by_role("menuitem").filter(has=named).click()
        dialog.get_by_text("Launch runs to materialize").click()
    dialog.get_by_role("button", name="Launch 1 run").click()


def manifest(graph, cell):
    """The manifest that the store holds of a partition of the calm market."""
    return json.loads(graph.resources.store.get(dataset_ref(market(CALM), cell.seed).manifest_key))
