"""``islandflow flow …``: what is printed, how it ends, what is left.

What a detection says is tested beside the engine, its files in
tests/islandflow_resources/test_flow_*.py.
"""

import json
import re
import shutil

import pytest

from contracts.flow_policy import load_policy, usual_policy
from contracts.flow_projection import PROJECTION, load_alert
from contracts.labels import EventRef
from contracts.smart_flow import HYPOTHESES
from contracts.tape_expectations import ground_truth
from contracts.tape_manifest import LABEL_FILES
from tests.graph import write_json
from tests.islandflow_jobs.commands import files, refused
from tests.islandflow_resources.plain_tape import PlainTape, plain_spec
from tests.islandflow_resources.small_detections import Made, bold, copy_of, made_once
from tests.islandflow_resources.small_markets import flip
from tests.islandflow_resources.tape_tampering import SEED, written


@pytest.fixture(scope="module")
def once():
    return made_once()


@pytest.fixture
def made(once, tmp_path, bare_home):
    """A tape and a detection that may be changed."""
    return copy_of(once, tmp_path / "made")


@pytest.fixture
def policy(tmp_path):
    return write_json(tmp_path / "bold.json", bold().model_dump(mode="json"))


def failed(outcome, code):
    """Assert a failure that is not the input's: exit 1 and one line."""
    exit_code, out, err = outcome
    assert (exit_code, out) == (1, [])
    assert len(err) == 1
    assert err[0].startswith(f"{code} ")
    return err[0]


def said_ids(made):
    """Ids of an alert, and of a cluster that nothing was said of."""
    found = made.detect()
    alerts = found.table("smart_flow_alerts").column("alert_id").to_pylist()
    rows = found.table("smart_flow_hypotheses").to_pylist()
    silent = next(row for row in rows if row["abstained"])
    return alerts[0], f"cluster:{silent['symbol']}:{silent['cluster_seq']}"


def test_a_tape_is_detected_found_again_and_told(islandflow, made, policy, tmp_path):
    out = tmp_path / "out"
    code, lines, err = islandflow("flow", "detect", made.folder, "--out", out, "--policy", policy)
    assert (code, err) == (0, [])
    manifest = made.detect().manifest
    rows = {name: table.rows for name, table in manifest.tables.items()}
    uri = f"file://{out}/detections/{manifest.detection_id}/detection.json"
    assert lines[:5] == [
        f"made {uri}",
        f"policy bold 7.0, {bold().policy_digest}",
        f"{manifest.events} events, 0 too late, 0 repeated",
        f"{rows['flow_packets']} packets, {rows['smart_flow_hypotheses']} clusters",
        f"{rows['smart_flow_alerts']} alerts",
    ]
    counts = dict(line.split() for line in lines[5:])
    assert list(counts) == list(HYPOTHESES)
    assert sum(map(int, counts.values())) == rows["smart_flow_alerts"]
    assert files(out) == files(made.found)

    before = files(out)
    code, again, err = islandflow("flow", "detect", made.tape, "--out", out, "--policy", policy)
    assert (code, err) == (0, [])
    assert again == [f"unchanged {uri}", *lines[1:]]
    assert files(out) == before


def test_labels_need_not_be_there_and_the_usual_policy_is_used(islandflow, made, tmp_path):
    shutil.rmtree(made.folder / "labels")
    code, lines, err = islandflow("flow", "detect", made.tape, "--out", tmp_path / "out")
    assert (code, err) == (0, [])
    usual = usual_policy()
    assert lines[1] == f"policy {usual.id} {usual.version}, {usual.policy_digest}"


def test_waiting_for_late_events_gives_another_detection_beside(islandflow, made, policy):
    for lateness in ("0", "0.5", "60000"):
        flags = ("--out", made.found, "--policy", policy, "--lateness-ms", lateness)
        code, lines, _ = islandflow("flow", "detect", made.tape, *flags)
        assert (code, lines[2]) == (0, "16380 events, 0 too late, 0 repeated")
    lateness_ns = {
        json.loads(path.read_bytes())["lateness_ns"]
        for path in made.found.glob("detections/*/detection.json")
    }
    assert lateness_ns == {0, 500_000, 60_000_000_000}
    [line] = refused(
        islandflow("flow", "explain", "cluster:SPY:1", "--in", made.found), "DETECTION_AMBIGUOUS"
    )
    assert made.detect().manifest.detection_id in line


@pytest.mark.parametrize("lateness", ["nan", "inf", "-1", "60001", "soon"])
def test_a_lateness_that_is_none_is_bad_input(islandflow, made, tmp_path, lateness):
    code, out, err = islandflow(
        "flow", "detect", made.tape, "--out", tmp_path / "out", f"--lateness-ms={lateness}"
    )
    assert (code, out) == (2, [])
    assert err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["equity_quotes", "option_prints", "event_calendar"])
def test_a_damaged_tape_is_refused_with_its_file_and_nothing_is_written(
    islandflow, made, tmp_path, name
):
    flip(made.tape / f"{name}.parquet")
    outcome = islandflow("flow", "detect", made.tape, "--out", tmp_path / "out")
    assert f"at {name}.parquet: " in failed(outcome, "TAPE_FILE_DIFFERS")
    assert not (tmp_path / "out").exists()


def test_bad_input_of_a_detection_is_refused_and_nothing_is_written(islandflow, made, tmp_path):
    out = tmp_path / "out"
    [line] = refused(islandflow("flow", "detect", tmp_path, "--out", out), "TAPE_MISSING")
    assert "hint: " in line
    broken = write_json(tmp_path / "broken.json", {**bold().model_dump(mode="json"), "rules": 1})
    flags = ("--out", out, "--policy")
    [line] = refused(
        islandflow("flow", "detect", made.tape, *flags, broken), "SCORING_POLICY_VALUE_INVALID"
    )
    assert line.startswith(f"{broken}: ")
    refused(islandflow("flow", "detect", made.tape, *flags, tmp_path / "no"), "FILE_NOT_READABLE")
    assert not out.exists()
    out.write_bytes(b"mine")
    refused(islandflow("flow", "detect", made.tape, "--out", out), "FOLDER_NOT_WRITABLE")
    assert out.read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["flow_prints.parquet", "policy.json", "detection.json"])
def test_a_damaged_detection_is_refused_by_every_command(islandflow, made, policy, name):
    alert, _ = said_ids(made)
    [path] = made.found.glob(f"detections/*/{name}")
    flip(path)
    where = f"at detections/{path.parent.name}/{name}: "
    for command in (
        ("detect", made.tape, "--out", made.found, "--policy", policy),
        ("explain", alert, "--in", made.found),
        ("evaluate", made.tape, "--in", made.found),
    ):
        assert where in failed(islandflow("flow", *command), "DETECTION_DAMAGED")


def test_an_alert_is_explained_down_to_single_prints(islandflow, made):
    alert, _ = said_ids(made)
    code, lines, err = islandflow("flow", "explain", alert, "--in", made.found)
    assert (code, err) == (0, [])
    text = "\n".join(lines)
    found = made.detect()
    cluster = int(alert.rpartition(":")[2])
    prints = [
        row for row in found.table("flow_prints").to_pylist() if row["cluster_seq"] == cluster
    ]
    assert prints
    for row in prints:
        assert f"option_prints:{row['seq']}" in text
    assert {row["packet_seq"] for row in prints} == {
        int(number) for number in re.findall(r"packet:\S*?(\d+)\b", text)
    }

    code, lines, err = islandflow("flow", "explain", alert, "--in", made.found, "--json")
    assert (code, err) == (0, [])
    document = load_alert("\n".join(lines))
    assert document.alert_id == alert


def test_a_cluster_that_nothing_was_said_of_is_explained_as_well(islandflow, made):
    _, cluster = said_ids(made)
    [folder] = (made.found / "detections").iterdir()
    for where in (made.found, folder):
        code, lines, err = islandflow("flow", "explain", cluster, "--in", where, "--json")
        assert (code, err) == (0, [])
        PROJECTION.validate_json("\n".join(lines))
        assert cluster in "\n".join(lines)
        assert islandflow("flow", "explain", cluster, "--in", where)[0] == 0


def test_an_id_that_is_none_or_of_another_detection_is_refused_with_hints(islandflow, made):
    alert, cluster = said_ids(made)

    def explained(any_id):
        return islandflow("flow", "explain", any_id, "--in", made.found)

    for none in ("", "x", "alert", "cluster:SPY", f"{alert}:1", "cluster:SPY:-1", "\x1b[31m"):
        [line] = refused(explained(none), "FLOW_ID_INVALID")
        assert "hint: " in line
    number = cluster.rpartition(":")[2]
    for other in ("cluster:SPY:1", f"cluster:NONE:{number}"):
        assert "hint: " in failed(explained(other), "FLOW_CLUSTER_UNKNOWN")
    silent = f"smartflow:alert:hypothesis:{cluster}"
    assert cluster in failed(explained(silent), "FLOW_ALERT_UNKNOWN")


def test_a_folder_without_a_detection_is_bad_input(islandflow, made, tmp_path):
    alert, _ = said_ids(made)
    for where in (tmp_path / "nowhere", made.tape, made.folder):
        [line] = refused(islandflow("flow", "explain", alert, "--in", where), "DETECTION_MISSING")
        assert "islandflow flow detect" in line
    moved = tmp_path / "moved"
    [folder] = (made.found / "detections").iterdir()
    shutil.copytree(folder, moved)
    [line] = refused(islandflow("flow", "explain", alert, "--in", moved), "DETECTION_MISSING")
    assert "--out" in line


def test_a_detection_is_judged_by_the_labels_of_its_tape(islandflow, made):
    code, lines, err = islandflow("flow", "evaluate", made.folder, "--in", made.found)
    assert (code, err) == (0, [])
    assert [line.split()[0] for line in lines[1 : 1 + len(HYPOTHESES)]] == list(HYPOTHESES)
    share = r"(-|[01]\.\d{3}) \(\d+/\d+\)"
    for line in lines[1 : 1 + len(HYPOTHESES)]:
        assert re.fullmatch(rf"\w+ +{share} +{share} +(-|[01]\.\d{{3}})", line), line
    assert lines[-1] == "expected outputs met: 0"
    assert any(line.startswith("noise abstained: ") for line in lines)
    command = ("flow", "evaluate", made.folder, "--in", made.found, "--json")
    code, printed, err = islandflow(*command)
    assert (code, err) == (0, [])
    document = json.loads("\n".join(printed))
    assert document["expected_outputs_met"] == 0
    assert set(document) == {"score", "expected_outputs_met"}

    apart = made.folder.parent / "truth"
    shutil.move(made.labels, apart)
    code, again, _ = islandflow(*command, "--labels", apart)
    assert (code, again) == (0, printed)


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_expected_outputs_that_are_not_met_are_told_one_by_one(islandflow, made, tmp_path, flags):
    cluster = said_ids(made)[1]
    rows = made.detect().table("flow_prints").to_pylist()
    number = int(cluster.rpartition(":")[2])
    refs = [anchor(row) for row in rows if row["cluster_seq"] == number]
    wanted = {"institutional-directional-flow": refs}
    other = Made(tmp_path / "other")
    written(
        other.folder,
        catalogue=lambda inputs, _: ground_truth(inputs.run_id, inputs.tape_id, wanted),
    )
    # the same events, so the same detection, judged by other labels
    command = ("flow", "evaluate", other.folder, "--in", made.found, *flags)
    code, out, err = islandflow(*command)
    assert code == 1
    assert any("expected" in line and "0" in line for line in out), "figures are told all the same"
    assert len(err) > 1
    for line in err:
        assert line.startswith("FLOW_EXPECTATION_MISSED at expected:")
        assert "islandflow flow explain" in line
    assert any("missing_expected_alert" in line for line in err)


def anchor(row):
    """A label's reference to a print."""
    return EventRef(
        role="anchor",
        event_kind="option_prints",
        event_id=f"option_prints:{row['seq']}",
        source_ts_ns=row["ts_ns"],
        seq=row["seq"],
        description="",
    )


def test_missing_labels_are_bad_input(islandflow, made, tmp_path):
    command = ("flow", "evaluate", made.folder, "--in", made.found)
    for name in LABEL_FILES:
        path = made.labels / name
        held = path.read_bytes()
        path.unlink()
        [line] = refused(islandflow(*command), "FLOW_LABELS_MISSING")
        assert name in line
        path.write_bytes(held)
    [line] = refused(islandflow(*command, "--labels", tmp_path), "FLOW_LABELS_MISSING")
    assert str(tmp_path) in line
    shutil.rmtree(made.folder / "labels")
    [line] = refused(islandflow(*command), "FLOW_LABELS_MISSING")
    assert " at --labels: " in line


@pytest.mark.parametrize("name", [*LABEL_FILES, "parameter_snapshot.json"])
def test_damaged_labels_are_refused_with_their_file(islandflow, made, name):
    flip((made.labels if name in LABEL_FILES else made.tape) / name)
    outcome = islandflow("flow", "evaluate", made.folder, "--in", made.found)
    assert f"at {name}: " in failed(outcome, "TAPE_FILE_DIFFERS")


def test_a_tuned_seed_judges_nothing(islandflow, made, tmp_path):
    made.detect(bold(SEED))
    [first] = [
        path.parent
        for path in made.found.glob("detections/*/policy.json")
        if load_policy(path.read_bytes()) == bold(SEED)
    ]
    [line] = refused(islandflow("flow", "evaluate", made.folder, "--in", first), "FLOW_SEED_TUNED")
    assert f"seed {SEED}" in line


def test_another_tape_judges_nothing(islandflow, made, tmp_path):
    other = Made(tmp_path / "other")
    written(other.folder, source=lambda: PlainTape(plain_spec(), SEED + 1))
    [line] = refused(
        islandflow("flow", "evaluate", other.folder, "--in", made.found), "FLOW_TAPE_DIFFERS"
    )
    assert made.detect().manifest.tape_digest in line


def test_the_usual_policy_is_printed_to_start_from(islandflow, bare_home, made, tmp_path):
    code, lines, err = islandflow("flow", "policy")
    assert (code, err) == (0, [])
    assert load_policy("\n".join(lines)) == usual_policy()
    path = tmp_path / "usual.json"
    path.write_text("\n".join(lines), "utf-8")
    first = islandflow("flow", "detect", made.tape, "--out", tmp_path / "out", "--policy", path)
    second = islandflow("flow", "detect", made.tape, "--out", tmp_path / "out")
    assert first[0] == second[0] == 0
    assert second[1][0] == first[1][0].replace("made", "unchanged", 1)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("detect",),
        ("detect", "x"),
        ("explain", "x"),
        ("explain", "--in", "x"),
        ("evaluate", "x"),
        ("evaluate", "--in", "x"),
        ("policy", "x"),
        ("melt",),
        ("detect", "x", "--out", "y", "--colour", "red"),
    ],
)
def test_arguments_that_no_command_has_are_bad_input(islandflow, bare_home, arguments):
    code, _, err = islandflow("flow", *arguments)
    assert code == 2
    assert err or not arguments


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ((), ("detect", "explain", "evaluate", "policy")),
        (("detect",), ("--out", "--policy", "--lateness-ms", "TAPE")),
        (("explain",), ("--in", "--json", "ALERT_ID")),
        (("evaluate",), ("--in", "--labels", "--json", "TAPE")),
        (("policy",), ()),
    ],
)
def test_help_names_every_argument(islandflow, bare_home, command, words):
    code, lines, err = islandflow("flow", *command, "--help")
    assert (code, err) == (0, [])
    for word in words:
        assert word in "\n".join(lines)
