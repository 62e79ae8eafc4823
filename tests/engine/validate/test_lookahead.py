"""The probe passes what looks at no later bar, and catches what does."""

import dataclasses

import numpy as np
import pytest

from contracts.errors import ContractError
from engine.backtest import Curves, Dataset
from engine.validate import LookaheadProbe, probe_lookahead
from engine.validate.lookahead import first_difference
from tests.engine.backtest.cases import CASES, LONG_SHORT, dataset, evaluation
from tests.properties.strategies import bars, document

BUSY = [{"if": "volume > 1", "then": "buy"}, {"if": "volume <= 1", "then": "sell"}]
SLOW = [
    {"if": "close > ma(close, 30)", "then": "buy"},
    {"if": "close < ma(close, 30)", "then": "close"},
]


class Normalised(Dataset):
    """Bars whose volume is divided by its mean over all there is, later bars included."""

    def first(self, bars):
        cut = Dataset.first(self, bars)
        volume = cut.fields["volume"] / cut.fields["volume"].mean()
        return Normalised(cut.ts_ns, {**cut.fields, "volume": volume}, cut.timeframe)


@pytest.mark.parametrize("name", [name for name in CASES if name != "days"])
def test_strategies_of_the_language_look_at_no_later_bar(name):
    strategy, columns, cost = CASES[name]
    found = probe_lookahead(dataset(columns), evaluation(strategy, cost), 5)
    assert found == LookaheadProbe(5, identical=True, first_difference=None)


def test_a_column_made_with_the_mean_of_the_future_is_caught():
    columns, asked = bars("walk", 400, 3), evaluation(document(BUSY, LONG_SHORT))
    assert probe_lookahead(dataset(columns), asked, 7).identical
    honest = dataset(columns)
    found = probe_lookahead(Normalised(honest.ts_ns, honest.fields, "1m"), asked, 7)
    assert (found.probes, found.identical) == (7, False)
    assert found.first_difference is not None
    assert "bars alone and" in found.first_difference


def test_beginnings_shorter_than_the_longest_window_are_left_out_and_counted():
    found = probe_lookahead(dataset(bars("walk", 100, 1)), evaluation(document(SLOW)), 9)
    assert (found.probes, found.identical) == (7, True)


def test_a_dataset_too_short_to_be_probed_proves_nothing():
    found = probe_lookahead(dataset(bars("walk", 3, 1)), evaluation(document(BUSY)), 1)
    assert (found.probes, found.identical) == (0, False)
    assert found.first_difference == "no beginning of 3 bars has the 2 that a probe needs"


def test_the_whole_is_what_the_settings_leave_of_it():
    asked = evaluation(document(SLOW))
    cut = asked.settings.model_copy(update={"max_bars": 58})
    asked = dataclasses.replace(asked, settings=cut, dataset=4, keep_curves=False)
    found = probe_lookahead(dataset(bars("walk", 1000, 1)), asked, 1)
    assert (found.probes, found.identical) == (0, False)
    assert "58 bars" in str(found.first_difference)
    longer = dataclasses.replace(asked, settings=cut.model_copy(update={"max_bars": 60}))
    assert probe_lookahead(dataset(bars("walk", 1000, 1)), longer, 1).probes == 1


@pytest.mark.parametrize("probes", [0, -1])
def test_no_probe_is_refused(probes):
    with pytest.raises(ContractError, match="PROBES_INVALID"):
        probe_lookahead(dataset(bars("walk", 50, 1)), evaluation(document(BUSY)), probes)


def curves(count: int) -> Curves:
    """Bars that never trade, but for two fills on bars 2 and 5."""
    fills = np.array([[2.0, 1, 1, 100, 0, 0, 0, 0], [5.0, -1, 1, 101, 0, 0, 1, 0]])
    values = 100.0 + np.arange(count)
    return Curves(values, values.copy(), np.zeros(count), fills[fills[:, 0] < count])


def changed(name: str, place, value: float, count: int = 6) -> Curves:
    made = curves(count)
    getattr(made, name)[place] = value
    return made


@pytest.mark.parametrize("count", [1, 2, 3, 5, 6, 9])
def test_a_beginning_that_is_one_differs_in_nothing(count):
    assert first_difference(curves(10), curves(count)) is None


@pytest.mark.parametrize(
    ("beginning", "said"),
    [
        (changed("equity", 4, 104.0000001), "equity of bar 4 is 104.0000001 on the first 6 bars"),
        (changed("cash", 0, 0.0), "cash of bar 0 is 0.0 on the first 6 bars alone and 100.0 on"),
        (changed("qty", 3, -0.0), "qty of bar 3 is -0.0"),
        (changed("trades", (1, 3), 101.5), "price of fill 1 is 101.5"),
        (changed("trades", (0, 0), 1.0), "bar of fill 0 is 1.0"),
        (curves(6).__class__(*dataclasses.astuple(curves(6))[:3], curves(5).trades), "number of"),
        (curves(5).__class__(*dataclasses.astuple(curves(5))[:3], curves(6).trades), "number of"),
    ],
)
def test_one_bit_is_enough_to_differ(beginning, said):
    assert said in str(first_difference(curves(10), beginning))


def test_the_earliest_bar_is_named_whatever_differs_on_it():
    made = changed("equity", 4, 0.0)
    made.qty[1] = 3.0
    assert "qty of bar 1" in str(first_difference(curves(10), made))
    made.trades[0, 0] = 0.0
    assert "bar of fill 0" in str(first_difference(curves(10), made))
