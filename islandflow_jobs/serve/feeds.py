"""One engine for each published signal, shared by all its clients, at the pace of its clock.

A feed keeps the newest bins in a ring, from which each client is served at its own place. While
nobody listens the engine rests; it catches up when somebody comes. Which feeds there are is
``hub``; what a client is, ``clients``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.errors import ContractError, IslandflowError
from contracts.serving import PublishedSignal
from islandflow_jobs.serve.clients import FAILED, Client
from islandflow_jobs.serve.gauges import Gauges
from islandflow_jobs.serve.messages import EncodedBin, Encoder
from islandflow_jobs.serve.protocol import StreamProtocol
from islandflow_jobs.serve.telemetry import Telemetry
from islandflow_resources.signal_streams import SignalStream
from islandflow_resources.stream_clocks import StreamClock, read_clock, write_clock

_LOG = logging.getLogger(__name__)
_LONGEST_STEP = 5_000
_AFTER_END_S = 0.1
_LONGEST_SLEEP_S = 1.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How streams are served.

    Attributes
    ----------
    speed : float
        Seconds of the stream a second.
    keep_bins : int
        Bins that clients may come back for.
    queue_bins : int
        Bins that a client may fall behind.
    stall_s : float
        How long a client may take nothing.
    """

    speed: float = 1.0
    keep_bins: int = 1_200
    queue_bins: int = 64
    stall_s: float = 10.0


class Feed:
    """The bins of one published signal, and who takes them.

    Parameters
    ----------
    serving_id : str
    spec : PublishedSignal
    open_stream : callable
        Makes the stream from its first bin; runs on `executor`.
    clock_file : Path
        Where the start of the stream is kept.
    """

    def __init__(
        self,
        serving_id: str,
        spec: PublishedSignal,
        open_stream: Callable[[PublishedSignal], SignalStream],
        clock_file: Path,
        pace: Pace,
        executor: Executor,
        gauges: Gauges,
        telemetry: Telemetry,
    ) -> None:
        self.serving_id = serving_id
        self.spec = spec
        self.gauges = gauges
        self.clients: set[Client] = set()
        self.is_ended = False
        self._open_stream = open_stream
        self._clock_file = clock_file
        self._pace = pace
        self._executor = executor
        self._telemetry = telemetry
        self._encoder = Encoder(spec, serving_id)
        self._width_ns = spec.runtime_snapshot.runtime_config.cell_width_ns
        self._ring: deque[EncodedBin] = deque(maxlen=pace.keep_bins)
        self._next = 0
        self._stream: SignalStream | None = None
        self._clock: StreamClock | None = None
        self._writing: asyncio.Future[None] | None = None
        self._joining = asyncio.Lock()
        self._pacing: asyncio.Task[None] | None = None

    @property
    def next(self) -> int:
        """Number of the bin that is due next."""
        return self._next

    @property
    def oldest(self) -> int:
        """Number of the oldest bin that is kept."""
        return self._next - len(self._ring)

    @property
    def is_idle(self) -> bool:
        """Whether nobody takes or awaits its bins."""
        return not self.clients and not self._joining.locked()

    def frames(self, number: int) -> bytes:
        """Frames of a bin that is kept."""
        return self._ring[number - self.oldest].frames

    async def join(self, link: StreamProtocol, name: str, resume_bin: int | None) -> Client:
        """Send a client the first messages, and from now on bins.

        Parameters
        ----------
        name : str
            What the client asked for.
        resume_bin : int, optional
            The bin to go on from; by default the next one.

        Raises
        ------
        ContractError
            ``RESUME_BIN_GONE``, ``RESUME_BIN_AHEAD``, naming the bins that there are.
        """
        async with self._joining:
            while self.is_ended and self.clients and resume_bin is None:
                # Those who lag behind have their rest of it before it begins anew.
                await asyncio.sleep(_AFTER_END_S)
            has_begun = self._pacing is None and await self._catch_up(resume_bin)
            first = self.oldest if has_begun else self._first_bin(resume_bin)
            link.write(self._encoder.head(name, self._position(first)))
            client = Client(link, self, first, self._pace.queue_bins, self._pace.stall_s)
            self.clients.add(client)
            self.gauges.clients.inc()
            client.pump()
            if self.clients and self._pacing is None:
                self._pacing = asyncio.create_task(self._run())
            return client

    def leave(self, client: Client) -> None:
        """Serve a client no longer; the last one lets the engine rest."""
        if client not in self.clients:
            return
        self.clients.remove(client)
        self.gauges.clients.dec()

    async def stop(self, code: int, message: str) -> None:
        """Tell all clients that the feed ends, and stop."""
        pacing, self._pacing = self._pacing, None
        if pacing is not None:
            pacing.cancel()
            await asyncio.gather(pacing, return_exceptions=True)
        for client in list(self.clients):
            client.fail(code, message)

    async def _catch_up(self, resume_bin: int | None) -> bool:
        """Come to the present bin; True if the stream has only begun with this client."""
        try:
            has_begun = self._stream is None and await self._open()
            await self._advance_to_present()
            if self.is_ended and resume_bin is None:
                # It ended before, or while nobody listened.
                has_begun = await self._open(anew=True)
        except BaseException:
            self._stream = None
            raise
        return has_begun and resume_bin is None

    async def _open(self, anew: bool = False) -> bool:
        """Open the stream at its first bin; True if its clock is new."""
        loop = asyncio.get_running_loop()
        if self._writing is not None:
            await self._writing
        self._stream = await loop.run_in_executor(self._executor, self._open_stream, self.spec)
        self._ring.clear()
        self._next, self.is_ended = 0, False
        kept = None if anew else read_clock(self._clock_file, self._width_ns)
        now_ns = time.time_ns()
        clock = kept or StreamClock(now_ns, self._pace.speed, self._width_ns)
        self._clock = clock.paced(self._pace.speed, now_ns)
        if self._clock != kept:
            # Not waited for: the clock runs. A crash in between begins the stream anew.
            self._writing = loop.run_in_executor(
                self._executor, write_clock, self._clock_file, self._clock
            )
        return kept is None

    def _first_bin(self, resume_bin: int | None) -> int:
        if resume_bin is None:
            return self._next
        if resume_bin > self._next:
            raise ContractError(
                "RESUME_BIN_AHEAD",
                f"bin {resume_bin} is not there yet: the next one is {self._next}",
                "resume_bin",
                ("leave resume_bin out to begin with the next bin",),
            )
        if resume_bin < self.oldest:
            raise ContractError(
                "RESUME_BIN_GONE",
                f"bin {resume_bin} is no longer kept: {self.oldest} is the oldest, "
                f"{self._next} comes next",
                "resume_bin",
                ("leave resume_bin out to begin with the next bin",),
            )
        return resume_bin

    def _position(self, first: int) -> dict[str, Any]:
        assert self._clock is not None
        return {
            "bin": first,
            "oldest_bin": self.oldest,
            "next_bin": self._next,
            "bins": self._next if self.is_ended else None,
            "speed": self._pace.speed,
            "started_at_ns": str(self._clock.started_at_ns),
        }

    async def _run(self) -> None:
        """Make bins when they are due, until the events end or nobody listens."""
        try:
            while self.clients and not self.is_ended:
                await self._sleep_until_due()
                await self._advance_to_present()
            while self.clients:
                # The events have ended: what is left is for those who lag behind.
                await asyncio.sleep(_AFTER_END_S)
                self._drop_slow()
        except Exception as error:
            self._fail(error)
        finally:
            if self._pacing is asyncio.current_task():
                self._pacing = None

    async def _sleep_until_due(self) -> None:
        assert self._clock is not None
        ahead_ns = self._clock.deadline_ns(self._next) - time.time_ns()
        if ahead_ns > 0:
            # The wall's clock may be set meanwhile: it is looked at again soon.
            await asyncio.sleep(min(ahead_ns / 1e9, _LONGEST_SLEEP_S))

    async def _advance_to_present(self) -> None:
        """Make and send all bins that are due; of many, step by step."""
        loop = asyncio.get_running_loop()
        while not self.is_ended:
            assert self._clock is not None
            present = self._clock.present(time.time_ns())
            if present < self._next:
                return
            last = min(present, self._next + _LONGEST_STEP)
            made = await loop.run_in_executor(self._executor, self._make, last)
            self._publish(made)

    def _make(self, last: int) -> tuple[list[EncodedBin], int, bool]:
        """Bins up to number `last` in frames; the number that comes next, and if any does."""
        assert self._stream is not None
        live = self._stream.advance(last, self._pace.keep_bins)
        return self._encoder.bins(live), self._stream.count, self._stream.is_ended

    def _publish(self, made: tuple[list[EncodedBin], int, bool]) -> None:
        bins, following, is_ended = made
        if bins and bins[0].number > self._next:
            self._ring.clear()  # what lies between was passed by and is not kept
        if bins:
            self.gauges.bins_made.inc(following - self._next)
        self._ring.extend(bins)
        self._next, self.is_ended = following, is_ended
        if not self.clients:
            return
        for client in list(self.clients):
            client.allow(max(len(bins) - 1, 0))
            client.pump()
        self._account(bins)
        self._drop_slow()

    def _account(self, bins: list[EncodedBin]) -> None:
        if not bins:
            return
        assert self._clock is not None
        queued_ns, now_ns = time.perf_counter_ns(), time.time_ns()
        late_s = [max(now_ns - self._clock.deadline_ns(one.number), 0) / 1e9 for one in bins]
        for one, seconds in zip(bins, late_s, strict=True):
            self._telemetry.add(self.serving_id, one, queued_ns)
            self.gauges.bin_latency.observe(seconds)
        self.gauges.engine_lag.set(late_s[-1])
        self.gauges.queue_depth.set(max((client.behind for client in self.clients), default=0))

    def _drop_slow(self) -> None:
        for client in list(self.clients):
            client.drop_if_slow()

    def _fail(self, error: Exception) -> None:
        """Tell all clients why there are no more bins; the next client tries again."""
        _LOG.error("the stream of %s stopped", self.serving_id, exc_info=error)
        self.gauges.failed.inc()
        self._stream = None
        told = str(error.problems[0]) if isinstance(error, IslandflowError) else "internal error"
        for client in list(self.clients):
            client.fail(FAILED, f"the stream stopped: {told}")
