"""A home with a published signal: a small tape, its dataset, the spec, an alias.

The server that streams it is started by served.py; campaigns that promote such specs are tested
elsewhere.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from contracts.canonical import canonical_json
from contracts.experiment import EvalSettings
from contracts.grid import GridConfig, load_grid_config
from contracts.serving import (
    Evidence,
    PublishedSignal,
    ServedSignal,
    SignalSource,
    StreamSource,
)
from engine.digest import engine_digest
from islandflow_resources.folder_store import FolderStore
from islandflow_resources.grid_build import GridOrder
from islandflow_resources.grid_datasets import GridDataset, open_grid
from islandflow_resources.models import ServingSpecRow
from islandflow_resources.published import spec_key
from islandflow_resources.registry import Promotion, Registry
from islandflow_resources.resource_set import ResourceSet
from islandflow_resources.signatures import sign
from tests.graph import KERNELS
from tests.islandflow_resources.books import (
    FIXTURES,
    GOOD_SEED,
    SECOND_NS,
    order,
    short_tape,
    stored_grid,
    stored_tape,
)
from tests.islandflow_resources.books import tape as minute

ALIAS = "champion"
RUN_ID = "a1" * 16
TAPE = short_tape(bar_ns=6 * SECOND_NS, events_per_second=200)
"""Twelve seconds: 120 bins."""
SHORT = {"flow_zscore_min_periods": 2, "state_model_zscore_min_periods": 2}
ZERO = "sha256:" + "0" * 64


@dataclass(frozen=True)
class Home:
    """A home, its published spec, and the dataset that the stream must equal."""

    path: Path
    spec: PublishedSignal
    dataset: GridDataset

    @property
    def environment(self) -> dict[str, str]:
        """Settings of this home."""
        return {"ISLANDFLOW_HOME": str(self.path), "ISLANDFLOW_LOG_LEVEL": "WARNING"}

    @property
    def resources(self) -> ResourceSet:
        """What this home is made of."""
        return ResourceSet.from_environment(self.environment)


def make_home(path: Path, shipped: bool = False) -> Home:
    """A home with one published signal under the alias `ALIAS`.

    Parameters
    ----------
    shipped : bool
        A minute of the configuration as it is shipped, 101 rows a bin, in place of small ones.
    """
    path.mkdir(parents=True)
    KERNELS.mkdir(parents=True, exist_ok=True)
    (path / "kernels").symlink_to(KERNELS)
    resources = ResourceSet.from_environment({"ISLANDFLOW_HOME": str(path)})
    store, database = resources.store, resources.database
    spec = minute() if shipped else TAPE
    tape = stored_tape(store, database, path / "work", spec)
    wanted = GridOrder(Path(), shipped_config()) if shipped else order(**SHORT)
    made = stored_grid(store, database, path / "work", tape.events, wanted)
    assert made.problem is None, made.problem
    stream = StreamSource(
        what="tape",
        key=spec.partition_key,
        seed=GOOD_SEED,
        events_digest=tape.events.digest,
        dataset_id=made.dataset_id,
    )
    spec = published(wanted.config, stream)
    publish(resources, spec)
    shutil.rmtree(path / "work")
    return Home(path, spec, open_grid(store, database, made.dataset_id, path / "work"))


def shipped_config() -> GridConfig:
    """The configuration as it is shipped."""
    return load_grid_config((FIXTURES / "grid_configs/grid_shipped.json").read_bytes())


def published(config, stream, **changes) -> PublishedSignal:
    """A spec of the signal ``derivative``."""
    fields = {
        "kind": "signal",
        "version": "0.1",
        "name": "quiet_derivative",
        "runtime_snapshot": config,
        "stream": stream,
        "signal": ServedSignal(
            name="derivative",
            version=1,
            params={"zscore_window_bins": 20, "zscore_min_periods": 2},
            threshold=0.3,
        ),
        "settings": EvalSettings(),
        "evidence": Evidence(object_key="serving/evidence/x.parquet", content_digest=ZERO, rows=1),
        "source": SignalSource(
            campaign_id="quiet",
            campaign_key="quiet-0",
            campaign_hash=ZERO,
            set_id="set",
            run_id=RUN_ID,
            datasets=1,
            datasets_digest=ZERO,
            serving_hash=ZERO,
            pipeline_hash=ZERO,
            dossier_digest=ZERO,
            engine_digest=engine_digest(),
            signals_version="1",
        ),
    }
    return PublishedSignal(**{**fields, **changes})


def publish(resources: ResourceSet, spec, alias: str = ALIAS, **changes) -> str:
    """Store a spec and let an alias point to it; its id."""
    key, document = spec_key(spec.serving_id), canonical_json(spec.document())
    sign(resources.store, resources.keyring, spec.serving_id, document)
    resources.store.put_exact(key, document + b"\n")
    fields = {
        "serving_id": spec.serving_id,
        "kind": spec.kind,
        "name": spec.name,
        "campaign_hash": ZERO,
        "candidate_key": RUN_ID,
        "object_key": key,
        "engine_digest": engine_digest(),
    }
    row = ServingSpecRow(**{**fields, **changes})
    Registry(resources.database).promote(
        Promotion(f"test:{alias}:{spec.serving_id[:40]}", row, alias, "promote", "me", "a test")
    )
    return spec.serving_id


def tamper(resources: ResourceSet, serving_id: str) -> None:
    """Change one byte of a stored spec."""
    store = resources.store
    assert isinstance(store, FolderStore)
    path = store.root / spec_key(serving_id)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b'"threshold":0.3', b'"threshold":0.4'))
