"""Tapes that passed, and the reasons that there are none."""

import json

import numpy as np
import pytest

from contracts.tape_manifest import LABEL_FILES, TAPE_FILES
from islandflow_resources import market_tapes, sound_tapes
from islandflow_resources.sound_tapes import plan_digest, sound_tape
from islandflow_resources.tape_replay import ReplayBatch
from tests.islandflow_resources.small_markets import (
    RUN,
    OffGridTape,
    empty_market,
    flip,
    made_market,
)


@pytest.fixture
def market(tmp_path):
    with made_market(tmp_path / "made") as market:
        yield market


def found(market, **wanted):
    return sound_tape(market.store, market.store, market.database, market.ref, RUN, **wanted)


def test_a_tape_that_passed_comes_with_its_report_and_a_replay_of_every_event(market):
    one = found(market, files=(*TAPE_FILES, *LABEL_FILES), replay=True)
    assert one.problem is None
    assert one.tape == market.tape
    assert one.report["tape"] == one.tape.content_digest
    plan = one.tape.manifest.replay_plan
    assert one.replayed == {"events": plan.event_count, "last_ts_ns": str(plan.last_ts_ns)}


def test_a_replay_is_made_once(market, monkeypatch):
    first = found(market, replay=True)

    def never(place):
        raise AssertionError(place)

    monkeypatch.setattr(sound_tapes, "replay_batches", never)
    assert found(market, replay=True).replayed == first.replayed


def test_nothing_that_stands_is_no_damage(tmp_path):
    with empty_market(tmp_path) as market:
        one = found(market)
    assert (one.problem.code, one.is_damaged, one.tape) == ("TAPE_NOT_FOUND", False, None)


def test_only_the_files_that_are_asked_for_are_verified(market):
    found(market)
    flip(market.path("labels.json"))
    assert found(market, files=TAPE_FILES).problem is None
    one = found(market, files=("labels.json",))
    assert (one.problem.code, one.is_damaged) == ("TAPE_FILE_DIFFERS", True)
    assert one.problem.loc == f"labels/{market.ref.inputs.tape_id}/labels.json"


def test_a_tape_that_did_not_pass_is_as_good_as_none(tmp_path, monkeypatch):
    monkeypatch.setattr(market_tapes, "MarketTape", OffGridTape)
    with empty_market(tmp_path, OffGridTape.BAD_SEED) as market:
        assert market.make().tape is not None
        one = found(market)
    assert (one.tape, one.is_damaged) == (None, False)
    assert one.problem.code == "TAPE_OFF_GRID"
    assert str(market.ref) in one.problem.message


def test_damaged_rows_are_found_by_the_replay(market):
    found(market)
    flip(market.path("equity_quotes.parquet"))
    one = found(market, replay=True)
    assert one.is_damaged
    assert one.problem.code in {"TAPE_EVENTS_DIFFER", "TAPE_FILE_UNREADABLE"}


def reordered(batch):
    order = np.arange(len(batch.rows))
    order[[10, 20]] = order[[20, 10]]
    return ReplayBatch(batch.tables, batch.streams[order], batch.rows[order])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda batches: [reordered(batches[0]), *batches[1:]], "is replayed after a later event"),
        (lambda batches: batches[:1], "events were replayed, the plan says"),
        (lambda batches: batches[::-1], "is replayed after a later event"),
    ],
)
def test_a_replay_that_leaves_the_plan_is_told(market, monkeypatch, change, said):
    found(market)
    batches = list(sound_tapes.replay_batches(market.tape.place))
    monkeypatch.setattr(sound_tapes, "replay_batches", lambda _: change(batches))
    one = found(market, replay=True)
    assert (one.problem.code, one.is_damaged) == ("TAPE_ORDER_BROKEN", True)
    assert said in one.problem.message


def test_a_plan_is_of_its_events(market):
    plan = market.tape.manifest.replay_plan.document()
    assert json.loads(json.dumps(plan))["event_count"] > 0
    assert plan_digest(market.tape) == plan_digest(market.tape) != market.tape.content_digest
