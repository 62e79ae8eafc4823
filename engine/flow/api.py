"""The detector of smart flow: events in, detections out, the same for tape, replay and live.

It reads the four streams, the list of contracts and the calendar of scheduled events, and
nothing else. What was said is never taken back, and how the events are cut into batches
changes nothing. ``docs/smart-flow.md`` says all that is computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from contracts.errors import ContractError
from contracts.flow_policy import ScoringPolicy, usual_policy
from engine.arrays import Ints
from engine.flow import kernels
from engine.flow import layout as at
from engine.flow.layout import Said, State, room_for
from engine.flow.rows import Columns, Detections, detections_of
from engine.flow.watermark import STREAM_COLUMNS, Watermark

VERSION: Final = "2"
"""Version of what is detected; raised by hand with any change of its bytes."""

PIECE: Final = 16_384
"""Option prints that are taken at a time."""


class FlowDetector:
    """One detection, made as events come.

    Parameters
    ----------
    symbols : int
        How many there are; `list_symbols` makes room for more.
    calendar : Columns
        Scheduled events: ``symbol`` (codes), ``announced_ns``, ``event_ns``.
    policy : ScoringPolicy, optional
        The usual one if none is given.
    lateness_ns : int
        See `Watermark`.

    Attributes
    ----------
    policy : ScoringPolicy
    watermark : Watermark
        Counts what came late or twice.
    """

    def __init__(
        self,
        symbols: int,
        calendar: Columns,
        policy: ScoringPolicy | None = None,
        lateness_ns: int = 0,
    ) -> None:
        self.policy = policy or usual_policy()
        self.watermark = Watermark(lateness_ns)
        self._groups: dict[tuple[int, int], int] = {}
        self._state = _empty(symbols, calendar, self.policy)

    @property
    def contracts(self) -> int:
        """How many contracts are listed."""
        return len(self._state.contracts)

    def list_symbols(self, symbols: int) -> None:
        """Make room for symbols up to so many."""
        more = symbols - len(self._state.underlyings)
        if more > 0:
            self._state = self._state._replace(
                underlyings=_longer(self._state.underlyings, more),
                ring=_longer(self._state.ring, more),
                dark=_longer(self._state.dark, more),
                dark_ints=_longer(self._state.dark_ints, more),
            )

    def list_contracts(self, rows: Columns) -> None:
        """List contracts that are not listed yet: those beyond `contracts`, by code.

        Parameters
        ----------
        rows : Columns
            ``symbol`` (codes), ``expiry_ns``, ``strike_ticks``, ``right`` (0 call, 1 put); all
            contracts from code 0 on.
        """
        new = slice(self.contracts, None)
        symbols, expiries = rows["symbol"][new], rows["expiry_ns"][new]
        if not len(symbols):
            return
        groups = [
            self._groups.setdefault((int(symbol), int(expiry)), len(self._groups))
            for symbol, expiry in zip(symbols, expiries, strict=True)
        ]
        listed = np.stack(
            [symbols, expiries, rows["strike_ticks"][new], rows["right"][new], groups], axis=1
        ).astype(np.int64)
        self._state = _listed(self._state, listed, self._rings())

    def _rings(self) -> Ints:
        """Groups with the next one of the same symbol."""
        rows = self._state.groups
        rings = np.zeros((len(self._groups), at.GROUP_COLUMNS), dtype=np.int64)
        rings[: len(rows)] = rows
        of: dict[int, list[int]] = {}
        for (symbol, expiry_ns), group in self._groups.items():
            rings[group, at.GROUP_EXPIRY_NS] = expiry_ns
            of.setdefault(symbol, []).append(group)
        for ring in of.values():
            rings[ring, at.GROUP_NEXT] = [*ring[1:], ring[0]]
        return rings

    def push(self, events: Mapping[str, Ints]) -> Detections:
        """Take events; what can be said then.

        Parameters
        ----------
        events : mapping of str to ndarray, shape (n, columns), int64
            By stream, columns as ``watermark.STREAM_COLUMNS`` says.

        Raises
        ------
        ContractError
            ``FLOW_CONTRACT_UNKNOWN`` for an event of a contract that is not listed.
        """
        for name in ("option_nbbo", "option_prints"):
            self._refuse_unknown(name, events.get(name))
        return self._said(self.watermark.take(events))

    def finish(self) -> Detections:
        """Let time pass until nothing is open."""
        rest = self._said(self.watermark.finish())
        said = self._room(0, 0)
        kernels.finish(self._state, said)
        return joined([rest, detections_of(said, self._state.contracts, self.policy)])

    def _said(self, ready: Mapping[str, Ints]) -> Detections:
        return joined([self._said_of(piece) for piece in _pieces(ready)])

    def _said_of(self, piece: Sequence[Ints]) -> Detections:
        quotes, prints, nbbo, options = piece
        said = self._room(len(options), int(np.count_nonzero(prints[:, 6])))
        kernels.push(self._state, said, quotes, prints, nbbo, options)
        return detections_of(said, self._state.contracts, self.policy)

    def _room(self, prints: int, dark: int) -> Said:
        """Room to write into, for what comes and for what is open."""
        waiting = at.MOST_LEGS * int(self._state.clock[at.PENDING])
        going_on = int(self._state.clock[at.OPEN])
        self._state = _roomy(self._state, going_on + waiting + prints)
        return room_for(going_on + waiting + prints, dark)

    def _refuse_unknown(self, name: str, rows: Ints | None) -> None:
        if rows is None or not len(rows):
            return
        codes = rows[:, 2]
        outside = (codes < 0) | (codes >= self.contracts)
        if outside.any():
            row = int(outside.argmax())
            raise ContractError(
                "FLOW_CONTRACT_UNKNOWN",
                f"row {row} of {name} is of contract {codes[row]}, {self.contracts} are listed",
                f"{name} row {row}",
                ("list the contract before its events",),
            )


def events_of(streams: Mapping[str, Columns]) -> dict[str, Ints]:
    """Events as the detector reads them, from the columns of the streams."""
    return {
        name: np.stack([streams[name][column].astype(np.int64) for column in columns], axis=1)
        for name, columns in STREAM_COLUMNS.items()
    }


def joined(parts: Sequence[Detections]) -> Detections:
    """Detections one after the other."""
    return Detections(
        *(
            {
                name: np.concatenate([part[place][name] for part in parts])
                for name in parts[0][place]
            }
            for place in range(len(Detections._fields))
        )
    )


def _pieces(ready: Mapping[str, Ints]) -> list[list[Ints]]:
    """Events in pieces of so many option prints, so that no batch needs more room than that."""
    streams = [ready[name] for name in STREAM_COLUMNS]
    starts = streams[-1][PIECE::PIECE, 0]
    cuts = [np.searchsorted(rows[:, 0], starts) for rows in streams]
    pieces = [np.split(rows, at_rows) for rows, at_rows in zip(streams, cuts, strict=True)]
    return [list(piece) for piece in zip(*pieces, strict=True)]


def _empty(symbols: int, calendar: Columns, policy: ScoringPolicy) -> State:
    grouping = policy.grouping
    levels = np.zeros(at.GROUPING)
    levels[at.G_MIN_USD] = grouping.min_print_usd
    levels[at.G_LEG_NS] = grouping.leg_gap_ms * 1e6
    levels[at.G_PACKET_NS] = grouping.packet_ms * 1e6
    levels[at.G_QUIET_NS] = grouping.quiet_s * 1e9
    levels[at.G_LONGEST_NS] = grouping.longest_s * 1e9
    levels[at.G_STALE_NS] = grouping.stale_ms * 1e6
    names = ("symbol", "announced_ns", "event_ns")
    return State(
        np.zeros((0, at.CONTRACT_COLUMNS), dtype=np.int64),
        np.stack([calendar[name] for name in names], axis=1).astype(np.int64),
        levels,
        np.zeros(at.CLOCK, dtype=np.int64),
        np.zeros((0, at.QUOTE_COLUMNS), dtype=np.int64),
        np.zeros((symbols, at.UNDERLYING_COLUMNS), dtype=np.int64),
        np.zeros((symbols, at.RING), dtype=np.int64),
        np.zeros((0, 2)),
        np.zeros((0, at.USUAL_COLUMNS)),
        np.zeros(0, dtype=np.int64),
        np.zeros((0, at.GROUP_COLUMNS), dtype=np.int64),
        np.zeros((0, at.MOST_LEGS, at.PRINT_COLUMNS), dtype=np.int64),
        np.zeros(0, dtype=np.int64),
        np.zeros(0, dtype=np.int64),
        np.zeros((at.ROOMS, at.CLUSTER_INTS), dtype=np.int64),
        np.zeros((at.ROOMS, at.CLUSTER_REALS)),
        np.zeros((symbols, at.DARK_RING, at.DARK_COLUMNS), dtype=np.int64),
        np.zeros((symbols, at.DARK_INTS), dtype=np.int64),
    )


def _listed(state: State, contracts: Ints, groups: Ints) -> State:
    """The state with more contracts."""
    more, wider = len(contracts), len(groups) - len(state.waits)
    return state._replace(
        contracts=np.concatenate([state.contracts, contracts]),
        quotes=_longer(state.quotes, more),
        activity=_longer(state.activity, more),
        usual=_longer(state.usual, more),
        slots=np.concatenate([state.slots, np.full(more, -1, dtype=np.int64)]),
        groups=groups,
        waiting=_longer(state.waiting, wider),
        waits=_longer(state.waits, wider),
        queue=_longer(state.queue, wider),
    )


def _roomy(state: State, rooms: int) -> State:
    """The state with room for so many open clusters."""
    more = rooms - len(state.ints)
    if more <= 0:
        return state
    return state._replace(ints=_longer(state.ints, more), reals=_longer(state.reals, more))


def _longer(array: np.ndarray, more: int) -> np.ndarray:  # type: ignore[type-arg]
    """An array with more rows of zeros."""
    return np.concatenate([array, np.zeros((more, *array.shape[1:]), dtype=array.dtype)])
