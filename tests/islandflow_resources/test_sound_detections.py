"""Detections of tapes that passed: made once, recorded, refused when they say another thing."""

import shutil

import pytest

from contracts.flow_manifest import MANIFEST
from contracts.flow_policy import usual_policy
from islandflow_resources import flow_folder, sound_detections
from islandflow_resources.sound_detections import (
    WHAT,
    make_detection,
    sound_detection,
    stored_detection,
)
from islandflow_resources.tape_sources import generator_version
from tests.islandflow_resources.small_detections import bold
from tests.islandflow_resources.small_markets import (
    RUN,
    SEED,
    empty_market,
    flip,
    made_market,
)
from tests.islandflow_resources.test_flow_feed import Blind


@pytest.fixture(scope="module")
def detected(tmp_path_factory):
    """A market whose tape has been judged, and detected under the usual policy."""
    folder = tmp_path_factory.mktemp("detected") / "made"
    with made_market(folder) as market:
        one = make(market)
        assert one.problem is None, one.problem
        assert not one.used_cache
    return folder


@pytest.fixture
def market(detected, tmp_path):
    shutil.copytree(detected, tmp_path / "made")
    with empty_market(tmp_path / "made") as market:
        yield market


def make(market, policy=None, store=None):
    given = (market.database, market.runtime, market.ref, policy or usual_policy(), RUN)
    return make_detection(store or market.store, market.store, *given)


def found(market, policy=None):
    given = (market.database, market.ref, policy or usual_policy(), RUN)
    return sound_detection(market.store, market.store, *given)


def path_of(market, name):
    [path] = market.store.root.glob(f"detections/*/{name}")
    return path


def test_a_detection_is_made_once_and_found(market, monkeypatch):
    def never(*given):
        raise AssertionError(given)

    monkeypatch.setattr(flow_folder, "FlowDetector", never)
    for one in (make(market), found(market)):
        assert (one.problem, one.used_cache, one.is_damaged) == (None, True, False)
        assert one.tape == market.tape
        assert one.detection.manifest.tape_digest == market.tape.content_digest
        assert one.seconds > 0


def test_what_is_recorded_is_the_manifest(market):
    detection = found(market).detection
    recipe = sound_detections._recipe(detection)
    known = market.database.find([recipe])[recipe]
    assert (known.what, known.seed) == (WHAT, SEED)
    assert known.content_digest == detection.manifest.content_digest
    assert known.manifest_key == detection.key


def test_another_policy_is_another_detection(market):
    assert found(market, bold()).problem.code == "DETECTION_NOT_FOUND"
    assert not found(market, bold()).is_damaged
    other = make(market, bold())
    assert (other.problem, other.used_cache) == (None, False)
    assert len(list(market.store.root.glob("detections/*"))) == 2
    rows = other.detection.manifest.tables
    assert rows["smart_flow_alerts"].rows > 0


def test_the_detector_is_handed_no_label(market, monkeypatch):
    shutil.rmtree(market.store.root / "detections")
    handed = []

    class Watched(sound_detections.TapeFeed):
        def __init__(self, place):
            handed.append(place)
            super().__init__(place)

    monkeypatch.setattr(sound_detections, "TapeFeed", Watched)
    # the store of the tape refuses every label: only the verdict of the tape reads them, elsewhere
    assert make(market, store=Blind(market.store.root)).problem is None
    assert [place.labels_store for place in handed] == [None]


@pytest.mark.parametrize("name", [MANIFEST, "policy.json", "flow_packets.parquet"])
def test_damage_is_told_as_damage(market, name):
    flip(path_of(market, name))
    for one in (make(market), found(market)):
        assert (one.problem.code, one.is_damaged) == ("DETECTION_DAMAGED", True)
        assert one.problem.loc.endswith(name)
        assert one.detection is None


def test_a_damaged_stream_is_told_with_its_file(market):
    shutil.rmtree(market.store.root / "detections")
    flip(market.path("option_prints.parquet"))
    one = make(market)
    assert (one.problem.code, one.is_damaged) == ("TAPE_FILE_DIFFERS", True)
    assert not list(market.store.root.glob("detections/*"))


def test_a_detection_that_says_something_else_than_was_recorded_is_refused(market, monkeypatch):
    shutil.rmtree(market.store.root / "detections")
    tables = flow_folder.detection_tables

    def others(*given):
        made = tables(*given)
        return {**made, "flow_prints": made["flow_prints"].slice(1)}

    monkeypatch.setattr(flow_folder, "detection_tables", others)
    one = make(market)
    assert (one.problem.code, one.is_damaged) == ("RECORD_DIFFERS", True)


def test_without_a_tape_there_is_no_detection(tmp_path):
    with empty_market(tmp_path) as market:
        for one in (make(market), found(market)):
            assert (one.problem.code, one.is_damaged) == ("TAPE_NOT_FOUND", False)
            assert (one.tape, one.detection) == (None, None)


def test_the_detection_of_a_spec_and_a_seed_is_found_if_both_stand(market):
    def stored(seed=SEED, policy=None):
        spec = market.ref.tape.spec
        version = generator_version()
        return stored_detection(market.store, spec, seed, version, policy or usual_policy())

    assert stored().manifest == found(market).detection.manifest
    assert stored(seed=SEED + 1) is None
    assert stored(policy=bold()) is None
