"""Verification recomputes from the seed; repair alone replaces what is damaged."""

import pytest

from contracts.errors import ContractError, IntegrityError, NotFoundError
from engine import paths
from islandflow_jobs import verify
from islandflow_resources import datasets
from islandflow_resources.materialise import dataset_ref, make_datasets, provenance
from tests.graph import CALM, MOODY, market

PARTS = ("dataset_key", "manifest_key", "labels_key", "provenance_key")


def parts_of(graph):
    return graph.resources.store, graph.resources.database


def flip(graph, key, place=0.5):
    path = graph.resources.store.root / key
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 1))] ^= 0x01
    path.write_bytes(bytes(data))


def repair(graph, ref):
    return verify.repair_dataset(*parts_of(graph), graph.resources.engine_runtime, ref)


def test_a_whole_dataset_verifies_with_the_digest_of_its_manifest(finished):
    ref = dataset_ref(market(MOODY), 2)
    digest = verify.verify_dataset(*parts_of(finished), ref)
    assert digest == datasets.read(finished.resources.store, ref).manifest.content_digest


def test_what_is_not_stored_is_said_to_be_missing(graph):
    with pytest.raises(NotFoundError) as caught:
        verify.verify_dataset(*parts_of(graph), dataset_ref(market(CALM), 1))
    assert caught.value.code == "OBJECT_NOT_FOUND"


@pytest.mark.parametrize("part", PARTS)
def test_a_flipped_byte_is_found_and_its_object_named(finished, part):
    ref = dataset_ref(market(MOODY), 1)
    key = getattr(ref, part)
    flip(finished, key)
    with pytest.raises(IntegrityError) as caught:
        verify.verify_dataset(*parts_of(finished), ref)
    assert finished.resources.store.uri(key) in str(caught.value)
    assert "islandflow repair" in str(caught.value)


def test_an_unrecorded_dataset_is_verified_by_its_own_seal(finished):
    spec = market(CALM)
    ref = dataset_ref(spec, 9)
    store, database = parts_of(finished)
    datasets.publish(store, ref, paths.simulate(spec, 9), provenance("test"))
    assert database.find([ref.recipe]) == {}
    digest = datasets.read(store, ref).manifest.content_digest
    assert verify.verify_dataset(store, database, ref) == digest
    flip(finished, ref.provenance_key)
    with pytest.raises(IntegrityError) as caught:
        verify.verify_dataset(store, database, ref)
    assert ref.provenance_key in str(caught.value)


def test_a_dataset_of_another_version_is_whole_but_cannot_be_recomputed(finished):
    spec = market(CALM)
    old = datasets.DatasetRef(spec, 1, "0.9")
    store, database = parts_of(finished)
    datasets.publish(store, old, paths.simulate(spec, 1), provenance("test"))
    with pytest.raises(IntegrityError) as caught:
        verify.verify_dataset(store, database, old)
    assert caught.value.code == "VERSION_OTHER"


def test_bars_that_this_engine_does_not_make_are_diverged(finished):
    spec = market(CALM)
    ref = dataset_ref(spec, 8)
    store, database = parts_of(finished)
    datasets.publish(store, ref, paths.simulate(spec, 7), provenance("test"))
    with pytest.raises(IntegrityError) as caught:
        verify.verify_dataset(store, database, ref)
    assert caught.value.code == "DATASET_DIVERGED"


def test_verify_all_names_every_cell_that_does_not_verify(finished):
    store, database = parts_of(finished)
    flip(finished, dataset_ref(market(CALM), 2).dataset_key)
    found = {
        f"{ref.spec.partition_key}|{ref.seed}": problem and problem.code
        for ref, problem in verify.verify_all(store, database, [1, 2, 3])
    }
    calm, moody = market(CALM).partition_key, market(MOODY).partition_key
    assert found[f"{calm}|1"] is found[f"{moody}|1"] is found[f"{moody}|2"] is None
    assert found[f"{calm}|2"] not in (None, "OBJECT_NOT_FOUND")
    assert found[f"{calm}|3"] == found[f"{moody}|3"] == "OBJECT_NOT_FOUND"


@pytest.mark.parametrize("part", PARTS)
def test_a_repair_keeps_the_damaged_and_makes_the_same_again(finished, part):
    ref = dataset_ref(market(MOODY), 1)
    store, database = parts_of(finished)
    before = finished.objects()
    kept = {ref.dataset_key, ref.manifest_key, ref.labels_key}
    digest = datasets.read(store, ref).manifest.content_digest
    flip(finished, getattr(ref, part))
    damaged = finished.objects()
    done = repair(finished, ref)
    assert done.content_digest == digest
    assert verify.verify_dataset(store, database, ref) == digest
    after = finished.objects()
    assert {key: after[key] for key in kept} == {key: before[key] for key in kept}
    aside = {key.split("/", 2)[2]: after[key] for key in done.quarantined}
    assert aside[getattr(ref, part)] == damaged[getattr(ref, part)]
    assert set(aside) == kept | {ref.provenance_key}


def test_a_repair_is_written_down(finished):
    ref = dataset_ref(market(MOODY), 1)
    flip(finished, ref.dataset_key)
    done = repair(finished, ref)
    [entry] = finished.resources.database.audit("repair")
    assert entry.subject == ref.prefix
    assert entry.detail["quarantined"] == list(done.quarantined)


def test_a_whole_dataset_is_left_alone_by_a_repair(finished):
    ref = dataset_ref(market(CALM), 1)
    before = finished.objects()
    assert repair(finished, ref).quarantined == ()
    assert finished.objects() == before


def test_after_a_repair_the_graph_trusts_the_dataset_again(finished):
    ref = dataset_ref(market(CALM), 1)
    flip(finished, ref.dataset_key)
    broken = finished.run()
    assert list(broken.failures("nothing_missing")) == [f"{ref.spec.partition_key}|1"]
    assert not broken.success
    repair(finished, ref)
    run = finished.run()
    assert run.success
    assert set(run.metadata("scenario_dataset", "used_cache").values()) == {True}


@pytest.mark.parametrize("part", [*PARTS, "provenance_key", "prefix"])
def test_any_object_of_a_dataset_names_it(finished, part):
    ref = dataset_ref(market(MOODY), 2)
    store, database = parts_of(finished)
    address = getattr(ref, part)
    for uri in (store.uri(address), address):
        found = verify.dataset_of(store, database, uri)
        assert (found.recipe, found.seed, found.version) == (ref.recipe, 2, ref.version)


@pytest.mark.parametrize(
    ("uri", "code"),
    [
        ("backtests/abc/result.json", "URI_NOT_A_DATASET"),
        ("scenarios/calm", "URI_NOT_A_DATASET"),
        ("scenarios/calm/x/y/z", "URI_NOT_A_DATASET"),
        ("s3://elsewhere/scenarios/a/b/seed=1/v1.1", "URI_ELSEWHERE"),
        ("../../etc/passwd", "KEY_INVALID"),
        ("", "KEY_INVALID"),
    ],
)
def test_an_address_of_something_else_is_refused(graph, uri, code):
    with pytest.raises(ContractError) as caught:
        verify.dataset_of(*parts_of(graph), uri)
    assert caught.value.code == code


def test_a_dataset_of_a_scenario_that_is_not_registered_is_not_found(graph):
    ref = dataset_ref(market(CALM, id="stranger"), 1)
    with pytest.raises(NotFoundError):
        verify.dataset_of(*parts_of(graph), ref.dataset_key)


def test_a_scenario_hash_that_only_begins_like_a_registered_one_is_refused(graph):
    ref = dataset_ref(market(CALM), 1)
    parts = ref.dataset_key.split("/")
    parts[2] = parts[2][:12] + "0" * 52
    with pytest.raises(ContractError) as caught:
        verify.dataset_of(*parts_of(graph), "/".join(parts))
    assert caught.value.code == "URI_NOT_A_DATASET"


def test_a_repair_makes_what_was_never_there(graph):
    ref = dataset_ref(market(CALM), 3)
    assert repair(graph, ref).quarantined == ()
    runtime = graph.resources.engine_runtime
    [again] = make_datasets(*parts_of(graph), runtime, [ref], "test")
    assert again.used_cache
