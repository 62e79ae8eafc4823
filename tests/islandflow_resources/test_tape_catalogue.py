"""Scenarios of the catalogue on real tapes: they print, their evidence holds, decoys lack it."""

import numpy as np
import pytest

from contracts.errors import ContractError
from contracts.tape_catalogue import SCENARIO_IDS, SCENARIOS, scenario_profile, scenario_seeds
from contracts.tape_columns import INJECTED, STREAMS
from contracts.tape_expectations import EXPECTATIONS
from engine.tapes.market.api import VERSION, MarketTape
from islandflow_resources.tape_catalogue import catalogue_truth, require_scenario
from islandflow_resources.tape_folder import InjectedPrint, Truth
from islandflow_resources.tape_inputs import tape_inputs
from islandflow_resources.tape_specs import resolve
from tests.engine.tapes.market.markets import made
from tests.oracles.market_evidence import evidence, holds
from tests.oracles.market_flow import clean_mids, last_at

MINUTE_NS = 60 * 10**9
UNSEEN = {"reason_code"}
"""Only a detector says it."""


class Shown:
    """The scenario's symbol on its tape, and what was put there."""

    def __init__(self, name):
        profile = scenario_profile(name)
        self.name, self.spec, self.bundle = name, resolve(profile), scenario_seeds(name)
        symbol = self.spec.injections[0].symbol
        self.tape = made(MarketTape(self.spec, self.bundle.root_seed, (symbol,)))
        self.inputs = tape_inputs(
            profile, self.spec, self.bundle, VERSION, "catalogue", scenario_id=name
        )

    def prints(self, place):
        """Option prints of an injection by its place."""
        labels = self.tape["print_labels"]
        mine = (labels["burst_id"] == INJECTED + 1 + place) & (labels["stream"] == "option_prints")
        rows = np.isin(self.tape["option_prints"]["seq"], labels["seq"][mine])
        return {name: values[rows] for name, values in self.tape["option_prints"].items()}

    def evidence(self, place):
        known = self.tape["event_calendar"]["event_ns"]
        return evidence(
            self.prints(place),
            self.tape["option_nbbo"],
            self.tape["equity_quotes"],
            event_ns=int(known[0]) if len(known) else None,
        )

    def truth(self):
        """What the writer of a tape hands on."""
        labels = self.tape["print_labels"]
        rows = labels["actor"] == "injection"
        times = {
            int(seq): int(ts)
            for name in ("equity_prints", "option_prints")
            for seq, ts in zip(self.tape[name]["seq"], self.tape[name]["ts_ns"], strict=True)
        }
        return Truth(
            self.tape["burst_labels"],
            tuple(
                InjectedPrint(int(burst), str(stream), int(seq), times[int(seq)])
                for burst, stream, seq in zip(
                    labels["burst_id"][rows],
                    labels["stream"][rows],
                    labels["seq"][rows],
                    strict=True,
                )
            ),
        )


@pytest.fixture(scope="module", params=SCENARIO_IDS)
def shown(request):
    return Shown(request.param)


def test_the_injection_prints_within_its_tape_and_away_from_other_bursts(shown):
    prints = shown.prints(0)
    assert len(prints["seq"]) >= 1
    start_ns, end_ns = int(prints["ts_ns"][0]), int(prints["ts_ns"][-1])
    assert shown.spec.start_ns + 5 * MINUTE_NS < start_ns
    assert end_ns < shown.spec.end_ns - 2 * MINUTE_NS
    told = shown.tape["burst_labels"]
    others = told["start_ns"][told["burst_id"] != INJECTED + 1]
    assert (np.abs(others - start_ns) > MINUTE_NS).all()


def test_the_required_evidence_holds_of_what_is_emitted(shown):
    found = shown.evidence(0)
    wanted = [fact.requirement for fact in EXPECTATIONS[shown.name].required]
    seen = [one for one in wanted if one.feature_key not in UNSEEN]
    assert len(seen) >= 2
    assert all(holds(one, found) for one in seen), (found, seen)


def test_the_forbidden_evidence_is_not_there(shown):
    found = shown.evidence(0)
    forbidden = [fact.requirement for fact in EXPECTATIONS[shown.name].forbidden]
    assert not any(holds(one, found) for one in forbidden if one.feature_key in found), found


def test_the_direction_is_the_expected_one(shown):
    told = shown.tape["burst_labels"]
    [direction] = told["direction"][told["burst_id"] == INJECTED + 1]
    expected = EXPECTATIONS[shown.name].direction
    assert direction == ("neutral" if expected == "unknown" else expected)


def test_the_decoy_on_the_same_symbol_has_its_size_and_not_its_side(shown):
    if shown.name in ("structure-arbitrage-calm", "no-alert-wide-quote-chop"):
        assert len(shown.prints(1)["seq"]) >= 1
        return
    mine, decoy = shown.evidence(0), shown.evidence(1)
    assert 0.2 < decoy["total_premium"] / mine["total_premium"] < 5.0
    if shown.name != "event-noise-positioning":
        assert decoy["net_directional_bias"] < mine["net_directional_bias"] - 0.2


def test_labels_name_the_prints_of_the_injection_in_order(shown):
    labels, outputs = catalogue_truth(shown.inputs, shown.truth())
    [label] = labels.labels
    assert label.scenario_id == shown.name
    assert (labels.run_id, labels.tape_id) == (shown.inputs.run_id, shown.inputs.tape_id)
    prints = shown.prints(0)
    assert [ref.seq for ref in label.event_refs] == prints["seq"].tolist()
    assert [ref.source_ts_ns for ref in label.event_refs] == prints["ts_ns"].tolist()
    roles = [ref.role for ref in label.event_refs]
    assert roles == ["anchor"] + ["supporting"] * (len(roles) - 1)
    assert outputs.outputs[0].label_id == label.label_id


def test_the_fall_that_the_hedge_follows_is_real():
    one = Shown("hedge-reactive-put-flow")
    at_ns = int(one.prints(0)["ts_ns"][0])
    times, mids = clean_mids(one.tape["equity_quotes"])
    before, now = last_at(times, mids, np.array([at_ns - 3 * MINUTE_NS, at_ns]))
    assert 1e4 * np.log(now / before) < -10.0


def test_without_the_scenario_the_market_is_its_twin():
    name = "structure-arbitrage-calm"
    profile = scenario_profile(name)
    twin = resolve(profile.model_copy(update={"injections": profile.injections[1:]}))
    spec = resolve(profile)
    assert twin.model_copy(update={"injections": spec.injections}) == spec
    seed = scenario_seeds(name).root_seed
    until_ns = spec.start_ns + 14 * MINUTE_NS
    with_it, without = (MarketTape(one, seed, ("IWM",)).advance(until_ns) for one in (spec, twin))
    for stream in STREAMS:
        for column, values in with_it.streams[stream].items():
            assert (values == without.streams[stream][column]).all()


def inputs_of(name, wanted, **changes):
    profile = scenario_profile(name).model_copy(update=changes)
    spec = resolve(profile)
    return tape_inputs(
        profile, spec, scenario_seeds(name), VERSION, "catalogue", scenario_id=wanted
    )


@pytest.mark.parametrize(
    ("name", "wanted", "changes", "code"),
    [
        ("structure-arbitrage-calm", "calm", {}, "TAPE_SCENARIO_UNKNOWN"),
        ("structure-arbitrage-calm", "hedge-reactive-put-flow", {}, "TAPE_SCENARIO_MISSING"),
        (
            "structure-arbitrage-calm",
            "structure-arbitrage-calm",
            {"injections": ()},
            "TAPE_SCENARIO_MISSING",
        ),
    ],
)
def test_a_market_without_the_scenario_is_refused_before_anything_is_made(
    name, wanted, changes, code
):
    with pytest.raises(ContractError) as refused:
        require_scenario(inputs_of(name, wanted, **changes))
    assert (refused.value.code, refused.value.loc) == (code, "/scenario_id")


def test_a_scenario_that_did_not_print_is_refused_with_where_it_does():
    inputs = inputs_of("hedge-reactive-put-flow", "hedge-reactive-put-flow")
    with pytest.raises(ContractError) as refused:
        catalogue_truth(inputs, Truth({}, ()))
    assert refused.value.code == "TAPE_SCENARIO_MISSING"
    assert "--seed-bundle" in refused.value.hints[0]


def test_without_a_wanted_scenario_those_that_printed_are_told():
    inputs = inputs_of("hedge-reactive-put-flow", None)
    require_scenario(inputs)
    printed = InjectedPrint(INJECTED + 1, "option_prints", 9, 5)
    foreign = InjectedPrint(7, "option_prints", 8, 4)
    labels, _ = catalogue_truth(inputs, Truth({}, (printed, foreign)))
    assert [one.scenario_id for one in labels.labels] == ["hedge-reactive-put-flow"]
    assert [ref.seq for ref in labels.labels[0].event_refs] == [9]
    assert catalogue_truth(inputs, Truth({}, ()))[0].labels == ()


def test_seeds_of_the_catalogue_are_small_and_its_tapes_different():
    specs = [resolve(scenario_profile(one.id)) for one in SCENARIOS]
    assert len({spec.tape_hash for spec in specs}) == 7
