"""The seven scenarios of the catalogue, from emitted events to expected outputs."""

import numpy as np
import pytest

from contracts.flow import ACTORS
from contracts.flow_policy import usual_policy
from contracts.tape_catalogue import SCENARIO_IDS, scenario_profile, scenario_seeds
from engine.flow.api import FlowDetector, events_of, joined
from engine.tapes.market.api import VERSION, MarketTape
from islandflow_resources.flow_expectations import judge_expectations
from islandflow_resources.flow_tables import detection_tables, detection_texts
from islandflow_resources.tape_catalogue import catalogue_truth
from islandflow_resources.tape_folder import InjectedPrint, Truth
from islandflow_resources.tape_inputs import tape_inputs
from islandflow_resources.tape_specs import resolve

INJECTION = ACTORS.index("injection")
STREAMS = ("equity_prints", "option_prints")


def injected(batch):
    """Prints of the injection in a stretch."""
    labels = batch.print_labels
    for row in np.flatnonzero(labels["actor"] == INJECTION):
        stream, seq = STREAMS[labels["stream"][row]], int(labels["seq"][row])
        [place] = np.flatnonzero(batch.streams[stream]["seq"] == seq)
        ts_ns = int(batch.streams[stream]["ts_ns"][place])
        yield InjectedPrint(int(labels["burst_id"][row]), stream, seq, ts_ns)


@pytest.mark.parametrize("name", SCENARIO_IDS)
def test_a_scenario_is_what_it_was_made_to_show(name):
    profile, bundle = scenario_profile(name), scenario_seeds(name)
    spec = resolve(profile)
    tape = MarketTape(spec, bundle.root_seed, (spec.injections[0].symbol,))
    detector = FlowDetector(len(spec.symbols), tape.event_calendar())
    parts, prints = [], []
    for batch in tape.batches():
        detector.list_contracts(tape.contract_rows())
        parts.append(detector.push(events_of(batch.streams)))
        prints += injected(batch)
    texts = detection_texts(spec.symbols, tape.contracts)
    found = joined([*parts, detector.finish()])
    tables = detection_tables(found, texts, spec.symbols, usual_policy())
    inputs = tape_inputs(profile, spec, bundle, VERSION, "catalogue", scenario_id=name)
    labels, outputs = catalogue_truth(inputs, Truth(tape.burst_labels(), tuple(prints)))
    judged = judge_expectations(outputs, labels, tables)
    assert len(judged.outputs) == 1
    assert [str(one) for one in judged.outputs[0].mismatches] == []
