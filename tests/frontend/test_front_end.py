"""Both views of the page in Chromium, against what the server's own endpoints and socket say.

The server is the fixture ``signal_server`` (its address); the committed build is test_build.py.
"""

import json
import re
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from urllib.parse import urlencode

import pyarrow as pa
import pytest
from playwright.sync_api import expect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.browser.ui import PATIENCE_S, visiting
from tests.frontend.conftest import LONG, SHORT

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("books")]

REACH_TICKS = 8
BINS = 12
RUNS = "/v1/experiments/runs"
STREAM = "/v1/vacuum-pressure/stream"
# What the page says of its newest bin, all of it at one moment.
READINGS = """() => {
  const of = (id) => document.getElementById(id).textContent;
  const meters = [...document.querySelectorAll("#live [role=meter]")];
  return {
    bin: of("bin"), bid: of("fact-bid"), ask: of("fact-ask"), mid: of("fact-mid"),
    signal: of("fact-value"), events: of("fact-events"), missed: of("missed"),
    meters: Object.fromEntries(meters.map((bar) => [bar.ariaLabel, Number(bar.ariaValueNow)])),
  };
}"""
COLOURS = """(canvas) => {
  const { width, height } = canvas;
  const picture = canvas.getContext("2d").getImageData(0, 0, width, height);
  return [...new Set(new Uint32Array(picture.data.buffer))];
}"""


@pytest.fixture(scope="module")
def browser(signal_server):
    """One Chromium for all tests here."""
    with visiting(signal_server) as visit:
        yield visit


@pytest.fixture
def visit(browser):
    """The browser, which must contact this machine alone and log no error."""
    browser.page.goto("about:blank")
    browser.hosts.clear()
    browser.errors.clear()
    yield browser
    assert browser.hosts == {"127.0.0.1"}
    assert browser.errors == []


def document(address, path, **query):
    given = f"?{urlencode(query)}" if query else ""
    with urllib.request.urlopen(f"{address}{path}{given}", timeout=30) as response:
        return json.load(response)


@contextmanager
def listening(address, query):
    """A connection to the socket, greeted."""
    url = address.replace("http://", "ws://") + STREAM + query
    with connect(url, proxy=None, compression=None, max_size=None) as connection:
        # What is refused for its address is refused before it has said anything.
        with suppress(ConnectionClosed):
            connection.send('{"type":"hello"}')
        yield connection


def bins_of(address, query, seen):
    """Bins of the socket as (update, columns) by number, until the page has shown one of them."""
    bins, schema, update = {}, None, None
    with listening(address, query) as connection:
        while not seen(bins):
            try:
                message = connection.recv(timeout=30)
            except ConnectionClosed:
                break
            if isinstance(message, str):
                update = json.loads(message)
            elif schema is None:
                schema = pa.ipc.read_schema(pa.py_buffer(message))
            else:
                bins[update["bin_seq"]] = (update, pa.ipc.read_record_batch(message, schema))
    return bins


def assert_soon(visit, holds):
    """Wait as a reader does; the page's own rules forbid to have the browser evaluate text."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, visit.page.locator("#live .heading").inner_text()
        visit.page.wait_for_timeout(50)


def drawn_bins(visit):
    """How many bins the heat map shows."""
    return int(visit.page.locator("#heat-map").get_attribute("data-bins") or 0)


def number(text):
    """What a text of the page stands for."""
    return float(text.replace("−", "-").replace(",", "").removeprefix("+"))


def near_mean(rows, name):
    """Mean of a column over the rows around the spot."""
    pairs = zip(rows["k"].to_pylist(), rows[name].to_pylist(), strict=True)
    near = [value for k, value in pairs if abs(k) <= REACH_TICKS]
    return sum(near) / len(near)


def test_the_table_shows_the_runs_of_the_server_and_filters_them(visit, signal_server):
    answer = document(signal_server, RUNS)
    visit.open("/")
    rows = visit.page.locator("#runs-body tr")
    expect(rows).to_have_count(len(answer["runs"]))
    shown = visit.page.locator("#runs-body td.signal").all_inner_texts()
    assert shown == [run["signal"] for run in answer["runs"]]
    counts = visit.page.locator("#runs-body td.n_signals").all_inner_texts()
    assert [number(text) for text in counts] == [run["n_signals"] for run in answer["runs"]]

    chosen = answer["runs"][-1]["signal"]
    some = document(signal_server, RUNS, signal=chosen, sort="mean_pnl_ticks")["runs"]
    visit.page.get_by_label("Signal", exact=True).select_option(chosen)
    visit.page.get_by_role("button", name="mean P&L, ticks").click()
    expect(visit.page.locator("th[aria-sort=descending]")).to_have_text("mean P&L, ticks")
    expect(rows).to_have_count(len(some))
    links = [link.get_attribute("href") for link in rows.get_by_role("link").all()]
    assert links == [f"#run={run['run_id']}" for run in some]

    visit.page.get_by_label("Least number of signals").fill("999999")
    visit.page.keyboard.press("Tab")
    expect(visit.page.get_by_text("No run matches")).to_be_visible()
    expect(rows).to_have_count(0)


def test_a_run_opens_by_keyboard_with_its_thresholds_and_their_chart(visit, signal_server):
    [run, *_] = document(signal_server, RUNS)["runs"]
    detail = document(signal_server, f"{RUNS}/{run['run_id']}/detail")
    results = detail["threshold_results"]
    visit.open("/")
    visit.page.locator("#runs-body a").first.focus()
    visit.page.keyboard.press("Enter")
    dialog = visit.page.get_by_role("dialog")
    expect(dialog.locator("#thresholds tbody tr")).to_have_count(len(results))
    first = dialog.locator("#thresholds tbody tr").first.locator("td").all_inner_texts()
    assert number(first[2]) == results[0]["n_signals"]
    expect(dialog.get_by_text(run["run_id"], exact=True)).to_be_visible()
    for name in run["params"]:
        expect(dialog.get_by_text(name, exact=True).first).to_be_visible()
    priced = [one for one in results if one["mean_pnl_ticks"] is not None]
    expect(dialog.locator("svg circle")).to_have_count(len(priced))
    visit.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_an_unknown_run_is_said_to_be_unknown(visit, signal_server):
    run_id = "0" * 32
    with pytest.raises(urllib.error.HTTPError) as refused:
        document(signal_server, f"{RUNS}/{run_id}/detail")
    reason = json.load(refused.value)["error"]["message"]
    visit.open(f"/#run={run_id}")
    expect(visit.page.get_by_role("dialog").get_by_role("alert")).to_contain_text(reason)
    assert [text for text in visit.errors if "404" not in text] == []
    visit.errors.clear()


def test_the_table_opens_a_stream_whose_readings_are_those_of_the_socket(visit, signal_server):
    answer = document(signal_server, RUNS, top_n=1000, min_signals=0)
    run = next(run for run in answer["runs"] if run["can_stream"])
    visit.open(f"/#signal={run['signal']}&min_signals=0")
    button = visit.page.get_by_role("button", name=f"run {run['run_id'][:8]}")
    button.click()
    visit.page.wait_for_url("**/?serving=*")
    expect(visit.page.locator("#status")).to_have_text("live")
    shown = {}

    def seen(bins):
        readings = visit.page.evaluate(READINGS)
        shown[int(number(readings["bin"].split()[0]))] = readings
        return len(bins.keys() & shown.keys()) >= BINS

    query = visit.page.evaluate("location.search")
    bins = bins_of(signal_server, query, seen)
    common = sorted(bins.keys() & shown.keys())
    assert len(common) >= BINS
    for bin_ in common:
        assert_shown(shown[bin_], *bins[bin_])


def assert_shown(readings, update, rows):
    """Assert that the page's readings of a bin are what the socket sent of it."""
    meters = readings["meters"]
    assert number(readings["events"]) == update["bin_event_count"]
    for side in ("bid", "ask"):
        if int(update[f"best_{side}_price_int"]):
            assert number(readings[side]) == int(update[f"best_{side}_price_int"]) * 1e-9
    if update["mid_price"]:
        assert number(readings["mid"]) == pytest.approx(update["mid_price"], abs=1e-3)
    if update["signal"]["value"] is not None:
        assert number(readings["signal"]) == pytest.approx(update["signal"]["value"], abs=6e-5)
    assert meters["score"] == update["state_model_score"]
    for name in ("bull", "bear", "mixed"):
        assert meters[f"{name} intensity"] == update[f"state_model_{name}_intensity"]
    assert meters["now"] == pytest.approx(near_mean(rows, "flow_score"), abs=1e-12)
    horizons = [name for name in rows.schema.names if name.startswith("proj_score_h")]
    assert horizons
    for name in horizons:
        label = f"in {name.removeprefix('proj_score_h')} ms"
        assert meters[label] == pytest.approx(near_mean(rows, name), abs=1e-12)


def test_the_pictures_are_drawn_and_follow_the_choice_of_what_to_show(visit):
    visit.open(f"/?serving={LONG}")
    page = visit.page
    assert_soon(visit, lambda: drawn_bins(visit) >= 5)
    for name in ("heat-map", "depth-profile", "projection-profile", "signal-strip"):
        assert len(page.locator(f"#{name}").evaluate(COLOURS)) > 3, name
    assert len(page.locator("#heat-map").evaluate(COLOURS)) > 20
    expect(page.locator("#legend-title")).to_contain_text("/s")
    page.get_by_label("Show", exact=True).select_option("flow score")
    expect(page.locator("#legend-title")).to_have_text("flow score")
    expect(page.locator("#legend-high")).to_have_text("+1")
    page.locator("#heat-map").hover()
    expect(page.locator("#stream-name")).to_contain_text(LONG)


def test_the_pictures_are_light_or_dark_as_the_reader_prefers(visit):
    visit.open(f"/?serving={LONG}")
    corner = "(canvas) => canvas.getContext('2d').getImageData(0, 0, 1, 1).data[0]"
    brightness = lambda: visit.page.locator("#heat-map").evaluate(corner)  # noqa: E731
    for scheme, fits in (
        ("light", lambda: brightness() > 200),
        ("dark", lambda: 0 < brightness() < 60),
    ):
        visit.page.emulate_media(color_scheme=scheme)
        assert_soon(visit, fits)
    visit.page.emulate_media(color_scheme="light")


@pytest.mark.parametrize(
    "query", [f"?serving={LONG}&speed=4", "?grid_radius_ticks=10", "?serving=not_published"]
)
def test_the_page_s_address_is_refused_with_the_socket_s_own_reason(visit, signal_server, query):
    with listening(signal_server, query) as connection:
        reason = json.loads(connection.recv(timeout=30))["message"]
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(timeout=30)
    assert closed.value.rcvd.code == 1008
    opened = []
    visit.page.on("websocket", lambda socket: opened.append(socket.url))
    visit.open(f"/{query}")
    expect(visit.page.locator("#status")).to_have_text("refused")
    expect(visit.page.locator("#reason")).to_have_text(reason)
    visit.page.wait_for_timeout(700)  # longer than the first wait before another attempt
    assert [url.partition(STREAM)[2] for url in opened] == [query]


def test_a_broken_connection_is_resumed_at_the_next_bin(visit):
    """The connection is cut on its way; the server behind it is the real one."""
    greetings, cut_after = [], 4

    def cut(route):
        server, state = route.connect_to_server(), {"rows": -1}
        breaks = not greetings

        def up(message):
            greetings.append(json.loads(message))
            server.send(message)

        def down(message):
            if breaks and state["rows"] == cut_after:
                return
            route.send(message)
            state["rows"] += isinstance(message, bytes)
            if breaks and state["rows"] == cut_after:
                server.close()
                route.close(code=1012, reason="restarting")

        route.on_message(up)
        server.on_message(down)

    visit.page.route_web_socket(f"**{STREAM}*", cut)
    visit.open(f"/?serving={LONG}")
    assert_soon(visit, lambda: drawn_bins(visit) >= cut_after + 4)
    first, second, *_ = greetings
    assert first == {"type": "hello"}
    assert second["type"] == "hello"
    assert second["resume_bin"] > 0
    assert visit.page.locator("#missed").inner_text() == "0"
    visit.page.unroute_all()


def test_the_list_of_streams_leads_to_one_that_ends_and_begins_anew(visit, signal_server):
    served = document(signal_server, "/v1/serving")["aliases"]
    signals = [one["alias"] for one in served if one["kind"] == "signal"]
    visit.open("/")
    visit.page.get_by_role("link", name="Live").click()
    links = visit.page.locator("#streams a")
    expect(links).to_have_text(signals)
    links.get_by_text(SHORT, exact=True).click()
    expect(visit.page.locator("#status")).to_have_text("live")
    expect(visit.page.locator("#reason")).to_have_text(re.compile(r"has ended after \d+ bins"))
    ended = drawn_bins(visit)
    visit.page.get_by_role("button", name="Connect again").click()
    expect(visit.page.locator("#status")).to_have_text("live")
    assert_soon(visit, lambda: 0 < drawn_bins(visit) < ended)
