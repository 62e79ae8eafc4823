"""Which bursts come when, on which symbol: the hidden plan of a tape.

Arrivals are Poisson, second by second, with the shape of the day. A subtype is as likely as
its weight times that of its family (regime, focus, event, phase, control) times the boost of
coverage, which makes profiles likelier that were scheduled seldom. It counts scheduled
bursts only: a tape depends on nothing but control log and seed. Decoys come alike, but lack
the cause of what they look like.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from contracts.control import FAMILIES, PROFILES, SyntheticControlState
from contracts.flow import ACTORS, SUBTYPES, Subtype
from contracts.seeds import stream_id
from contracts.tape import Injection, TapeSpec
from contracts.tape_columns import INJECTED
from engine.arrays import Floats
from engine.regimes.api import BucketState, family_weights, phase_code, picked, regime_code
from engine.rng import block_at
from engine.tapes.market import layout as at
from engine.tapes.market.events import DIRECTIONS

WINDOW_FACTOR: Final = {10: 1.12, 20: 1.0, 30: 0.94}
MOST_BOOST: Final = 1.86
ZERO_BONUS: Final = 0.22
FIRST_S: Final = 30
"""No burst begins in the first seconds of a session, before its chain is quoted."""
LEAST_MOVE: Final = 1.2
"""Hedging follows moves of the underlying of at least so many usual ones of three minutes."""
FOCUS_WEIGHT: Final = 2.2
EVENT_WEIGHT: Final = 3.0
_SECOND_NS: Final = 1_000_000_000
_BURST, _DECOY, _INJECTION = (ACTORS.index(name) for name in ("burst", "decoy", "injection"))
_SIGNS: Final = {"gamma_pinch_call_hedge": 1, "reactive_put_wall": -1}
_HEDGE_UP: Final = ("gamma_pinch_call_hedge", "dealer_unwind")
_HEDGE_DOWN: Final = ("reactive_put_wall", "dealer_unwind")
_WORDS: Final = 16
_TRIES: Final = 4


class Surroundings(NamedTuple):
    """What the plan looks at in one second.

    Attributes
    ----------
    state : BucketState
    control : SyntheticControlState
    moves : ndarray, shape (symbols,), float64
        Move of each underlying over three minutes, in its usual ones; before flow.
    """

    state: BucketState
    control: SyntheticControlState
    moves: Floats


class Schedule:
    """The plan of one tape, made in order of time.

    Parameters
    ----------
    spec : TapeSpec
    seed : int

    Attributes
    ----------
    ints : ndarray, shape (capacity, BURST_INTS), int64
        Bursts; the first `count` rows hold.
    reals : ndarray, shape (capacity, BURST_REALS), float64
    count : int
    """

    def __init__(self, spec: TapeSpec, seed: int) -> None:
        self.ints = np.zeros((1024, at.BURST_INTS), dtype=np.int64)
        self.reals = np.zeros((1024, at.BURST_REALS))
        self.count = 0
        self._key = np.uint64(seed)
        self._streams = {
            actor: np.uint64(stream_id("market", "schedule", actor)) for actor in ("burst", "decoy")
        }
        self._spec = spec
        self._origin_ns = spec.sessions[0].open_ns
        self._symbols = [_Eligible.of(spec, place) for place in range(len(spec.universe))]
        self._activity = np.array(
            [math.sqrt(one.option_prints_per_second) for one in spec.universe]
        )
        self._last: dict[tuple[str, int], int] = {}
        self._seen: dict[str, list[int]] = {family: [] for family in PROFILES}
        self._injected = sorted(spec.injections, key=lambda one: (one.at_s, one.id))
        self._waiting: list[Injection] = []
        self._number = 0

    def extend(
        self, start_ns: int, rates: Floats, seen: Callable[[int], Surroundings], first_ns: int
    ) -> list[tuple[int, int]]:
        """Plan the next seconds; cell and row of the bursts that begin in each.

        Parameters
        ----------
        start_ns : int
        rates : ndarray, shape (cells,), float64
            Bursts a second.
        seen : callable
            What to look at in a cell.
        first_ns : int
            Time before which nothing may begin.
        """
        planned: list[tuple[int, int]] = []
        for cell in range(rates.shape[0]):
            now_ns = start_ns + cell * _SECOND_NS
            if now_ns < first_ns:
                continue
            near = seen(cell)
            due = self._due(now_ns, near)
            planned.extend((cell, self._inject(one, now_ns, near)) for one in due)
            for at_ns, actor in self._arrivals(now_ns, rates[cell]):
                row = self._plan(actor, at_ns, now_ns // _SECOND_NS, near)
                if row is not None:
                    planned.append((cell, row))
        return planned

    def _arrivals(self, now_ns: int, rate: float) -> list[tuple[int, str]]:
        """Times in one second, in order, and which actor comes."""
        found: list[tuple[int, str]] = []
        decoys = rate * self._spec.flow.decoys_per_burst
        for actor, often in (("burst", rate), ("decoy", decoys)):
            index = np.uint64(now_ns // _SECOND_NS * _WORDS)
            comes, where = block_at(self._key, self._streams[actor], index)
            if comes < 1.0 - math.exp(-often):
                found.append((now_ns + int(where * 0.9 * _SECOND_NS), actor))
        return sorted(found)

    def scheduled(self, since_ns: int, until_ns: int) -> dict[str, int]:
        """How many bursts of each profile were scheduled in ``since_ns ≤ t < until_ns``."""
        return {
            family: bisect_left(times, until_ns) - bisect_left(times, since_ns)
            for family, times in self._seen.items()
        }

    def _plan(self, actor: str, at_ns: int, second: int, near: Surroundings) -> int | None:
        for attempt in range(_TRIES):
            index = np.uint64(second * _WORDS + 1 + 2 * attempt)
            which, where = block_at(self._key, self._streams[actor], index)
            side, size = block_at(self._key, self._streams[actor], index + np.uint64(1))
            subtype = SUBTYPES[picked(self._weights(at_ns, near), which)]
            symbol = self._symbol(subtype, near, where, actor)
            if symbol is None or not self._is_apart(subtype, symbol, at_ns):
                continue
            subtype = self._followed(subtype, near, symbol, side, actor)
            self._last[(subtype.name, symbol)] = at_ns
            if actor == "burst" and subtype.family in self._seen:
                self._seen[subtype.family].append(at_ns)
            code = _BURST if actor == "burst" else _DECOY
            low, high = subtype.notional_usd
            usd = low * (high / low) ** size
            return self._add(code, subtype, symbol, at_ns, usd, side, near, f"{actor}/{second}")
        return None

    def _weights(self, at_ns: int, near: Surroundings) -> Floats:
        families = dict(zip(FAMILIES, family_weights(near.state, near.control), strict=True))
        boosts = self.boosts(at_ns, near.control)
        return np.array(
            [
                one.weight * families[one.family] * boosts.get(one.family, 1.0) / _TOTAL[one.family]
                for one in SUBTYPES
            ]
        )

    def boosts(self, at_ns: int, control: SyntheticControlState) -> dict[str, float]:
        """Factor of each profile: more for those scheduled seldom within the window."""
        minutes = control.coverage_window_minutes
        since = at_ns - minutes * 60 * _SECOND_NS
        for times in self._seen.values():
            while times and times[0] < at_ns - 3_600 * _SECOND_NS:
                times.pop(0)
        counts = {
            family: len(times) - bisect_left(times, since) for family, times in self._seen.items()
        }
        most = max(counts.values())
        if not control.coverage_assist or most == 0:
            return dict.fromkeys(counts, 1.0)
        mean = sum(counts.values()) / len(counts)
        factor = WINDOW_FACTOR[minutes]
        return {family: _boost(n, most, mean, factor) for family, n in counts.items()}

    def _symbol(self, subtype: Subtype, near: Surroundings, where: float, actor: str) -> int | None:
        weights = self._activity.copy()
        weights[list(near.state.focus)] *= FOCUS_WEIGHT
        if subtype.family == "event_driven":
            # a decoy of an event is one where no event is
            is_event = np.array([one.has_event for one in self._symbols])
            weights *= is_event if actor == "burst" else ~is_event
            weights[list(near.state.events)] *= EVENT_WEIGHT
        if subtype.family == "hedge_reactive":
            moved = np.abs(near.moves)
            nearby = np.array([one.is_short_dated for one in self._symbols])
            wanted = moved >= LEAST_MOVE if actor == "burst" else moved < 0.5
            weights *= nearby * wanted * np.where(wanted, moved + 0.2, 0.0) ** 2
        return picked(weights, where) if weights.sum() > 0.0 else None

    def _followed(
        self, subtype: Subtype, near: Surroundings, symbol: int, side: float, actor: str
    ) -> Subtype:
        """The hedging that follows the move which really happened."""
        if subtype.family != "hedge_reactive" or actor != "burst":
            return subtype
        names = _HEDGE_UP if near.moves[symbol] > 0.0 else _HEDGE_DOWN
        return _BY_NAME[names[0] if side < 0.7 else names[1]]

    def _is_apart(self, subtype: Subtype, symbol: int, at_ns: int) -> bool:
        last = self._last.get((subtype.name, symbol))
        return last is None or at_ns - last >= self._spec.flow.spacing_s * _SECOND_NS

    def _due(self, now_ns: int, near: Surroundings) -> list[Injection]:
        """Injections whose time has come; hedging waits for the move that it is to follow."""
        past_s = (now_ns - self._origin_ns) // _SECOND_NS
        due: list[Injection] = []
        while self._injected and self._injected[0].at_s <= past_s:
            self._waiting.append(self._injected.pop(0))
        for one in list(self._waiting):
            moved = near.moves[self._spec.symbols.index(one.symbol)]
            sign = _SIGNS.get(one.subtype, 0)
            follows = _BY_NAME[one.subtype].family == "hedge_reactive" and not one.is_decoy
            if follows and (sign * moved if sign else abs(moved)) < LEAST_MOVE:
                continue
            self._waiting.remove(one)
            due.append(one)
        return due

    def _inject(self, one: Injection, now_ns: int, near: Surroundings) -> int:
        symbol = self._spec.symbols.index(one.symbol)
        code = _DECOY if one.is_decoy else _INJECTION
        stream = np.uint64(stream_id("market", "injection", one.id))
        side, _ = block_at(self._key, stream, np.uint64(1 << 20))
        subtype = _BY_NAME[one.subtype]
        name = f"injection/{one.id}"
        # numbers of their own, so that one more leaves all other bursts as they are
        number = INJECTED + 1 + self._spec.injections.index(one)
        return self._add(code, subtype, symbol, now_ns, one.notional_usd, side, near, name, number)

    def _add(
        self,
        actor: int,
        subtype: Subtype,
        symbol: int,
        at_ns: int,
        usd: float,
        side: float,
        near: Surroundings,
        name: str,
        number: int = 0,
    ) -> int:
        row = self.count
        if number == 0:
            self._number += 1
            number = self._number
        if row == len(self.ints):
            self.ints = np.concatenate([self.ints, np.zeros_like(self.ints)])
            self.reals = np.concatenate([self.reals, np.zeros_like(self.reals)])
        stream = stream_id("market", "burst", name)
        tenor, cycles = block_at(self._key, np.uint64(stream), np.uint64(1 << 21))
        is_decoy = actor == _DECOY
        is_put = _is_put(subtype, side, near.moves[symbol])
        bought = 1 if subtype.buy >= subtype.sell else -1
        low, high = subtype.cycles
        ints, reals = self.ints[row], self.reals[row]
        ints[at.B_ACTOR], ints[at.B_SUBTYPE] = actor, SUBTYPES.index(subtype)
        ints[at.B_FAMILY] = FAMILIES.index(subtype.family)
        ints[at.B_SYMBOL], ints[at.B_SCHEDULED] = symbol, at_ns
        ints[at.B_REGIME], ints[at.B_PHASE] = regime_code(near.state), phase_code(near.state)
        ints[at.B_STREAM] = np.uint64(stream).astype(np.int64)
        ints[at.B_SIDE], ints[at.B_IS_PUT], ints[at.B_NUMBER] = bought, is_put, number
        ints[at.B_DIRECTION] = direction_of(subtype, is_put, bought, near.moves[symbol])
        ints[at.B_IS_OPEN] = int(subtype.name != "dealer_unwind")
        ints[at.B_MODE] = at.APART if is_decoy and len(subtype.legs) > 1 else at.TOGETHER
        buy, sell = subtype.buy, subtype.sell
        if is_decoy:
            # the same orders without conviction: as many at the bid as at the ask
            buy = sell = 0.5 * (subtype.buy + subtype.sell)
        reals[at.R_NOTIONAL], reals[at.R_BUY], reals[at.R_SELL] = usd, buy, sell
        reals[at.R_CYCLES] = low + int(cycles * (high - low + 1))
        reals[at.R_PER_PRINT] = usd / (reals[at.R_CYCLES] * len(subtype.legs))
        reals[at.R_GAP_NS] = subtype.gap_ms * 1e6
        reals[at.R_DRIFT] = subtype.drift
        reals[at.R_HEDGE] = 0.0 if is_decoy else subtype.hedge_share
        reals[at.R_INFORMED] = 0.0 if is_decoy else subtype.informed_bps * 1e-4
        reals[at.R_TENOR] = subtype.tenors_days[int(tenor * len(subtype.tenors_days))]
        reals[at.R_MONEYNESS] = subtype.moneyness
        self.count += 1
        return row


class _Eligible(NamedTuple):
    """What a symbol may be part of."""

    has_event: bool
    is_short_dated: bool

    @classmethod
    def of(cls, spec: TapeSpec, place: int) -> _Eligible:
        one, session = spec.universe[place], spec.sessions[0]
        near_ns = session.open_ns + SHORT_DAYS * 86_400 * _SECOND_NS
        near = [expiry for expiry in session.expiries if expiry.close_ns <= near_ns]
        kinds = {"daily": "is_daily", "weekly": "is_weekly", "monthly": "is_monthly"}
        listed = any(
            getattr(expiry, kind)
            for expiry in near
            for kind in list(kinds.values())[list(kinds).index(one.expiries) :]
        )
        return cls(0 < one.event_in_days <= EVENT_DAYS, listed)


SHORT_DAYS: Final = 5
"""Hedging needs an expiry within so many days: on a Monday that of the week's end is one."""
EVENT_DAYS: Final = 21
"""An event is near if it is at most so many days ahead."""
_BY_NAME: Final = {one.name: one for one in SUBTYPES}
_TOTAL: Final = {
    family: sum(one.weight for one in SUBTYPES if one.family == family) for family in FAMILIES
}


def _boost(count: int, most: int, mean: float, factor: float) -> float:
    imbalance = min(max((most - count) / max(1, most), 0.0), 1.0)
    debt = min(max(mean - count, 0.0), 3.0)
    zero = ZERO_BONUS if count == 0 else 0.0
    raised = 1.0 + (0.56 * imbalance + 0.14 * debt + zero) * factor
    return round(min(max(raised, 1.0), MOST_BOOST), 4)


def _is_put(subtype: Subtype, side: float, move: float) -> int:
    if subtype.right != "either":
        return int(subtype.right == "P")
    if subtype.name == "dealer_unwind":
        # what the move has made worthless is given up
        return int(move > 0.0)
    return int(side * 1024.0 % 1.0 < 0.5)


def direction_of(subtype: Subtype, is_put: int, bought: int, move: float) -> int:
    """Code in ``events.DIRECTIONS`` of what a burst says about the underlying."""
    if subtype.family in {"vol_seller", "arbitrage", "neutral_noise"}:
        return DIRECTIONS.index("neutral")
    if subtype.name == "earnings_vol_probe":
        return DIRECTIONS.index("mixed")
    if subtype.family == "hedge_reactive" and move != 0.0:
        return DIRECTIONS.index("bullish" if move > 0.0 else "bearish")
    return DIRECTIONS.index("bullish" if bought * (1 - 2 * is_put) > 0 else "bearish")
