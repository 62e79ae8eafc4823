"""Trial chunks on a Ray cluster: tasks of about a second, a bounded number at once, in order.

Needs the extra ``ray``, imported only here and only when a chunk is to be made. Where else chunks
are made is ``executors``; how one is made, stored and recorded, ``trials``. What comes back is the
same everywhere: nodes hand results over through the store and the database, Ray carries addresses.
"""

from __future__ import annotations

import logging
import platform
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from contracts.errors import ClusterUnavailableError, ConfigurationError, Problem
from engine.digest import engine_digest
from islandflow_resources.models import Artefact
from islandflow_resources.resource_set import ResourceSet
from islandflow_resources.settings import Settings
from islandflow_resources.trials import SLAB, MadeChunk, TrialChunk, make_chunks

if TYPE_CHECKING:
    import ray

TASK_NAME = "islandflow.make_chunks"
TASK_BARS = 20_000_000
"""Bars times parameter sets of a task: about a second of one processor."""
CHUNK_SETS = 30
"""What making and reading bars costs, in parameter sets on them."""
CHUNK_BARS = 600_000
"""What the objects and rows of a chunk cost, in bars times parameter sets."""
TASKS_PER_CPU = 8
"""Fewer tasks than this leave processors idle at the end of a campaign."""
IN_FLIGHT_PER_CPU = 4
MAX_RETRIES = 5
"""How often Ray starts a task again whose worker or node was lost."""
_REACH_S = 5.0
_WATCH_S = 2.0
_PLACE = "ISLANDFLOW_RAY_ADDRESS"
_LOG = logging.getLogger("islandflow.ray_executor")


@dataclass(frozen=True, slots=True)
class TaskRow:
    """What a task hands back of one chunk: a `MadeChunk` without the chunk."""

    dataset_digest: str
    artefact: dict[str, Any] | None
    used_cache: bool
    problem: Problem | None

    @classmethod
    def of(cls, made: MadeChunk) -> TaskRow:
        """The row of a chunk that was made."""
        row = made.row
        columns = Artefact.__table__.columns.keys()
        artefact = None if row is None else {name: getattr(row, name) for name in columns}
        return cls(made.dataset_digest, artefact, made.used_cache, made.problem)

    def made(self, chunk: TrialChunk) -> MadeChunk:
        """The chunk, made."""
        row = None if self.artefact is None else Artefact(**self.artefact)
        return MadeChunk(chunk, self.dataset_digest, row, self.used_cache, self.problem)


@dataclass(frozen=True, slots=True)
class RayChunks:
    """Makes chunks on a Ray cluster.

    A task computes on one processor, stores and records its chunks and is started again by Ray if
    its node is lost; the second attempt finds what the first has recorded. Settings travel as an
    argument of the task and so enter neither names nor logs.

    Every node needs islandflow with the same engine and a writable ``ISLANDFLOW_HOME`` at the
    path it has here. In the embedded profile all nodes must see the same folder and the same
    SQLite file, which they do on one machine; a cluster of machines needs the services profile.

    Parameters
    ----------
    settings : Settings
        `Settings.ray_address` is what ``ray.init`` takes: ``host:port`` of the cluster, on one of
        whose nodes this process runs, or ``auto``.
    silence_s : float
        For how long the cluster's head may be away before chunks are given up. Ray ends the whole
        process after 60 s, which would leave no error to retry.
    """

    settings: Settings
    silence_s: float = 30.0

    def make(self, chunks: Sequence[TrialChunk], run_id: str) -> Iterator[MadeChunk]:
        """Yield every chunk, made or found, in the order given.

        Raises
        ------
        ConfigurationError
            ``RAY_NOT_INSTALLED``, ``RAY_ADDRESS_INVALID``, ``RAY_NOT_ALLOWED``,
            ``RAY_NODE_DIFFERS``.
        ClusterUnavailableError
            ``RAY_UNAVAILABLE``, ``RAY_WITHOUT_CPUS``, ``RAY_TASK_LOST``.
        IslandflowError
            What a task raised, as it was raised there.
        """
        if not chunks:
            return
        cpus = _connect(self.settings.ray_address)
        task = _task()
        settings = replace(self.settings, threads=1)
        pending: deque[tuple[Sequence[TrialChunk], ray.ObjectRef]] = deque()
        try:
            for part in parts(chunks, cpus):
                if len(pending) >= cpus * IN_FLIGHT_PER_CPU:
                    yield from self._finished(*pending.popleft())
                pending.append((part, task.remote(settings, list(part), run_id, engine_digest())))
            while pending:
                yield from self._finished(*pending.popleft())
        except ClusterUnavailableError:
            pending.clear()  # there is nobody left to take them back
            raise
        finally:
            _cancel([result for _, result in pending])

    def _finished(self, part: Sequence[TrialChunk], task: ray.ObjectRef) -> Iterator[MadeChunk]:
        """Wait for a task; its chunks."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        head = ray.get_runtime_context().gcs_address
        try:
            node_id, rows = _await(task, head, self.silence_s)
        except RayTaskError as error:
            raise error.cause from error
        except RayError as error:
            # Whoever tries again joins anew, as this process may have lost its own node. Without
            # a head there is no leaving: Ray would wait for it and then end this process.
            if _answers(head):
                ray.shutdown()
            raise ClusterUnavailableError(
                "RAY_TASK_LOST",
                f"a task of {len(part)} chunks on Ray did not end: {_first_line(error)}",
                _PLACE,
                ("look at `ray status`, then run again: recorded chunks are kept",),
            ) from error
        _LOG.debug("%d chunks were made on node %s", len(part), node_id)
        return (row.made(chunk) for row, chunk in zip(rows, part, strict=True))


def parts(chunks: Sequence[TrialChunk], cpus: int) -> Iterator[Sequence[TrialChunk]]:
    """Consecutive chunks for a task each: a second's work, or less if that leaves too few tasks."""
    most = min(SLAB, max(1, len(chunks) // (cpus * TASKS_PER_CPU)))
    start = bars = 0
    for index, chunk in enumerate(chunks):
        cost = cost_bars(chunk)
        if index > start and (index - start == most or bars + cost > TASK_BARS):
            yield chunks[start:index]
            start, bars = index, 0
        bars += cost
    if start < len(chunks):
        yield chunks[start:]


def cost_bars(chunk: TrialChunk) -> int:
    """What a chunk costs, in bars times parameter sets."""
    return chunk.scenario.duration_bars * (chunk.sets.size + CHUNK_SETS) + CHUNK_BARS


def make_part(
    settings: Settings, part: Sequence[TrialChunk], run_id: str, digest: str
) -> list[TaskRow]:
    """Make some chunks in this process, which is a task's on its node.

    Raises
    ------
    ConfigurationError
        ``RAY_NODE_DIFFERS`` if `digest` is not the engine's here: its trials would be others.
    """
    if digest != engine_digest():
        raise ConfigurationError(
            "RAY_NODE_DIFFERS",
            f"the engine on {platform.node()} is {engine_digest()[:16]}, "
            f"that of the campaign {digest[:16]}",
            _PLACE,
            ("install the same version of islandflow on every node of the cluster",),
        )
    resources = _resources(settings)
    resources.engine_runtime.prepare()
    made = make_chunks(resources.store, resources.database, resources.engine_runtime, part, run_id)
    return [TaskRow.of(one) for one in made]


def _task() -> Any:
    """`_run_part` as a task of Ray, announced to the cluster once for all its calls."""
    import ray

    # Ray fills the nearest node first, and would leave another idle while short tasks queue.
    spread = {"name": TASK_NAME, "scheduling_strategy": "SPREAD"}
    return ray.remote(num_cpus=1, max_retries=MAX_RETRIES)(_run_part).options(**spread)


def _run_part(
    settings: Settings, part: Sequence[TrialChunk], run_id: str, digest: str
) -> tuple[str, list[TaskRow]]:
    """The task: node it ran on, and its rows."""
    import ray

    node_id: str = ray.get_runtime_context().get_node_id()
    return node_id, make_part(settings, part, run_id, digest)


@lru_cache(maxsize=1)
def _resources(settings: Settings) -> ResourceSet:
    """Kept by a worker from one task to the next, for its connections."""
    return ResourceSet(settings)


def _connect(address: str) -> int:
    """Join the cluster unless this process has; the number of its processors."""
    try:
        import ray
        from ray.exceptions import RayError
    except ImportError as error:
        raise ConfigurationError(
            "RAY_NOT_INSTALLED",
            "cannot spread trials over a Ray cluster: ray is not installed",
            "ISLANDFLOW_EXECUTOR",
            ("install the extra: pip install 'islandflow[ray]'",),
        ) from error
    try:
        if ray.is_initialized():
            _reach(ray.get_runtime_context().gcs_address)
        else:
            _reach(address)
            with _own_sigterm():
                ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        cpus = int(ray.cluster_resources().get("CPU", 0))
    except (OSError, RuntimeError, ValueError, RayError) as error:
        raise _not_joined(address, error) from error
    if cpus < 1:
        message = f"the Ray cluster at {address} has no processor"
        raise ClusterUnavailableError("RAY_WITHOUT_CPUS", message, _PLACE, ("add a node to it",))
    return cpus


def _reach(address: str) -> None:
    """Connect to an address once: Ray itself would try one where nobody listens for minutes."""
    place = urlsplit(address if "://" in address else f"//{address}")
    if place.hostname and place.port:
        socket.create_connection((place.hostname, place.port), _REACH_S).close()


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Keep this process's answer to SIGTERM, which Ray replaces: Dagster ends a run with it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    answer = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, answer)


def _await(task: ray.ObjectRef, head: str, silence_s: float) -> tuple[str, list[TaskRow]]:
    """Node and rows of a task, waited for as long as the cluster's head answers."""
    # Once its head is gone, `ray.get` keeps to no timeout; a future does.
    result = task.future()
    heard_s = time.monotonic()
    while wait([result], _WATCH_S).not_done:
        if _answers(head):
            heard_s = time.monotonic()
        elif time.monotonic() - heard_s > silence_s:
            raise _not_joined(head, TimeoutError(f"its head is silent for {silence_s:g} s"))
    return result.result()


def _answers(address: str) -> bool:
    try:
        _reach(address)
    except OSError:
        return False
    return True


def _cancel(tasks: Sequence[ray.ObjectRef]) -> None:
    """Take back what nobody waits for any more."""
    import ray

    # A cluster that was left meanwhile has ended our tasks; asking it would start a new one.
    for task in tasks if ray.is_initialized() else ():
        ray.cancel(task)


def _not_joined(address: str, error: Exception) -> ConfigurationError | ClusterUnavailableError:
    """What it means that Ray did not let us in."""
    message = f"cannot use the Ray cluster at {address}: {_first_line(error)}"
    if isinstance(error, ValueError):
        hint = "write host:port, or auto for the cluster of this machine"
        return ConfigurationError("RAY_ADDRESS_INVALID", message, _PLACE, (hint,))
    if "authentication token" in f"{error} {error.__cause__}".lower():
        hint = "set RAY_AUTH_MODE and RAY_AUTH_TOKEN as the cluster has them"
        return ConfigurationError("RAY_NOT_ALLOWED", message, _PLACE, (hint,))
    hints = (
        "start a cluster with `ray start --head`, or set ISLANDFLOW_RAY_ADDRESS to one that runs",
        "or set ISLANDFLOW_EXECUTOR=in_process",
    )
    return ClusterUnavailableError("RAY_UNAVAILABLE", message, _PLACE, hints)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
