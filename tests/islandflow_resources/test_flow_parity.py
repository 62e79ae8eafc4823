"""A detection says the same in other batches; a stored table that does not is named."""

from collections.abc import Callable

import pyarrow as pa
import pytest

from contracts.flow_columns import DETECTIONS
from engine.flow.api import FlowDetector
from islandflow_resources import flow_parity
from islandflow_resources.flow_feed import TapeFeed
from islandflow_resources.flow_folder import StoredDetection
from islandflow_resources.flow_parity import differing_batches
from islandflow_resources.tape_places import TapePlace
from tests.islandflow_resources.plain_tape import PlainTape, plain_spec
from tests.islandflow_resources.small_detections import Made, made_once
from tests.islandflow_resources.tape_tampering import SEED, with_value, written
from tests.islandflow_resources.test_flow_feed import Blind


class Changed(StoredDetection):
    """A stored detection, one of its tables said otherwise."""

    _changed: tuple[str, Callable[[pa.Table], pa.Table]]

    def __init__(self, stored, name, change):
        super().__init__(stored.store, stored.manifest)
        object.__setattr__(self, "_changed", (name, change))

    def table(self, name):
        table = super().table(name)
        changed, change = self._changed
        return change(plain(table)) if name == changed else table


def plain(table):
    """The table with texts written out."""
    columns = [
        column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
        for column in table.columns
    ]
    return pa.table(dict(zip(table.column_names, columns, strict=True)))


@pytest.fixture(scope="module")
def made():
    return made_once()


@pytest.fixture(scope="module")
def stored(made):
    return made.detect()


def test_events_in_other_batches_late_and_twice_say_the_same(made, stored, monkeypatch):
    detectors = []

    class Watched(FlowDetector):
        def __init__(self, *given):
            super().__init__(*given)
            detectors.append(self)

    monkeypatch.setattr(flow_parity, "FlowDetector", Watched)
    assert differing_batches(made.place, stored) is None
    [one] = detectors
    assert one.watermark.repeated > 50
    assert one.watermark.late == 0


def test_no_label_is_opened(made, stored):
    labels = Blind(made.labels)
    assert differing_batches(TapePlace(Blind(made.tape), "", labels), stored) is None
    assert labels.opened == set()


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [
        ("flow_prints", "premium_usd", 1.5),
        ("flow_prints", "nbbo_side", "MOON"),
        ("flow_packets", "orders", 99),
        ("smart_flow_hypotheses", "z_hedge_rebalance", 0.25),
        ("smart_flow_alerts", "direction", "sideways"),
        ("smart_money_events", "p_arbitrage", 0.5),
        ("dark_events", "shares", 1),
    ],
)
def test_a_cell_of_a_stored_table_that_says_otherwise_is_found(made, stored, name, column, value):
    changed = Changed(stored, name, lambda table: with_value(table, column, 1, value))
    problem = differing_batches(made.place, changed)
    assert problem is not None
    assert (problem.code, problem.loc) == ("DETECTION_NOT_REPEATED", name)
    assert problem.hints


@pytest.mark.parametrize("name", list(DETECTIONS))
def test_a_row_that_is_stored_and_not_said_is_found(made, stored, name):
    def doubled(table):
        return pa.concat_tables([table.slice(0, 1), table])

    problem = differing_batches(made.place, Changed(stored, name, doubled))
    assert problem is not None
    assert problem.loc == name


@pytest.mark.parametrize("name", ["smart_flow_hypotheses", "smart_flow_alerts", "dark_events"])
def test_saying_nothing_is_not_saying_the_same(made, stored, monkeypatch, name):
    def silent(*given):
        tables = flow_tables(*given)
        return {**tables, name: tables[name].slice(0, 0)}

    flow_tables = flow_parity.detection_tables
    monkeypatch.setattr(flow_parity, "detection_tables", silent)
    problem = differing_batches(made.place, stored)
    assert problem is not None
    assert problem.loc == name
    assert problem.message.startswith("0 rows of ")


def test_a_tape_without_events_says_nothing_twice(tmp_path):
    empty = Made(tmp_path / "empty")
    written(empty.folder, source=lambda: PlainTape(plain_spec(), SEED, density=0))
    assert differing_batches(empty.place, empty.detect()) is None


def test_the_first_stretch_is_enough_to_say_something_of_every_kind(made, stored):
    end_ns = TapeFeed(made.place).manifest.event_hashes.row_group_starts_ns[1]
    for name in ("smart_flow_hypotheses", "smart_flow_alerts"):
        times = stored.table(name).column("emitted_ns").to_pylist()
        assert sum(ns < end_ns - flow_parity.LATENESS_NS for ns in times) > 10
