"""The control that a live tape follows: what is told, what was used, what came too late.

A version that is told takes effect at its time. Once the tape has passed a time, what held
there is fixed: a version that would change it is refused for this tape, and said so. Where
versions are kept is ``control_log``; what was used is kept in ``tape_live_journal``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from contracts.control import ControlLog, ControlVersion
from islandflow_resources.control_log import ControlLogStore


class Told(NamedTuple):
    """A version of the control and its number in the log that tells of it."""

    revision: int
    version: ControlVersion

    @property
    def effective_ns(self) -> int:
        """From when on it holds."""
        return self.version.effective_ns


class Refused(NamedTuple):
    """A version that came too late, and up to where the tape was made by then."""

    told: Told
    position_ns: int


class ControlFeed(Protocol):
    """Says all versions there are, at any time anew."""

    def read(self) -> tuple[Told, ...]:
        """Every version in its order; the first one holds from ever on.

        Raises
        ------
        UnavailableError
            If they cannot be read for now.
        """
        ...


class WrittenControl(ControlFeed):
    """The log that a profile holds itself; it never grows.

    Parameters
    ----------
    log : ControlLog
    """

    def __init__(self, log: ControlLog) -> None:
        self._told = tuple(Told(place, one) for place, one in enumerate(log.versions))

    def read(self) -> tuple[Told, ...]:
        return self._told


class DeployedControl(ControlFeed):
    """The log of the deployment, read whole only after it has grown.

    Parameters
    ----------
    store : ControlLogStore
    """

    def __init__(self, store: ControlLogStore) -> None:
        self._store = store
        self._told: tuple[Told, ...] = ()

    def read(self) -> tuple[Told, ...]:
        if not self._told or self._store.current().revision != self._told[-1].revision:
            self._told = tuple(Told(one.revision, one.version) for one in self._store.history())
        return self._told


class LiveControl:
    """Versions of one live tape.

    Parameters
    ----------
    used : sequence of Told
        Those that hold for what is made already; none if nothing is.

    Attributes
    ----------
    used, pending : tuple of Told
        Versions that have taken effect, and those that will.
    refused : tuple of Refused
        In the order in which they were told.
    """

    def __init__(self, used: Sequence[Told] = ()) -> None:
        self.used: tuple[Told, ...] = tuple(used)
        self.pending: tuple[Told, ...] = ()
        self.refused: tuple[Refused, ...] = ()
        self._told: tuple[Told, ...] = ()

    @property
    def log(self) -> ControlLog:
        """What holds, and what will as far as it is known."""
        return ControlLog(versions=tuple(one.version for one in (*self.used, *self.pending)))

    @property
    def used_log(self) -> ControlLog:
        """What has taken effect."""
        return ControlLog(versions=tuple(one.version for one in self.used))

    @property
    def in_force(self) -> Told:
        """The version that took effect last."""
        return self.used[-1]

    def follow(self, told: Sequence[Told], position_ns: int) -> tuple[Refused, ...]:
        """Take what is told; versions that come too late are left out and given back once.

        Parameters
        ----------
        told : sequence of Told
            Every version there is.
        position_ns : int
            Everything before it is made.
        """
        if tuple(told) == self._told:
            return ()
        self._told = tuple(told)
        if not self.used:
            self.pending = self._told
            return ()
        held = [one.version for one in self.used]
        known = [one.told for one in self.refused]
        last_ns = self.used[-1].effective_ns
        self.pending = tuple(
            one for one in told if one.effective_ns >= position_ns and one.effective_ns > last_ns
        )
        late = [one for one in told if one.effective_ns < position_ns and one.version not in held]
        fresh = tuple(Refused(one, position_ns) for one in late if one not in known)
        self.refused += fresh
        return fresh

    def take(self, second_ns: int) -> tuple[Told, ...]:
        """Versions that take effect with a second; the first one holds from ever on."""
        count = sum(one.effective_ns <= second_ns for one in self.pending)
        count = count if self.used else max(count, 1)
        taken, self.pending = self.pending[:count], self.pending[count:]
        self.used += taken
        return taken
