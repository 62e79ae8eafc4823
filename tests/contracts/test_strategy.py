"""Strategies: their identity, their parameters, and what is refused before expressions are read."""

import json
from typing import Any

import pytest

from contracts.errors import ContractError
from contracts.strategy import Risk, load_strategy, strategy_from
from engine.dsl import compile_strategy
from engine.dsl.check import FUNCTIONS
from tests.contracts.fixture_files import INDEX, INVALID, document, valid_files
from tests.properties import documents

FIXTURES = {path.stem: path for path in valid_files("strategies")}
CROSSOVER = FIXTURES["strategy_ma_crossover"]
FULL = FIXTURES["strategy_overfit_trap"]
BY_EXPRESSIONS = [name for name, entry in INDEX.items() if entry.get("by") == "expressions"]
HASH = "sha256:4c181a6d45966489dff9124949d2491211353b5fefbb6a96fd505b500f72fdd0"


def explicit(spec):
    return spec.model_dump(mode="json", by_alias=True)


def test_the_crossover_keeps_its_hash():
    assert load_strategy(CROSSOVER.read_bytes()).strategy_hash == HASH


def test_spelling_changes_no_identity():
    spec = load_strategy(CROSSOVER.read_bytes())
    written = document(CROSSOVER)
    for other in (
        dict(reversed(written.items())),
        explicit(spec),
        spec.document(),
        json.loads(json.dumps(written).replace("20,", "20.0,")),
    ):
        assert load_strategy(json.dumps(other)) == spec
        assert strategy_from(other).strategy_hash == spec.strategy_hash


def candidates(value):
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int | float):
        return sorted({value - 0.5, value + 1, value * 1.25} - {value})
    if value is None:
        return [1.5]
    words = ["close", "5m", "hold", f"{value} > 0", f"not ({value})", f"{value}-x"]
    return [word for word in words if word != value] if isinstance(value, str) else []


def full_document() -> dict[str, Any]:
    """A valid document in which every optional field is written."""
    limit = {"type": "limit", "offset_bps": 5}
    written = documents.replaced(document(FULL), ("rules", 0, "order"), limit)
    return written | {"risk": written["risk"] | {"trailing_stop_bps": 50}}


def test_a_change_of_any_field_changes_the_hash():
    spec = strategy_from(full_document())
    full = explicit(spec)
    assert None not in full["risk"].values()
    hashes, total = {spec.strategy_hash}, 1
    for path in documents.places(full):
        value = documents.value_at(full, path)
        if isinstance(value, dict | list) or path[-1] in ("version", "type"):
            continue
        valid = []
        for other in candidates(value):
            try:
                valid.append(strategy_from(documents.replaced(full, path, other)))
            except ContractError:
                continue
        if "order" not in path or path[1] == 0:  # the others are at the market, which has no level
            assert valid, path
        hashes |= {other.strategy_hash for other in valid}
        total += len(valid)
    assert len(hashes) == total > 100


def test_removing_a_rule_a_parameter_or_a_tag_changes_the_hash():
    written = document(CROSSOVER)
    paths = [("rules", 0), ("params", "slow"), ("metadata", "tags", 0), ("metadata", "notes", 0)]
    hashes = {strategy_from(documents.removed(written, path)).strategy_hash for path in paths}
    assert len(hashes | {strategy_from(written).strategy_hash}) == 5


def test_the_order_of_rules_is_part_of_a_strategy():
    written = document(CROSSOVER)
    turned = {**written, "rules": written["rules"][::-1]}
    assert strategy_from(turned).strategy_hash != strategy_from(written).strategy_hash


def test_a_range_stands_for_its_default():
    written = {
        **document(CROSSOVER),
        "params": {"fast": {"default": 5, "min": 1, "max": 9}, "k": 2},
    }
    assert strategy_from(written).bound_params == {"fast": 5, "k": 2}


SIZED: dict[str, Any] = {"sizing": {"type": "percent_equity", "percent": 100}}


def ruled(actions, risk=None):
    rules = [{"if": "close > open", "then": action} for action in actions]
    return {**document(CROSSOVER), "rules": rules, "risk": risk or SIZED}


@pytest.mark.parametrize(
    ("path", "loc"), [(("risk",), "/risk"), (("risk", "sizing"), "/risk/sizing")]
)
def test_a_strategy_without_risk_or_sizing_is_refused_with_what_mends_it(path, loc):
    written = documents.removed(document(CROSSOVER), path)
    error = _refusal(written)
    assert (error.code, error.loc) == ("DSL_STATIC_FAIL", loc)
    _, _, added = error.hints[0].partition("add ")
    documents.value_at(written, path[:-1]).update(json.loads("{" + added + "}"))
    assert strategy_from(written).risk.sizing.type == "percent_equity"


@pytest.mark.parametrize(
    ("actions", "short"),
    [
        (["buy"], False),
        (["buy", "hold"], False),
        (["buy", "hold"], True),
        (["sell"], True),
        (["hold", "sell"], True),
    ],
)
def test_a_strategy_that_never_leaves_is_refused_with_what_mends_it(actions, short):
    written = ruled(actions, SIZED | {"allow_short": short})
    error = _refusal(written)
    assert (error.code, error.loc) == ("DSL_STATIC_FAIL", "/rules")
    _, _, hint = error.hints[0].partition("add the rule ")
    rule, _ = json.JSONDecoder().raw_decode(hint)
    assert strategy_from({**written, "rules": [*written["rules"], rule]})


@pytest.mark.parametrize(
    ("actions", "risk"),
    [
        ([], {}),
        (["hold"], {}),
        (["sell"], {}),
        (["buy", "sell"], {"allow_short": True}),
        (["buy", "close"], {}),
        (["buy"], {"stop_loss_bps": 50}),
        (["buy"], {"take_profit_bps": 50}),
        (["buy"], {"trailing_stop_bps": 50}),
        (["sell"], {"allow_short": True, "max_holding_bars": 5}),
    ],
)
def test_a_strategy_that_leaves_or_opens_nothing_is_read(actions, risk):
    spec = strategy_from(ruled(actions, SIZED | risk))
    assert [rule.then for rule in spec.rules] == actions


def test_sizing_by_risk_is_measured_against_the_stop_and_else_the_trailing_stop():
    sizing = {"sizing": {"type": "risk_bps", "bps": 20}}
    for stops, wanted in (
        ({"stop_loss_bps": 50}, 50),
        ({"trailing_stop_bps": 70}, 70),
        ({"stop_loss_bps": 50, "trailing_stop_bps": 70}, 50),
    ):
        assert strategy_from(ruled(["buy", "sell"], sizing | stops)).risk.stop_bps == wanted
    error = _refusal(ruled(["buy", "sell"], sizing | {"take_profit_bps": 50}))
    assert (error.code, error.loc) == ("DSL_STATIC_FAIL", "/risk/stop_loss_bps")


def test_an_optional_field_that_is_null_or_its_default_changes_no_hash():
    plain = strategy_from(ruled(["buy", "sell"]))
    risk = SIZED | {"stop_loss_bps": None, "cooldown_bars": None, "max_margin": 0}
    written = ruled(["buy", "sell"], risk)
    for rule in written["rules"]:
        rule["order"] = {"type": "market", "offset_bps": 0}
    assert strategy_from(written).strategy_hash == plain.strategy_hash


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (0, "DSL_STATIC_FAIL"),
        (-7, "DSL_STATIC_FAIL"),
        (0.5, "DSL_STATIC_FAIL"),
        (2.5, "DSL_SCHEMA_INVALID"),
        ("5", "DSL_SCHEMA_INVALID"),
        (10**8, "DSL_SCHEMA_INVALID"),
    ],
)
def test_a_cooldown_below_one_is_a_static_failure_and_another_wrong_one_is_not(value, code):
    error = _refusal(ruled(["buy", "sell"], SIZED | {"cooldown_bars": value}))
    assert (error.code, error.loc) == (code, "/risk/cooldown_bars")


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        (("comment",), 'remove "comment"'),
        (("param",), 'did you mean "params"?'),
        (("risk", "stop_loss"), 'did you mean "stop_loss_bps"?'),
        (("risk", "sizing", "percentage"), 'remove "percentage"'),
        (("rules", 0, "orders"), 'did you mean "order"?'),
        (("metadata", "note"), 'did you mean "notes"?'),
        (("params", "fast", "steps"), 'remove "steps"'),
    ],
)
def test_an_unknown_key_is_told_the_field_it_resembles_unless_that_is_there(path, hint):
    written = {**document(CROSSOVER), "metadata": {"tags": ["x"]}}
    del written["params"]["slow"]
    written = documents.replaced(written, path, 1)
    if path == ("param",):
        del written["params"]
    error = _refusal(written)
    assert error.code == "DSL_SCHEMA_INVALID"
    assert error.loc == "/" + "/".join(map(str, path))
    assert error.hints == (hint,)


def test_every_problem_of_shape_has_the_code_of_the_language():
    error = _refusal({"id": "A", "risk": {"sizing": {"type": "x"}}})
    assert {problem.code for problem in error.problems} == {"DSL_SCHEMA_INVALID"}
    assert len(error.problems) == 6


@pytest.mark.parametrize("name", FIXTURES)
def test_a_fixture_compiles_says_what_it_shows_and_keeps_its_form(name):
    spec = load_strategy(FIXTURES[name].read_bytes())
    program = compile_strategy(spec)
    assert (spec.id, spec.timeframe) == (name, "1m")
    assert spec.metadata.tags
    assert spec.metadata.notes
    assert len(program.lowered.rules) == len(spec.rules) > 0
    assert program.longest_window > 1
    assert set(strategy_from(spec.document()).bound_params) == set(spec.bound_params)


def test_the_fixtures_show_every_order_sizing_exit_and_function():
    specs = [load_strategy(path.read_bytes()) for path in FIXTURES.values()]
    assert len(specs) >= 10
    orders = {rule.order.type for spec in specs for rule in spec.rules}
    assert orders == {"market", "limit", "stop"}
    assert {spec.risk.sizing.type for spec in specs} >= {"percent_equity", "risk_bps"}
    written = set().union(*(spec.risk.document() for spec in specs))
    assert written == set(Risk.model_fields)
    text = " ".join(rule.condition for spec in specs for rule in spec.rules)
    assert {name for name in FUNCTIONS if f"{name}(" in text} == set(FUNCTIONS)
    tags = {tag for spec in specs for tag in spec.metadata.tags}
    wanted = {"trend", "mean_reversion", "breakout", "momentum", "volatility_filter", "overfit"}
    assert wanted | {"limit_order", "stop_order"} <= tags


def test_the_means_of_the_crossover_have_its_default_windows():
    columns = compile_strategy(load_strategy(CROSSOVER.read_bytes())).lowered.columns
    assert [column.value for column in columns if column.function == "ma"] == [20, 100]


@pytest.mark.parametrize("name", BY_EXPRESSIONS)
def test_a_fixture_of_the_right_shape_is_refused_for_what_it_says(name):
    spec = load_strategy((INVALID / name).read_bytes())
    with pytest.raises(ContractError) as caught:
        compile_strategy(spec)
    assert (caught.value.code, caught.value.loc) == (INDEX[name]["code"], INDEX[name]["loc"])
    assert caught.value.hints[0]


def test_the_first_of_them_looks_ahead_and_together_they_have_every_code_of_expressions():
    assert "strategies/strategy_invalid_lookahead.json" in BY_EXPRESSIONS
    assert {INDEX[name]["code"] for name in BY_EXPRESSIONS} == {
        *("DSL_PARSE_ERROR", "DSL_UNSUPPORTED_FUN", "DSL_TYPE_ERROR"),
        *("DSL_PARAM_OUT_OF_RANGE", "DSL_STATIC_FAIL"),
    }


def _refusal(written: Any) -> ContractError:
    with pytest.raises(ContractError) as caught:
        strategy_from(written)
    return caught.value
