"""Pages of the UI over many partitions, in a browser, and what they ask of the server.

How the partitions came to be is ``load_partitions``. Parity: the UI must know as many as there are.
Dagster keeps what is made of an asset as one set and adds to it what is new: the first question
after many events, which gathers them, is timed by itself.
"""

from __future__ import annotations

import json
import os
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.load_timing import Spent
from tests.browser.ui import Visit, served, visiting

WANTED_S = 3
PATIENCE_S = 150
_STATUS = """query($asset: AssetKeyInput!) { assetNodeOrError(assetKey: $asset) { ... on AssetNode {
  partitionKeysByDimension { name partitionKeys }
  assetPartitionStatuses { __typename
    ... on MultiPartitionStatuses { primaryDimensionName
      ranges { primaryDimStartKey primaryDimEndKey primaryDimStartTime primaryDimEndTime
        secondaryDim { ... on DefaultPartitionStatuses {
          materializedPartitions materializingPartitions failedPartitions } } } }
    ... on DefaultPartitionStatuses {
      materializedPartitions materializingPartitions failedPartitions } } } } }"""
"""What the page of an asset asks of its partitions."""


def rows(where: str, partitions: int, first: Mapping[str, str], folder: Path) -> list[list[str]]:
    """Lines of the table; processor seconds are those of the UI's server.

    Parameters
    ----------
    first : mapping
        Of each asset with as many partitions, a key that its page shows at once.
    """
    lines: list[list[str]] = []
    with served(folder) as address, visiting(address) as visit:
        visit.page.set_default_timeout(PATIENCE_S * 1_000)
        server = _server(address)
        lines.append(_looked(server, f"{where}: catalogue of assets", lambda: _shown(visit)))
        for asset, key in first.items():

            def asked(asset: str = asset) -> Any:
                return question(address, _STATUS, {"asset": {"path": [asset]}})

            def opened(asset: str = asset, key: str = key) -> None:
                visit.open(f"/assets/{asset}?view=partitions")
                visit.page.get_by_text(key, exact=True).first.wait_for()

            said = f"{where}: {asset}, {partitions:,} partitions"
            lines.append(_looked(server, f"{said}: first question", asked, 1))
            count = 1
            for dimension in asked()["assetNodeOrError"]["partitionKeysByDimension"]:
                count *= len(dimension["partitionKeys"])
            if count != partitions:
                raise AssertionError(f"the UI knows {count} of {partitions} partitions of {asset}")
            lines.append(_looked(server, f"{said}: question", asked))
            lines.append(_looked(server, f"{said}: page", opened))
    return lines


def _shown(visit: Visit) -> None:
    visit.open("/asset-groups")
    visit.page.get_by_text("campaigns").first.wait_for()


def _looked(server: Path, what: str, action: Callable[[], object], runs: int = 3) -> list[str]:
    """A line with the wall time, and the processor time that the server took meanwhile."""
    walls: list[float] = []
    cpus: list[float] = []
    for _ in range(runs):
        wall, cpu = time.perf_counter(), _processor_s(server)
        action()
        walls.append(time.perf_counter() - wall)
        cpus.append(_processor_s(server) - cpu)
    return Spent(median(walls), median(cpus)).line(what, f"{WANTED_S} s")


def _server(address: str) -> Path:
    """Folder in ``/proc`` of the process that serves the UI at an address."""
    port = address.rsplit(":", 1)[1]
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            words = (folder / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
            if "dagster_webserver" in words and port in words:
                return folder
    raise AssertionError(f"no process serves {address}")


def _processor_s(process: Path) -> float:
    fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def question(address: str, query: str, variables: Mapping[str, Any]) -> Any:
    """Answer of the UI's server to a question in GraphQL."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(
        f"{address}/graphql", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=600) as response:
        answer = json.load(response)
    if answer.get("errors"):
        raise AssertionError(answer["errors"])
    return answer["data"]
