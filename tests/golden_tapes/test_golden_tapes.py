"""Golden artefacts of the synthetic session are made again, byte for byte."""

import pytest

from contracts.labels import load_labels
from contracts.tape_columns import STREAMS
from islandflow_resources.tape_loader import verify_tape
from islandflow_resources.tape_places import local_place
from tests.golden_tapes.files import MOST_BYTES, SCENARIO, TAPE, made, stored

HINT = (
    "if this was meant, raise engine.tapes.market.api.VERSION, "
    "run: python -m tests.golden_tapes, and commit the difference"
)


@pytest.fixture(scope="module")
def artefacts():
    return made()


def test_every_artefact_is_made_again_byte_for_byte(artefacts):
    differing = [
        name
        for name, data in artefacts.items()
        if not stored(name).is_file() or stored(name).read_bytes() != data
    ]
    assert not differing, HINT


def test_the_golden_tape_has_no_other_file(artefacts):
    lying = {
        path.relative_to(stored(TAPE).parent).as_posix()
        for path in stored(TAPE).rglob("*")
        if path.is_file()
    }
    assert lying == {name for name in artefacts if name.startswith(f"{TAPE}/")}
    assert len(lying) == 14


def test_no_artefact_is_large(artefacts):
    assert max(len(data) for data in artefacts.values()) <= MOST_BYTES


def test_the_stored_tape_proves_itself_and_holds_what_it_is_there_for():
    place = local_place(stored(TAPE))
    proved = verify_tape(place)
    counts = proved.manifest.replay_plan.counts
    assert min(getattr(counts, name) for name in STREAMS) >= 10
    [label] = load_labels(place.get("labels.json")).labels
    assert label.scenario_id == SCENARIO
    assert len(label.event_refs) >= 6
