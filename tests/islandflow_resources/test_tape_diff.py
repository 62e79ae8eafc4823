"""Two tapes compared: parameters by pointers, tables by the first row that differs."""

import pytest

from contracts.errors import IntegrityError
from contracts.tape_columns import STREAMS, TRUTH
from islandflow_resources.tape_changes import changes
from islandflow_resources.tape_diff import diff_tapes
from islandflow_resources.tape_places import local_place
from tests.islandflow_resources.plain_tape import PlainTape, plain_spec
from tests.islandflow_resources.tape_tampering import SEED, Copy, inputs_of, with_value, written

SPEC = plain_spec()


@pytest.fixture(scope="module")
def tape(tmp_path_factory):
    return written(tmp_path_factory.mktemp("tape") / "root", density=1)


def other(folder, spec=SPEC, source=None, run_name="a tape for tests"):
    """Another tape, by default the same events for another spec."""
    return written(
        folder / "other",
        spec=spec,
        source=source or (lambda: PlainTape(spec, SEED, 1)),
        inputs=inputs_of(spec, run_name),
    ).place


def by_name(found):
    return {one.name: one for one in found.tables}


def test_a_tape_is_the_same_as_itself(tape):
    found = diff_tapes(tape.place, tape.place)
    assert found.is_same
    assert found.run == found.parameters == []
    assert {*by_name(found)} == {*STREAMS, *TRUTH, "option_contracts", "event_calendar"}


def test_a_changed_parameter_is_told_by_its_pointer(tape, tmp_path):
    flow = SPEC.model_dump(mode="json")["flow"] | {"impact_bps": 7.0, "spacing_s": 60.0}
    found = diff_tapes(tape.place, other(tmp_path, plain_spec(flow=flow)))
    assert [one.pointer for one in found.parameters] == [
        "/spec/flow/spacing_s",
        "/spec/flow/impact_bps",
    ]
    assert found.parameters[0].after == "60"
    assert all(table.first is None for table in found.tables)
    assert not found.is_same


def test_another_name_of_the_run_is_told(tape, tmp_path):
    found = diff_tapes(tape.place, other(tmp_path, run_name="other"))
    assert [(one.pointer, one.after) for one in found.run] == [("/run/run_name", '"other"')]


def test_the_first_row_that_differs_is_told_with_its_column(tape, tmp_path):
    class Changed(PlainTape):
        """Differs in two rows of the second stretch."""

        def batches(self):
            for place, batch in enumerate(super().batches()):
                if place == 1:
                    batch.streams["option_nbbo"]["ask_size"][[17, 40]] += 1
                yield batch

    found = by_name(diff_tapes(tape.place, other(tmp_path, source=lambda: Changed(SPEC, SEED, 1))))
    first = found["option_nbbo"].first
    assert first is not None
    rows = tape.manifest.event_hashes.option_nbbo.row_groups[0].rows
    assert (first.row, first.column) == (rows + 17, "ask_size")
    assert int(first.other) == int(first.one) + 1
    assert [name for name, one in found.items() if one.first] == ["option_nbbo"]


def test_a_longer_tape_differs_where_the_shorter_ends(tape, tmp_path):
    found = by_name(diff_tapes(tape.place, other(tmp_path, plain_spec(seconds=500))))
    for name in STREAMS:
        first, rows = found[name].first, found[name].rows
        assert first is not None
        assert (first.row, first.column) == (rows[0], "")
        assert rows[1] > rows[0]


def test_another_seed_differs_from_the_first_row_on(tape, tmp_path):
    place = other(tmp_path, source=lambda: PlainTape(SPEC, SEED + 1, 1))
    found = by_name(diff_tapes(tape.place, place))
    assert {found[name].first.row for name in STREAMS} == {0}


def test_labels_that_are_out_of_reach_are_not_compared(tape, tmp_path):
    copy = Copy(tape.place.store.root, tape.manifest.tape_id, tmp_path / "copy")
    alone = tmp_path / "alone"
    copy.tape.rename(alone)
    found = by_name(diff_tapes(tape.place, local_place(alone)))
    assert not {*TRUTH} & {*found}


def test_parameters_that_cannot_be_read_are_told(tape, tmp_path):
    copy = Copy(tape.place.store.root, tape.manifest.tape_id, tmp_path / "copy")
    copy.path("parameter_snapshot.json").write_bytes(b"{}")
    with pytest.raises(IntegrityError) as caught:
        diff_tapes(tape.place, local_place(copy.tape))
    assert caught.value.code == "TAPE_PARAMETERS_DIFFER"


def test_a_tape_whose_files_do_not_say_what_its_manifest_says_is_compared_by_the_manifest(
    tape, tmp_path
):
    copy = Copy(tape.place.store.root, tape.manifest.tape_id, tmp_path / "copy")
    copy.change("option_prints", 0, lambda table: with_value(table, "size", 3, 5_555))
    assert diff_tapes(tape.place, local_place(copy.tape)).is_same


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {}, []),
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": 1}, {"a": True}, [("/a", "1", "true")]),
        ({"a": None}, {}, [("/a", "null", "nothing")]),
        ({"a": [1]}, {"a": [1, {"b": 2}]}, [("/a/1", "nothing", '{"b":2}')]),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, [("/a/c", "2", "3")]),
        ({"a/b": True}, {"a/b": False}, [("/a~1b", "true", "false")]),
        ({"a": 1}, [1], [("", '{"a":1}', "[1]")]),
    ],
)
def test_documents_differ_at_their_innermost_places(before, after, expected):
    assert [tuple(one) for one in changes(before, after)] == expected


def test_a_long_value_is_cut():
    [found] = changes({"a": "x" * 500}, {"a": "y"})
    assert len(found.before) == 60
