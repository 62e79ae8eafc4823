"""Where a tape stands at a time, without its flow: state, levels, and what was scheduled.

Only the latent state and the plan of bursts are walked, so a whole session takes a fraction of
a second. They are the very ones that ``api`` draws events from; who asks is
``islandflow_jobs.control_status``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from contracts.control import SECOND_NS, SyntheticControlState
from contracts.regime import BUCKET_NS
from contracts.seeds import checked_seed
from contracts.tape import TapeSpec
from engine.arrays import Floats
from engine.regimes.api import BucketState, session_at
from engine.tapes.market import layout as at
from engine.tapes.market.latent import Latent, Stretch
from engine.tapes.market.schedule import FIRST_S, Schedule

_MINUTE_NS: Final = 60 * SECOND_NS


class Outlook(NamedTuple):
    """What holds at a time.

    Attributes
    ----------
    at_ns : int
        A whole second; everything before it counts as scheduled.
    session : int
        Place of the session that is open then, or was last.
    is_open : bool
        Whether it is open at the time that was asked for.
    state : BucketState
    control : SyntheticControlState
        In force.
    volatility, liquidity, cleanliness : float
        Levels in the second that begins then; after the close, in the last one.
    scheduled : dict of str to int
        Bursts of each profile within the coverage window that ends then.
    """

    at_ns: int
    session: int
    is_open: bool
    state: BucketState
    control: SyntheticControlState
    volatility: float
    liquidity: float
    cleanliness: float
    scheduled: dict[str, int]


def outlook_at(spec: TapeSpec, seed: int, at_ns: int) -> Outlook:
    """Where the tape of a spec and a seed stands at a time.

    Parameters
    ----------
    at_ns : int
        Brought to a whole second, not before the first open; while the exchange is closed
        the close before counts.

    Raises
    ------
    ContractError
        ``SEED_OUT_OF_RANGE``.
    """
    checked_seed(seed)
    asked_ns = max(at_ns - at_ns % SECOND_NS, spec.sessions[0].open_ns)
    place = session_at(spec.sessions, asked_ns)
    session = spec.sessions[place]
    is_open = session.open_ns <= at_ns < session.close_ns
    now_ns = min(asked_ns, session.close_ns)
    latent, schedule = Latent(spec, seed), Schedule(spec, seed)
    last: Stretch | None = None
    for start_ns, stop_ns, first_ns in _stretches(spec, now_ns):
        last = latent.next(start_ns, (stop_ns - start_ns) // SECOND_NS, spec.control)
        schedule.extend(start_ns, _burst_rates(spec, last), last.seen, first_ns)
    if now_ns < session.close_ns:
        last = latent.next(now_ns, 1, spec.control)
    assert last is not None
    window_ns = last.control.coverage_window_minutes * _MINUTE_NS
    levels = last.cells[-1]
    return Outlook(
        now_ns,
        place,
        is_open,
        last.state,
        last.control,
        float(levels[at.VOLATILITY]),
        float(levels[at.LIQUIDITY]),
        float(levels[at.CLEANLINESS]),
        schedule.scheduled(now_ns - window_ns, now_ns),
    )


def _stretches(spec: TapeSpec, until_ns: int) -> Iterator[tuple[int, int, int]]:
    """Start and stop of what lies in one bucket under one control; when bursts may begin."""
    changes = [version.effective_ns for version in spec.control.versions]
    for session in spec.sessions:
        start_ns, end_ns = session.open_ns, min(session.close_ns, until_ns)
        while start_ns < end_ns:
            bucket_ns = (start_ns // BUCKET_NS + 1) * BUCKET_NS
            stop_ns = min(bucket_ns, end_ns, *(ns for ns in changes if ns > start_ns))
            yield start_ns, stop_ns, session.open_ns + FIRST_S * SECOND_NS
            start_ns = stop_ns


def _burst_rates(spec: TapeSpec, stretch: Stretch) -> Floats:
    """Bursts a second of each cell; cells carry the load already."""
    shapes, rates = stretch.cells[:, at.RATE_SHAPE], stretch.cells[:, at.RATE]
    return spec.flow.bursts_per_minute / 60.0 * shapes * rates
