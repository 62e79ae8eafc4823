"""One client of a stream: which bin it has been written last, and when it is too slow.

A client holds no bins of its own: it is a place in the ring that all clients of a feed share.
The ring is ``feeds``, the connection ``protocol``.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from islandflow_jobs.serve.messages import text_frame
from islandflow_jobs.serve.protocol import StreamProtocol

if TYPE_CHECKING:
    from islandflow_jobs.serve.feeds import Feed

NORMAL: Final = 1000
REFUSED: Final = 1008
FAILED: Final = 1011
RESTARTING: Final = 1012
TRY_LATER: Final = 1013


class Client:
    """A connection that is sent bins from `next` on.

    Parameters
    ----------
    link : StreamProtocol
    feed : Feed
    first : int
        Number of the first bin to send.
    queue_bins : int
        How many more bins behind it may come than it has been at best.
    stall_s : float
        How long it may take nothing at all.
    """

    def __init__(
        self, link: StreamProtocol, feed: Feed, first: int, queue_bins: int, stall_s: float
    ) -> None:
        self.next = first
        self._link = link
        self._feed = feed
        self._queue_bins = queue_bins
        self._stall_s = stall_s
        self._least_behind = feed.next - first
        self._stalled_since_s: float | None = None
        link.on_writable = self.pump

    @property
    def behind(self) -> int:
        """Bins that are due and not written to it."""
        return self._feed.next - self.next

    def pump(self) -> None:
        """Write all that the peer takes; at the end of the events, end."""
        feed, link, first = self._feed, self._link, self.next
        while self.next < feed.next and self.next >= feed.oldest and link.is_writable:
            link.write(feed.frames(self.next))
            self.next += 1
        if self.next != first:
            feed.gauges.bins_sent.inc(self.next - first)
            self._least_behind = min(self._least_behind, self.behind)
            self._stalled_since_s = None
        if feed.is_ended and not self.behind and link.is_writable:
            link.write(text_frame({"type": "end", "bins": feed.next}))
            self.close(NORMAL, "the stream has ended")

    def allow(self, bins: int) -> None:
        """Let it be so many more bins behind: they came at once, for which it can do nothing."""
        self._least_behind += bins

    def drop_if_slow(self) -> None:
        """End a client that is too far behind, or has taken nothing for too long."""
        behind, now_s = self.behind, time.monotonic()
        if not behind:
            self._stalled_since_s = None
            return
        if self._stalled_since_s is None:
            self._stalled_since_s = now_s
        if self.next < self._feed.oldest:
            self._drop(f"{behind} bins behind, more than are kept")
        elif behind > self._least_behind + self._queue_bins:
            self._drop(f"{behind} bins behind, {self._queue_bins} are kept for a client")
        elif now_s - self._stalled_since_s > self._stall_s:
            self._drop(f"nothing taken for {self._stall_s:g} s")

    def fail(self, code: int, message: str) -> None:
        """Tell the client what went wrong, and end it."""
        self._link.write(text_frame({"type": "error", "message": message}))
        self.close(code, message)

    def close(self, code: int, reason: str) -> None:
        """End the client; it is no longer of the feed."""
        self._link.on_writable = None
        self._feed.leave(self)
        self._link.end(code, reason)

    def _drop(self, why: str) -> None:
        self._feed.gauges.dropped.inc()
        self.close(TRY_LATER, f"too slow: {why}; come back with resume_bin {self.next}")
