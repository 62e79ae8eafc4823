"""Figures of the server in the form that Prometheus reads.

One set a server; who counts what stands where it happens.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)


class Gauges:
    """Counters and gauges of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.streams = self._gauge("streams", "published signals with an engine")
        self.clients = self._gauge("clients", "clients of streams")
        self.queue_depth = self._gauge("queue_depth_bins", "most bins that a client is behind")
        self.engine_lag = self._gauge("engine_lag_seconds", "time since the newest bin was due")
        self.bins_made = self._counter("bins_made", "bins that engines closed and encoded")
        self.bins_sent = self._counter("bins_sent", "bins written to clients")
        self.dropped = self._counter("clients_dropped", "clients that took no bins for too long")
        self.refused = self._counter("clients_refused", "connections closed with 1008")
        self.failed = self._counter("engine_failures", "streams that stopped with an error")
        self.bin_latency = Histogram(
            "islandflow_bin_latency_seconds",
            "from a bin's deadline until it is written to all clients",
            registry=self.registry,
            buckets=_SECONDS,
        )

    def text(self) -> bytes:
        """All of them, as ``/metrics`` tells them."""
        return generate_latest(self.registry)

    def _gauge(self, name: str, doc: str) -> Gauge:
        return Gauge(f"islandflow_{name}", doc, registry=self.registry)

    def _counter(self, name: str, doc: str) -> Counter:
        return Counter(f"islandflow_{name}", doc, registry=self.registry)
