"""Pages: whole in one file, closed to what others write into names, and the same every time."""

import base64
import hashlib
import json
import math
import re
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st

from islandflow_resources.pages import Page, Plot, Section, Table, rendered

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&\x00"


class Elements(HTMLParser):
    """What a browser makes elements of, and the text of each."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.texts = [], [], {}
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        self.tags.append(f"/{tag}")

    def handle_data(self, data):
        self.texts.setdefault(self.tags[-1] if self.tags else "", []).append(data)


def page(text="a name", numbers=(1.0, 2.0)):
    """A page with a text wherever one may stand."""
    line = {"kind": "line", "name": text, "x": [0, 1], "y": list(numbers)}
    stripe = {"from": 0, "to": 1, "name": text, "colour": "#ffffff"}
    plot = Plot(text, {"label": text, "names": [text, text]}, {"label": text, "unit": text},
                (line,), (stripe,), ({"x": 0.5, "name": text},))  # fmt: skip
    table = Table((text, "number", "ok"), ((text, numbers[0], True), (text, None, False)))
    section = Section(text, text, (plot,), table)
    return Page(text, text, ((text, text),), (section,))


def test_text_of_others_makes_no_element_no_attribute_and_no_script():
    safe, hostile = (Elements(rendered(page(text)).decode()) for text in ("a name", HOSTILE))
    assert hostile.tags == safe.tags
    assert {name for name, _ in hostile.attributes} == {name for name, _ in safe.attributes}
    assert hostile.tags.count("script") == 2, "the data, and what draws it"
    assert HOSTILE.replace("\x00", "\ufffd") in hostile.texts["h1"]


def test_plots_say_to_the_script_what_they_were_given():
    html = rendered(page(HOSTILE, (0.1, math.nan))).decode()
    [data] = re.findall(r'<script type="application/json" id="plots">(.*?)</script>', html)
    assert not set(data) & set("<>&")
    [plot] = json.loads(data)
    assert plot["title"] == HOSTILE
    assert plot["traces"][0]["y"] == [0.1, None], "JSON has no NaN"


def test_a_page_loads_nothing_and_allows_only_its_own_script_and_style():
    elements = Elements(rendered(page()).decode())
    assert {name for name, _ in elements.attributes}.isdisjoint(
        {"src", "srcset", "action", "style"}
    )
    assert all(value.startswith("#") for name, value in elements.attributes if name == "href")
    [policy] = [value for _, value in elements.attributes if value and "default-src" in value]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for tag in ("script", "style"):
        digest = hashlib.sha256(elements.texts[tag][-1].encode()).digest()
        assert f"{tag}-src 'sha256-{base64.b64encode(digest).decode()}'" in policy


@settings(max_examples=40)
@given(st.text(max_size=30), st.floats(width=32))
def test_any_text_and_number_is_written_and_the_same_page_has_the_same_bytes(text, number):
    once, again = (rendered(page(text, (number, 1.0))) for _ in range(2))
    assert once == again
    assert once.decode("utf-8").endswith("</html>\n")


def test_numbers_sort_by_all_their_digits_and_read_in_few():
    row = (123456, 0.123456789, 1e-12, math.inf, None)
    table = Table(("a", "b", "c", "d", "e"), (row,))
    html = rendered(Page("t", "", (), (Section("s", table=table),))).decode()
    assert '<td class="number" data-value="123456">123,456</td>' in html
    assert '<td class="number" data-value="0.123456789">0.123457</td>' in html
    assert '<td class="number" data-value="1e-12">1e-12</td><td>inf</td><td>–</td>' in html


def test_a_page_without_data_is_small():
    assert len(rendered(Page("t", "", (), ()))) < 30_000
