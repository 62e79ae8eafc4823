"""``islandflow tape …``: what is printed, how it ends, what is left; every mandatory input named.

What a tape holds is tested beside the engine; how files are proved, replayed and compared in
tests/islandflow_resources/test_tape_*.py.
"""

import json

import pytest

from contracts.tape import load_profile
from contracts.tape_defaults import default_profile
from islandflow_resources.progress import listening
from islandflow_resources.tape_loader import verify_tape
from islandflow_resources.tape_places import local_place
from islandflow_resources.tape_replay import replay_events
from tests.graph import write_json
from tests.islandflow_jobs.commands import files, refused
from tests.properties.documents import places, removed, replaced

PROFILE = default_profile(1).model_dump(mode="json")
FLAGS = {"--seed": 3, "--run-name": "a test", "--duration": 20}


@pytest.fixture
def profile(tmp_path):
    return write_json(tmp_path / "profile.json", PROFILE)


@pytest.fixture
def make(islandflow, bare_home, tmp_path, profile):
    """Run ``tape make`` into ``out``, with some flags besides; None leaves one out."""

    def run(**options):
        named = {flag.removeprefix("--").replace("-", "_"): value for flag, value in FLAGS.items()}
        wanted = {"profile": profile, "out": tmp_path / "out", **named, **options}
        flags = [
            part
            for name, value in wanted.items()
            if value is not None
            for part in (f"--{name.replace('_', '-')}", value)
        ]
        return islandflow("tape", "make", *flags)

    return run


def test_a_tape_is_made_proved_replayed_and_found_again(make, islandflow, tmp_path):
    out = tmp_path / "out"
    code, lines, err = make()
    assert (code, err) == (0, [])
    place = local_place(out)
    manifest = verify_tape(place).manifest
    named = manifest.tape_id
    assert lines[0] == f"made file://{out}/tapes/{named}/manifest.json"
    assert lines[1] == f"run run-{named}, a test"
    assert lines[2].startswith(f"{manifest.replay_plan.event_count} events: ")
    assert manifest.replay_plan.event_count > 100
    assert {path.name for path in out.iterdir()} - {".staging"} == {"tapes", "labels"}

    before = files(out)
    code, again, err = make()
    assert (code, err) == (0, [])
    assert again == [lines[0].replace("made", "unchanged", 1), *lines[1:]]
    assert files(out) == before

    [line] = refused(make(run_name="another"), "TAPE_EXISTS")
    assert '"a test" there, here "another"' in line
    assert files(out) == before

    code, proved, err = islandflow("tape", "verify", out)
    assert (code, err) == (0, [])
    assert proved[0].startswith("ok ")
    assert proved[1:] == lines[1:]

    code, printed, err = islandflow("tape", "replay", out, "--stream", "equities")
    assert (code, err) == (0, [])
    events = list(replay_events(place, streams=["equity_prints"]))
    assert [json.loads(line)["trace_id"] for line in printed] == [one.trace_id for one in events]
    first = json.loads(printed[0])
    assert first["ts_ns"] == str(events[0].ts_ns)
    assert first["off_exchange"] is events[0].values["off_exchange"]

    assert islandflow("tape", "diff", out, out)[1][-1] == "the same"
    other = tmp_path / "other"
    assert make(out=other, seed=4)[0] == 0
    code, told, err = islandflow("tape", "diff", out, other)
    assert (code, err) == (0, [])
    assert 'parameter /seed_bundle/seed: "3", "4"' in told
    assert any(line.startswith("equity_quotes: differs from row 0 on, ") for line in told)
    assert told[-1] == "different"

    path = out / "tapes" / named / "option_nbbo.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    code, printed, err = islandflow("tape", "verify", out)
    assert (code, printed) == (1, [])
    assert all("option_nbbo.parquet" in line for line in err)


def test_a_seed_of_a_bundle_makes_the_tape_of_the_same_seed(make, tmp_path):
    bundle = {"seed": "3", "namespace": "default", "partition": "market"}
    path = write_json(tmp_path / "bundle.json", bundle)
    told = []
    with listening(lambda *done: told.append(done)):
        assert make()[0] == 0
    assert told[-1] == ("seconds of the tape", 20, 20)
    code, lines, _ = make(seed=None, seed_bundle=path)
    assert (code, lines[0].partition(" ")[0]) == (0, "unchanged")
    code, lines, _ = make(seed_partition="other")
    assert (code, lines[0].partition(" ")[0]) == (0, "made")


@pytest.mark.parametrize("flag", ["--profile", "--out", "--run-name", "--seed"])
def test_a_mandatory_flag_that_is_missing_is_named(make, tmp_path, flag):
    name = flag.removeprefix("--").replace("-", "_")
    [line] = refused(make(**{name: None}), "ARGUMENT_MISSING")
    assert line.startswith(f"ARGUMENT_MISSING at {flag}: ")
    assert not (tmp_path / "out").exists()


def test_every_mandatory_flag_is_named_at_once(islandflow, bare_home):
    lines = refused(islandflow("tape", "make"), *["ARGUMENT_MISSING"] * 4)
    assert [line.split()[2] for line in lines] == ["--profile:", "--out:", "--run-name:", "--seed:"]


@pytest.mark.parametrize(
    ("options", "code", "where"),
    [
        ({"seed": "x"}, "SEED_NOT_AN_INTEGER", "--seed"),
        ({"seed": "9223372036854775808"}, "SEED", "--seed"),
        ({"seed_namespace": "A b"}, "SEED_BUNDLE_VALUE_INVALID", "--seed-namespace"),
        ({"seed_partition": ""}, "SEED_BUNDLE_VALUE_INVALID", "--seed-partition"),
        ({"run_name": " x"}, "TAPE_RUN_VALUE_INVALID", "--run-name"),
        ({"run_name": ""}, "TAPE_RUN_VALUE_INVALID", "--run-name"),
        ({"run_id": "A"}, "TAPE_RUN_VALUE_INVALID", "--run-id"),
        ({"scenario_id": "../x"}, "TAPE_RUN_VALUE_INVALID", "--scenario-id"),
        ({"start_ts": 5}, "TAPE_WINDOW_INVALID", "--start-ts"),
        ({"duration": 99_999}, "TAPE_WINDOW_INVALID", "--duration"),
        ({"profile": "no/such.json"}, "FILE_NOT_READABLE", "no/such.json"),
    ],
)
def test_a_flag_that_makes_no_sense_is_refused_by_its_name(make, tmp_path, options, code, where):
    [line] = refused(make(**options), code)
    assert f" at {where}: " in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("flag", ["seed", "seed_namespace", "seed_partition"])
def test_a_bundle_and_a_flag_that_say_the_same_are_refused(make, tmp_path, flag):
    bundle = {"seed": "3", "namespace": "default", "partition": "market"}
    path = write_json(tmp_path / "bundle.json", bundle)
    options = {"seed": None, "seed_bundle": path, flag: "7"}
    [line] = refused(make(**options), "ARGUMENTS_INVALID")
    assert f" at --{flag.replace('_', '-')}: " in line


@pytest.mark.parametrize("path", list(places(PROFILE)), ids=lambda path: "/".join(map(str, path)))
def test_a_field_that_is_missing_at_any_depth_is_named(make, tmp_path, path):
    if isinstance(path[-1], int):
        wanted = "/".join(map(str, path[:-1]))
    else:
        wanted = "/".join(map(str, path))
    broken = write_json(tmp_path / "broken.json", removed(PROFILE, path))
    code, out, err = make(profile=broken)
    assert (code, out) == (2, [])
    assert f" at /{wanted}: " in err[0]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        (("session", "first_date"), "2026-01-19", "SESSION_CLOSED"),
        (("session", "first_date"), "2026-02-30", "SESSION_DATE_INVALID"),
        (("session", "skip_s"), 23_400, "TAPE_WINDOW_INVALID"),
        (("universe", 0, "symbol"), "spy", "VALUE_INVALID"),
        (("universe", 0, "colour"), "red", "FIELD_UNKNOWN"),
        (("flow", "branching"), 2, "VALUE_OUT_OF_RANGE"),
        (("control", "versions"), [], "VALUE_OUT_OF_RANGE"),
        (("version",), "9", "VERSION_UNSUPPORTED"),
        (
            ("injections",),
            [
                {
                    "id": "a",
                    "subtype": "put_sweep",
                    "symbol": "QQQ",
                    "at_s": 1,
                    "notional_usd": 1e5,
                    "is_decoy": False,
                }
            ],
            "RULE_BROKEN",
        ),
    ],
)
def test_a_profile_that_cannot_be_is_refused_by_pointer(make, tmp_path, path, value, code):
    broken = write_json(tmp_path / "broken.json", replaced(PROFILE, path[:1], PROFILE[path[0]]))
    document = json.loads(broken.read_text("utf-8"))
    node = document
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    code_, out, err = make(profile=write_json(tmp_path / "broken2.json", document), duration=None)
    assert (code_, out) == (2, [])
    assert code in err[0]
    assert f"at /{path[0]}" in err[0]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"a": 1, "a": 2}', "\xff"])
@pytest.mark.parametrize("name", ["profile", "seed_bundle"])
def test_what_is_no_document_is_refused_with_the_file(make, tmp_path, name, text):
    path = tmp_path / "bad.json"
    path.write_bytes(text.encode("latin-1"))
    code, out, err = make(**{"seed": None if name == "seed_bundle" else 3, name: path})
    assert (code, out) == (2, [])
    assert err[0].startswith(f"{path}: DOCUMENT_")


@pytest.mark.parametrize("field", ["seed", "namespace", "partition"])
def test_a_field_that_a_bundle_lacks_is_named(make, tmp_path, field):
    bundle = {"seed": "3", "namespace": "default", "partition": "market"}
    path = write_json(tmp_path / "bundle.json", removed(bundle, (field,)))
    [line] = refused(make(seed=None, seed_bundle=path), "SEED_BUNDLE_FIELD_MISSING")
    assert f" at /{field}: " in line


def test_a_file_in_place_of_the_folder_is_refused(make, tmp_path):
    (tmp_path / "taken").write_bytes(b"old")
    [line] = refused(make(out=tmp_path / "taken" / "x"), "FOLDER_NOT_WRITABLE")
    assert " at --out: " in line
    assert (tmp_path / "taken").read_bytes() == b"old"


@pytest.mark.parametrize("command", ["make --defaults", "defaults"])
@pytest.mark.parametrize("symbols", [None, 1, 500])
def test_the_complete_default_profile_is_printed(islandflow, bare_home, command, symbols):
    flags = [] if symbols is None else ["--symbols", symbols]
    code, lines, err = islandflow("tape", *command.split(), *flags)
    assert (code, err) == (0, [])
    assert load_profile("\n".join(lines)) == default_profile(*([symbols] if symbols else []))


@pytest.mark.parametrize(
    "arguments",
    [
        ("make", "--symbols", "0", "--defaults"),
        ("make", "--symbols", "501", "--defaults"),
        ("make", "--start-ts", "now"),
        ("make", "--duration", "-1"),
        ("make", "--colour", "red"),
        ("replay",),
        ("replay", "x", "--speed", "-1"),
        ("verify",),
        ("diff", "x"),
        ("melt",),
    ],
)
def test_arguments_that_no_command_has_are_bad_input(islandflow, bare_home, arguments):
    code, out, err = islandflow("tape", *arguments)
    assert (code, out) == (2, [])
    assert err


@pytest.mark.parametrize(
    "arguments",
    [("verify", "{}"), ("diff", "{}", "{}"), ("replay", "{}")],
)
def test_a_folder_without_a_tape_is_bad_input(islandflow, bare_home, tmp_path, arguments):
    named = [part.format(tmp_path) for part in arguments]
    [line] = refused(islandflow("tape", *named), "TAPE_MISSING")
    assert str(tmp_path) in line


def test_a_stream_or_range_that_a_tape_does_not_have_is_bad_input(make, islandflow, tmp_path):
    make()
    out = tmp_path / "out"
    for flags, code in (
        (["--stream", "trades"], "STREAM_UNKNOWN"),
        (["--start-ts", 9, "--end-ts", 8], "TAPE_RANGE_INVALID"),
    ):
        [line] = refused(islandflow("tape", "replay", out, *flags), code)
        assert "hint: " in line


def test_a_profile_may_name_the_control_log_of_the_deployment(make, islandflow, tmp_path):
    named = write_json(tmp_path / "named.json", PROFILE | {"control": {"log": "deployment"}})
    code, lines, err = make(profile=named)
    assert (code, err) == (0, [])
    snapshot = verify_tape(local_place(tmp_path / "out")).snapshot
    assert len(snapshot.spec.control.versions) == 1
    assert lines[0].startswith("made ")
