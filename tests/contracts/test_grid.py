"""Grid configurations: every bound and rule, and the fields that follow from the others.

Single broken documents are in contracts/fixtures/invalid/grid_configs.
"""

import json
from typing import Any

import pytest

from contracts.errors import ContractError
from contracts.grid import (
    DERIVED,
    MAX_RADIUS_TICKS,
    MAX_SLOTS,
    MAX_WINDOW_BINS,
    GridConfig,
    RuntimeConfig,
    grid_config_from,
    load_grid_config,
)
from tests.contracts.fixture_files import document, valid_files

FILES = {path.stem: path for path in valid_files("grid_configs")}
FULL = document(FILES["grid_every_field"])
SHIPPED = "4e253a80d7ea"
"""Identity is for ever: a version that changes here makes every stored grid another's."""

PLAIN = {name: value for name, value in FULL["runtime_config"].items() if name not in DERIVED}
POSITIVE = (
    "price_scale", "tick_size", "bucket_size_dollars", "rel_tick_size", "flow_tanh_scale",
    "tau_velocity", "tau_acceleration", "tau_jerk", "tau_rest_decay", "state_model_tanh_scale",
)  # fmt: skip
WEIGHTS = (
    "c1_v_add", "c2_v_rest_pos", "c3_a_add", "c4_v_pull", "c5_v_fill", "c6_v_rest_neg", "c7_a_pull",
    "state_model_spatial_decay_power", "state_model_d2_weight", "state_model_d3_weight",
    "state_model_bull_pressure_weight", "state_model_bull_vacuum_weight",
    "state_model_bear_pressure_weight", "state_model_bear_vacuum_weight",
    "state_model_mixed_weight",
)  # fmt: skip
TEXTS = ("symbol", "symbol_root", "qty_unit")
COUNTS = (
    ("grid_radius_ticks", 1, MAX_RADIUS_TICKS),
    ("cell_width_ms", 1, 86_400_000),
    ("n_absolute_ticks", 3, MAX_SLOTS),
    ("price_decimals", 0, 12),
)
WINDOWS = (
    ("flow_zscore_window_bins", 75, 2, MAX_WINDOW_BINS),
    ("state_model_zscore_window_bins", 60, 2, MAX_WINDOW_BINS),
)
DEFAULTS = {
    "state_model_center_exclusion_radius": 0,
    "state_model_spatial_decay_power": 0.0,
    "state_model_zscore_window_bins": 240,
    "state_model_zscore_min_periods": 60,
    "state_model_tanh_scale": 3.0,
    "state_model_d1_weight": 1.0,
    "state_model_d2_weight": 0.0,
    "state_model_d3_weight": 0.0,
    "state_model_bull_pressure_weight": 1.0,
    "state_model_bull_vacuum_weight": 1.0,
    "state_model_bear_pressure_weight": 1.0,
    "state_model_bear_vacuum_weight": 1.0,
    "state_model_mixed_weight": 0.0,
}


def config(**changes: Any) -> GridConfig:
    written = {"runtime_config": PLAIN | changes, "projection": FULL["projection"]}
    return load_grid_config(json.dumps(written))


def runtime(**changes: Any) -> RuntimeConfig:
    return config(**changes).runtime_config


def refused(**changes: Any) -> list[tuple[str, str]]:
    with pytest.raises(ContractError) as caught:
        config(**changes)
    assert all(problem.hints for problem in caught.value.problems)
    prefix = "GRID_CONFIG_"
    return [(one.code.removeprefix(prefix), one.loc) for one in caught.value.problems]


def only(code: str, field: str) -> list[tuple[str, str]]:
    return [(code, f"/runtime_config/{field}")]


def rule_broken(**changes: Any) -> tuple[str, str]:
    """Message and hint of the one rule that a configuration breaks."""
    with pytest.raises(ContractError) as caught:
        config(**changes)
    (problem,) = caught.value.problems
    assert (problem.code, problem.loc) == ("GRID_CONFIG_RULE_BROKEN", "/runtime_config")
    return problem.message, problem.hints[0]


@pytest.mark.parametrize("field", POSITIVE)
def test_a_scale_is_above_zero(field):
    assert getattr(runtime(**{field: 0.5}), field) == 0.5
    for value in (0, -1.5):
        assert refused(**{field: value}) == only("VALUE_OUT_OF_RANGE", field)
    for value in ("1", True, None, [1]):
        assert refused(**{field: value}) == only("VALUE_INVALID", field)


@pytest.mark.parametrize("field", WEIGHTS)
def test_a_weight_is_not_below_zero(field):
    for value in (0, 7.5):
        assert getattr(runtime(**{field: value}), field) == value
    assert refused(**{field: -1e-9}) == only("VALUE_OUT_OF_RANGE", field)
    for value in ("1", False, None):
        assert refused(**{field: value}) == only("VALUE_INVALID", field)


@pytest.mark.parametrize(("field", "least", "most"), COUNTS)
def test_a_count_is_read_up_to_its_bounds_and_not_beyond(field, least, most):
    for value in (least, most):
        assert getattr(runtime(**{field: value}), field) == value
    for value in (least - 1, most + 1):
        assert refused(**{field: value}) == only("VALUE_OUT_OF_RANGE", field)
    for value in (least + 0.5, str(least), True, None):
        assert refused(**{field: value}) == only("VALUE_INVALID", field)


@pytest.mark.parametrize(("field", "periods", "least", "most"), WINDOWS)
def test_a_window_is_within_its_bounds_and_holds_its_least_periods(field, periods, least, most):
    least_field = field.replace("window_bins", "min_periods")
    assert getattr(runtime(**{field: most}), field) == most
    assert getattr(runtime(**{field: least, least_field: least}), field) == least
    assert getattr(runtime(**{field: periods}), least_field) == periods
    for value in (least - 1, most + 1):
        assert refused(**{field: value}) == only("VALUE_OUT_OF_RANGE", field)
    assert refused(**{least_field: 1}) == only("VALUE_OUT_OF_RANGE", least_field)
    message, hint = rule_broken(**{field: periods - 1})
    assert message == f"{least_field} exceeds {field}"
    assert hint == "ask for at most as many periods as the window holds"


@pytest.mark.parametrize("field", TEXTS)
def test_a_name_is_one_to_sixty_four_characters_without_blanks_around_it(field):
    for value in ("x", "a b", "x" * 64):
        assert getattr(runtime(**{field: value}), field) == value
    for value in ("", "x" * 65):
        assert refused(**{field: value}) == only("VALUE_OUT_OF_RANGE", field)
    for value in (" x", "x ", "x\n", "a\nb", 5, None):
        assert refused(**{field: value}) == only("VALUE_INVALID", field)


def test_lists_are_within_their_lengths_and_each_entry_within_its_bounds():
    for size in (1, 16):
        written = {"flow_windows": [1] * size, "flow_rollup_weights": [0.5] * size}
        assert len(runtime(**written).flow_windows) == size
    assert refused(flow_windows=[]) == only("VALUE_OUT_OF_RANGE", "flow_windows")
    assert refused(flow_windows=[1] * 17) == only("VALUE_OUT_OF_RANGE", "flow_windows")
    assert refused(flow_windows=[5, 0, 1, 1]) == only("VALUE_OUT_OF_RANGE", "flow_windows/1")
    beyond = [5, 1, 1, MAX_WINDOW_BINS + 1]
    assert refused(flow_windows=beyond) == only("VALUE_OUT_OF_RANGE", "flow_windows/3")
    assert refused(flow_rollup_weights=[1] * 17) == only(
        "VALUE_OUT_OF_RANGE", "flow_rollup_weights"
    )
    for size in (2, 4):
        found = refused(flow_derivative_weights=[1] * size)
        assert found == only("VALUE_OUT_OF_RANGE", "flow_derivative_weights")
    for field in ("flow_derivative_weights", "flow_rollup_weights"):
        weights = [0, *PLAIN[field][1:]]
        assert refused(**{field: weights}) == only("VALUE_OUT_OF_RANGE", f"{field}/0")
    many = list(range(1, 34))
    assert runtime(projection_horizons_bins=many[:32]).projection_horizons_bins == tuple(many[:32])
    for horizons in ([], many):
        found = refused(projection_horizons_bins=horizons)
        assert found == only("VALUE_OUT_OF_RANGE", "projection_horizons_bins")
    found = refused(projection_horizons_bins=[0])
    assert found == only("VALUE_OUT_OF_RANGE", "projection_horizons_bins/0")


def test_the_threshold_is_between_zero_and_one():
    assert runtime(flow_neutral_threshold=0.999).flow_neutral_threshold == 0.999
    for value in (0, 1, -0.5):
        found = refused(flow_neutral_threshold=value)
        assert found == only("VALUE_OUT_OF_RANGE", "flow_neutral_threshold")


def test_the_contract_multiplier_is_any_number():
    for value in (-3, 0, 2.5):
        assert runtime(contract_multiplier=value).contract_multiplier == value
    found = refused(contract_multiplier="2")
    assert found == only("VALUE_INVALID", "contract_multiplier")


def test_each_window_has_a_weight():
    message, hint = rule_broken(flow_windows=[1, 2])
    assert message == "flow_windows and flow_rollup_weights differ in length"
    assert hint == "give one weight for each window"


def test_horizons_are_distinct():
    message, hint = rule_broken(projection_horizons_bins=[3, 1, 3])
    assert message == "projection_horizons_bins names a horizon twice"
    assert hint == "name each horizon once"


def test_some_difference_of_the_state_model_has_a_weight():
    message, hint = rule_broken(state_model_d1_weight=0)
    assert message == "the weights d1, d2 and d3 of the state model are all 0"
    assert hint == "let state_model_d1_weight be 1"
    assert runtime(state_model_d1_weight=0, state_model_d3_weight=0.1).state_model_d3_weight == 0.1


def test_the_excluded_centre_leaves_rows_in_the_window():
    field = "state_model_center_exclusion_radius"
    assert getattr(runtime(**{field: 49}), field) == 49
    message, hint = rule_broken(**{field: 50})
    assert message == f"{field} leaves no row of the window"
    assert hint == "keep it below grid_radius_ticks"
    assert refused(**{field: -1}) == only("VALUE_OUT_OF_RANGE", field)


@pytest.mark.parametrize(
    ("product_type", "field"),
    [("future_mbo", "tick_size"), ("equity_mbo", "bucket_size_dollars")],
)
def test_the_tick_is_that_of_the_product_and_at_least_one_unit(product_type, field):
    other = ({"tick_size", "bucket_size_dollars"} - {field}).pop()
    assert runtime(product_type=product_type, **{field: 0.05, other: 7}).tick_int == 50_000_000
    assert runtime(product_type=product_type, **{field: 1e-9, other: 1e-12}).tick_int == 1
    message, hint = rule_broken(product_type=product_type, **{field: 4e-10})
    assert message == "the tick is smaller than 1e-9"
    assert hint == "give the tick in units of the quote currency, e.g. 0.25"


def test_the_product_is_one_of_two():
    assert refused(product_type="option_mbo") == only("VALUE_UNKNOWN", "product_type")


def test_derived_fields_may_be_absent_or_agree():
    assert runtime().horizons_ms == (100, 200, 300, 400)
    for changes in (
        {},
        {"projection_horizons_ms": [100, 200, 300, 400]},
        {"config_version": SHIPPED},
        {"projection_horizons_ms": [100, 200, 300, 400], "config_version": SHIPPED},
        {"projection_horizons_ms": None, "config_version": None},
    ):
        found = runtime(**changes)
        assert found.derived_version == SHIPPED
        assert found.resolved() == FULL["runtime_config"]
        assert config(**changes).identity() == config().identity()


def test_derived_fields_that_disagree_are_refused():
    for horizons in ([100], [100, 200, 300, 401], [400, 300, 200, 100]):
        message, hint = rule_broken(projection_horizons_ms=horizons)
        assert message.startswith("projection_horizons_ms is not [100, 200, 300, 400]")
        assert hint == "leave it out: it is derived"
    for version in ("", SHIPPED[:-1], SHIPPED.upper(), "000000000000"):
        message, hint = rule_broken(config_version=version)
        assert message == f"config_version is not {SHIPPED}, the hash of the other fields"
        assert hint == "leave it out: it is derived"
    assert refused(config_version=5) == only("VALUE_INVALID", "config_version")


def test_every_field_is_part_of_the_version():
    changed = {
        "product_type": "equity_mbo", "symbol": "X", "symbol_root": "X", "qty_unit": "X",
        "flow_windows": [5, 10, 20, 41], "flow_rollup_weights": [1, 1, 1, 2],
        "flow_derivative_weights": [0.5, 0.3, 0.2], "projection_horizons_bins": [1, 2, 3, 5],
        "flow_neutral_threshold": 0.25,
    }  # fmt: skip
    versions = {SHIPPED}
    for field, value in PLAIN.items():
        other = changed[field] if field in changed else value + 1
        versions.add(runtime(**{field: other}).derived_version)
    assert len(versions) == len(PLAIN) + 1


def test_the_width_of_a_bin_is_in_nanoseconds():
    assert runtime(cell_width_ms=250).cell_width_ns == 250_000_000
    assert runtime(cell_width_ms=250).horizons_ms == (250, 500, 750, 1000)


def test_what_a_file_leaves_out_of_the_state_model_is_the_default():
    short = {name: value for name, value in PLAIN.items() if name not in DEFAULTS}
    written = {"runtime_config": short, "projection": FULL["projection"]}
    found = grid_config_from(written).runtime_config.model_dump()
    assert {name: found[name] for name in DEFAULTS} == DEFAULTS


@pytest.mark.parametrize("field", sorted(PLAIN.keys() - DEFAULTS.keys()))
def test_every_other_field_is_needed(field):
    short = {name: value for name, value in PLAIN.items() if name != field}
    with pytest.raises(ContractError) as caught:
        grid_config_from({"runtime_config": short, "projection": FULL["projection"]})
    (problem,) = caught.value.problems
    assert problem.code == "GRID_CONFIG_FIELD_MISSING"
    assert problem.loc == f"/runtime_config/{field}"


def test_a_field_that_nobody_knows_is_refused():
    assert refused(tau_velocty=2) == only("FIELD_UNKNOWN", "tau_velocty")


def test_every_problem_is_told_at_once():
    found = refused(tau_jerk=0, grid_radius_ticks=0, bogus=1)
    assert sorted(found) == [
        ("FIELD_UNKNOWN", "/runtime_config/bogus"),
        ("VALUE_OUT_OF_RANGE", "/runtime_config/grid_radius_ticks"),
        ("VALUE_OUT_OF_RANGE", "/runtime_config/tau_jerk"),
    ]


def test_a_projection_is_a_flag_a_factor_and_a_rate():
    for changes in (
        {"projection_use_cubic": 1},
        {"projection_use_cubic": None},
        {"projection_cubic_scale": "1"},
        {"projection_damping_lambda": -0.1},
        {"projection_order": 3},
    ):
        written = {"runtime_config": PLAIN, "projection": FULL["projection"] | changes}
        with pytest.raises(ContractError) as caught:
            grid_config_from(written)
        (problem,) = caught.value.problems
        assert problem.loc == f"/projection/{next(iter(changes))}"


def test_where_a_file_comes_from_is_no_part_of_its_identity():
    origin = {"run": "a", "dt": "2026-02-06", "start_time": None, "generator": {"seed": 1}}
    plain = {"runtime_config": PLAIN, "projection": FULL["projection"]}
    assert grid_config_from(plain | origin).identity() == grid_config_from(plain).identity()
    assert config().identity() == {
        "runtime_config": FULL["runtime_config"],
        "projection": FULL["projection"],
    }
    for name in origin:
        with pytest.raises(ContractError) as caught:
            grid_config_from(plain | {name: 5})
        assert caught.value.problems[0].loc == f"/{name}"


def test_yaml_and_json_say_the_same():
    lines = [f"  {name}: {json.dumps(value)}" for name, value in PLAIN.items()]
    projection = json.dumps(FULL["projection"])
    text = "\n".join(["runtime_config:", *lines, f"projection: {projection}"])
    assert load_grid_config(text) == config()
    with pytest.raises(ContractError) as caught:
        load_grid_config("runtime_config: [")
    assert caught.value.code == "GRID_CONFIG_NOT_YAML"
