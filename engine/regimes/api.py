"""The walk through regimes, bucket by bucket: regime, phase, symbols in focus, symbols with events.

A Markov chain on five-minute buckets: a regime stays with `STAY`, else the next is drawn
from the preset's weights, which are thus its stationary law. Draws are addressed by seed,
name and bucket, so that a symbol more changes nobody else's, and a control that changes
nothing changes nothing. Levels and prices follow in ``engine.tapes.market``; the tables are
``contracts.regime``.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from contracts.control import ControlLog, SyntheticControlState
from contracts.market import Session
from contracts.regime import (
    BUCKET_NS,
    FAMILY_WEIGHTS,
    PHASE_BIAS,
    PHASES,
    PRESET_BIAS,
    REGIMES,
    Phase,
    Regime,
)
from contracts.seeds import stream_id
from engine.arrays import Floats
from engine.rng import block_at

STAY: Final = 0.6
"""Probability that a regime goes on for another bucket."""
OPEN_NS: Final = 3_600_000_000_000
POWER_NS: Final = 5_400_000_000_000
AFTER_NS: Final = 2_700_000_000_000
"""Lengths of the phases after the open, before the close and after an event."""
KEEP_SCORE: Final = 0.75
"""Probability that a symbol keeps its score, and thereby its place in the focus."""
EVENT_BONUS: Final = 0.2
QUIET_NOISE: Final = 1.18


class BucketState(NamedTuple):
    """What holds for a bucket.

    Attributes
    ----------
    start_ns : int
    regime, phase : str
    focus, events : tuple of int
        Places in the universe, the foremost first.
    """

    start_ns: int
    regime: Regime
    phase: Phase
    focus: tuple[int, ...]
    events: tuple[int, ...]


class RegimeWalk:
    """The states of one tape in order of time.

    Parameters
    ----------
    seed : int
        Root seed.
    sessions : tuple of Session
    symbols : tuple of str
        The whole universe.
    candidates : tuple of int
        Places of the symbols whose scheduled event is near.
    """

    def __init__(
        self,
        seed: int,
        sessions: tuple[Session, ...],
        symbols: tuple[str, ...],
        candidates: tuple[int, ...],
    ) -> None:
        self._key = np.uint64(seed)
        self._chain = np.uint64(stream_id("regimes", "chain"))
        self._happening = np.uint64(stream_id("regimes", "event"))
        self._streams = [np.uint64(stream_id("regimes", "score", name)) for name in symbols]
        self._sessions = sessions
        self._candidates = candidates
        self._scores = np.full(len(symbols), -1.0)
        self._regime: Regime | None = None
        self._session = -1

    def next(self, start_ns: int, log: ControlLog) -> BucketState:
        """State of the bucket that begins at `start_ns`; buckets come in their order."""
        place = session_at(self._sessions, start_ns)
        state, bucket = log.at(start_ns), start_ns // BUCKET_NS
        phase = self._phase(place, start_ns, log)
        if place != self._session:
            self._session, self._regime = place, None
        regime = self._stepped(state, phase, bucket)
        self._regime = regime
        self._score(bucket)
        bias = PRESET_BIAS[state.preset_id]
        excited = regime == "event_ramp" or phase == "after_event"
        events = self._foremost(self._candidates, max(2, bias.events) if excited else bias.events)
        hot = regime in {"retail_chase", "event_ramp"}
        focus = self._focus(events, bias.focus + hot)
        return BucketState(start_ns, regime, phase, focus, events)

    def event_ns(self, place: int, log: ControlLog) -> int | None:
        """When the event of a session happens, if its preset then lets it have one."""
        session = self._sessions[place]
        chance, when = block_at(self._key, self._happening, np.uint64(session.open_ns // BUCKET_NS))
        length_ns = session.close_ns - session.open_ns
        at_ns = session.open_ns + int((0.25 + 0.5 * when) * length_ns)
        at_ns -= at_ns % 1_000_000_000
        threshold = PRESET_BIAS[log.at(at_ns).preset_id].event_threshold
        return at_ns if chance > threshold else None

    def _phase(self, place: int, start_ns: int, log: ControlLog) -> Phase:
        session = self._sessions[place]
        event_ns = self.event_ns(place, log)
        if event_ns is not None and event_ns <= start_ns < event_ns + AFTER_NS:
            return "after_event"
        if start_ns < session.open_ns + OPEN_NS:
            return "open"
        return "power_hour" if start_ns >= session.close_ns - POWER_NS else "midday"

    def _stepped(self, state: SyntheticControlState, phase: Phase, bucket: int) -> Regime:
        stays, which = block_at(self._key, self._chain, np.uint64(bucket))
        if self._regime is not None and stays < STAY:
            return self._regime
        weights = np.array(PRESET_BIAS[state.preset_id].regimes) * np.array(PHASE_BIAS[phase])
        return REGIMES[picked(weights, which)]

    def _score(self, bucket: int) -> None:
        for place, stream in enumerate(self._streams):
            keeps, score = block_at(self._key, stream, np.uint64(bucket))
            if self._scores[place] < 0.0 or keeps >= KEEP_SCORE:
                self._scores[place] = score

    def _foremost(self, places: tuple[int, ...], count: int) -> tuple[int, ...]:
        return tuple(sorted(places, key=lambda place: -self._scores[place])[:count])

    def _focus(self, events: tuple[int, ...], count: int) -> tuple[int, ...]:
        scores = self._scores.copy()
        scores[list(events)] += EVENT_BONUS
        order = np.argsort(-scores, kind="stable")
        return tuple(int(place) for place in order[:count])


def session_at(sessions: tuple[Session, ...], ns: int) -> int:
    """Place of the last session that is open at a time or was before."""
    begun = [place for place, one in enumerate(sessions) if one.open_ns <= ns]
    return begun[-1] if begun else 0


def picked(weights: Floats, uniform: float) -> int:
    """Place that a uniform draw picks, as likely as its weight."""
    left = uniform * float(weights.sum())
    for place, weight in enumerate(weights):
        left -= float(weight)
        if left < 0.0:
            return place
    return len(weights) - 1


def family_weights(state: BucketState, control: SyntheticControlState) -> list[float]:
    """Weight of each of ``contracts.control.FAMILIES`` in a bucket.

    The regime's table times the operator's weights; open and power hour favour retail and
    hedging, the preset ``quiet_range`` favours noise.
    """
    weights = list(FAMILY_WEIGHTS[state.regime])
    mine = control.profile_weights
    for place, factor in enumerate(
        (
            mine.institutional_directional,
            mine.retail_whale,
            mine.event_driven,
            mine.vol_seller,
            mine.arbitrage,
            mine.hedge_reactive,
        )
    ):
        weights[place] *= factor
    if state.phase in {"open", "power_hour"}:
        weights[1] *= 1.08
        weights[5] *= 1.06
    if control.preset_id == "quiet_range":
        weights[6] *= QUIET_NOISE
    return weights


def regime_code(state: BucketState) -> int:
    """Place of the regime in ``contracts.regime.REGIMES``."""
    return REGIMES.index(state.regime)


def phase_code(state: BucketState) -> int:
    """Place of the phase in ``contracts.regime.PHASES``."""
    return PHASES.index(state.phase)
