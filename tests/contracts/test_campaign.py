"""Campaigns: what they hash to, what changes the hash, and that all problems are told at once.

Single broken documents are in contracts/fixtures/invalid/campaigns; YAML is test_yaml_text.py.
"""

import copy
import json
import random

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from contracts.backtest import METRICS
from contracts.campaign import MAX_LISTED, OBJECTIVES, CampaignSpec, campaign_from, load_campaign
from contracts.canonical import canonical_json
from contracts.errors import ContractError, Problem
from contracts.problems import CODES
from tests.contracts.fixture_files import document, valid_files
from tests.properties import documents

FILES = {path.stem: path for path in valid_files("campaigns")}
FROZEN = {
    "campaign_learning": "ba00c358388f3f5e4a3ce60a767fc8845d702cbdbe3656f6c93930f69bebf653",
    "campaign_random_registered": (
        "31738f42452ec146c7a08e33ce69ba2576635b063f7cb2e60554d7740df6f8f3"
    ),
    "campaign_small_grid": "4bb9621e09b965e5d9a775f9b06fc073b613ade2def8d7ef69538fe5bf000e4a",
    "campaign_smallest": "f2ed54b19ebbf16f7cb33ccb682f005193abdf5099e27476453f42eade10adb2",
}


def fixture(name: str) -> dict:
    return copy.deepcopy(document(FILES[f"campaign_{name}"]))


def problems(written: dict | str) -> list[tuple[str, str]]:
    """Codes and pointers of everything that is wrong."""
    text = written if isinstance(written, str) else json.dumps(written)
    with pytest.raises(ContractError) as caught:
        load_campaign(text)
    assert all(problem.message and problem.hints[0] for problem in caught.value.problems)
    return [(problem.code, problem.loc) for problem in caught.value.problems]


def shuffled(node, rng: random.Random):
    """The same document, its keys in another order."""
    if isinstance(node, dict):
        keys = rng.sample(sorted(node), len(node))
        return {key: shuffled(node[key], rng) for key in keys}
    return [shuffled(child, rng) for child in node] if isinstance(node, list) else node


@pytest.mark.parametrize("name", FILES)
def test_the_hash_of_a_campaign_never_changes(name):
    spec = load_campaign(FILES[name].read_bytes())
    assert spec.campaign_hash == f"sha256:{FROZEN[name]}"
    assert spec.campaign_key == f"{spec.id}-{FROZEN[name][:12]}"


@pytest.mark.parametrize("name", FILES)
def test_neither_the_order_of_keys_nor_the_notation_matters(name):
    spec = load_campaign(FILES[name].read_bytes())
    rng = random.Random(name)
    for _ in range(5):
        turned = shuffled(document(FILES[name]), rng)
        for text in (json.dumps(turned), yaml.safe_dump(turned, sort_keys=False)):
            assert load_campaign(text) == spec
            assert load_campaign(text.encode()).campaign_hash == spec.campaign_hash


@pytest.mark.parametrize("name", FILES)
def test_a_campaign_reads_back_from_what_is_hashed(name):
    spec = load_campaign(FILES[name].read_bytes())
    again = campaign_from(json.loads(canonical_json(spec.document())))
    assert again == spec
    assert again.document() == spec.document()


def test_what_is_written_out_as_the_default_is_not_hashed():
    written = fixture("smallest")
    whole = json.loads(CampaignSpec.model_validate(written).model_dump_json(by_alias=True))
    assert len(whole) > len(written)
    assert campaign_from(whole).campaign_hash == campaign_from(written).campaign_hash
    assert campaign_from(written).document() == written


def leaves(node, path=()):
    """Paths of all single values."""
    for key, child in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(child, dict | list):
            yield from leaves(child, (*path, key))
        else:
            yield (*path, key)


def another(value, path):
    """A valid value that differs, by the kind of what stands there."""
    words = {
        "timeframe": "5m", "seeds": "1-4", "start_time": "2025-01-01T00:00:00Z", "objective":
        "sortino", "gap_policy": "open", "scheme": "rolling", "volume_model": "lognormal",
        "blocks": 8, "then": "buy", "if": "close > ma(close, fast) + slow",
    }  # fmt: skip
    if path[-1] in words:
        return words[path[-1]]
    if value is None:
        return 0.5
    if isinstance(value, str):
        return value + "x"
    shift = {"default": 0, "min": -1, "max": 1}.get(path[-1], 1)
    share = path[-1].startswith(("max_over", "max_ruin", "min_defl", "ruin_", "percent"))
    return value / 2 if share else value + shift


FIXED = {"version", "family", "type", "method"}


def test_every_field_changes_the_hash_but_none_changes_it_twice_alike():
    written = fixture("small_grid")
    seen = {campaign_from(written).campaign_hash}
    changed = 0
    for path in leaves(written):
        value = documents.value_at(written, path)
        other = another(value, path)
        if FIXED & {path[-1]} or other == value or (path[-1], value) == ("then", "buy"):
            continue
        seen.add(campaign_from(documents.replaced(written, path, other)).campaign_hash)
        changed += 1
        assert len(seen) == changed + 1, path
    assert changed > 45


@pytest.mark.parametrize("part", ["monte_carlo", "walk_forward"])
def test_a_part_that_is_left_out_is_not_a_part_of_defaults(part):
    written = fixture("smallest")
    with_defaults = documents.replaced(written, ("robustness", part), {})
    assert getattr(campaign_from(written).robustness, part) is None
    assert getattr(campaign_from(with_defaults).robustness, part) is not None
    assert campaign_from(written).campaign_hash != campaign_from(with_defaults).campaign_hash


def test_seeds_keep_their_order_and_come_once():
    spec = campaign_from(fixture("smallest") | {"seeds": "7,1-3, 9"})
    assert spec.seed_list == [7, 1, 2, 3, 9]
    for text, said in (("1-3,3", "twice"), (",", "no seed"), ("3-1", "no range"), ("x", "not a")):
        with pytest.raises(ContractError, match=said) as caught:
            campaign_from(fixture("smallest") | {"seeds": text})
        assert (caught.value.code, caught.value.loc) == ("CAMPAIGN_RULE_BROKEN", "/seeds")


@pytest.mark.parametrize(
    ("seeds", "count"), [("0-99999", 100_000), ("0-49999,50001-100000", 100_000), ("5", 1)]
)
def test_as_many_seeds_are_read_as_a_text_may_name(seeds, count):
    assert len(campaign_from(fixture("smallest") | {"seeds": seeds}).seed_list) == count


def test_seeds_are_at_most_so_many_and_so_large():
    for text in ("0-100000", "0-49999,50000-100000", f"{2**63}", "-1"):
        assert problems(fixture("smallest") | {"seeds": text}) == [
            ("CAMPAIGN_RULE_BROKEN", "/seeds")
        ]


def test_what_is_maximised_is_better_when_larger():
    assert set(OBJECTIVES) <= set(METRICS)
    for objective in OBJECTIVES:
        assert campaign_from(fixture("smallest") | {"objective": objective}).objective == objective
    for metric in set(METRICS) - set(OBJECTIVES):
        found = problems(fixture("smallest") | {"objective": metric})
        assert found == [("CAMPAIGN_VALUE_UNKNOWN", "/objective")]


def test_all_problems_are_told_at_once_with_pointers_into_the_documents_inside():
    written = fixture("small_grid")
    written["scenarios"][1]["params"]["sigma"] = -8
    written["scenarios"] += ["No Name", {"family": "trend"}]
    strategy = written["strategies"][0]["strategy"]
    strategy["rules"][1]["then"] = "leave"
    strategy["params"]["fast"]["default"] = 21
    written["strategies"] += [{"strategy": {"id": "empty"}}, {"search": {"method": "grid"}}]
    written["gate"] |= {"max_ruin": 5, "min_trade": 3}
    written["seeds"] = "3-1"
    missing = ("duration_bars", "id", "params", "seed", "timeframe", "version", "volume_model")
    assert problems(written) == [
        ("CAMPAIGN_VALUE_OUT_OF_RANGE", "/gate/max_ruin"),
        ("CAMPAIGN_FIELD_UNKNOWN", "/gate/min_trade"),
        ("CAMPAIGN_VALUE_INVALID", "/scenarios/2"),
        ("CAMPAIGN_RULE_BROKEN", "/seeds"),
        ("CAMPAIGN_FIELD_MISSING", "/strategies/2/strategy"),
        ("SCENARIO_VALUE_OUT_OF_RANGE", "/scenarios/1/params/sigma"),
        *(("SCENARIO_FIELD_MISSING", f"/scenarios/3/{name}") for name in missing),
        ("DSL_SCHEMA_INVALID", "/strategies/0/strategy/params/fast"),
        ("DSL_SCHEMA_INVALID", "/strategies/0/strategy/rules/1/then"),
        ("DSL_STATIC_FAIL", "/strategies/1/strategy/risk"),
    ]


def test_many_broken_documents_inside_do_not_hide_what_else_is_wrong():
    written = fixture("small_grid") | {"scenarios": [{} for _ in range(500)], "seeds": ""}
    found = problems(written)
    assert found[0] == ("CAMPAIGN_VALUE_OUT_OF_RANGE", "/seeds")
    assert found[-1] == ("CAMPAIGN_PROBLEMS_OMITTED", "")
    assert len(found) == MAX_LISTED + 1


@pytest.mark.parametrize("value", [None, 7, True, [], {}, "", "A", "a b", "sha256:" + "0" * 64])
@pytest.mark.parametrize("place", ["/scenarios/0", "/strategies/0/strategy"])
def test_what_is_neither_a_document_nor_a_name_is_one_finding(place, value):
    path = tuple(int(key) if key.isdigit() else key for key in place.split("/")[1:])
    found = problems(documents.replaced(fixture("smallest"), path, value))
    assert len(found) == 1
    assert found[0][1].startswith(place)


@pytest.mark.parametrize("name", ["a", "7", "0" * 64, "x" * 80, "scenario_trend-0123456789ab"])
def test_ids_keys_and_hashes_are_names(name):
    written = fixture("smallest") | {"scenarios": [name], "strategies": [{"strategy": name}]}
    spec = campaign_from(written)
    assert (spec.scenarios[0], spec.strategies[0].strategy) == (name, name)


@pytest.mark.parametrize("size", [1_000, 1_001])
@pytest.mark.parametrize("name", ["scenarios", "strategies"])
def test_a_campaign_has_at_most_a_thousand_of_each(name, size):
    one = "up" if name == "scenarios" else {"strategy": "up"}
    written = fixture("smallest") | {name: [one] * size}
    if size > 1_000:
        assert problems(written) == [("CAMPAIGN_VALUE_OUT_OF_RANGE", f"/{name}")]
    else:
        assert len(getattr(campaign_from(written), name)) == size


def test_a_name_in_other_letters_that_look_the_same_is_refused():
    assert problems(fixture("smallest") | {"id": "smаllest"}) == [("CAMPAIGN_VALUE_INVALID", "/id")]
    found = problems(fixture("smallest") | {"sсenarios": ["up"]})
    assert found == [("CAMPAIGN_FIELD_UNKNOWN", "/sсenarios")]


def judged(data: bytes) -> tuple[Problem, ...]:
    try:
        load_campaign(data)
    except ContractError as error:
        return error.problems
    return ()


def test_any_document_is_read_or_refused_with_known_codes():
    known = {f"{noun}_{code}" for noun in ("CAMPAIGN", "SCENARIO") for code in CODES}
    known |= {"DSL_SCHEMA_INVALID", "DSL_STATIC_FAIL", "CAMPAIGN_NOT_YAML"}
    outcomes = {"read": 0, "refused": 0}

    @settings(
        derandomize=True,
        database=None,
        max_examples=250,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(documents.inputs([document(path) for path in FILES.values()]))
    def fuzz(data: bytes) -> None:
        found = judged(data)
        outcomes["refused" if found else "read"] += 1
        unknown = {problem.code for problem in found} - known
        assert all(code.startswith("DOCUMENT_") for code in unknown)
        assert all(len(str(problem)) < 1200 for problem in found)

    fuzz()
    assert min(outcomes.values()) > 10, outcomes
