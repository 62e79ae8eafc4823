"""``islandflow tape catalogue``: what it lists and prints, and that a tape is made of it."""

import json

import pytest

from contracts.labels import load_expected_outputs, load_labels
from contracts.tape import SEED_BUNDLE, load_profile
from contracts.tape_catalogue import SCENARIO_IDS, scenario_profile, scenario_seeds
from islandflow_resources.tape_loader import verify_tape
from islandflow_resources.tape_places import local_place
from tests.islandflow_jobs.commands import refused

NAME = "institutional-directional-flow"


@pytest.fixture
def files(islandflow, bare_home, tmp_path):
    """Profile and seed bundle of a scenario, as the command prints them."""
    profile, seeds = tmp_path / "profile.json", tmp_path / "seeds.json"
    for path, flags in ((profile, ()), (seeds, ("--seed-bundle",))):
        code, lines, err = islandflow("tape", "catalogue", NAME, *flags)
        assert (code, err) == (0, [])
        path.write_text("\n".join(lines))
    return profile, seeds


def test_the_scenarios_are_listed_in_their_order(islandflow, bare_home):
    code, lines, err = islandflow("tape", "catalogue")
    assert (code, err) == (0, [])
    assert tuple(line.split("\t")[0] for line in lines) == SCENARIO_IDS
    wanted = "structure-arbitrage-calm\tstructure_arbitrage_flow\tbox_spread on IWM\tseed 306"
    assert lines[5] == wanted


def test_profile_and_seeds_are_printed_as_documents(files):
    profile, seeds = (path.read_text() for path in files)
    assert load_profile(profile) == scenario_profile(NAME)
    assert SEED_BUNDLE.validate_python(json.loads(seeds)) == scenario_seeds(NAME)


def test_a_tape_of_a_scenario_has_its_labels_and_expected_outputs(islandflow, files, tmp_path):
    profile, seeds = files
    out = tmp_path / "out"
    flags = ("--profile", profile, "--seed-bundle", seeds, "--out", out, "--run-name", "a scenario")
    code, _, err = islandflow(
        "tape", "make", *flags, "--scenario-id", NAME, "--run-id", "one", "--duration", 900
    )
    assert (code, err) == (0, [])
    place = local_place(out)
    manifest = verify_tape(place).manifest
    contract = manifest.expected_output_contract
    assert manifest.run.scenario_id == NAME
    assert (contract.label_count, contract.expected_output_count) == (1, 1)
    [label] = load_labels(place.get("labels.json")).labels
    assert label.label_id == f"label:one:{NAME}"
    assert len(label.event_refs) >= 6
    [output] = load_expected_outputs(place.get("expected_outputs.json")).outputs
    assert (output.alert_expectation, output.expected_direction) == ("alert", "bullish")


def test_a_scenario_that_the_tape_does_not_reach_is_refused(islandflow, files, tmp_path):
    profile, seeds = files
    flags = ("--profile", profile, "--seed-bundle", seeds, "--out", tmp_path / "out")
    wanted = ("--run-name", "too short", "--scenario-id", NAME, "--duration", 60)
    [line] = refused(islandflow("tape", "make", *flags, *wanted), "TAPE_SCENARIO_MISSING")
    assert "did not print" in line


@pytest.mark.parametrize(
    ("scenario", "code"),
    [
        ("no-such-flow", "TAPE_SCENARIO_UNKNOWN"),
        ("hedge-reactive-put-flow", "TAPE_SCENARIO_MISSING"),
    ],
)
def test_another_scenario_is_refused_before_anything_is_written(
    islandflow, files, tmp_path, scenario, code
):
    profile, seeds = files
    flags = ("--profile", profile, "--seed-bundle", seeds, "--out", tmp_path / "out")
    outcome = islandflow(
        "tape", "make", *flags, "--run-name", "x", "--scenario-id", scenario, "--duration", 60
    )
    [line] = refused(outcome, code)
    assert "--scenario-id" in line
    assert not (tmp_path / "out").exists()


def test_an_unknown_scenario_is_not_printed(islandflow, bare_home):
    [line] = refused(islandflow("tape", "catalogue", "no-such-flow"), "TAPE_SCENARIO_UNKNOWN")
    assert NAME in line
