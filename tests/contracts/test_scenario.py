"""Scenarios: their identity, which change of which field changes it, and what they mean."""

import json
import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, create_model

from contracts.canonical import canonical_json
from contracts.digest import document_digest
from contracts.document import Number, validate
from contracts.errors import ContractError
from contracts.scenario import (
    SCENARIO,
    TIMEFRAME_NS,
    TrendScenario,
    load_scenario,
    scenario_from,
)
from tests.contracts.fixture_files import document, valid_files
from tests.properties import documents, scenarios

FILES = valid_files("scenarios")
FUZZ = settings(derandomize=True, database=None, max_examples=150)

# Identity is for ever: a hash that changes here makes every stored dataset unfindable.
PARTITION_KEYS = {
    "scenario_level_revert-6e1f9ac3f63a",
    "scenario_mean_revert-728934b355a3",
    "scenario_regime_switch-d50a01196e14",
    "scenario_shocky-ee83ad7c74d2",
    "scenario_trend_down_high-c47945d033fc",
    "scenario_trend_up_mid-59189ebfbdd0",
    "scenario_vol_cluster_high-5a0abff3da0e",
    "scenario_vol_cluster_low-3f0bd3713f7f",
}


def explicit(spec):
    """The document with every default written out."""
    return spec.model_dump(mode="json", by_alias=True)


def test_the_fixtures_keep_their_partition_keys():
    assert {load_scenario(path.read_bytes()).partition_key for path in FILES} == PARTITION_KEYS


def test_the_fixtures_are_named_after_their_id_and_cover_every_family():
    specs = [load_scenario(path.read_bytes()) for path in FILES]
    assert [spec.id for spec in specs] == [path.stem for path in FILES]
    assert {spec.family for spec in specs} == set(scenarios.FAMILIES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_spelling_changes_no_identity(path):
    spec = load_scenario(path.read_bytes())
    written = document(path)
    spellings = [
        json.dumps(written, sort_keys=True),
        json.dumps(dict(reversed(written.items())), indent=8),
        json.dumps(explicit(spec)),
        json.dumps(spec.document()),
        json.dumps({**written, "seed": str(written["seed"])}),
        json.dumps({**written, "duration_bars": float(written["duration_bars"])}),
        re.sub(r"(?<=[ \[])(-?\d+)(?=[,\n\]}])", r"\1.0", json.dumps(written, indent=1)),
        json.dumps(written).replace("scenario", "\\u0073cenario"),
    ]
    for text in spellings:
        again = load_scenario(text)
        assert again == spec
        assert again.scenario_hash == spec.scenario_hash
        assert canonical_json(again.document()) == canonical_json(spec.document())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_hash_covers_everything_but_the_seed(path):
    spec = load_scenario(path.read_bytes())
    other = scenario_from({**document(path), "seed": 2**63 - 1})
    assert other.scenario_hash == spec.scenario_hash
    assert other.partition_key == spec.partition_key
    assert document_digest(other.document()) != document_digest(spec.document())
    assert spec.scenario_hash == document_digest(spec.market)
    assert set(spec.document()) - set(spec.market) == {"seed"}


def test_a_partition_key_is_the_id_and_twelve_digits_of_the_hash():
    for path in FILES:
        spec = load_scenario(path.read_bytes())
        assert re.fullmatch(rf"{spec.id}-[0-9a-f]{{12}}", spec.partition_key)
        assert spec.scenario_hash.startswith("sha256:" + spec.partition_key[-12:])


def candidates(value):
    """Other values that could stand in a field, some of which will be valid there."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int | float):
        return [math.nextafter(value, math.inf), math.nextafter(value, -math.inf), int(value) + 1]
    if isinstance(value, str):
        words = [*TIMEFRAME_NS, "const", "lognormal", value + "x", "2031-05-07T01:02:03Z"]
        return [word for word in words if word != value]
    return []


def changes(spec):
    """Every leaf of a document but its seed, with the valid other documents one step away."""
    full = explicit(spec)
    for path in documents.places(full):
        value = documents.value_at(full, path)
        if isinstance(value, dict | list) or path[-1] in ("seed", "version", "family"):
            continue
        valid = []
        for other in candidates(value):
            try:
                valid.append(scenario_from(documents.replaced(full, path, other)))
            except ContractError:
                continue
        yield path, valid


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_smallest_change_of_any_field_changes_the_hash(path):
    spec = load_scenario(path.read_bytes())
    hashes = {spec.scenario_hash}
    total = 1
    for place, valid in changes(spec):
        assert valid, place
        hashes |= {other.scenario_hash for other in valid}
        total += len(valid)
    assert len(hashes) == total > 15


def test_another_family_with_the_same_numbers_is_another_market():
    base = document(FILES[0]) | {"params": {"kappa": 0.5, "sigma": 5, "level": 100}}
    level = scenario_from(base)
    mean = scenario_from(
        base | {"family": "mean_revert", "params": {"kappa": 0.5, "sigma": 5, "theta": 100}}
    )
    assert level.scenario_hash != mean.scenario_hash


@FUZZ
@given(scenarios.wild_documents())
def test_every_valid_scenario_has_one_identity_however_it_is_stored(written):
    spec = scenario_from(written)
    again = load_scenario(canonical_json(spec.document()))
    assert again == spec
    assert again.scenario_hash == spec.scenario_hash
    assert load_scenario(json.dumps(explicit(spec))).scenario_hash == spec.scenario_hash


@FUZZ
@given(scenarios.documents(), st.data())
def test_another_value_of_any_number_changes_the_hash(written, data):
    spec = scenario_from(written)
    leaves = [
        path
        for path in documents.places(written)
        if isinstance(documents.value_at(written, path), float)
    ]
    path = data.draw(st.sampled_from(leaves)) if leaves else ("duration_bars",)
    value = data.draw(documents.numbers)
    try:
        other = scenario_from(documents.replaced(written, path, value))
    except ContractError:
        other = scenario_from({**written, "duration_bars": written["duration_bars"] + 1})
    same = other.document() == spec.document()
    assert (other.scenario_hash == spec.scenario_hash) == same


def test_an_optional_field_added_later_changes_no_hash():
    later = create_model("Later", __base__=TrendScenario, borrow_bps=(Number, 0.0))
    path = next(path for path in FILES if path.stem == "scenario_trend_up_mid")
    now = load_scenario(path.read_bytes())
    then = validate(TypeAdapter(later), document(path), "scenario")
    used = validate(TypeAdapter(later), {**document(path), "borrow_bps": 1}, "scenario")
    assert then.partition_key == now.partition_key
    assert used.partition_key != now.partition_key


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2024-01-01T00:00:00Z", 1_704_067_200_000_000_000),
        ("2199-12-31T23:59:59Z", 7_258_118_399_000_000_000),
    ],
)
def test_an_instant_is_nanoseconds_since_1970(text, ns):
    assert scenario_from({**document(FILES[0]), "start_time": text}).start_ns == ns


@pytest.mark.parametrize(
    ("timeframe", "minutes"),
    [("1m", 1), ("5m", 5), ("15m", 15), ("1h", 60), ("4h", 240), ("1d", 1440)],
)
def test_a_timeframe_is_the_length_of_a_bar(timeframe, minutes):
    spec = scenario_from({**document(FILES[0]), "timeframe": timeframe})
    assert spec.step_ns == minutes * 60 * 10**9


def test_a_transient_regime_needs_no_way_back():
    regime = {"drift": 0, "sigma": 1}
    params = {"regimes": [regime] * 2, "transition": [[0.5, 0.5], [0, 1]]}
    spec = scenario_from({**document(FILES[0]), "family": "regime_switch", "params": params})
    assert spec.family == "regime_switch"


def test_rows_may_miss_one_by_rounding():
    regime = {"drift": 0, "sigma": 1}
    third = 0.333333333
    params = {"regimes": [regime] * 3, "transition": [[third, third, 0.3333333335]] * 3}
    spec = scenario_from({**document(FILES[0]), "family": "regime_switch", "params": params})
    assert spec.document()["params"] == params


def test_the_union_knows_one_model_per_family():
    assert len(SCENARIO.json_schema()["oneOf"]) == len(scenarios.FAMILIES)
