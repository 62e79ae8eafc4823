"""Run configuration becomes the validated document that enters every cache key."""

import pytest

from contracts.backtest import SETTINGS, BacktestSettings
from contracts.document import load
from contracts.errors import ContractError
from islandflow_assets.settings import BacktestConfig
from tests.contracts.fixture_files import FOLDER


def test_the_defaults_are_those_of_the_contract():
    assert BacktestConfig().document() == BacktestSettings()


def test_every_setting_of_the_document_can_be_configured():
    path = next((FOLDER / "backtest_settings").iterdir())
    wanted = load(SETTINGS, path.read_bytes(), "settings")
    slippage = wanted.costs.slippage
    config = BacktestConfig(
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
