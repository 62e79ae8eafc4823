"""Published signals made again from nothing but the seed, or the recorded file."""

import pyarrow as pa
import pytest

from contracts.errors import IntegrityError
from contracts.mbo import mbo_spec_from
from engine.tapes.mbo.api import MboTape
from islandflow_jobs.verify_serving import verify_serving
from islandflow_resources.campaigns import register
from islandflow_resources.mbo_sources import register_source
from islandflow_resources.mbo_writers import write_events
from islandflow_resources.recomputed_signals import recomputed
from tests.islandflow_resources.books import RUN
from tests.islandflow_resources.campaigning import damage, empty_home, remove
from tests.islandflow_resources.experimenting import (
    TAPE,
    finished_copy,
    promoted,
    ready,
    run,
    serving_document,
    small,
)

pytestmark = pytest.mark.xdist_group("books")


@pytest.fixture(scope="module")
def served():
    """A home whose winner is served."""
    with finished_copy() as home:
        yield home, promoted(home, ready(home))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A home whose winner was tried on a recorded file, and is served."""
    path = tmp_path_factory.mktemp("recorded") / "session.dbn"
    write_events(path, MboTape(mbo_spec_from(TAPE), 1).batches(), symbol="MNQH6")
    with empty_home() as home:
        key = register_source(home.store, home.database, path, None, RUN).source.key
        serving = serving_document(signal={"name": "msd"}, capture={"tape": None, "recorded": key})
        written = small(serving=serving, objective="mean_pnl_ticks", eval={"min_signals": 1})
        del written["seeds"]
        experiment = ready(home, written)
        register(experiment, home.store, home.database)
        run(home, experiment)
        yield home, experiment, promoted(home, experiment)


def test_what_is_made_again_from_the_seed_is_compared_to_the_bit(served):
    home, outcome = served
    experiment, spec = ready(home), outcome.draft.spec
    evidence = outcome.draft.evidence
    assert list(recomputed(*home.place, experiment, spec, evidence)) == []
    rows = evidence.to_pylist()
    rows[0]["n_up"] += 1
    rows[1]["dataset_digest"] = "sha256:" + "1" * 64
    changed = pa.Table.from_pylist(rows, evidence.schema)
    found = dict(recomputed(*home.place, experiment, spec, changed))
    assert "n_up is" in found[rows[0]["dataset_id"]]
    assert found[rows[1]["dataset_id"]].startswith("recomputed sha256:")
    rows[0]["dataset_id"] = "nosuch"
    changed = pa.Table.from_pylist(rows, evidence.schema)
    assert "nosuch" in dict(recomputed(*home.place, experiment, spec, changed))


def test_nothing_that_is_stored_is_read_for_it(served):
    """With every dataset, tape and trial gone the numbers come again all the same."""
    with finished_copy() as home:
        experiment = ready(home)
        draft = promoted(home, experiment).draft
        for key in home.store.keys(""):
            if key.startswith(("datasets/", "tapes/", "trials/", "mbo/")):
                remove(home.store, key)
        assert list(recomputed(*home.place, experiment, draft.spec, draft.evidence)) == []


def test_a_recorded_file_is_tried_promoted_and_verified_like_a_tape(recorded):
    home, experiment, outcome = recorded
    spec = outcome.draft.spec
    assert (spec.stream.what, spec.stream.key) == ("recorded", experiment.captures[0].recorded)
    assert spec.stream.seed is None
    assert experiment.trials == outcome.draft.evidence.num_rows * 2 == 2
    assert (
        verify_serving(*home.place, home.keyring, "live")[0]
        == f"verified {outcome.draft.serving_id}"
    )


def test_a_recorded_file_that_is_damaged_is_not_verified(recorded):
    home, _, outcome = recorded
    [key] = [key for key in home.store.keys("") if key.endswith(".dbn")]
    whole = home.store.get(key)
    damage(home.store, key)
    with pytest.raises(IntegrityError):
        verify_serving(*home.place, home.keyring, "live")
    damage(home.store, key, whole)
    assert verify_serving(*home.place, home.keyring, "live")[0].endswith(outcome.draft.serving_id)
