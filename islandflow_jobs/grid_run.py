"""What ``islandflow grid …`` and ``islandflow book warm`` do, as functions that return lines.

Arguments are read in ``cli_grids``; datasets are built by ``islandflow_resources.grid_build``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from contracts.errors import ContractError
from contracts.grid import Compat, load_grid_config
from islandflow_jobs.documents import read_file
from islandflow_resources.instrument_lock import refuse_other_instrument
from islandflow_resources.resource_set import ResourceSet

if TYPE_CHECKING:
    from islandflow_resources.grid_build import GridOrder

MAX_INSTANT_NS = 2**62
_COMPATS: dict[str, Compat] = {"v1": "v1", "v2": "v2"}


@dataclass(frozen=True, slots=True)
class Request:
    """Arguments of a build; see ``islandflow_resources.grid_build.GridOrder``."""

    events: Path
    config: Path
    compat: str = "v2"
    emit_from_ns: int | None = None
    full: bool = False
    checkpoint_every: int = 0
    from_checkpoint: Path | None = None
    emit_until_ns: int | None = None

    def order(self, resources: ResourceSet) -> GridOrder:
        """The same with the configuration read, of the instrument of this environment.

        Raises
        ------
        ContractError
            If the rules or the configuration are not right.
        """
        if self.compat not in _COMPATS:
            raise ContractError(
                "ARGUMENTS_INVALID",
                f"there are no rules {self.compat}",
                "--compat",
                ("write v2, or v1 to reproduce an earlier engine",),
            )
        config = load_grid_config(read_file(self.config))
        what = f"the configuration {self.config}"
        refuse_other_instrument(resources.settings, config, what)
        resources.engine_runtime.prepare()
        from islandflow_resources.grid_build import GridOrder

        return GridOrder(
            self.events,
            config,
            _COMPATS[self.compat],
            self.emit_from_ns,
            self.full,
            self.checkpoint_every,
            self.from_checkpoint,
            self.emit_until_ns,
        )


def build(resources: ResourceSet, request: Request, out: Path) -> list[str]:
    """Build a grid dataset into a new folder."""
    order = request.order(resources)
    from islandflow_resources.grid_build import build_grid

    manifest = build_grid(order, out).manifest
    anomalies = cast("dict[str, int]", manifest["anomalies"])
    counted = ", ".join(f"{name} {n}" for name, n in anomalies.items() if n)
    return [
        f"built {manifest['dataset_id']} in {out}",
        f"{manifest['events']} events, {manifest['bins']} bins",
        f"anomalies: {counted or 'none'}",
    ]


def warm(resources: ResourceSet, request: Request, out: Path) -> list[str]:
    """Write the state after all events before the time the first bin is to start at."""
    order = request.order(resources)
    from islandflow_resources.grid_build import warm_book

    head = warm_book(order, out)
    return [f"warmed up with {head.rows_taken} events into {out}"]


def verify(folder: Path) -> list[str]:
    """Check every file of a dataset in a folder against its manifest."""
    from islandflow_resources.grid_folder import read_manifest

    manifest = read_manifest(folder)
    return [f"ok {manifest['dataset_id']}: {manifest['bins']} bins"]
