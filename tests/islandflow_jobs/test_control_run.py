"""What the arguments of ``islandflow control`` mean, and that docs/control.md is true.

The commands themselves are in test_cli_control.py.
"""

import re
import shlex
from datetime import UTC, datetime

import pytest

from contracts.control import (
    DEMO_PROFILES,
    LOAD_PROFILES,
    PRESETS,
    PROFILES,
    SyntheticControlState,
    templated,
)
from contracts.errors import ContractError
from islandflow_jobs.control_run import Flags, joined, parse_flags, parse_moment
from tests.architecture.sources import ROOT
from tests.graph import write_json

SECOND = 1_000_000_000
AT = "2026-03-02T14:30:00Z"
AT_NS = int(datetime(2026, 3, 2, 14, 30, tzinfo=UTC).timestamp()) * SECOND
PAGE = (ROOT / "docs" / "control.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        (AT, AT_NS),
        ("2026-03-02T09:30:00-05:00", AT_NS),
        (str(AT_NS), AT_NS),
        ("0", 0),
        ("1969-12-31T23:59:59Z", -SECOND),
        ("2024-02-29T00:00:00+00:00", 1_709_164_800 * SECOND),
    ],
)
def test_a_moment_is_an_instant_in_a_zone_or_nanoseconds(text, ns):
    assert parse_moment(text) == ns


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "2026-03-02", "2026-03-02T14:30:00", "2026-03-02T14:30:00.5Z"),
        *("2026-02-29T00:00:00Z", "2026-03-02T25:00:00Z", "2026-03-02T14:30:00+99:00", "-1"),
        *("1" * 20, "1e9", "٢٠٢٦", "2026-03-02T14:30:00Z\n", "0000-01-01T00:00:00Z"),
    ],
)
def test_other_texts_are_no_moment(text):
    with pytest.raises(ContractError) as caught:
        parse_moment(text)
    assert (caught.value.code, caught.value.loc) == ("CONTROL_VALUE_INVALID", "/effective_ns")
    assert "2026-03-02T14:30:00Z" in caught.value.hints[0]


@pytest.mark.parametrize("name", list(DEMO_PROFILES))
def test_flags_say_only_what_was_given(name):
    assert parse_flags(Flags()) == {}
    assert parse_flags(Flags(demo_profile=name)) == {"demo_profile_id": name}
    assert parse_flags(Flags(coverage_assist=False)) == {"coverage_assist": False}
    weights = Flags(weights=["arbitrage=normal", "vol_seller=1", "retail_whale=1.0"])
    assert set(parse_flags(weights)["profile_weights"].values()) == {1.0}


def test_two_patches_are_joined_without_changing_either():
    one, other = {"profile_weights": {"arbitrage": 0.6}}, {"profile_weights": {"vol_seller": 1.6}}
    assert joined(one, other) == {"profile_weights": {"arbitrage": 0.6, "vol_seller": 1.6}}
    assert one == {"profile_weights": {"arbitrage": 0.6}}
    assert joined({"preset_id": "event_day"}, {}) == {"preset_id": "event_day"}


# -- the page -----------------------------------------------------------------------------------


def rows(first):
    """Cells of the table of the page whose first head is this, without their backquotes."""
    lines = PAGE[PAGE.index(f"| {first} |") :].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_page_shows_every_template_as_it_is():
    shown = {}
    for name, load, preset, window, seed, words in rows("template"):
        weights = dict.fromkeys(PROFILES, 1.0)
        for names, word in re.findall(r"(\w+(?: and \w+)*) (high|low)", words):
            weights |= dict.fromkeys(names.split(" and "), {"high": 1.6, "low": 0.6}[word])
        shown[name.strip("`")] = {
            "load_profile_id": load,
            "preset_id": preset,
            "coverage_window_minutes": int(window),
            "shared_seed": seed,
            "profile_weights": weights,
        }
    made = {name: templated(name).model_dump(mode="json") for name in DEMO_PROFILES}
    fixed = {"coverage_assist": True}
    assert {name: {"demo_profile_id": name, **one, **fixed} for name, one in shown.items()} == made


def test_the_page_names_every_field_and_its_values_the_default_first():
    default = SyntheticControlState().model_dump(mode="json")
    table = {name.strip("`"): (values, what) for name, values, what in rows("field")}
    assert list(table) == list(default)
    words = {name: re.findall(r"`([^`]+)`", values) for name, (values, _) in table.items()}
    assert words["demo_profile_id"] == list(DEMO_PROFILES)
    assert words["load_profile_id"] == list(LOAD_PROFILES)
    assert words["preset_id"] == list(PRESETS)
    assert words["profile_weights"] == ["1.0", "0.6", "1.6"]
    assert re.findall(r"`([^`]+)`", table["profile_weights"][1]) == list(PROFILES)
    for name in ("coverage_assist", "coverage_window_minutes", "shared_seed"):
        assert words[name][0] == str(default[name]).lower()


def test_the_commands_of_the_page_run_in_their_order(islandflow, bare_home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_json(tmp_path / "patch.json", {"shared_seed": 7})
    write_json(tmp_path / "control.json", templated("stress-tape").model_dump(mode="json"))
    block = PAGE[PAGE.index("```sh\n") + 6 :].partition("```")[0]
    commands = [shlex.split(line)[1:] for line in block.splitlines()]
    assert [command[:2] for command in commands[-2:]] == [
        ["control", "history"],
        ["control", "status"],
    ]
    told = {}
    for command in commands:
        code, told[command[1]], err = islandflow(*command)
        assert (code, err) == (0, [])
    assert [line.split("\t")[0] for line in told["history"][1:]] == ["0", "1", "2", "3"]
