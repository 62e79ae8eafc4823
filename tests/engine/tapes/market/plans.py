"""The hidden plan alone: regimes, prices before flow and bursts, without a single event."""

from typing import NamedTuple

import numpy as np

from contracts.flow import ACTORS, SUBTYPES
from contracts.tape import TapeSpec
from engine.tapes.market import layout as at
from engine.tapes.market.latent import Latent, Stretch
from engine.tapes.market.schedule import FIRST_S, Schedule, Surroundings
from tests.engine.tapes.market.markets import SECOND_NS


class Plan(NamedTuple):
    """A plan, and the stretches of five minutes that it was made for."""

    schedule: Schedule
    stretches: list[Stretch]

    def column(self, place: int) -> np.ndarray:
        """A column of all bursts, see ``engine.tapes.market.layout``."""
        return self.schedule.ints[: self.schedule.count, place]

    def families(self, actor: str = "burst") -> dict[str, int]:
        """How many of an actor's bursts are of each family."""
        mine = self.column(at.B_ACTOR) == ACTORS.index(actor)
        kinds = [SUBTYPES[code].family for code in self.column(at.B_SUBTYPE)[mine]]
        return {family: kinds.count(family) for family in {one.family for one in SUBTYPES}}


def planned(spec: TapeSpec, seed: int) -> Plan:
    """Walk through a spec that begins at its first open."""
    latent, schedule = Latent(spec, seed), Schedule(spec, seed)
    stretches = []
    first_ns = spec.start_ns + FIRST_S * SECOND_NS
    for start_ns in range(spec.start_ns, spec.end_ns, 300 * SECOND_NS):
        seconds = min(300, (spec.end_ns - start_ns) // SECOND_NS)
        stretch = latent.next(start_ns, seconds, spec.control)
        rates = stretch.cells[:, at.RATE_SHAPE] * stretch.cells[:, at.RATE]
        rates *= spec.flow.bursts_per_minute / 60.0

        def seen(cell: int, one: Stretch = stretch) -> Surroundings:
            return Surroundings(one.state, one.control, one.moves[:, cell])

        schedule.extend(start_ns, rates, seen, first_ns)
        stretches.append(stretch)
    return Plan(schedule, stretches)
