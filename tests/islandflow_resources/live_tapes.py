"""Small live tapes for the tests: a source that heeds its control, plans, and what files say.

The events are those of plain_tape.py; a second under another control than the default has other
sizes, so whoever takes a control at a wrong second is found out.
"""

from functools import cache

import numpy as np
import pyarrow as pa

from contracts.control import PRESETS, SECOND_NS, ControlLog, ControlVersion, SyntheticControlState
from contracts.tape import SeedBundle, TapeProfile
from contracts.tape_columns import STREAMS
from contracts.tape_defaults import default_profile
from islandflow_resources.tape_live import LiveTape
from islandflow_resources.tape_live_control import Told
from islandflow_resources.tape_live_folder import LiveFolder
from islandflow_resources.tape_live_journal import read_entries
from islandflow_resources.tape_live_plan import FORMAT, LivePlan, Pace
from islandflow_resources.tape_specs import resolve
from tests.islandflow_resources import plain_tape
from tests.islandflow_resources.plain_tape import PlainTape

BUNDLE = SeedBundle(seed=3, namespace="default", partition="market")
SPEED = 60.0


class HeedingTape(PlainTape):
    """A plain tape whose sizes say which preset was in force."""

    def __init__(self, spec, seed):
        super().__init__(spec, seed, density=1)
        self.control = spec.control

    def set_control(self, control):
        assert control.until(self.position_ns) == self.control.until(self.position_ns)
        self.control = control

    def _second(self, ns):
        streams, labels = super()._second(ns)
        more = PRESETS.index(self.control.at(ns).preset_id) * 10_000
        for columns in streams.values():
            for name in ("size", "bid_size"):
                if name in columns:
                    columns[name] = columns[name] + np.int32(more)
        return streams, labels


def profile(seconds=20, skip_s=290, **changes):
    """A profile of two symbols whose tape crosses a stretch of five minutes."""
    document = default_profile(2).model_dump(mode="json")
    document["session"] |= {"skip_s": skip_s, "duration_s": seconds}
    return TapeProfile.model_validate(document | changes)


@cache
def plan(seconds=20):
    """A plan that was begun at the start of 2027."""
    mine = profile(seconds)
    return LivePlan(
        format=FORMAT,
        generator=plain_tape.VERSION,
        run_name="live",
        profile=mine,
        seed_bundle=BUNDLE,
        spec=resolve(mine),
        pace=Pace(clock="from_start", started_ns=1_798_761_600 * SECOND_NS, speed=SPEED),
    )


def told(*changes):
    """Versions: the default from ever on, then presets by their times."""
    versions = [ControlVersion(effective_ns=0, control=SyntheticControlState())]
    versions += [
        ControlVersion(effective_ns=ns, control=SyntheticControlState(preset_id=preset))
        for ns, preset in changes
    ]
    return tuple(Told(number, version) for number, version in enumerate(versions))


def log_of(versions):
    """The control log of some versions."""
    return ControlLog(versions=tuple(one.version for one in versions))


def lived(root, until=None, versions=None, mine=None):
    """Make a live tape up to a second, or go on with one; the tape, closed."""
    mine = mine or plan()
    folder = LiveFolder(root)
    with folder.held(), LiveTape(folder, mine, HeedingTape) as live:
        list(live.resume())
        while live.next_second is not None and (until is None or live.count < until):
            live.follow(versions or told())
            live.publish(mine.pace.due_ns(live.next_second))
        return live


def files(root):
    """Bytes of the streams and the journal by name."""
    live = root / "live"
    names = [f"{name}.arrows" for name in STREAMS]
    return {name: (live / name).read_bytes() for name in [*names, "journal.jsonl"]}


def entries(root):
    """Lines of the journal."""
    return read_entries(root / "live" / "journal.jsonl")


def batches(root, stream):
    """Record batches of a stream as Arrow's own reader gives them."""
    with pa.ipc.open_stream((root / "live" / f"{stream}.arrows").read_bytes()) as reader:
        return list(reader)
