"""From what a client asks for to the feed that serves it: names resolved, specs verified.

Only published specs of book signals have feeds. What a client may ask is ``requests``; what
it then is sent, ``feeds``.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contracts.errors import ContractError, UnavailableError
from contracts.serving import PublishedSignal
from islandflow_jobs.serve.feeds import Feed, Pace
from islandflow_jobs.serve.gauges import Gauges
from islandflow_jobs.serve.telemetry import Telemetry
from islandflow_resources.published import read_published
from islandflow_resources.registry import Registry
from islandflow_resources.resource_set import ResourceSet
from islandflow_resources.signal_streams import SignalStream, open_stream, refuse_unfit
from islandflow_resources.stream_clocks import clock_path

MAX_FEEDS: Final = 16


@dataclass(frozen=True, slots=True)
class Served:
    """A published signal and its id."""

    serving_id: str
    spec: PublishedSignal


class Hub:
    """All feeds of one server.

    Parameters
    ----------
    resources : ResourceSet
    pace : Pace
    executor : ThreadPoolExecutor
        Where engines compute and stores are read.
    workspace : Path
        Local, for events that lie elsewhere.
    """

    def __init__(
        self,
        resources: ResourceSet,
        pace: Pace,
        executor: ThreadPoolExecutor,
        gauges: Gauges,
        telemetry: Telemetry,
        workspace: Path,
    ) -> None:
        self._resources = resources
        self._pace = pace
        self._executor = executor
        self._gauges = gauges
        self._telemetry = telemetry
        self._workspace = workspace
        self._feeds: dict[str, Feed] = {}

    async def feed(self, name: str) -> Feed:
        """The feed of an alias or a serving id.

        Raises
        ------
        NotFoundError
            ``SERVING_NOT_FOUND``.
        ContractError
            ``SERVING_NOT_STREAMED`` for a spec that is no signal; ``INSTRUMENT_LOCKED``.
        IntegrityError
            ``SERVING_TAMPERED``, ``SERVING_UNSIGNED``, ``SERVING_SIGNER_UNKNOWN``,
            ``SERVING_SIGNATURE_WRONG``, ``STREAM_ENGINE_DIFFERS``.
        UnavailableError
            ``STREAMS_TOO_MANY``.
        """
        loop = asyncio.get_running_loop()
        served = await loop.run_in_executor(self._executor, self._resolve, name)
        found = self._feeds.get(served.serving_id)
        if found is not None:
            # Moved behind the others: what nobody has asked for longest makes way first.
            self._feeds[served.serving_id] = self._feeds.pop(served.serving_id)
            return found
        self._make_way()
        made = Feed(
            served.serving_id,
            served.spec,
            self._open,
            clock_path(self._resources.settings.home, served.serving_id),
            self._pace,
            self._executor,
            self._gauges,
            self._telemetry,
        )
        self._feeds[served.serving_id] = made
        self._gauges.streams.set(len(self._feeds))
        return made

    async def stop(self, code: int, message: str) -> None:
        """End all feeds and their clients."""
        feeds, self._feeds = list(self._feeds.values()), {}
        for feed in feeds:
            await feed.stop(code, message)

    def _make_way(self) -> None:
        if len(self._feeds) < MAX_FEEDS:
            return
        idle = [serving_id for serving_id, feed in self._feeds.items() if feed.is_idle]
        if not idle:
            raise UnavailableError(
                "STREAMS_TOO_MANY",
                f"{len(self._feeds)} signals are streamed, as many as this server will",
                hints=("come back later",),
            )
        del self._feeds[idle[0]]

    def _resolve(self, name: str) -> Served:
        row = Registry(self._resources.database).resolve(name)
        spec = read_published(self._resources.store, self._resources.keyring, row.serving_id)
        if not isinstance(spec, PublishedSignal):
            raise ContractError(
                "SERVING_NOT_STREAMED",
                f"{name} is a published {spec.kind}: only signals are streamed",
                name,
                ("list what is published with: islandflow serving list",),
            )
        refuse_unfit(self._resources.settings, spec)
        return Served(row.serving_id, spec)

    def _open(self, spec: PublishedSignal) -> SignalStream:
        resources = self._resources
        resources.engine_runtime.prepare()
        return open_stream(
            resources.store, resources.database, resources.settings, spec, self._workspace
        )
