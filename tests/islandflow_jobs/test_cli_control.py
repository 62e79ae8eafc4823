"""``islandflow control …``: what is printed, how it ends, what is saved and what is not.

Races and crashes of saves are in tests/islandflow_resources/test_control_log.py, patches and
templates in tests/contracts/test_control.py, what single arguments mean in test_control_run.py.
"""

import json
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime

import pytest

from contracts.control import SyntheticControlState, patched, templated
from islandflow_resources.control_log import ControlLogStore
from islandflow_resources.database import Database
from tests.graph import write_json
from tests.islandflow_jobs.commands import refused

SECOND = 1_000_000_000
AT = "2026-03-02T14:30:00Z"
AT_NS = int(datetime(2026, 3, 2, 14, 30, tzinfo=UTC).timestamp()) * SECOND
WHOLE = templated("stress-tape").model_dump(mode="json")


@pytest.fixture
def control(islandflow, bare_home):
    """Run ``islandflow control …``."""
    return lambda *arguments: islandflow("control", *arguments)


@pytest.fixture
def store(bare_home):
    """The log of the home that the commands use."""
    database = Database(f"sqlite:///{bare_home / 'islandflow.db'}")
    yield ControlLogStore(database)
    database.dispose()


def fields(lines):
    """Names and values of lines such as ``show`` prints."""
    return dict(line.split(maxsplit=1) for line in lines)


def told(control, *options):
    """The object of ``show --json``."""
    code, lines, err = control("show", "--json", *options)
    assert (code, err) == (0, [])
    return json.loads("\n".join(lines))


# -- show ---------------------------------------------------------------------------------------


def test_a_new_home_shows_the_defaults_as_revision_0(control, store):
    code, lines, err = control("show")
    assert (code, err) == (0, [])
    shown = fields(lines)
    assert (shown["revision"], shown["effective"]) == ("0", "1970-01-01T00:00:00Z (0)")
    assert shown["saved"] == "never: these are the defaults"
    assert {name for name in shown if name.startswith("/")} == set(SyntheticControlState().fields())
    assert shown["/profile_weights/institutional_directional"] == "1.0"
    assert not any("modified" in line for line in lines)
    assert store.database.audit() == []


def test_fields_that_differ_from_the_template_are_marked(control):
    control("set", "--demo-profile", "event-response", "--weight", "arbitrage=high")
    lines = control("show")[1]
    marked = [line for line in lines if "modified" in line]
    assert len(marked) == 1
    place, shown = marked[0].split(maxsplit=1)
    assert place == "/profile_weights/arbitrage"
    assert shown == "1.6  (modified: event-response has 0.6)"
    assert fields(lines)["/preset_id"] == "event_day"
    assert told(control)["modified"] == ["/profile_weights/arbitrage"]


def test_a_revision_is_shown_whole_as_json(control, store):
    control("set", "--preset", "dealer_day", "--effective-at", AT, "--updated-by", "Ada")
    document, last = told(control), store.current()
    assert document == {
        "revision": 1,
        "effective_at": AT,
        "effective_ns": str(AT_NS),
        "updated_at": last.updated_at.isoformat(),
        "updated_by": "Ada",
        "control_hash": last.control_hash,
        "control": SyntheticControlState(preset_id="dealer_day").model_dump(mode="json"),
        "modified": ["/preset_id"],
        "in_force_revision": 1,
    }


def test_what_takes_effect_later_is_not_in_force_yet(control):
    control("set", "--preset", "dealer_day", "--effective-at", AT)
    assert fields(control("show")[1])["in_force"] == "yes"
    control("set", "--preset", "event_day", "--effective-at", "2199-01-01T00:00:00Z")
    assert fields(control("show")[1])["in_force"] == "not yet, revision 1 is"
    assert (told(control)["revision"], told(control)["in_force_revision"]) == (2, 1)


# -- set ----------------------------------------------------------------------------------------


def test_a_change_is_told_field_by_field_and_the_same_again_as_unchanged(control, store):
    options = ["--preset", "event_day", "--no-coverage-assist", "--shared-seed", 2**63 - 1]
    options += ["--weight", "vol_seller=low", "--weight", "arbitrage=1.6"]
    code, lines, err = control("set", *options, "--effective-at", AT)
    assert (code, err) == (0, [])
    assert lines[0] == f"revision 1, effective {AT} ({AT_NS})"
    assert [line.split(maxsplit=1) for line in lines[1:-1]] == [
        ["/preset_id", "balanced_demo -> event_day"],
        ["/coverage_assist", "true -> false"],
        ["/shared_seed", "11 -> 9223372036854775807"],
        ["/profile_weights/vol_seller", "1.0 -> 0.6"],
        ["/profile_weights/arbitrage", "1.0 -> 1.6"],
    ]
    assert lines[-1].startswith("that is past")
    before = store.history()
    assert control("set", *options) == (0, ["unchanged: revision 1 says the same"], [])
    assert store.history() == before


def test_flags_alone_set_every_field(control, store):
    wanted = patched(
        templated("quiet-range"),
        {
            "load_profile_id": "active",
            "preset_id": "retail_chase",
            "coverage_assist": False,
            "coverage_window_minutes": 10,
            "shared_seed": 5,
            "profile_weights": dict.fromkeys(WHOLE["profile_weights"], 0.6),
        },
    )
    weights = [part for name in WHOLE["profile_weights"] for part in ("--weight", f"{name}=0.6")]
    control(
        *("set", "--demo-profile", "quiet-range", "--load-profile", "active"),
        *("--preset", "retail_chase", "--no-coverage-assist", "--coverage-window", 10),
        *("--shared-seed", 5, *weights),
    )
    assert store.current().control == wanted
    control("set", "--coverage-assist")
    assert store.current().control == patched(wanted, {"coverage_assist": True})


def test_a_patch_keeps_what_it_does_not_name_and_a_replacement_does_not(control, store, tmp_path):
    control("set", "--demo-profile", "event-response", "--effective-at", AT)
    patch = write_json(tmp_path / "patch.json", {"profile_weights": {"arbitrage": 1}})
    assert control("set", "--file", patch)[0] == 0
    assert store.current().control == patched(
        templated("event-response"), {"profile_weights": {"arbitrage": 1.0}}
    )
    whole = write_json(tmp_path / "whole.json", WHOLE)
    assert control("set", "--replace", whole)[0] == 0
    assert store.current().control == templated("stress-tape")


def test_flags_win_over_the_file_weight_by_weight_and_both_over_the_template(
    control, store, tmp_path
):
    patch = {
        "demo_profile_id": "event-response",
        "preset_id": "dealer_day",
        "shared_seed": "7",
        "profile_weights": {"arbitrage": 1.6, "vol_seller": 0.6},
    }
    path = write_json(tmp_path / "patch.json", patch)
    control(
        *("set", "--file", path, "--demo-profile", "quiet-range"),
        *("--preset", "retail_chase", "--weight", "arbitrage=low"),
    )
    made = store.current().control
    assert (made.demo_profile_id, made.preset_id, made.shared_seed) == (
        "quiet-range",
        "retail_chase",
        7,
    )
    weights = made.profile_weights
    assert (weights.arbitrage, weights.vol_seller, weights.retail_whale) == (0.6, 0.6, 0.6)
    assert made.coverage_window_minutes == 30


def test_what_show_prints_can_be_put_back(control, store, tmp_path):
    control("set", "--demo-profile", "stress-tape", "--shared-seed", "9007199254740993")
    kept = store.current().control
    path = write_json(tmp_path / "whole.json", told(control)["control"])
    control("set", "--demo-profile", "market-command")
    assert control("set", "--replace", path)[0] == 0
    assert store.current().control == kept


def test_by_default_a_change_takes_effect_soon_and_after_the_last(control, store):
    for preset in ("event_day", "dealer_day", "quiet_range"):
        before = time.time_ns()
        assert control("set", "--preset", preset)[0] == 0
        after = time.time_ns()
        last, now = [one.effective_ns for one in store.history()][-2:]
        assert now % SECOND == 0
        assert last + SECOND <= now
        assert before + 2 * SECOND <= now < max(after + 3 * SECOND, last + 2 * SECOND)
    control("set", "--preset", "event_day", "--effective-at", "2190-01-01T00:00:00Z")
    control("set", "--preset", "dealer_day")
    last, now = [one.effective_ns for one in store.history()][-2:]
    assert now == last + SECOND


def test_who_changes_it_is_kept(control, store):
    control("set", "--preset", "event_day", "--updated-by", " Ada Lovelace ")
    assert store.current().updated_by == "Ada Lovelace"
    control("set", "--preset", "dealer_day")
    assert store.current().updated_by.strip()
    first, _ = store.database.audit("control")
    assert first.actor == "Ada Lovelace"


def test_a_change_on_a_revision_that_is_no_longer_the_last_is_refused(control, store):
    control("set", "--preset", "event_day", "--expect-revision", 0, "--updated-by", "Ada")
    before = store.history()
    outcome = control("set", "--preset", "dealer_day", "--expect-revision", 0)
    [line] = refused(outcome, "CONTROL_REVISION_CONFLICT at /expected_revision")
    assert "revision 1 stands, saved by Ada at 2" in line
    assert "(hint: look at it with: islandflow control show; then save on revision 1)" in line
    assert store.history() == before
    assert control("set", "--preset", "dealer_day", "--expect-revision", 1)[0] == 0


# -- what is refused, and leaves no home ---------------------------------------------------------


def check_untouched(control, home, codes, *options):
    """Assert that options are refused line by line, before anything is made."""
    lines = refused(control("set", *options), *codes)
    assert all("(hint: " in line for line in lines)
    assert not home.exists()
    return lines


@pytest.mark.parametrize(
    ("options", "places"),
    [
        (["--preset", "quiet-range"], ["/preset_id"]),
        (["--preset", ""], ["/preset_id"]),
        (["--demo-profile", "market-commnd"], ["/demo_profile_id"]),
        (["--load-profile", "slow"], ["/load_profile_id"]),
        (["--coverage-window", "15"], ["/coverage_window_minutes: 15 minutes"]),
        (["--shared-seed", "-1"], ["/shared_seed"]),
        (["--shared-seed", "07"], ["/shared_seed"]),
        (["--weight", "arbitrage=2"], ["/profile_weights/arbitrage"]),
        (["--weight", "arbitrage"], ["/profile_weights/arbitrage"]),
        (["--weight", "noise=low"], ["/profile_weights/noise"]),
        (["--weight", "arbitrage=low", "--weight", "arbitrage=high"], ["given twice"]),
        (
            ["--preset", "x", "--shared-seed", "y", "--weight", "z=low", "--weight", "arbitrage="],
            ["/preset_id", "/shared_seed", "/profile_weights/z", "/profile_weights/arbitrage"],
        ),
        (["--preset", "event_day", "--effective-at", "2026-03-02"], ["/effective_ns"]),
        ([], ["ARGUMENTS_INVALID"]),
        (["--effective-at", AT, "--updated-by", "me"], ["ARGUMENTS_INVALID"]),
    ],
)
def test_bad_flags_are_refused_with_place_and_hint(control, bare_home, options, places):
    check_untouched(control, bare_home, places, *options)


def test_a_profile_that_is_misspelt_is_guessed(control, bare_home):
    [line] = check_untouched(control, bare_home, ["no profile"], "--weight", "arbitrag=low")
    assert 'did you mean "arbitrage"?' in line


@pytest.mark.parametrize(
    ("option", "document", "places"),
    [
        ("--file", {"preset": "event_day"}, ["/preset"]),
        ("--file", {"preset_id": "x", "profile_weights": 1}, ["/preset_id", "/profile_weights"]),
        ("--file", {"demo_profile_id": []}, ["/demo_profile_id"]),
        ("--replace", {"preset_id": "event_day"}, ["CONTROL_FIELD_MISSING"] * 11),
        ("--replace", WHOLE | {"updated_at": 3}, ["/updated_at"]),
    ],
)
def test_bad_documents_are_refused_with_file_place_and_hint(
    control, bare_home, tmp_path, option, document, places
):
    path = write_json(tmp_path / "d.json", document)
    lines = check_untouched(control, bare_home, places, option, path)
    assert all(line.startswith(f"{path}: CONTROL_") for line in lines)


def test_files_that_are_no_documents_are_refused(control, bare_home, tmp_path):
    path = tmp_path / "d.json"
    check_untouched(control, bare_home, ["FILE_NOT_READABLE"], "--file", path)
    path.write_text('{"preset_id": "event_day", "preset_id": "dealer_day"}')
    check_untouched(control, bare_home, ["DOCUMENT_DUPLICATE_KEY"], "--file", path)
    path.write_text("preset_id: event_day")
    check_untouched(control, bare_home, ["DOCUMENT_NOT_JSON"], "--replace", path)


@pytest.mark.parametrize("other", [["--preset", "event_day"], ["--file", "x"]])
def test_one_cannot_patch_and_replace_at_once(control, bare_home, tmp_path, other):
    path = write_json(tmp_path / "whole.json", WHOLE)
    check_untouched(control, bare_home, ["ARGUMENTS_INVALID"], "--replace", path, *other)


@pytest.mark.parametrize(
    ("options", "places"),
    [
        (["--effective-at", str(AT_NS + 1)], ["/effective_ns"]),
        (["--effective-at", str(2**63)], ["/effective_ns"]),
        (["--effective-at", "1969-12-31T23:59:59Z"], ["/effective_ns"]),
        (["--effective-at", "1970-01-01T00:00:00Z"], ["/effective_ns"]),
        (["--updated-by", " "], ["/updated_by"]),
        (["--updated-by", "a\nb", "--effective-at", "1"], ["/effective_ns", "/updated_by"]),
    ],
)
def test_a_time_or_a_name_that_cannot_be_is_refused_and_nothing_saved(
    control, store, options, places
):
    refused(control("set", "--preset", "event_day", *options), *places)
    assert len(store.history()) == 1


# -- history ------------------------------------------------------------------------------------


def test_the_history_tells_who_changed_what_from_when_on(control, store):
    control("set", "--preset", "event_day", "--effective-at", AT, "--updated-by", "Ada")
    control("set", "--demo-profile", "quiet-range", "--updated-by", "Bob B.")
    code, lines, err = control("history")
    assert (code, err) == (0, [])
    head, first, second, third = (line.split("\t") for line in lines)
    assert head == ["revision", "effective", "saved", "by", "changed"]
    assert first == ["0", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "system", "-"]
    assert [*second[:2], *second[3:]] == ["1", AT, "Ada", "/preset_id"]
    assert (third[0], third[3]) == ("2", "Bob B.")
    assert third[4].split()[:2] == ["/demo_profile_id", "/preset_id"]
    documents = json.loads("\n".join(control("history", "--json")[1]))
    assert [one["revision"] for one in documents] == [0, 1, 2]
    assert [one["control_hash"] for one in documents] == [
        one.control_hash for one in store.history()
    ]
    assert documents[1]["changed"] == ["/preset_id"]
    assert documents[2]["control"] == templated("quiet-range").model_dump(mode="json")


@pytest.mark.parametrize("saves", [0, 1])
def test_reading_changes_no_row(control, bare_home, saves):
    control("show")
    if saves:
        control("set", "--preset", "event_day")

    def dumped():
        with closing(sqlite3.connect(bare_home / "islandflow.db")) as connection:
            return list(connection.iterdump())

    before = dumped()
    for command in (["show"], ["show", "--json"], ["history"], ["history", "--json"]):
        assert control(*command)[0] == 0
    assert dumped() == before
    assert sum('INTO "control_revisions"' in line for line in before) == saves
