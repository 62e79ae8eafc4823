"""A report in Chromium: its plots are drawn and answer, and what a stranger wrote stays text."""

import pytest
from playwright.sync_api import expect

from islandflow_assets import keys
from tests.browser.ui import visiting
from tests.campaign_graph import campaign_home, register, run_job
from tests.graph import graph_of

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

HOSTILE = "</script><script>window.hostile = 1</script><img src=x onerror='window.hostile = 1'>"


@pytest.fixture
def report(tmp_path):
    """The report of a campaign with a hostile description; made before the browser's event loop."""
    with graph_of(campaign_home()) as graph:
        run = run_job(graph, register(graph, id="hostile", description=HOSTILE))
        assert run.success, run.said
        [made] = run.materialised(keys.PROMOTION_DOSSIER).values()
        store = graph.resources.store
        path = tmp_path / "report.html"
        path.write_bytes(store.get(store.parse_uri(str(made.metadata["report"].value))))
        yield path.as_uri()


def test_a_report_draws_its_plots_answers_the_pointer_and_runs_no_script_of_others(report):
    with visiting(report) as visit:
        visit.open("")
        page = visit.page
        expect(page.get_by_text(HOSTILE)).to_be_visible()
        figures = page.locator("figure")
        assert figures.count() == 6
        drawn = [one.locator(".trace *").count() for one in figures.all()]
        assert all(drawn), drawn

        growth = page.locator("figure", has_text="Growth over the paths")
        growth.scroll_into_view_if_needed()
        box = growth.locator("svg").bounding_box()
        assert box is not None
        middle = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + box["width"] * 0.3, middle)
        expect(growth.locator(".told")).to_contain_text("median: ")
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.6, middle)
        page.mouse.up()
        expect(growth.get_by_role("button", name="whole")).to_be_visible()
        growth.get_by_role("button", name="median").click()
        assert growth.locator(".trace.line").count() == 0

        scores = page.locator("section", has_text="Candidates").locator("table")
        scores.get_by_role("button", name="score", exact=True).click()
        scores.get_by_role("button", name="score", exact=True).click()
        assert scores.locator("tbody tr").first.locator("td").first.inner_text() == "6"

        assert page.evaluate("window.hostile") is None
        assert visit.hosts == {report}
        assert visit.errors == []
