"""The documents under contracts/fixtures as the tests read them, and how each kind is loaded.

A kind is the name of a folder of valid documents; the broken ones of the same kind lie under
invalid/, and invalid/index.json says how each must be refused.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from contracts.backtest import RESULT, SETTINGS
from contracts.campaign import CAMPAIGN, load_campaign
from contracts.control import CONTROL_LOG, CONTROL_STATE
from contracts.costs import COSTS
from contracts.document import load
from contracts.experiment import EXPERIMENT, SERVING, load_experiment, load_serving
from contracts.flow_policy import POLICY, load_policy
from contracts.flow_projection import ALERT, load_alert
from contracts.grid import GRID_CONFIG, load_grid_config
from contracts.labels import (
    EXPECTED_OUTPUTS,
    GROUND_TRUTH_LABELS,
    load_expected_outputs,
    load_labels,
)
from contracts.manifest import MANIFEST
from contracts.mbo import MBO_SPEC, load_mbo_spec
from contracts.pipeline import DATASET_CAMPAIGN, PIPELINE, load_dataset_campaign, load_pipeline
from contracts.scenario import SCENARIO, load_scenario
from contracts.serving import DOSSIER, PUBLISHED
from contracts.strategy import STRATEGY, load_strategy
from contracts.tape import SEED_BUNDLE, TAPE_PROFILE, TAPE_SPEC
from contracts.tape_manifest import TAPE_MANIFEST, load_manifest
from contracts.validation import MONTE_CARLO, WALK_FORWARD
from contracts.yaml_text import parse_text
from tests.architecture.sources import ROOT

FOLDER = ROOT / "contracts" / "fixtures"
INVALID = FOLDER / "invalid"
INDEX: dict[str, dict[str, Any]] = json.loads((INVALID / "index.json").read_text("utf-8"))


@dataclass(frozen=True)
class Kind:
    """One kind of document: its folder, its noun, its schema and its ways in."""

    folder: str
    noun: str
    schema: str
    adapter: TypeAdapter
    load: Callable[[bytes | str], Any]


def _kind(folder: str, noun: str, schema: str, adapter: TypeAdapter, read: Any = None) -> Kind:
    return Kind(folder, noun, schema, adapter, read or (lambda data: load(adapter, data, noun)))


KINDS = {
    kind.folder: kind
    for kind in (
        _kind("scenarios", "scenario", "scenario", SCENARIO, load_scenario),
        _kind("strategies", "strategy", "strategy", STRATEGY, load_strategy),
        _kind("costs", "costs", "costs", COSTS),
        _kind("backtest_settings", "backtest settings", "backtest_settings", SETTINGS),
        _kind("backtest_result", "backtest result", "backtest_result", RESULT),
        _kind("manifest", "manifest", "manifest", MANIFEST),
        _kind("campaigns", "campaign", "campaign", CAMPAIGN, load_campaign),
        _kind("grid_configs", "grid config", "grid_config", GRID_CONFIG, load_grid_config),
        _kind("mbo_specs", "mbo spec", "mbo_spec", MBO_SPEC, load_mbo_spec),
        _kind("control_states", "control", "control_state", CONTROL_STATE),
        _kind("control_logs", "control log", "control_log", CONTROL_LOG),
        _kind("tape_profiles", "tape profile", "tape_profile", TAPE_PROFILE),
        _kind("tape_specs", "tape spec", "tape_spec", TAPE_SPEC),
        _kind("seed_bundles", "seed bundle", "seed_bundle", SEED_BUNDLE),
        _kind("tape_manifests", "tape manifest", "tape_manifest", TAPE_MANIFEST, load_manifest),
        _kind(
            "ground_truth_labels",
            "ground truth labels",
            "ground_truth_labels",
            GROUND_TRUTH_LABELS,
            load_labels,
        ),
        _kind(
            "expected_outputs",
            "expected outputs",
            "expected_outputs",
            EXPECTED_OUTPUTS,
            load_expected_outputs,
        ),
        _kind("scoring_policies", "scoring policy", "scoring_policy", POLICY, load_policy),
        _kind("smart_flow_alerts", "smart flow alert", "smart_flow_alert", ALERT, load_alert),
        _kind("monte_carlo_settings", "monte carlo settings", "monte_carlo_settings", MONTE_CARLO),
        _kind(
            "walk_forward_settings", "walk forward settings", "walk_forward_settings", WALK_FORWARD
        ),
        _kind("dossier", "dossier", "dossier", DOSSIER),
        _kind("pipelines", "pipeline", "pipeline", PIPELINE, load_pipeline),
        _kind(
            "dataset_campaigns",
            "dataset campaign",
            "dataset_campaign",
            DATASET_CAMPAIGN,
            load_dataset_campaign,
        ),
        _kind("servings", "serving", "serving", SERVING, load_serving),
        _kind("experiments", "experiment", "experiment", EXPERIMENT, load_experiment),
        _kind("published_serving_spec", "published spec", "published_serving_spec", PUBLISHED),
    )
}


def valid_files(*folders: str) -> list[Path]:
    """Every valid document of the kinds, sorted; of all kinds if none is named."""
    return [path for name in folders or KINDS for path in sorted((FOLDER / name).iterdir())]


def kind_of(path: Path) -> Kind:
    """The kind of a document by its folder."""
    return KINDS[path.parent.name]


def document(path: Path) -> dict[str, Any]:
    """The JSON object in a valid document; campaigns may be written in YAML."""
    text = path.read_text("utf-8")
    return parse_text(text) if path.suffix == ".yaml" else json.loads(text)
