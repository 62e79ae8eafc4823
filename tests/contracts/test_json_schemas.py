"""The exported JSON Schemas: no drift, and the models' verdict under an independent validator."""

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator

from contracts import (
    campaign,
    control,
    experiment,
    flow_policy,
    flow_projection,
    grid,
    labels,
    mbo,
    pipeline,
    scenario,
    serving,
    strategy,
    tape,
    tape_manifest,
    validation,
)
from contracts.canonical import parse_document
from contracts.document import validate
from contracts.errors import ContractError, Problem
from contracts.json_schemas import DIALECT, NAMES, schema_text, schemas
from contracts.yaml_text import parse_text
from tests.architecture.sources import ROOT
from tests.contracts.fixture_files import INDEX, INVALID, KINDS, document, kind_of, valid_files
from tests.properties import documents, scenarios

FOLDER = ROOT / "contracts" / "schemas"
REGENERATE = "run `islandflow schema export --out contracts/schemas`"
SCHEMAS: dict[str, Any] = schemas()
VALIDATORS = {name: Draft202012Validator(schema) for name, schema in SCHEMAS.items()}
FUZZ = settings(
    derandomize=True,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_on_disk_is_what_the_models_say(name):
    written = (FOLDER / f"{name}.json").read_text("utf-8")
    assert written == schema_text(name), f"contracts/schemas/{name}.json is stale: {REGENERATE}"


def test_there_is_a_file_for_every_schema_and_no_other():
    assert {path.name for path in FOLDER.iterdir()} == {f"{name}.json" for name in NAMES}, (
        REGENERATE
    )
    assert {kind.schema for kind in KINDS.values()} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_of_its_dialect_and_names_itself(name):
    schema = SCHEMAS[name]
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == DIALECT
    assert re.fullmatch(rf"urn:islandflow:{name}:[0-9.]+", schema["$id"])
    text = json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False)
    assert schema_text(name) == text + "\n"


def test_the_rules_beyond_a_schema_stand_beside_it():
    modules = {
        "scenario": scenario,
        "strategy": strategy,
        "campaign": campaign,
        "grid_config": grid,
        "mbo_spec": mbo,
        "control_log": control,
        "monte_carlo_settings": validation,
        "published_serving_spec": serving,
        "pipeline": pipeline,
        "serving": experiment,
        "experiment": experiment,
        "tape_profile": tape,
        "tape_manifest": tape_manifest,
        "ground_truth_labels": labels,
        "scoring_policy": flow_policy,
        "smart_flow_alert": flow_projection,
    }
    rules = {name: module.BEYOND_SCHEMA for name, module in modules.items()}
    rules["control_state"] = control.STATE_BEYOND_SCHEMA
    rules["dataset_campaign"] = pipeline.CAMPAIGN_BEYOND_SCHEMA
    rules["tape_spec"] = tape.SPEC_BEYOND_SCHEMA
    rules["expected_outputs"] = labels.OUTPUTS_BEYOND_SCHEMA
    for name, told in rules.items():
        assert set(told) < set(SCHEMAS[name]["x-beyond-schema"])


FREE = {
    "backtest_result": {"metrics", "reasons", "settings", "file_digests"},
    "manifest": {"columns", "spec"},
    "dossier": {"params"},
    "scoring_policy": {"hypotheses", "weights"},
    **{
        name: {"generator"}
        for name in (
            *("grid_config", "pipeline", "dataset_campaign", "serving", "experiment"),
            "published_serving_spec",
        )
    },
}
"""Objects whose keys are not the schema's to know."""


@pytest.mark.parametrize("name", NAMES)
def test_every_object_of_a_schema_is_closed(name):
    free = FREE.get(name, set())

    def objects(node, key=""):
        if isinstance(node, dict):
            # Names that are listed close an object as well.
            is_listed = "enum" in node.get("propertyNames", {})
            if node.get("type") == "object" and key not in free and not is_listed:
                yield node
            for inner, child in node.items():
                yield from objects(child, key if inner == "anyOf" else inner)
        if isinstance(node, list):
            for child in node:
                yield from objects(child, key)

    closed = [node.get("additionalProperties") for node in objects(SCHEMAS[name])]
    assert closed
    assert set(closed) == {False}


@pytest.mark.parametrize("path", valid_files(), ids=lambda path: path.stem)
def test_a_valid_fixture_passes_its_schema(path):
    validator = VALIDATORS[kind_of(path).schema]
    assert [error.message for error in validator.iter_errors(document(path))] == []


@pytest.mark.parametrize("path", valid_files(), ids=lambda path: path.stem)
def test_what_is_hashed_passes_its_schema(path):
    kind = kind_of(path)
    assert VALIDATORS[kind.schema].is_valid(kind.load(path.read_bytes()).document())


@pytest.mark.parametrize("name", [name for name in INDEX if "/parser_" not in name])
def test_a_schema_sees_what_is_wrong_with_a_broken_fixture_if_it_is_structural(name):
    kind = KINDS[name.partition("/")[0]]
    parsed = parse_text((INVALID / name).read_bytes())
    refused = not VALIDATORS[kind.schema].is_valid(parsed)
    structural = INDEX[name]["structural"] or INDEX[name]["loc"] == "/risk"
    assert refused == structural


def at(parsed, loc):
    """What stands at a pointer; None where nothing does."""
    for key in loc.split("/")[1:]:
        if isinstance(parsed, list):
            parsed = parsed[int(key)]
        else:
            parsed = parsed.get(key) if isinstance(parsed, dict) else None
    return parsed


def beyond(problem: Problem, parsed) -> bool:
    """Whether the problem is one that ``x-beyond-schema`` lists."""
    if problem.loc.endswith("/start_time"):
        value = at(parsed, problem.loc)
        return isinstance(value, str) and bool(INSTANT.fullmatch(value))
    value = at(parsed, problem.loc)
    if isinstance(value, str) and problem.code.endswith("VALUE_OUT_OF_RANGE"):
        return len(value) == 19  # digits of an integer beyond 64 bits
    return problem.code.endswith("RULE_BROKEN")


def inner_documents(kind, parsed):
    """Places of the documents inside a campaign: what holds them, their key, their kind."""
    if kind.folder != "campaigns" or not isinstance(parsed, dict):
        return []
    lists = [parsed.get("scenarios"), parsed.get("strategies")]
    scenarios, entrants = (one if isinstance(one, list) else [] for one in lists)
    places = [(scenarios, index, KINDS["scenarios"]) for index in range(len(scenarios))]
    places += [
        (entrant, "strategy", KINDS["strategies"])
        for entrant in entrants
        if isinstance(entrant, dict) and "strategy" in entrant
    ]
    return [place for place in places if isinstance(place[0][place[1]], dict)]


def findings(kind, parsed):
    """What the models find, each with the document that it was found in."""
    found = []
    for holder, key, own in inner_documents(kind, parsed):
        found += findings(own, holder[key])
        holder[key] = "registered"
    try:
        validate(kind.adapter, parsed, kind.noun)
    except ContractError as error:
        found += [(problem, parsed) for problem in error.problems]
    return found


def verdicts(kind, data) -> tuple[bool, bool, bool] | None:
    """Model, schema, and whether only rules beyond a schema are broken; None if unreadable."""
    try:
        parsed = parse_document(data)
    except ContractError:
        return None
    schema = VALIDATORS[kind.schema].is_valid(parsed)
    try:
        validate(kind.adapter, parsed, kind.noun)
    except ContractError:
        return False, schema, all(beyond(*one) for one in findings(kind, parsed))
    return True, schema, False


@pytest.mark.parametrize("name", KINDS)
def test_model_and_schema_agree_on_every_mutated_fixture(name):
    kind = KINDS[name]
    fixtures = [document(path) for path in valid_files(name)]
    seen = {True: 0, False: 0}

    @settings(FUZZ)
    @given(documents.readable(fixtures))
    def agree(data: str) -> None:
        judged = verdicts(kind, data)
        if judged is None:
            return
        model, schema, only_beyond = judged
        assert schema == (model or only_beyond)
        seen[model] += 1

    agree()
    assert min(seen.values()) > 2, seen


@settings(FUZZ)
@given(scenarios.wild_documents())
def test_every_valid_scenario_passes_the_schema(written):
    assert verdicts(KINDS["scenarios"], json.dumps(written)) == (True, True, False)


@pytest.mark.parametrize(
    ("field", "text", "valid"),
    [
        ("seed", "1.0", True),
        ("seed", "1e18", True),
        ("seed", "9007199254740993.0", True),
        ("seed", "1e19", False),
        ("seed", '"9223372036854775807"', True),
        ("seed", '"1\\n"', False),
        ("seed", "-0.0", True),
        ("seed", "false", False),
        ("duration_bars", "1e4", True),
        ("duration_bars", "1e300", False),
        ("duration_bars", "true", False),
        ("start_price", "true", False),
        ("start_price", "9007199254740993", False),
        ("start_price", "999999999999999.9", True),
        ("start_price", "1e-320", False),
        ("id", '"a\\n"', False),
        ("start_time", '"2024-01-01T00:00:00Z\\n"', False),
        ("start_time", '"٢٠٢٤-01-01T00:00:00Z"', False),
        ("volume", "{}", True),
        ("volume", "null", False),
    ],
)
def test_model_and_schema_agree_where_validators_are_known_to_differ(field, text, valid):
    path = next(path for path in valid_files("scenarios") if "trend_up" in path.stem)
    written = {key: value for key, value in document(path).items() if key != field}
    data = json.dumps(written)[:-1] + f', "{field}": {text}}}'
    assert verdicts(KINDS["scenarios"], data) == (valid, valid, False)
