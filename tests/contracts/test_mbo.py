"""Tapes as documents: their identity, their range of bars, and a scenario in their place.

Single broken documents are in contracts/fixtures/invalid/mbo_specs.
"""

import json

import pytest

from contracts.errors import ContractError
from contracts.mbo import (
    DEFAULT_BARS,
    INDEX_FUTURE,
    PROFILES,
    MboSpec,
    load_mbo_spec,
    mbo_spec_from,
    tape_of,
)
from contracts.scenario import load_scenario
from tests.contracts.fixture_files import document, valid_files

FILES = {path.stem: path for path in valid_files("mbo_specs")}
QUIET = document(FILES["mbo_quiet"])
FULL = document(FILES["mbo_every_field"])
SCENARIO = QUIET["scenario"]

# Identity is for ever: a hash that changes here makes every stored tape unfindable.
PARTITION_KEYS = {
    "mbo_every_field-a77b8cbac8c4",
    "mbo_quiet-d4c3463c7132",
    "mbo_trending-8d4860314800",
    "mbo_volatile-078ebdc4f78d",
}


def spec(**changes) -> MboSpec:
    return mbo_spec_from({**QUIET, **changes})


def problems(written: dict) -> list[tuple[str, str]]:
    with pytest.raises(ContractError) as refused:
        load_mbo_spec(json.dumps(written))
    return [(problem.code, problem.loc) for problem in refused.value.problems]


def test_partition_keys_are_the_ones_of_every_stored_tape():
    assert {load_mbo_spec(path.read_bytes()).partition_key for path in FILES.values()} == (
        PARTITION_KEYS
    )


def test_defaults_written_out_change_no_hash():
    explicit = {**QUIET, "bar_ns": 0, "flow": {"branching": 0.8}, "lots": {}, "symbol": "MNQH6"}
    assert mbo_spec_from(explicit).mbo_hash == spec().mbo_hash


def test_the_seed_of_the_scenario_is_no_part_of_the_hash():
    assert spec(scenario={**SCENARIO, "seed": 99}).mbo_hash == spec().mbo_hash


@pytest.mark.parametrize(
    "changes",
    [
        {"bars": 31},
        {"first_bar": 1},
        {"bar_ns": 30_000_000_000},
        {"events_per_second": 501},
        {"lots": {"p99": 17}},
        {"depth": {"near_ticks": 9}},
        {"flow": {"join_share": 0.46}},
        {"symbol": "ES"},
        {"product_type": "equity_mbo"},
        {"scenario": {**SCENARIO, "params": {"drift": 0, "sigma": 2}}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_every_change_of_a_tape_changes_its_hash(changes):
    assert spec(**changes).mbo_hash != spec().mbo_hash


def test_what_is_hashed_loads_to_the_same_tape():
    full = mbo_spec_from(FULL)
    assert load_mbo_spec(json.dumps(full.document())) == full
    assert full.document()["lots"] == FULL["lots"]


def test_a_tape_lies_in_its_bars_at_the_length_it_gives_them():
    full = mbo_spec_from(FULL)
    assert full.step_ns == 30_000_000_000
    assert full.start_ns == full.scenario.start_ns + 10 * full.step_ns
    assert full.end_ns - full.start_ns == 20 * full.step_ns
    assert spec().step_ns == spec().scenario.step_ns == 60_000_000_000


def test_a_bare_scenario_is_a_tape_with_every_default():
    made = load_mbo_spec(json.dumps(SCENARIO))
    assert made == tape_of(load_scenario(json.dumps(SCENARIO)))
    assert (made.id, made.bars, made.first_bar) == ("quiet", DEFAULT_BARS, 0)
    assert made.events_per_second == 500
    assert made.document().keys() == {"id", "version", "scenario", "bars"}


def test_a_broken_scenario_is_refused_at_its_own_pointers():
    broken = {**SCENARIO, "params": {"drift": 0, "sigma": -1}}
    assert problems(broken) == [("SCENARIO_VALUE_OUT_OF_RANGE", "/params/sigma")]
    assert problems({**QUIET, "scenario": broken}) == [
        ("MBO_SPEC_VALUE_OUT_OF_RANGE", "/scenario/params/sigma")
    ]


def test_a_document_of_neither_kind_is_refused_as_a_tape():
    assert ("MBO_SPEC_FIELD_MISSING", "/scenario") in problems({"id": "x"})


def test_all_problems_are_told_at_once():
    found = problems({**QUIET, "bars": 0, "lots": {"median": 5, "p90": 4}, "tick": 1})
    assert found == [
        ("MBO_SPEC_VALUE_OUT_OF_RANGE", "/bars"),
        ("MBO_SPEC_RULE_BROKEN", "/lots"),
        ("MBO_SPEC_FIELD_UNKNOWN", "/tick"),
    ]


def test_bands_are_named_once_and_hold_something():
    names = [band.name for band in INDEX_FUTURE]
    assert len(set(names)) == len(names) == 16
    assert all(band.low < band.high and band.doc for band in INDEX_FUTURE)
    assert PROFILES["index_future"] is INDEX_FUTURE
