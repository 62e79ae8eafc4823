"""Pipelines: references written out, wrong ones refused, datasets made once and found again."""

import pytest

from contracts.errors import ContractError, NotFoundError
from contracts.mbo import MboSpec
from contracts.pipeline import pipeline_from
from engine.tapes.mbo.api import MboTape
from islandflow_resources.book_checkpoints import make_checkpoint
from islandflow_resources.grid_configs import SHIPPED_GRID, shipped_config
from islandflow_resources.grid_datasets import read_bins
from islandflow_resources.mbo_sources import register_source
from islandflow_resources.mbo_tapes import named_spec, register_spec
from islandflow_resources.mbo_writers import write_events
from islandflow_resources.pipelines import (
    dataset_of,
    find_events,
    make_dataset,
    order_of,
    ready_pipeline,
    register_pipeline,
    registered_pipeline,
)
from tests.graph import SINKING
from tests.islandflow_resources.books import (
    RUN,
    RUNTIME,
    embedded,
    flip,
    grid_document,
    order,
    short_tape,
    stored_grid,
    stored_tape,
)
from tests.islandflow_resources.pipelines import (
    BEFORE,
    OPENING,
    OPENING_NS,
    TAPE,
    made,
    pipeline,
    pipeline_document,
)


@pytest.fixture
def place(tmp_path):
    return embedded(tmp_path)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A store where the dataset of the pipeline and the one of its opening stand."""
    folder = tmp_path_factory.mktemp("pipelines")
    store, database = embedded(folder)
    whole = made(store, database, folder / "whole")
    opening = made(store, database, folder / "opening", pipeline(capture=OPENING))
    return store, database, whole, opening


def recorded(place, folder):
    """The tape as a recorded file; its key."""
    folder.mkdir()
    path = folder / "session.dbn"
    write_events(path, MboTape(TAPE, 1).batches(), symbol="MNQH6")
    return register_source(*place, path, None, RUN).source.key


def problem(place, **changes):
    with pytest.raises(ContractError) as caught:
        ready_pipeline(*place, pipeline(**changes))
    return caught.value.code, caught.value.loc


def test_the_configuration_that_is_shipped_is_the_base_where_there_is_no_other(place):
    document = pipeline_document()
    del document["config"]
    ready = ready_pipeline(*place, pipeline_from(document))
    assert ready.config == ready.spec.config == shipped_config()
    assert SHIPPED_GRID.name == "grid_shipped.json"
    given = ready_pipeline(*place, pipeline_from(document), order().config)
    assert given.config.runtime_config == order().config.runtime_config


def test_a_pipeline_is_registered_with_its_references_written_out(place):
    register_spec(*place, TAPE)
    named = ready_pipeline(*place, pipeline(capture={"tape": TAPE.id}))
    by_key = ready_pipeline(*place, pipeline(capture={"tape": TAPE.partition_key}))
    inline = ready_pipeline(*place, pipeline())
    assert named.key == by_key.key == inline.key
    assert isinstance(named.spec.capture.tape, MboSpec)
    entry = register_pipeline(*place, named)
    assert (entry.key, entry.new) == (named.key, True)
    assert not register_pipeline(*place, inline).new
    for name in (named.key, "quiet"):
        assert registered_pipeline(place[1], name) == named.spec
    with pytest.raises(NotFoundError, match="PIPELINE_NOT_REGISTERED"):
        registered_pipeline(place[1], "noisy")


def test_the_seed_in_the_document_of_a_tape_does_not_count(place):
    other = TAPE.document()
    other["scenario"] = {**other["scenario"], "seed": "99"}
    assert (
        ready_pipeline(*place, pipeline(capture={"tape": other})).key
        == ready_pipeline(*place, pipeline()).key
    )
    seeded = ready_pipeline(*place, pipeline(capture={"seed": 2}))
    assert seeded.key != ready_pipeline(*place, pipeline()).key


def test_a_tape_is_named_by_its_id_as_long_as_only_one_has_it(place):
    for spec in (TAPE, short_tape(events_per_second=50)):
        register_spec(*place, spec)
    assert named_spec(place[1], TAPE.partition_key).mbo_hash == TAPE.mbo_hash
    with pytest.raises(ContractError, match="TAPE_AMBIGUOUS") as caught:
        named_spec(place[1], "short")
    assert TAPE.partition_key in caught.value.hints[0]
    assert problem(place, capture={"tape": "short"}) == ("TAPE_AMBIGUOUS", "/capture/tape")


def test_what_does_not_go_together_is_refused_with_its_place(place, tmp_path):
    assert problem(place, capture={"tape": "nosuch"}) == ("TAPE_NOT_REGISTERED", "/capture/tape")
    unknown = {"tape": None, "recorded": "nosuch-000000000000"}
    assert problem(place, capture=unknown) == ("SOURCE_NOT_REGISTERED", "/capture/recorded")
    other = grid_document(symbol="ESH6")
    assert problem(place, config=other)[0] == "INSTRUMENT_LOCKED"
    foreign = short_tape(symbol="ESH6").document()
    assert problem(place, capture={"tape": foreign}) == ("PIPELINE_INSTRUMENT", "/capture")
    key = recorded(place, tmp_path / "in")
    night = {"dt": "2024-01-03", "start_time": "02:00", "end_time": "03:00"}
    for capture in (night, {"tape": None, "recorded": key, **night}):
        assert problem(place, capture=capture) == ("SESSION_EMPTY", "/capture/dt")
    assert problem(place, pipeline={"flow_windows": [2]})[0] == "PIPELINE_RULE_BROKEN"


def test_a_dataset_and_its_tape_are_made_once(place, tmp_path):
    store, database = place
    ready = ready_pipeline(*place, pipeline())
    assert dataset_of(*place, ready.config, ready.spec.capture) is None
    assert find_events(*place, ready.spec.capture) is None
    first = made(*place, tmp_path / "a")
    assert first.problem is None
    assert not first.used_cache
    objects = store.keys("")
    again = made(*place, tmp_path / "b")
    assert (again.used_cache, again.dataset.content_digest) == (True, first.dataset.content_digest)
    assert store.keys("") == objects
    assert dataset_of(*place, ready.config, ready.spec.capture) == first.dataset_id
    events = find_events(*place, ready.spec.capture)
    assert (events.what, events.key, events.seed) == ("tape", TAPE.partition_key, 1)
    assert first.dataset.manifest["source"]["digest"] == events.file.digest
    assert len(database.artefacts(what="mbo_tape")) == 1


def test_the_dataset_is_that_of_the_same_tape_and_configuration(place, tmp_path):
    tape = stored_tape(*place, tmp_path / "tape", TAPE)
    by_hand = stored_grid(*place, tmp_path / "grid", tape.events)
    found = made(*place, tmp_path / "made")
    assert (found.dataset_id, found.used_cache) == (by_hand.dataset_id, True)


def test_a_session_begins_and_ends_where_the_capture_says(built):
    _, _, whole, opening = built
    bins = read_bins(opening.dataset)
    assert bins["bin_start_ns"][0].as_py() == OPENING_NS
    assert 15 <= opening.dataset.bins < whole.dataset.bins
    assert opening.dataset.events == whole.dataset.events


def test_events_after_a_session_do_not_count(built, tmp_path):
    store, database, whole, opening = built
    before = made(store, database, tmp_path, pipeline(capture=BEFORE))
    bins = read_bins(before.dataset)
    assert bins["bin_end_ns"][-1].as_py() <= OPENING_NS
    assert 0 < before.dataset.events < whole.dataset.events
    assert len({one.dataset_id for one in (whole, opening, before)}) == 3


def test_a_recorded_file_gives_the_dataset_of_its_events_from_a_checkpoint_too(
    built, place, tmp_path
):
    capture = {"tape": None, "recorded": recorded(place, tmp_path / "in"), **OPENING}
    spec = pipeline(capture=capture)
    found = made(*place, tmp_path / "a", spec)
    assert found.problem is None
    _, _, _, opening = built
    assert read_bins(found.dataset).equals(read_bins(opening.dataset))
    ready = ready_pipeline(*place, pipeline(capture=capture, pipeline={"tau_jerk": 7}))
    events = find_events(*place, ready.spec.capture)
    assert (events.what, events.key, events.seed) == ("recorded", capture["recorded"], None)
    wanted = order_of(ready.config, ready.spec.capture)
    warm = make_checkpoint(*place, RUNTIME, wanted, events.file, tmp_path / "warm", RUN)
    assert 0 < warm.head.rows_taken < found.dataset.events
    again = made(*place, tmp_path / "b", ready.spec)
    assert (again.problem, again.dataset.events) == (None, found.dataset.events)
    plain = embedded(tmp_path / "other")
    recorded(plain, tmp_path / "other_in")
    assert (
        made(*plain, tmp_path / "c", ready.spec).dataset.content_digest
        == again.dataset.content_digest
    )


def test_a_tape_that_cannot_be_made_is_told_and_nothing_is_published(place, tmp_path):
    sinking = short_tape(scenario=SINKING, start_price_ticks=2_000, bars=100).document()
    found = made(*place, tmp_path, pipeline(capture={"tape": sinking}))
    assert (found.dataset, found.dataset_id, found.is_damaged) == (None, "", False)
    assert found.problem is not None
    assert place[0].keys("datasets/") == []


@pytest.mark.parametrize("what", ["tapes", "datasets"])
def test_a_damaged_object_is_told_and_not_replaced(place, tmp_path, what):
    first = made(*place, tmp_path / "a")
    [path] = (place[0].root / what).rglob("events.parquet" if what == "tapes" else "grid.parquet")
    flip(path)
    data = path.read_bytes()
    found = made(*place, tmp_path / "b")
    assert (found.dataset, found.is_damaged) == (None, True)
    assert path.read_bytes() == data
    assert first.dataset is not None


def test_a_dataset_of_another_instrument_is_refused_before_its_tape_is_made(place, tmp_path):
    ready = ready_pipeline(*place, pipeline())
    runtime = ready.config.runtime_config.model_copy(update={"symbol": "ESH6"})
    other = ready.config.model_copy(update={"runtime_config": runtime})
    with pytest.raises(ContractError, match="INSTRUMENT_LOCKED"):
        make_dataset(*place, RUNTIME, other, ready.spec.capture, tmp_path, RUN)
    assert place[0].keys("") == []


def test_a_pipeline_written_out_stays_what_it_was_when_another_base_is_given(place):
    ready = ready_pipeline(*place, pipeline())
    assert ready_pipeline(*place, ready.spec, shipped_config()) == ready
