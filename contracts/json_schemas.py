"""JSON Schemas (2020-12) of every document, generated from the models.

`islandflow schema export --out contracts/schemas` writes them; nothing here
touches a file. The rules that no schema can express stand in each schema under
``x-beyond-schema``; they come from the module of the document.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, cast

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from contracts import (
    backtest,
    campaign,
    control,
    costs,
    experiment,
    flow_policy,
    flow_projection,
    grid,
    labels,
    manifest,
    mbo,
    pipeline,
    scenario,
    serving,
    strategy,
    tape,
    tape_manifest,
    validation,
)
from contracts.canonical import Document, Json

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

# `$` of some engines also matches before a final line feed; the models' does not.
_END: Final = r"(?!\n)"


@dataclass(frozen=True, slots=True)
class _Source:
    """What one schema is generated from."""

    adapter: TypeAdapter[Any]
    version: str
    title: str
    beyond: tuple[str, ...]


_SOURCES: Final[dict[str, _Source]] = {
    "scenario": _Source(scenario.SCENARIO, "0.1", "Scenario", scenario.BEYOND_SCHEMA),
    "strategy": _Source(strategy.STRATEGY, "0.1", "Strategy", strategy.BEYOND_SCHEMA),
    "costs": _Source(costs.COSTS, "0.1", "Costs", ()),
    "backtest_settings": _Source(backtest.SETTINGS, "0.1", "Backtest settings", ()),
    "backtest_result": _Source(backtest.RESULT, "0.1", "Backtest result", ()),
    "manifest": _Source(manifest.MANIFEST, "1", "Dataset manifest", ()),
    "campaign": _Source(campaign.CAMPAIGN, "0.1", "Campaign", campaign.BEYOND_SCHEMA),
    "grid_config": _Source(grid.GRID_CONFIG, "0.1", "Grid configuration", grid.BEYOND_SCHEMA),
    "mbo_spec": _Source(mbo.MBO_SPEC, "0.1", "Market-by-order tape", mbo.BEYOND_SCHEMA),
    "control_state": _Source(
        control.CONTROL_STATE,
        "0.1",
        "Control of the synthetic market",
        control.STATE_BEYOND_SCHEMA,
    ),
    "control_log": _Source(control.CONTROL_LOG, "0.1", "Control log", control.BEYOND_SCHEMA),
    "tape_profile": _Source(tape.TAPE_PROFILE, "0.1", "Tape profile", tape.BEYOND_SCHEMA),
    "tape_spec": _Source(tape.TAPE_SPEC, "0.1", "Tape", tape.SPEC_BEYOND_SCHEMA),
    "seed_bundle": _Source(tape.SEED_BUNDLE, "0.1", "Seed bundle", ()),
    "tape_manifest": _Source(
        tape_manifest.TAPE_MANIFEST, "1", "Tape manifest", tape_manifest.BEYOND_SCHEMA
    ),
    "ground_truth_labels": _Source(
        labels.GROUND_TRUTH_LABELS, "1", "Ground truth labels", labels.BEYOND_SCHEMA
    ),
    "expected_outputs": _Source(
        labels.EXPECTED_OUTPUTS, "1", "Expected outputs", labels.OUTPUTS_BEYOND_SCHEMA
    ),
    "pipeline": _Source(pipeline.PIPELINE, "0.1", "Pipeline", pipeline.BEYOND_SCHEMA),
    "dataset_campaign": _Source(
        pipeline.DATASET_CAMPAIGN, "0.1", "Campaign of datasets", pipeline.CAMPAIGN_BEYOND_SCHEMA
    ),
    "serving": _Source(experiment.SERVING, "0.1", "Serving", experiment.BEYOND_SCHEMA),
    "experiment": _Source(experiment.EXPERIMENT, "0.1", "Experiment", experiment.BEYOND_SCHEMA),
    "scoring_policy": _Source(
        flow_policy.POLICY, "1.0", "Scoring policy of smart flow", flow_policy.BEYOND_SCHEMA
    ),
    "smart_flow_alert": _Source(
        flow_projection.ALERT, "1", "Smart-flow alert", flow_projection.BEYOND_SCHEMA
    ),
    "monte_carlo_settings": _Source(
        validation.MONTE_CARLO, "0.1", "Monte Carlo settings", validation.BEYOND_SCHEMA
    ),
    "walk_forward_settings": _Source(validation.WALK_FORWARD, "0.1", "Walk-forward settings", ()),
    "dossier": _Source(serving.DOSSIER, "0.1", "Promotion dossier", ()),
    "published_serving_spec": _Source(
        serving.PUBLISHED, "0.1", "Published serving spec", serving.BEYOND_SCHEMA
    ),
}

_EVERY_DOCUMENT: Final[tuple[str, ...]] = (
    "the text is UTF-8 JSON of one object, at most 1 000 000 bytes and 32 levels",
    "no key is given twice, no number is infinite or longer than 64 characters",
    "no string holds half of a surrogate pair",
)


class _Generator(GenerateJsonSchema):
    """Pydantic's generator without titles that only repeat a field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


NAMES: Final[tuple[str, ...]] = tuple(_SOURCES)
"""Names of the schemas, which are the stems of their files."""


def schemas() -> dict[str, Document]:
    """Every schema by name, each with ``$schema``, ``$id`` and ``x-beyond-schema``."""
    return {name: _schema(name) for name in NAMES}


def schema_text(name: str) -> str:
    """One schema as text: sorted keys, two spaces, one final line feed.

    Raises
    ------
    KeyError
        If `name` is not one of `NAMES`.
    """
    return json.dumps(_schema(name), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _schema(name: str) -> Document:
    source = _SOURCES[name]
    generated = source.adapter.json_schema(schema_generator=_Generator)
    schema = cast(Document, _as_the_models_judge(cast(Json, generated)))
    beyond: list[Json] = [*source.beyond, *_EVERY_DOCUMENT]
    schema["$schema"] = DIALECT
    schema["$id"] = f"urn:islandflow:{name}:{source.version}"
    schema["title"] = source.title
    schema["x-beyond-schema"] = beyond
    return schema


def _as_the_models_judge(node: Json) -> Json:
    """Close what pydantic leaves open, so that a validator gives the models' verdict."""
    if isinstance(node, list):
        return [_as_the_models_judge(child) for child in node]
    if not isinstance(node, dict):
        return node
    adapted = {key: _as_the_models_judge(child) for key, child in node.items()}
    # The name of a field may be that of a keyword: only a keyword's value has these types.
    if isinstance(pattern := adapted.get("pattern"), str):
        adapted["pattern"] = pattern + _END
    if isinstance(keys := adapted.get("patternProperties"), dict):
        adapted["patternProperties"] = {key + _END: value for key, value in keys.items()}
        adapted["additionalProperties"] = False
    if isinstance(text := adapted.get("description"), str):
        adapted["description"] = " ".join(text.partition("\n\n")[0].split())
    if "propertyName" in cast(Document, adapted.get("discriminator") or {}):
        del adapted["discriminator"]  # of OpenAPI, not of JSON Schema
    return adapted
