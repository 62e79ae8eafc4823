"""Run configuration becomes the validated document that enters every cache key."""

import json

import pytest
import yaml

from contracts.backtest import SETTINGS, BacktestSettings
from contracts.campaign import OBJECTIVES
from contracts.document import load
from contracts.errors import ContractError
from contracts.grid import grid_config_from
from contracts.validation import MonteCarloSettings, WalkForwardSettings
from islandflow_assets.settings import (
    BacktestConfig,
    GridSettings,
    ValidationConfig,
    checked_together,
)
from islandflow_resources.instrument_lock import refuse_other_instrument
from islandflow_resources.settings import load_settings
from tests.contracts.fixture_files import FOLDER
from tests.graph import write_json
from tests.islandflow_resources.books import grid_document


def test_the_defaults_are_those_of_the_contract():
    assert BacktestConfig().document() == BacktestSettings()


def test_every_setting_of_the_document_can_be_configured():
    path = next((FOLDER / "backtest_settings").iterdir())
    wanted = load(SETTINGS, path.read_bytes(), "settings")
    slippage = wanted.costs.slippage
    config = BacktestConfig(
        gap_policy=wanted.gap_policy,
        lot_size=wanted.lot_size,
        initial_cash=wanted.initial_cash,
        bar_delay=wanted.bar_delay,
        fee_bps=wanted.costs.fee_bps,
        slippage_base_bps=slippage.base_bps,
        slippage_k_vol=slippage.k_vol,
        slippage_window_bars=slippage.window_bars,
    )
    assert config.document().settings_hash == wanted.settings_hash


@pytest.mark.parametrize(
    ("changed", "loc"),
    [
        ({"initial_cash": 0.0}, "/initial_cash"),
        ({"initial_cash": float("nan")}, "/initial_cash"),
        ({"bar_delay": -1}, "/bar_delay"),
        ({"fee_bps": -0.1}, "/costs/fee_bps"),
        ({"slippage_base_bps": 1e9}, "/costs/slippage/base_bps"),
        ({"slippage_window_bars": 1}, "/costs/slippage/window_bars"),
    ],
)
def test_a_value_out_of_bounds_is_refused_with_its_place(changed, loc):
    with pytest.raises(ContractError) as caught:
        BacktestConfig(**changed).document()
    assert [problem.loc for problem in caught.value.problems] == [loc]


def test_all_values_out_of_bounds_are_named_at_once():
    with pytest.raises(ContractError) as caught:
        BacktestConfig(initial_cash=-1.0, fee_bps=-1.0).document()
    assert len(caught.value.problems) == 2


def test_the_defaults_of_validations_are_those_of_the_contract():
    config = ValidationConfig()
    assert config.monte_carlo.document() == {"paths": 1_000}
    assert config.monte_carlo.fixed_paths == MonteCarloSettings().fixed_paths
    assert config.walk_forward == WalkForwardSettings()
    assert config.checked_objective == "sharpe"


@pytest.mark.parametrize(
    ("changed", "part", "loc"),
    [
        ({"method": "square"}, "monte_carlo", "/method"),
        ({"block_bars": 0}, "monte_carlo", "/block_bars"),
        ({"paths": 19}, "monte_carlo", "/paths"),
        ({"ruin_drawdown": 1.5}, "monte_carlo", "/ruin_drawdown"),
        ({"folds": 0}, "walk_forward", "/folds"),
        ({"scheme": "sliding"}, "walk_forward", "/scheme"),
        ({"purge_bars": -1}, "walk_forward", "/purge_bars"),
        ({"embargo_bars": -1}, "walk_forward", "/embargo_bars"),
        ({"objective": "max_drawdown"}, "checked_objective", "objective"),
    ],
)
def test_a_setting_of_a_validation_out_of_bounds_is_refused_with_its_place(changed, part, loc):
    with pytest.raises(ContractError) as caught:
        getattr(ValidationConfig(**changed), part)
    assert [problem.loc for problem in caught.value.problems] == [loc]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_whatever_a_campaign_maximises_a_validation_may(objective):
    assert ValidationConfig(objective=objective).checked_objective == objective


def test_what_is_read_together_is_given_in_order_or_refused_with_all_problems():
    config = ValidationConfig()
    assert checked_together(lambda: config.monte_carlo, lambda: config.walk_forward) == (
        config.monte_carlo,
        config.walk_forward,
    )
    wrong = ValidationConfig(paths=1, folds=0)
    with pytest.raises(ContractError) as caught:
        checked_together(lambda: wrong.monte_carlo, lambda: wrong.walk_forward)
    assert [problem.loc for problem in caught.value.problems] == ["/paths", "/folds"]


def test_the_shipped_grid_is_of_the_instrument_that_the_shipped_lock_is_for():
    settings = GridSettings()
    refuse_other_instrument(load_settings({}), settings.config, "the shipped configuration")
    assert (settings.rules, settings.first_bin_ns) == ("v2", None)


@pytest.mark.parametrize("form", ["json", "yaml", "path"])
def test_a_grid_is_configured_by_a_document_or_the_path_of_one(form, tmp_path):
    document = grid_document()
    path = write_json(tmp_path / "grid.json", document)
    given = {"json": json.dumps(document), "yaml": yaml.safe_dump(document), "path": str(path)}
    assert GridSettings(grid_config=given[form]).config == grid_config_from(document)


@pytest.mark.parametrize(
    ("changed", "name", "code"),
    [
        ({"grid_config": "nosuch.json"}, "config", "GRID_CONFIG_UNREADABLE"),
        ({"grid_config": "{"}, "config", ""),
        ({"compat": "v3"}, "rules", "GRID_RULES_UNKNOWN"),
        ({"emit_from_ns": "1e9"}, "first_bin_ns", "GRID_START_INVALID"),
        ({"emit_from_ns": "-1"}, "first_bin_ns", "GRID_START_INVALID"),
        ({"emit_from_ns": "9" * 19}, "first_bin_ns", "GRID_START_INVALID"),
    ],
)
def test_settings_of_a_grid_that_are_wrong_are_refused(changed, name, code):
    with pytest.raises(ContractError) as caught:
        getattr(GridSettings(**changed), name)
    assert code in caught.value.code


def test_a_time_that_no_double_holds_is_taken_to_the_nanosecond():
    text = "1770390000000000001"
    assert GridSettings(emit_from_ns=text).first_bin_ns == int(text)
