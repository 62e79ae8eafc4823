"""Small pipelines for tests: a tape of four seconds around half past nine, bins of 100 ms.

`QUIET` is a tape over the opening, so that a session may begin or end in its middle.
"""

import copy
import json
from datetime import UTC, datetime
from typing import Any

from contracts.pipeline import (
    DatasetCampaign,
    PipelineSpec,
    load_dataset_campaign,
    pipeline_from,
)
from islandflow_resources.pipelines import make_dataset, ready_pipeline
from tests.islandflow_resources.books import QUIET_TAPE, RUN, RUNTIME, grid_document, short_tape

OPENING_NS = int(datetime(2024, 1, 2, 14, 30, tzinfo=UTC).timestamp()) * 10**9
OPENING = {"dt": "2024-01-02", "start_time": "09:30", "end_time": "09:31"}
"""From the middle of the tape on; `BEFORE` is what lies before it."""
BEFORE = {"dt": "2024-01-02", "start_time": "09:29", "end_time": "09:30"}
_EARLY = {**QUIET_TAPE["scenario"], "start_time": "2024-01-02T14:29:58Z"}
TAPE = short_tape(scenario=_EARLY)


def pipeline_document(**changes: Any) -> dict[str, Any]:
    """A pipeline on the tape with the smallest configuration; `capture` is merged."""
    capture = {"tape": TAPE.document(), "seed": 1, **changes.pop("capture", {})}
    written = {"name": "quiet", "version": "0.1", "capture": capture, "config": grid_document()}
    return json.loads(json.dumps({**written, **changes}))


def pipeline(**changes: Any) -> PipelineSpec:
    """The same, read."""
    return pipeline_from(pipeline_document(**changes))


def campaign_document(**changes: Any) -> dict[str, Any]:
    """Two decays on two windows: four datasets."""
    written = {
        "id": "decays",
        "version": "0.1",
        "base": pipeline_document(),
        "axes": {"tau_rest_decay": [15, 30]},
        "bundles": [{}, {"flow_windows": [3, 6]}],
    }
    return copy.deepcopy({**written, **changes})


def campaign(**changes: Any) -> DatasetCampaign:
    """The same, read."""
    return load_dataset_campaign(json.dumps(campaign_document(**changes)))


def made(store, database, workspace, spec=None):
    """What became of the dataset of a pipeline."""
    ready = ready_pipeline(store, database, spec or pipeline())
    capture = ready.spec.capture
    return make_dataset(store, database, RUNTIME, ready.config, capture, workspace, RUN)
