"""What the lock of the instrument may say, and what it refuses."""

import pytest

from contracts.errors import ContractError
from contracts.instrument import InstrumentLock, load_instrument_lock
from tests.engine.grid.runs import config

TEXT = "product_type: future_mbo\nsymbol: MNQH6\n"
LOCK = InstrumentLock(product_type="future_mbo", symbol="MNQH6")


def problems(text):
    with pytest.raises(ContractError) as refused:
        load_instrument_lock(text)
    assert all(problem.hints for problem in refused.value.problems)
    return {(problem.loc, problem.code) for problem in refused.value.problems}


@pytest.mark.parametrize(
    "text",
    [TEXT, TEXT.encode(), "# ours\n" + TEXT, '{"symbol": "MNQH6", "product_type": "future_mbo"}'],
)
def test_a_lock_is_read_from_yaml_and_json(text):
    assert load_instrument_lock(text) == LOCK


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("symbol: A\n", {("/product_type", "INSTRUMENT_FIELD_MISSING")}),
        ("product_type: future_mbo\n", {("/symbol", "INSTRUMENT_FIELD_MISSING")}),
        (TEXT + "Symbol: A\n", {("/Symbol", "INSTRUMENT_FIELD_UNKNOWN")}),
        (TEXT.replace("future_mbo", "future"), {("/product_type", "INSTRUMENT_VALUE_UNKNOWN")}),
        (
            "product_type: 1\ncolour: red\n",
            {
                ("/product_type", "INSTRUMENT_VALUE_UNKNOWN"),
                ("/symbol", "INSTRUMENT_FIELD_MISSING"),
                ("/colour", "INSTRUMENT_FIELD_UNKNOWN"),
            },
        ),
    ],
)
def test_every_problem_is_said_at_its_place(text, wanted):
    assert problems(text) == wanted


@pytest.mark.parametrize("symbol", ["''", "1", "null", "[A]", "true", "A" * 65])
def test_a_symbol_is_a_text_of_1_to_64_characters(symbol):
    [(loc, _)] = problems(TEXT.replace("MNQH6", symbol))
    assert loc == "/symbol"


@pytest.mark.parametrize("text", ["", "MNQH6", "[]", "null", TEXT + TEXT, b"\xff", "a: &b\n- *b"])
def test_what_is_no_mapping_is_no_lock(text):
    assert problems(text)


@pytest.mark.parametrize("changes", [{}, {"grid_radius_ticks": 9, "symbol_root": "OTHER"}])
def test_a_configuration_of_the_instrument_passes_whatever_else_it_says(changes):
    runtime = config(**changes).runtime_config
    assert (runtime.product_type, runtime.symbol) == (LOCK.product_type, LOCK.symbol)
    LOCK.check(runtime, "the configuration")


@pytest.mark.parametrize(
    "changes",
    [
        {"symbol": "MNQM6"},
        {"symbol": "mnqh6"},
        {"product_type": "equity_mbo"},
        {"symbol": "ES", "product_type": "equity_mbo"},
    ],
)
def test_another_instrument_is_refused_and_both_are_named(changes):
    runtime = config(**changes).runtime_config
    with pytest.raises(ContractError) as refused:
        LOCK.check(runtime, "the spec")
    error = refused.value
    assert (error.code, error.loc) == ("INSTRUMENT_LOCKED", "/runtime_config/symbol")
    for named in ("the spec", f"{runtime.product_type} {runtime.symbol}", "future_mbo MNQH6"):
        assert named in error.message
    assert error.hints
