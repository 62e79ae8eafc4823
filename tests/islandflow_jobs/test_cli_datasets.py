"""``islandflow dataset …``: what is printed, how it ends, and that docs/datasets.md is true.

What is made is in tests/islandflow_resources/test_pipelines.py and test_dataset_campaigns.py.
"""

import json
import re

import pytest
import yaml

from islandflow_resources.resource_set import ResourceSet
from tests.architecture.sources import ROOT
from tests.graph import write_json
from tests.islandflow_jobs.commands import files, refused
from tests.islandflow_resources.books import flip, grid_document
from tests.islandflow_resources.pipelines import campaign_document, pipeline_document

PAGE = (ROOT / "docs" / "datasets.md").read_text("utf-8")
PIPELINE, CAMPAIGN = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
SERVING = {"name": "quiet", "version": "0.1", "pipeline": "quiet"}


@pytest.fixture
def pipeline(tmp_path):
    return write_json(tmp_path / "quiet.json", pipeline_document())


@pytest.fixture
def campaign(tmp_path):
    return write_json(tmp_path / "decays.json", campaign_document())


def test_the_examples_of_the_page_do_what_it_says(islandflow, bare_home, tmp_path):
    for name, text in (("opening", PIPELINE), ("decays", CAMPAIGN)):
        (tmp_path / f"{name}.yaml").write_text(text, "utf-8")
    opening, decays = tmp_path / "opening.yaml", tmp_path / "decays.yaml"
    code, [line], _ = islandflow("dataset", "check", opening)
    assert (code, line.endswith("its tape is not made yet")) == (0, True)
    code, [made, told], _ = islandflow("dataset", "make", opening)
    dataset_id = made.split()[1]
    assert (code, made.startswith("made mnqh6-")) == (0, True)
    assert re.fullmatch(r"2(39|40) bins, sha256:[0-9a-f]{64}", told)
    assert islandflow("dataset", "check", opening)[1][0].endswith(dataset_id)
    code, [found, again], _ = islandflow("dataset", "make", opening)
    assert (code, found.split()[:2], again) == (0, ["found", dataset_id], told)
    tape = write_json(tmp_path / "tape.json", yaml.safe_load(PIPELINE)["capture"]["tape"])
    assert islandflow("book", "register", tape)[0] == 0
    code, [line], _ = islandflow("dataset", "check", decays)
    assert (code, line.endswith(": 8 datasets")) == (0, True)
    code, registered, _ = islandflow("dataset", "register", opening, decays)
    assert (code, [line.split()[0] for line in registered]) == (0, ["registered"] * 2)
    _, lines, _ = islandflow("dataset", "list")
    assert [line.split("\t")[0] for line in lines] == ["dataset", dataset_id]


def test_a_registered_pipeline_is_made_by_its_name_and_another_seed(
    islandflow, bare_home, pipeline
):
    assert islandflow("dataset", "register", pipeline)[0] == 0
    code, [first, _], _ = islandflow("dataset", "make", "quiet")
    assert code == 0
    code, [second, _], _ = islandflow("dataset", "make", "quiet", "--seed", 2)
    assert code == 0
    assert first.split()[1] != second.split()[1]
    assert len(islandflow("dataset", "list")[1]) == 3


def test_a_campaign_goes_on_where_it_was_and_says_so(islandflow, bare_home, pipeline, campaign):
    assert islandflow("dataset", "make", pipeline)[0] == 0
    code, lines, err = islandflow("dataset", "campaign", campaign)
    assert (code, err) == (0, [])
    # One of them overrides nothing but what is the default: the pipeline's own dataset.
    assert lines[0].endswith("4 of 4 datasets stand, 1 stood before")
    before = files(bare_home / "objects")
    code, again, _ = islandflow("dataset", "campaign", campaign)
    assert again[0].endswith("4 of 4 datasets stand, 4 stood before")
    assert (code, again[1:]) == (0, lines[1:])
    assert files(bare_home / "objects") == before
    assert islandflow("dataset", "register", campaign)[0] == 0
    assert islandflow("dataset", "campaign", "decays")[1] == again
    assert {len(line.split("\t")) for line in lines[1:5]} == {4}


def test_a_damaged_dataset_ends_with_1_and_is_named(islandflow, bare_home, pipeline, campaign):
    [made, _] = islandflow("dataset", "make", pipeline)[1]
    flip(bare_home / "objects/datasets" / made.split()[1] / "bins.parquet")
    code, out, [line] = islandflow("dataset", "make", pipeline)
    assert (code, out) == (1, [])
    assert line.startswith("GRID_DAMAGED")
    code, out, [line] = islandflow("dataset", "campaign", campaign)
    assert (code, len(out)) == (1, 4)
    assert out[0].endswith("3 of 4 datasets stand, 0 stood before")
    assert line.startswith("GRID_DAMAGED")
    assert re.search(r": quiet_[0-9a-f]{8}: cannot trust ", line)


def test_what_is_wrong_with_documents_is_told_at_once_and_nothing_is_written(
    islandflow, bare_home, tmp_path, pipeline, campaign
):
    wrong = {
        "pipeline": pipeline_document(capture={"seed": -1}),
        "campaign": campaign_document(axes={"tau": [1]}),
        "serving": SERVING | {"signal": {"name": "Ads"}},
    }
    paths = [write_json(tmp_path / f"{name}.json", one) for name, one in wrong.items()]
    codes = ("PIPELINE_VALUE_OUT", "DATASET_CAMPAIGN_RULE_BROKEN", "SERVING_VALUE_INVALID")
    refused(islandflow("dataset", "check", *paths), *codes)
    locked = write_json(
        tmp_path / "locked.json", pipeline_document(config=grid_document(symbol="ESH6"))
    )
    refused(islandflow("dataset", "make", locked), "INSTRUMENT_LOCKED")
    refused(islandflow("dataset", "make", campaign), "DOCUMENT_OF_ANOTHER_KIND")
    refused(islandflow("dataset", "campaign", pipeline), "DOCUMENT_OF_ANOTHER_KIND")
    refused(islandflow("dataset", "make", tmp_path / "nosuch.json"), "FILE_NOT_READABLE")
    refused(islandflow("dataset", "make", pipeline, "--seed", "-1"), "SEED")
    for command in ("make", "campaign"):
        code, _, [line] = islandflow("dataset", command, "nosuch")
        assert (code, "NOT_REGISTERED" in line) == (1, True)
    assert not (bare_home / "objects").exists()
    assert islandflow("dataset", "list")[1] == [
        "no dataset is recorded: islandflow dataset make PIPELINE"
    ]


def test_a_serving_is_registered_beside_its_pipeline(islandflow, bare_home, tmp_path, pipeline):
    serving = write_json(tmp_path / "serving.json", SERVING)
    refused(islandflow("dataset", "check", serving), "PIPELINE_NOT_REGISTERED")
    assert islandflow("dataset", "register", pipeline)[0] == 0
    code, [line], _ = islandflow("dataset", "check", serving)
    assert (code, ": derivative of quiet-" in line) == (0, True)
    for word in ("registered", "unchanged"):
        code, [line], _ = islandflow("dataset", "register", serving)
        assert (code, line.split()[0]) == (0, word)
    [row] = ResourceSet.from_environment().database.artefacts(what="serving_spec")
    assert json.loads(json.dumps(row.recipe["pipeline"]))["name"] == "quiet"
