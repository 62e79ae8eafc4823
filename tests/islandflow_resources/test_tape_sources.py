"""The engine's events as a source of tapes, and the same again for whoever looks for a row."""

import pytest

from contracts.errors import IntegrityError
from contracts.tape import SeedBundle
from contracts.tape_defaults import default_profile
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.tape_folder import write_tape
from islandflow_resources.tape_inputs import tape_inputs
from islandflow_resources.tape_loader import verify_tape
from islandflow_resources.tape_places import local_place
from islandflow_resources.tape_sources import events_of, generator_version, made_again
from islandflow_resources.tape_specs import resolve
from tests.islandflow_resources.tape_tampering import Copy, with_value

BUNDLE = SeedBundle(seed=5, namespace="phase-03", partition="retail")


@pytest.fixture(scope="module")
def tape(tmp_path_factory):
    """Half a minute of one symbol."""
    folder = tmp_path_factory.mktemp("tape")
    profile = default_profile(1)
    spec = resolve(profile, duration_s=30)
    inputs = tape_inputs(profile, spec, BUNDLE, generator_version(), "half a minute")
    store = FolderStore(folder / "root")
    return write_tape(store, events_of(inputs), inputs, folder / "staging", provenance={})


def test_a_tape_of_the_engine_is_sound_and_holds_all_its_streams(tape):
    proved = verify_tape(tape.place, again=made_again)
    counts = proved.manifest.replay_plan.counts
    assert min(counts.equity_quotes, counts.equity_prints, counts.option_nbbo) > 0
    assert proved.snapshot.seed_bundle == BUNDLE


def test_a_changed_row_is_found_by_making_the_tape_again(tape, tmp_path):
    copy = Copy(tape.place.store.root, tape.manifest.tape_id, tmp_path / "copy")
    copy.change("equity_prints", 0, lambda table: with_value(table, "size", 4, 123_456))
    with pytest.raises(IntegrityError) as caught:
        verify_tape(local_place(copy.tape), again=made_again)
    assert caught.value.loc == "equity_prints.parquet, row 4"
    assert "size is 123456" in caught.value.message


def test_a_tape_of_another_version_is_not_made_again(tape):
    snapshot = verify_tape(tape.place).snapshot
    generator = snapshot.generator.model_copy(update={"version": "0"})
    assert made_again(snapshot) is not None
    assert made_again(snapshot.model_copy(update={"generator": generator})) is None
