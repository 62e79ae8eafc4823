"""A detection beside the truth of its tape: judged by it alone, once, and by no other tape's."""

import json

import pytest

from contracts.errors import ContractError, IntegrityError, NotFoundError
from contracts.tape_manifest import LABEL_FILES, PARAMETERS, load_snapshot
from engine.evaluation import tape_score
from islandflow_resources import flow_truth
from islandflow_resources.database import Database
from islandflow_resources.flow_truth import (
    columns_of,
    refuse_changed_truth,
    refuse_other_tape,
    score_of,
    stored_score,
    truth_documents,
)
from islandflow_resources.tape_places import TapePlace, read_manifest
from tests.islandflow_resources.small_detections import bold, copy_of, made_once
from tests.islandflow_resources.small_markets import flip
from tests.islandflow_resources.tape_tampering import SEED


@pytest.fixture
def made(tmp_path):
    return copy_of(made_once(), tmp_path / "made")


def spec_of(made):
    return load_snapshot(made.place.get(PARAMETERS)).spec


def test_columns_are_those_of_the_tables_texts_written_out(made):
    table = made.detect().table("smart_flow_alerts")
    columns = columns_of(table)
    for name in ("cluster_seq", "symbol", "emitted_ns", "hypothesis_type", "confidence"):
        assert columns[name].tolist() == table.column(name).to_pylist()
    empty = columns_of(table.slice(0, 0))
    assert [len(values) for values in empty.values()] == [0] * len(empty)


def test_a_score_counts_the_alerts_of_the_detection(made):
    found = made.detect()
    score = score_of(found, made.place, spec_of(made), SEED)
    document = score.document()
    assert tape_score(json.loads(json.dumps(document))).document() == document
    assert (score.seed, score.symbols) == (SEED, len(spec_of(made).universe))


def test_a_tuned_seed_judges_nothing(made):
    found = made.detect(bold(SEED, 4))
    for seed in (SEED, 4):
        with pytest.raises(ContractError, match="FLOW_SEED_TUNED"):
            score_of(found, made.place, spec_of(made), seed)
    assert score_of(found, made.place, spec_of(made), 5).seed == 5


def test_a_score_needs_the_labels(made):
    blind = TapePlace(made.place.store, made.place.prefix)
    with pytest.raises(NotFoundError, match="labels of the tape are not here"):
        score_of(made.detect(), blind, spec_of(made), SEED)
    with pytest.raises(NotFoundError):
        truth_documents(blind)


def test_the_documents_of_a_tape_belong_together(made):
    labels, outputs = truth_documents(made.place)
    assert labels.tape_id == outputs.tape_id == made.tape.name
    assert outputs.source_labels_hash == labels.labels_hash


def test_another_tape_is_refused(made):
    found = made.detect()
    refuse_other_tape(found, found.manifest.tape_digest)
    with pytest.raises(ContractError, match="FLOW_TAPE_DIFFERS") as caught:
        refuse_other_tape(found, "sha256:" + "0" * 64)
    assert found.manifest.tape_digest in caught.value.message


@pytest.mark.parametrize("name", [PARAMETERS, *LABEL_FILES])
def test_changed_truth_is_refused_with_its_file(made, name):
    manifest = read_manifest(made.place)
    refuse_changed_truth(made.place, manifest)
    path = (made.labels if name in LABEL_FILES else made.tape) / name
    flip(path)
    with pytest.raises(IntegrityError, match="TAPE_FILE_DIFFERS") as caught:
        refuse_changed_truth(made.place, manifest)
    assert caught.value.loc == name
    path.unlink()
    with pytest.raises(NotFoundError):
        refuse_changed_truth(made.place, manifest)


def test_a_score_is_made_once_for_the_labels_that_it_is_judged_by(made, tmp_path, monkeypatch):
    database = Database(f"sqlite:///{tmp_path / 'db'}")
    database.migrate()
    found, counted = made.detect(), []

    def counting(*given):
        counted.append(given)
        return score_of(*given)

    monkeypatch.setattr(flow_truth, "score_of", counting)

    def stored(labels):
        given = (made.store, database, found, made.place, spec_of(made), SEED)
        return stored_score(*given, labels, "small-0", "run")

    first = stored("sha256:" + "1" * 64)
    assert stored("sha256:" + "1" * 64) == first
    assert len(counted) == 1
    assert tape_score(first).seed == SEED
    stored("sha256:" + "2" * 64)
    assert len(counted) == 2
    database.dispose()
