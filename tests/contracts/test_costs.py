"""Costs: their defaults, which are written out nowhere, and their bounds."""

from contracts.costs import COSTS, Costs
from contracts.document import load
from tests.contracts.fixture_files import document, valid_files


def test_no_costs_given_are_the_defaults():
    costs = load(COSTS, "{}", "costs")
    assert (costs.fee_bps, costs.slippage.base_bps, costs.slippage.k_vol) == (1.0, 0.5, 0.0)
    assert costs.slippage.window_bars == 20
    assert costs.document() == {}
    assert costs == Costs()


def test_only_what_differs_is_part_of_the_document():
    (path,) = valid_files("costs")
    costs = load(COSTS, path.read_bytes(), "costs")
    assert costs.model_dump(mode="json") == document(path)
    assert costs.document() == {"fee_bps": 2.0, "slippage": {"k_vol": 0.1}}


def test_the_bounds_themselves_are_allowed():
    for bound in ("0", "1000"):
        assert load(COSTS, f'{{"fee_bps": {bound}}}', "costs").fee_bps == float(bound)
    for bars in ("2", "10000"):
        text = f'{{"slippage": {{"window_bars": {bars}}}}}'
        assert load(COSTS, text, "costs").slippage.window_bars == int(bars)
