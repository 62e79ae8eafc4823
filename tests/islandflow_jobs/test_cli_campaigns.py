"""``islandflow campaign …`` and ``islandflow serving …``: what they print, how they end.

What they do is in test_campaign_run.py and test_serving_run.py.
"""

import json
import os

import pytest

from islandflow_resources.campaigns import registered
from tests.campaign_graph import campaign_home, only_campaign, promoted_home, refused_document
from tests.graph import graph_of, write_json
from tests.islandflow_jobs.commands import LINE, files, refused
from tests.islandflow_resources.campaigning import SHUT_GATE, document, entrant

EXIT = {"if": "close < open", "then": "close"}
BAD_FIELDS = {
    "one": ({"id": "Bad Id"}, ["/id"]),
    "several": ({"id": "Bad Id", "seeds": "1-x", "colour": "red"}, ["/id", "/colour", "/seeds"]),
    "nested": (
        {"scenarios": [{"id": "x", "family": "trned"}], "objective": "luck"},
        ["/objective", "/scenarios/0/family"],
    ),
    "unknown": (
        {"scenarios": ["nosuch"], "strategies": [{"strategy": "nosuch"}]},
        ["/scenarios/0", "/strategies/0/strategy"],
    ),
    "expression": (
        {"strategies": [entrant(rules=[{"if": "nosuch(close) > 1", "then": "buy"}, EXIT])]},
        ["/strategies/0/strategy/rules/0/if"],
    ),
}
BAD_TEXTS = {
    "broken_yaml": b"a: [1,\n",
    "a_list": b"- 1\n- 2\n",
    "not_utf8": b"id: \xff\n",
    "empty": b"",
    "twice": b"id: a\nid: b\n",
}


@pytest.fixture
def judged(monkeypatch):
    """A home whose campaign is run and not promoted."""
    with graph_of(campaign_home()) as graph:
        monkeypatch.setenv("ISLANDFLOW_HOME", str(graph.resources.settings.home))
        yield graph


@pytest.fixture
def promoted(monkeypatch):
    """A home whose winner is served."""
    with graph_of(promoted_home()) as graph:
        monkeypatch.setenv("ISLANDFLOW_HOME", str(graph.resources.settings.home))
        yield graph


@pytest.fixture
def written(tmp_path):
    """Write the tiny campaign with some fields changed."""
    return lambda **changes: write_json(tmp_path / "campaign.json", document(**changes))


def failed(outcome, *said):
    """Assert that a command ended with 1, printed nothing, and said this on a line each."""
    code, out, err = outcome
    assert (code, out) == (1, [])
    for wanted in said:
        assert any(wanted in line for line in err), err
    assert not any("Traceback" in line for line in err)
    return err


@pytest.mark.parametrize("command", ["check", "register", "run"])
@pytest.mark.parametrize("name", BAD_TEXTS)
def test_a_text_that_is_no_document_is_refused_in_one_line_and_nothing_is_written(
    islandflow, bare_home, tmp_path, command, name
):
    path = tmp_path / "campaign.yaml"
    path.write_bytes(BAD_TEXTS[name])
    code, out, err = islandflow("campaign", command, path)
    assert (code, out, len(err)) == (2, [], 1)
    assert LINE.fullmatch(err[0])
    assert not bare_home.exists()


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize("name", BAD_FIELDS)
def test_every_problem_is_a_line_with_its_pointer_and_a_hint(
    islandflow, judged, written, command, name
):
    changes, places = BAD_FIELDS[name]
    before = judged.objects(), judged.rows(), judged.instance.get_runs_count()
    code, out, err = islandflow("campaign", command, written(**changes))
    assert (code, out) == (2, [])
    assert all(LINE.fullmatch(line) for line in err)
    for place in places:
        [line] = [line for line in err if f" at {place}" in line]
        assert "(hint: " in line
    assert (judged.objects(), judged.rows(), judged.instance.get_runs_count()) == before


def test_a_file_that_is_not_there_is_refused(islandflow, bare_home):
    for command in ("check", "register", "run"):
        refused(islandflow("campaign", command, "/nosuch.yaml"), "FILE_NOT_READABLE")
    assert not bare_home.exists()


def test_an_unknown_executor_is_bad_input(islandflow, bare_home, written):
    path = written()
    [line] = refused(islandflow("campaign", "run", path, "--executor", "warp"), "ARGUMENTS_INVALID")
    assert "in_process, multiprocess, ray" in line
    refused(islandflow("campaign", "resume", "tiny", "--executor", "warp"), "ARGUMENTS_INVALID")
    assert not bare_home.exists()


def test_a_check_says_how_large_a_campaign_is_and_registers_nothing(islandflow, judged, written):
    path = written(id="other")
    code, [line], err = islandflow("campaign", "check", path)
    assert (code, err) == (0, [])
    assert line.startswith("6 parameter sets x 4 datasets = 24 trials: other-")
    assert only_campaign(judged).startswith("tiny-")


def test_a_campaign_is_registered_once(islandflow, judged, written):
    path = written(id="other")
    first, again = (islandflow("campaign", "register", path) for _ in range(2))
    assert first[1][0].startswith("registered other-")
    assert again[1][0] == first[1][0].replace("registered", "unchanged")
    assert len(judged.instance.get_dynamic_partitions("campaign")) == 2


def test_a_run_again_says_that_nothing_was_computed_and_serves_the_winner(
    islandflow, judged, written
):
    code, out, err = islandflow("campaign", "run", written())
    assert (code, err) == (0, [])
    assert out[0] == "computed 0 of 24 trials, found the others recorded"
    assert out[1] == f"campaign {only_campaign(judged)}: all 24 trials recorded"
    assert out[-1] == "served as best, revision 1"
    assert not any("\x1b" in line for line in out)


def test_a_run_that_fails_says_why_in_lines_and_not_in_pages(islandflow, judged, written):
    err = failed(
        islandflow("campaign", "run", written(**refused_document())),
        "no_trial_missing: 2 datasets have no trials",
        "SCENARIO_UNREPRESENTABLE",
        "islandflow campaign resume refused-",
    )
    assert len(err) == 2


def test_a_winner_is_not_served_if_that_is_not_wanted(islandflow, judged, written):
    code, out, _ = islandflow("campaign", "resume", "tiny", "--no-promote")
    assert code == 0
    assert out[-1] == "nothing of it is published"


def test_what_is_not_registered_is_not_found_and_says_what_to_do(islandflow, judged):
    for command in (("status",), ("resume",), ("compare",)):
        failed(islandflow("campaign", *command, "ghost"), "CAMPAIGN_NOT_REGISTERED", "campaign run")
    failed(islandflow("serving", "promote", "ghost"), "CAMPAIGN_NOT_REGISTERED")
    for command in (("show",), ("history",), ("rollback", "--reason", "why")):
        failed(islandflow("serving", *command, "ghost"), "serving list")
    assert list(judged.instance.get_dynamic_partitions("campaign")) == [only_campaign(judged)]
    assert judged.instance.get_runs_count() == 1


def test_status_lists_every_campaign_or_tells_all_of_one(islandflow, promoted):
    assert islandflow("campaign", "status")[1] == [
        f"{only_campaign(promoted)}: all 24 trials recorded, the gate passed"
    ]
    key = only_campaign(promoted)
    digest = registered(promoted.resources.database, key).spec.campaign_hash
    for name in ("tiny", key, digest):
        code, out, _ = islandflow("campaign", "status", name)
        assert code == 0
        assert sum(line.startswith("rank ") for line in out) == 5
        assert any(line.startswith("  met     trades: ") for line in out)
        assert out[-1] == "served as best, revision 1"


def test_an_empty_home_says_so(islandflow, bare_home):
    assert islandflow("campaign", "status")[1] == [
        "no campaign is registered: islandflow campaign run FILE"
    ]
    assert islandflow("serving", "list")[1] == ["nothing is published yet"]


def test_campaigns_are_compared_once_each_the_best_first(islandflow, judged):
    code, out, err = islandflow("campaign", "compare", "tiny", only_campaign(judged), "--top", 3)
    assert (code, err) == (0, [])
    head, *rows = [line.split("\t") for line in out]
    assert head[:2] == ["campaign", "rank"]
    assert [row[1] for row in rows] == ["1", "2", "3"]
    scores = [float(row[head.index("score")]) for row in rows]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("top", ["-1", "0", "many"])
def test_a_senseless_number_of_candidates_is_bad_input(islandflow, judged, top):
    code, out, err = islandflow("campaign", "compare", "tiny", "--top", top)
    assert (code, out) == (2, [])
    assert any("--top" in line for line in err)


def test_a_campaign_that_was_not_run_cannot_be_compared(islandflow, judged, written):
    islandflow("campaign", "register", written(id="other"))
    [line] = refused(islandflow("campaign", "compare", "tiny", "other"), "CAMPAIGN_INCOMPLETE")
    assert "islandflow campaign resume other-" in line


def test_a_promotion_that_the_gate_refuses_names_every_failed_criterion(
    islandflow, judged, written
):
    path = written(id="shut", seeds="3", gate=SHUT_GATE)
    code, out, err = islandflow("campaign", "run", path)
    assert (code, err) == (0, [])
    missed = [line.split()[2].rstrip(":") for line in out if line.startswith("  not met ")]
    assert len(missed) >= 5
    err = refused(islandflow("serving", "promote", "shut"), *(["GATE_REFUSED"] * len(missed)))
    assert [line.split(" at ")[1].split(":")[0] for line in err] == missed
    refused(islandflow("serving", "promote", "shut", "--override"), "REASON_MISSING")
    code, [line], _ = islandflow("serving", "promote", "shut", "--override", "--reason", "I say so")
    assert code == 0
    assert line.endswith("served as best, revision 1")
    code, lines, _ = islandflow("serving", "history", "best")
    assert lines[1].split("\t")[2] == "override"
    assert lines[1].split("\t")[-1] == "I say so"


def test_a_promotion_by_hand_can_be_tried_first(islandflow, judged):
    before = judged.objects(), judged.rows()
    code, [said], _ = islandflow("serving", "promote", "tiny", "--dry-run")
    assert (code, said.startswith("would publish sha256:")) == (0, True)
    assert (judged.objects(), judged.rows()) == before
    code, [done], _ = islandflow("serving", "promote", "tiny", "--alias", "other")
    assert code == 0
    assert done.startswith(said.split()[2])
    assert done.endswith("served as other, revision 1")
    code, [said], _ = islandflow("serving", "promote", "tiny", "--alias", "other", "--dry-run")
    assert said.startswith("would change nothing: other serves sha256:")


def test_an_alias_that_is_none_is_bad_input(islandflow, judged):
    refused(islandflow("serving", "promote", "tiny", "--alias", "No Alias"), "ALIAS_INVALID")
    assert islandflow("serving", "list")[1] == ["nothing is published yet"]


def test_a_rollback_needs_a_reason_and_somewhere_to_go(islandflow, promoted):
    code, out, err = islandflow("serving", "rollback", "best")
    assert (code, out) == (2, [])
    assert any("--reason" in line for line in err)
    refused(islandflow("serving", "rollback", "best", "--reason", " "), "REASON_MISSING")
    refused(islandflow("serving", "rollback", "best", "--reason", "why"), "ROLLBACK_NOWHERE")


def test_a_rollback_moves_the_alias_back_and_the_history_keeps_both(islandflow, promoted, written):
    first = islandflow("serving", "list")[1][0].split()[2]
    path = written(id="other", seeds="3")
    assert islandflow("campaign", "run", path)[0] == 0
    code, [line], _ = islandflow("serving", "rollback", "best", "--reason", "it was worse")
    assert code == 0
    assert line.startswith(f"best -> {first}, revision 3, was sha256:")
    _, lines, _ = islandflow("serving", "history", "best")
    assert [line.split("\t")[2] for line in lines[1:]] == ["promote", "promote", "rollback"]
    assert len(islandflow("serving", "list")[1]) == 3


def test_a_spec_is_shown_by_alias_id_or_its_first_digits(islandflow, promoted):
    by_alias = islandflow("serving", "show", "best")
    assert by_alias[0] == 0
    shown = json.loads("\n".join(by_alias[1]))
    digits = shown["serving_id"].removeprefix("sha256:")
    assert islandflow("serving", "show", shown["serving_id"]) == by_alias
    assert islandflow("serving", "show", digits[:8]) == by_alias
    failed(islandflow("serving", "show", digits[:7]), "SERVING_NOT_FOUND")
    assert shown["spec"]["source"]["campaign_key"] == only_campaign(promoted)
    assert shown["gate_report"].endswith(".json")


def test_a_tampered_spec_is_neither_shown_nor_verified(islandflow, promoted):
    [key] = [one for one in promoted.resources.store.keys("serving/") if one.endswith("spec.json")]
    path = promoted.resources.store.root / key
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b'"fast":', b'"fast": '))
    failed(islandflow("serving", "show", "best"), "SERVING_TAMPERED")
    [line] = failed(islandflow("verify", "best"), "CHAIN_BROKEN at published spec")
    assert "(hint: " in line


def test_a_whole_spec_is_verified_by_its_alias(islandflow, promoted):
    code, out, err = islandflow("verify", "best")
    assert (code, err) == (0, [])
    assert out[0].startswith("verified sha256:")
    assert len(out) == 4


def test_no_command_leaves_anything_outside_its_home(islandflow, judged, written, tmp_path):
    path = written()
    before = files(tmp_path), os.getcwd()
    islandflow("campaign", "check", path)
    islandflow("campaign", "status")
    assert (files(tmp_path), os.getcwd()) == before
