"""How findings are told: every broken fixture by code and place, and the words of each kind."""

from typing import Any

import pytest
from pydantic import ConfigDict, TypeAdapter

from contracts.document import Model, load, validate
from contracts.errors import ContractError
from contracts.json_schemas import schemas
from contracts.problems import _PATTERNS, CODES, broken_rule
from tests.contracts.fixture_files import INDEX, INVALID, KINDS, document, valid_files

FAMILIES = '"trend", "mean_revert", "level_revert", "vol_cluster", "shock_mix", "regime_switch"'
REFUSED = [name for name, entry in INDEX.items() if "by" not in entry]


def refusal(name: str) -> ContractError:
    folder, _, _ = name.partition("/")
    with pytest.raises(ContractError) as caught:
        KINDS[folder].load((INVALID / name).read_bytes())
    return caught.value


def test_the_index_names_every_broken_fixture_and_no_other():
    found = {path.relative_to(INVALID).as_posix() for path in INVALID.glob("*/*")}
    assert found == set(INDEX)
    assert list(INDEX) == sorted(INDEX)


@pytest.mark.parametrize("name", REFUSED)
def test_a_broken_fixture_is_refused_by_its_code_at_its_place(name):
    error = refusal(name)
    assert (error.code, error.loc) == (INDEX[name]["code"], INDEX[name]["loc"])
    for problem in error.problems:
        assert problem.message
        assert problem.hints[0]
        assert "Input should" not in str(problem)
        assert "pydantic" not in str(problem)


def test_the_broken_fixtures_cover_every_code():
    covered = {INDEX[name]["code"] for name in REFUSED}
    needed = {f"SCENARIO_{code}" for code in CODES if code != "PROBLEMS_OMITTED"}
    parser = ("NOT_JSON", "NOT_OBJECT", "NOT_UTF8", "NOT_FINITE", "DUPLICATE_KEY", "TOO_DEEP")
    needed |= {f"DOCUMENT_{code}" for code in parser} | {"DSL_SCHEMA_INVALID", "DSL_STATIC_FAIL"}
    assert needed <= covered


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        (
            "scenarios/family_unknown.json",
            'family "foo" is unknown',
            f"write one of {FAMILIES}",
        ),
        (
            "scenarios/family_misspelt.json",
            'family "trend_" is unknown',
            f'did you mean "trend"? Known: {FAMILIES}',
        ),
        ("scenarios/family_null.json", '"family" is null, not a known word', None),
        ("scenarios/version_newer.json", 'version "0.2" is not supported', 'write "0.1"'),
        (
            "scenarios/timeframe_unknown.json",
            'timeframe "2m" is unknown',
            None,
        ),
        ("scenarios/trend_drift_missing.json", 'the field "drift" is missing', None),
        ("scenarios/key_unknown.json", 'the key "comment" is unknown', None),
        (
            "scenarios/trend_sigma_negative.json",
            '"sigma" is -1, it must be at least 0',
            'write "sigma" at least 0, e.g. 0',
        ),
        (
            "scenarios/seed_two_to_the_63.json",
            '"seed" is 9223372036854775808, it must be at most 9223372036854775807',
            None,
        ),
        (
            "scenarios/id_upper_case.json",
            '"id" is "Scenario", not of the required form',
            'write 1 to 64 of the characters a-z 0-9 _ -, e.g. "scenario"',
        ),
        (
            "scenarios/seed_leading_zero.json",
            '"seed" is "01", not an integer',
            "write an integer in plain digits, e.g. 1",
        ),
        (
            "scenarios/regime_switch_one_regime.json",
            'the number of entries of "regimes" is 1, it must be at least 2',
            None,
        ),
        (
            "scenarios/regime_switch_probability_above_one.json",
            '"transition"[1][0] is 1.01, it must be at most 1',
            None,
        ),
        (
            "scenarios/regime_switch_row_above_one.json",
            "row 1 of transition sums to 1.01, not 1",
            "divide the row by its sum",
        ),
        (
            "scenarios/vol_cluster_unit_root.json",
            "alpha + beta = 1 must stay below 1, else the variance has no stationary law",
            'write "beta" below 0.5',
        ),
        (
            "scenarios/start_time_no_such_day.json",
            "2023-02-29T00:00:00Z is not in the calendar",
            'write an instant such as "2024-01-01T00:00:00Z"',
        ),
        (
            "strategies/param_name_upper_case.json",
            'the key "Fast" is not of the required form',
            'write a letter a-z and up to 31 of a-z 0-9 _, e.g. "fast"',
        ),
        (
            "strategies/range_default_above_max.json",
            "default 61 lies outside min … max = 5 … 60",
            'write "default": 60, between the two',
        ),
        (
            "strategies/range_min_above_max.json",
            "min 5 is above max 4",
            'write "min": 4',
        ),
        (
            "strategies/order_market_with_offset.json",
            "a market order has no level",
            'remove "offset_bps", or write "type": "limit"',
        ),
        ("strategies/order_type_unknown.json", 'type "iceberg" is unknown', None),
        ("strategies/allow_short_string.json", None, "write true, without quotes"),
        ("strategies/param_string.json", None, "write a number, e.g. 20"),
        ("strategies/percent_zero.json", None, 'write "percent" greater than 0, e.g. 0.5'),
        ("strategies/stop_loss_all.json", None, 'write "stop_loss_bps" less than 10000, e.g. 5000'),
        ("strategies/max_holding_fraction.json", None, "write an integer in plain digits, e.g. 2"),
        ("strategies/id_number.json", None, 'write text in double quotes, e.g. "1"'),
        ("strategies/key_unknown.json", 'the key "comment" is unknown', 'remove "comment"'),
        ("strategies/rule_without_then.json", 'the field "then" is missing', 'add "then": "close"'),
        ("strategies/range_default_missing.json", None, 'add "default": 5'),
        ("strategies/then_unknown.json", 'then "by" is unknown', None),
        (
            "scenarios/parser_duplicate_key.json",
            "the scenario gives the key 'seed' twice",
            "keep one of the two",
        ),
    ],
)
def test_a_problem_is_told_in_words(name, message, hint):
    error = refusal(name)
    assert message in (None, error.message)
    assert hint in (None, error.hints[0])


def test_an_unknown_key_that_resembles_a_missing_field_is_a_misspelling():
    scenario = document(valid_files("scenarios")[-1])
    scenario["volumemodel"] = scenario.pop("volume_model")
    with pytest.raises(ContractError) as caught:
        validate(KINDS["scenarios"].adapter, scenario, "scenario")
    hints = {problem.loc: problem.hints[0] for problem in caught.value.problems}
    assert hints["/volumemodel"] == 'did you mean "volume_model"?'


def test_every_problem_of_a_document_is_told_at_once_in_order_of_place():
    text = '{"id": "A", "family": "trend", "params": {"sigma": -1}, "extra": 1, "seed": true}'
    with pytest.raises(ContractError) as caught:
        KINDS["scenarios"].load(text)
    locs = [problem.loc for problem in caught.value.problems]
    assert locs == [
        "/duration_bars",
        "/extra",
        "/id",
        "/params/drift",
        "/params/sigma",
        "/seed",
        "/timeframe",
        "/version",
        "/volume_model",
    ]


@pytest.mark.parametrize("value", [1, {"trend": 1}, {"params": {"sigma": -1}}])
def test_a_key_named_like_a_family_does_not_mislead_the_pointer(value):
    scenario = document(valid_files("scenarios")[-2])
    scenario |= {"family": "trend", "params": {"drift": 0, "sigma": "x"}, "trend": value}
    del scenario["seed"]
    with pytest.raises(ContractError) as caught:
        validate(KINDS["scenarios"].adapter, scenario, "scenario")
    assert [problem.loc for problem in caught.value.problems] == [
        "/params/sigma",
        "/seed",
        "/trend",
    ]


def test_a_long_value_is_cut():
    with pytest.raises(ContractError) as caught:
        KINDS["scenarios"].load('{"family": "' + "x" * 100_000 + '"}')
    assert len(caught.value.message) < 100


def test_a_rule_names_its_place_below_its_model():
    error = broken_rule("row 1 is {odd}", "mend it", "rows", 1)
    assert error.type == "rule_broken"
    assert error.message() == "row 1 is {odd}"


def test_a_finding_without_words_of_its_own_is_still_told():
    class Lax(Model):
        """A model with a constraint that no document of ours uses."""

        model_config = ConfigDict(str_to_lower=True)
        raw: bytes

    with pytest.raises(ContractError) as caught:
        load(TypeAdapter(Lax), '{"raw": 5}', "thing")
    assert (caught.value.code, caught.value.loc) == ("THING_VALUE_INVALID", "/raw")
    assert caught.value.message.startswith('"raw" is 5: ')


def patterns(node: Any):
    if isinstance(node, dict):
        if isinstance(node.get("pattern"), str):
            yield node["pattern"]
        yield from node.get("patternProperties", {})
    for child in node.values() if isinstance(node, dict) else node:
        if isinstance(child, dict | list):
            yield from patterns(child)


def test_every_pattern_of_the_documents_is_explained_in_words():
    found = {pattern.removesuffix(r"(?!\n)") for pattern in patterns(schemas())}
    told_elsewhere = ("T[0-9]", "^(0|", "{0,79}")  # instants, seeds, names in campaigns
    own_words = {pattern for pattern in found if any(part in pattern for part in told_elsewhere)}
    assert found - own_words == set(_PATTERNS)
