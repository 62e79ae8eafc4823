"""A tape comes back in one order: from any store, any streams, any range, at any speed."""

import pytest

from contracts.errors import ContractError, IntegrityError, NotFoundError
from contracts.tape_columns import STREAMS
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.tape_folder import write_tape
from islandflow_resources.tape_places import local_place, stored_place
from islandflow_resources.tape_replay import chosen_streams, replay_batches, replay_events
from tests.islandflow_resources.plain_tape import PlainTape, plain_spec
from tests.islandflow_resources.tape_tampering import SEED, Copy, inputs_of, with_value, written

SECOND_NS = 1_000_000_000
SPEC = plain_spec()


@pytest.fixture(scope="module")
def tape(tmp_path_factory):
    return written(tmp_path_factory.mktemp("tape") / "root", density=1)


@pytest.fixture(scope="module")
def expected():
    """Keys of all events, sorted by the words of the plan."""
    found = []
    for batch in PlainTape(SPEC, SEED, 1).batches():
        for name in STREAMS:
            columns = (batch.streams[name][key] for key in ("ts_ns", "ingest_ns", "seq"))
            found += [
                (*map(int, key), f"{name}:{key[2]}", name) for key in zip(*columns, strict=True)
            ]
    return sorted(found)


def keys(events):
    return [(one.ts_ns, one.ingest_ns, one.seq, one.trace_id, one.stream) for one in events]


def test_all_streams_come_merged_in_the_order_of_the_plan(tape, expected):
    assert tape.manifest.replay_plan.order_by == ("ts", "ingest_ts", "seq", "trace_id")
    found = keys(replay_events(tape.place))
    assert found == expected
    assert len(found) == tape.manifest.replay_plan.event_count


def test_values_are_those_of_the_source(tape):
    batch = next(iter(PlainTape(SPEC, SEED, 1).batches()))
    source = PlainTape(SPEC, SEED, 1)
    quotes = batch.streams["option_nbbo"]
    [first, *_] = replay_events(tape.place, streams=["nbbo"])
    assert first.values == {
        "contract": source.contracts[quotes["contract"][0]],
        **{name: int(quotes[name][0]) for name in list(quotes)[4:]},
    }
    [trade, *_] = replay_events(tape.place, streams=["equities"])
    assert isinstance(trade.values["off_exchange"], bool)


def test_a_replay_from_a_store_is_the_replay_from_a_folder(tape, object_store, tmp_path):
    stored = write_tape(
        object_store,
        lambda: PlainTape(SPEC, SEED, 1),
        inputs_of(SPEC),
        tmp_path / "staging",
        provenance={},
    )
    place = stored_place(object_store, stored.manifest.tape_id)
    assert keys(replay_events(place)) == keys(replay_events(tape.place))


@pytest.mark.parametrize(
    ("first_s", "last_s"), [(0, 1), (150, 400), (179, 181), (180, 420), (419, 420), (-9, 9999)]
)
@pytest.mark.parametrize("streams", [(), ("option_prints",), ("equity_quotes", "options")])
def test_a_part_of_a_tape_is_that_part_of_the_whole(tape, expected, first_s, last_s, streams):
    start, end = (SPEC.start_ns + second * SECOND_NS for second in (first_s, last_s))
    found = keys(replay_events(tape.place, streams=streams, start_ns=start, end_ns=end))
    wanted = chosen_streams(streams)
    assert found == [one for one in expected if start <= one[0] < end and one[4] in wanted]
    assert found


def test_batches_are_stretches_of_five_minutes(tape):
    batches = list(replay_batches(tape.place))
    assert [len(batch.rows) for batch in batches] == [13 * 180, 13 * 240]
    assert len(list(replay_batches(tape.place, start_ns=SPEC.end_ns))) == 0


def test_speed_is_seconds_of_the_tape_in_a_second(tape, expected):
    now, slept = [100.0], []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    events = replay_events(
        tape.place,
        end_ns=SPEC.start_ns + 30 * SECOND_NS,
        speed=10,
        clock=lambda: now[0],
        sleep=sleep,
    )
    due = [(now[0], event.ts_ns) for event in events]
    first = expected[0][0]
    for at, ts in due:
        assert at - 100.0 == pytest.approx((ts - first) / 1e10, abs=2e-3)
    assert sum(slept) == pytest.approx((due[-1][1] - first) / 1e10, abs=2e-3)


def test_without_a_speed_nobody_waits(tape):
    def never(_):
        raise AssertionError("waited")

    assert sum(1 for _ in replay_events(tape.place, sleep=never)) == 13 * 420


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"streams": ["trades"]}, "STREAM_UNKNOWN"),
        ({"start_ns": 5, "end_ns": 5}, "TAPE_RANGE_INVALID"),
        ({"speed": -1.0}, "REPLAY_SPEED_INVALID"),
        ({"speed": float("nan")}, "REPLAY_SPEED_INVALID"),
        ({"speed": float("inf")}, "REPLAY_SPEED_INVALID"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused_at_once(tape, given, code):
    with pytest.raises(ContractError) as caught:
        replay_events(tape.place, **given)
    assert caught.value.code == code
    assert caught.value.hints


def test_a_tape_that_is_not_there_is_not_found(tmp_path):
    with pytest.raises(NotFoundError):
        replay_events(stored_place(FolderStore(tmp_path), "0" * 16))


def test_a_damaged_stretch_is_not_replayed(tape, tmp_path):
    copy = Copy(tape.place.store.root, tape.manifest.tape_id, tmp_path / "copy")
    copy.change("option_prints", 1, lambda table: with_value(table, "size", 3, 5_555))
    place = local_place(copy.tape)
    events = replay_events(place)
    with pytest.raises(IntegrityError) as caught:
        list(events)
    assert caught.value.loc == "option_prints.parquet, row group 1"
    whole = sum(1 for _ in replay_events(place, streams=["equities", "nbbo"]))
    assert whole == 7 * 420


def test_the_names_of_the_predecessor_are_understood():
    assert chosen_streams(["all"]) == tuple(STREAMS)
    assert chosen_streams(["nbbo", "options"]) == ("option_nbbo", "option_prints")
    assert chosen_streams(["equity-quotes", "equities"]) == ("equity_quotes", "equity_prints")
