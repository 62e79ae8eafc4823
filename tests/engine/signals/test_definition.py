"""What a signal declares, and which parameters are refused; all signals that there are."""

import pytest

from contracts.errors import ContractError
from engine.signals.api import LiveSignal, refuse_narrow, stacked
from engine.signals.definition import Definition, Parameter, bins, problems, scale, weight
from engine.signals.evaluate import MODES
from engine.signals.registry import LEARNT, SIGNALS, STATISTICAL, signal


class Made(Definition):
    """Takes one parameter of each kind."""

    name = "made"
    doc = "made up"
    parameters = (
        bins("lag_bins", 3, "lag", low=2),
        weight("add_weight", 0.5, "of what is added"),
        scale("tanh_scale", 2.0, "of the tanh"),
        Parameter("share", 0.25, 0.0, 1.0, False, "share"),
    )
    columns = ("v_add",)
    least_radius = 4


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("lag_bins", 1, "a whole number from 2 to 1e+06"),
        ("lag_bins", 2.5, "a whole number from 2 to 1e+06"),
        ("lag_bins", 1_000_001, "a whole number from 2 to 1e+06"),
        ("add_weight", -0.001, "a number from 0 to 1e+09"),
        ("tanh_scale", 0.0, "a number from 1e-12 to 1e+12"),
        ("share", 1.0001, "a number from 0 to 1; the default is 0.25"),
        ("share", float("nan"), "a number from 0 to 1"),
        ("lag_bins", float("inf"), "a whole number"),
    ],
)
def test_a_value_outside_its_bounds_is_refused_with_the_bounds(name, value, kind):
    with pytest.raises(ContractError) as raised:
        Made.bound({name: value})
    [problem] = raised.value.problems
    assert (problem.code, problem.loc) == ("SIGNAL_PARAMETER_INVALID", name)
    assert kind in problem.hints[0]


@pytest.mark.parametrize("value", [2, 1_000_000, 7.0])
def test_bounds_are_inclusive_and_whole_numbers_may_be_written_as_any(value):
    assert Made.bound({"lag_bins": value})["lag_bins"] == value


def test_every_problem_is_told_at_once():
    told = {"lag_bins": 0, "colour": 1, "share": 2}
    with pytest.raises(ContractError) as raised:
        Made.bound(told)
    assert [(one.code, one.loc) for one in raised.value.problems] == [
        ("SIGNAL_PARAMETER_INVALID", "lag_bins"),
        ("SIGNAL_PARAMETER_UNKNOWN", "colour"),
        ("SIGNAL_PARAMETER_INVALID", "share"),
    ]
    assert "it takes lag_bins, add_weight, tanh_scale, share" in raised.value.problems[1].hints
    assert problems(Made, {"lag_bins": 2}) == []


def test_what_is_not_given_has_its_default_and_the_order_is_the_declared_one():
    bound = Made.bound({"share": 1, "lag_bins": 5})
    assert list(bound.items()) == [
        ("lag_bins", 5.0), ("add_weight", 0.5), ("tanh_scale", 2.0), ("share", 1.0),
    ]  # fmt: skip
    assert all(isinstance(value, float) for value in bound.values())


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_accepts_its_own_defaults_and_says_what_it_is(name):
    one = signal(name)
    assert one.name == name
    assert one.bound({}) == {each.name: each.default for each in one.parameters}
    assert one.mode in MODES
    assert one.doc
    assert one.columns
    assert one.least_radius >= 0
    assert one.thresholds or one.threshold_rule != "fixed"
    assert list(one.thresholds) == sorted(set(one.thresholds))
    assert all(each.doc and each.low <= each.default <= each.high for each in one.parameters)


def test_signals_are_statistical_or_learnt_and_an_unknown_one_is_refused():
    assert SIGNALS.keys() == STATISTICAL.keys() | LEARNT.keys()
    assert len(STATISTICAL) == 9
    with pytest.raises(ContractError, match="there is no signal 'luck'") as raised:
        signal("luck")
    assert (raised.value.code, raised.value.loc) == ("SIGNAL_UNKNOWN", "luck")
    assert "derivative" in raised.value.hints[0]


@pytest.mark.parametrize("name", STATISTICAL)
def test_a_window_that_a_signal_does_not_fit_is_refused(name):
    one = signal(name)
    refuse_narrow(one, one.least_radius)
    if one.least_radius == 1:
        return
    with pytest.raises(ContractError, match="rows on either side") as raised:
        LiveSignal(name, {}, one.least_radius - 1, 100, 0.25)
    assert raised.value.code == "SIGNAL_RADIUS"
    assert f"at least {one.least_radius}" in raised.value.hints[0]


def test_columns_that_are_not_there_are_named():
    with pytest.raises(ContractError, match="reads v_pull") as raised:
        stacked(signal("ads"), {"v_add": [[0.0]], "colour": [[0.0]]})
    assert (raised.value.code, raised.value.loc) == ("SIGNAL_COLUMNS_INVALID", "v_pull")
