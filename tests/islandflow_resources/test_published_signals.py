"""Published signals: promoted through the gate, proven, tampered with, made again from the seed."""

import json

import pyarrow as pa
import pytest

from contracts.canonical import canonical_json
from contracts.document import validate
from contracts.errors import ContractError, IntegrityError
from contracts.serving import PUBLISHED, PublishedSignal
from islandflow_jobs.verify_serving import verify_serving
from islandflow_resources.campaigns import register
from islandflow_resources.drafts import Draft, read_evidence
from islandflow_resources.promotion import prove
from islandflow_resources.published import draft, read_published, spec_key
from islandflow_resources.published_signals import prove_signal
from islandflow_resources.registry import Registry
from islandflow_resources.signal_runs import find_run, serving_aliases
from tests.islandflow_resources.campaigning import SHUT_GATE, Home, damage
from tests.islandflow_resources.experimenting import (
    FIRST,
    datasets_home,
    document,
    finished_copy,
    finished_folder,
    judged,
    promoted,
    ready,
    run,
    serving_document,
    small,
)

pytestmark = pytest.mark.xdist_group("books")


@pytest.fixture(scope="module")
def home():
    home = Home.embedded(finished_folder())
    yield home
    home.database.dispose()


@pytest.fixture(scope="module")
def experiment(home):
    return ready(home)


@pytest.fixture(scope="module")
def made(home, experiment):
    """The draft of the winner's spec."""
    found = judged(home, experiment)
    assert found.dossier.passed
    place = home.store, home.database
    return draft(*place, experiment, found.dossier, found.stored.content_digest)


@pytest.fixture(scope="module")
def served():
    """A home whose winner is served."""
    with finished_copy() as home:
        yield home, promoted(home, ready(home))


def test_the_winner_s_spec_says_all_that_is_needed_to_run_it(home, experiment, made):
    spec, winner = made.spec, judged(home, experiment).dossier.winner
    assert isinstance(spec, PublishedSignal)
    assert spec.runtime_snapshot.identity() == experiment.variants[0].config.identity()
    assert spec.signal.name == winner.strategy_id
    told = {f"signal.{name}": value for name, value in spec.signal.params.items()}
    assert told.items() <= winner.params.items()
    assert spec.signal.threshold == winner.params["eval.threshold"]
    assert spec.settings.tp_ticks == (winner.params["eval.tp_ticks"],)
    assert spec.settings.thresholds == (spec.signal.threshold,)
    assert (spec.settings.warmup_bins, spec.settings.calibration_share) == (FIRST, 0.0)
    assert (spec.stream.what, spec.stream.seed) == ("tape", 1)
    assert spec.stream.dataset_id == made.evidence["dataset_id"][0].as_py()
    assert spec.source.datasets == made.evidence.num_rows == 2
    row = find_run(home.database, spec.source.run_id)
    assert (row.signal, row.dataset_id) == (spec.signal.name, spec.stream.dataset_id)


def test_a_spec_is_the_same_read_back_and_made_again(home, experiment, made):
    text = canonical_json(made.spec.document())
    again = validate(PUBLISHED, json.loads(text), "serving")
    assert (again, again.serving_id) == (made.spec, made.serving_id)
    found = judged(home, experiment)
    place = home.store, home.database
    twin = draft(*place, experiment, found.dossier, found.stored.content_digest)
    assert twin.serving_id == made.serving_id


def test_a_spec_gives_the_numbers_that_were_judged(home, experiment, made):
    assert list(prove_signal(*home.place, experiment, made)) == []


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("n_signals", lambda value: value + 1),
        ("total_pnl_ticks", lambda value: value + 1e-12),
        ("tp_rate", lambda value: None),
        ("sharpe", lambda value: value * (1 + 1e-15)),
        ("dataset_digest", lambda value: "sha256:" + "0" * 64),
    ],
)
def test_evidence_that_differs_in_a_bit_is_told(home, experiment, made, column, change):
    rows = made.evidence.to_pylist()
    rows[1][column] = change(rows[1][column])
    other = Draft(made.spec, pa.Table.from_pylist(rows, made.evidence.schema))
    [(place, said)] = prove_signal(*home.place, experiment, other)
    assert place == rows[1]["dataset_id"]
    assert ("tables are" if column == "dataset_digest" else column) in said
    with pytest.raises(IntegrityError) as raised:
        prove(*home.place, experiment, other)
    assert raised.value.code == "SERVING_NOT_REPRODUCED"


def test_evidence_of_a_dataset_that_the_experiment_lacks_is_told(home, experiment, made):
    rows = made.evidence.to_pylist()
    rows[0]["dataset_id"] = "nosuch"
    other = Draft(made.spec, pa.Table.from_pylist(rows, made.evidence.schema))
    assert ("nosuch", "the dataset does not verify") in list(
        prove_signal(*home.place, experiment, other)
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda spec: spec.model_copy(
            update={"signal": spec.signal.model_copy(update={"threshold": 1e9})}
        ),
        lambda spec: spec.model_copy(
            update={"settings": spec.settings.model_copy(update={"max_hold_bins": 1})}
        ),
        lambda spec: spec.model_copy(
            update={"signal": spec.signal.model_copy(update={"version": 99})}
        ),
    ],
)
def test_a_spec_that_differs_does_not_give_the_numbers(home, experiment, made, change):
    other = Draft(change(made.spec), made.evidence)
    found = list(prove_signal(*home.place, experiment, other))
    assert len(found) == 2


def test_the_winner_of_an_open_gate_is_served_and_verified_from_its_seeds(served):
    home, outcome = served
    row = Registry(home.database).resolve("live")
    assert row.serving_id == outcome.draft.serving_id
    assert (row.kind, row.candidate_key) == ("signal", outcome.draft.spec.source.run_id)
    spec = read_published(home.store, home.keyring, row.serving_id)
    assert spec == outcome.draft.spec
    assert read_evidence(home.store, spec).equals(outcome.draft.evidence)
    run_id = spec.source.run_id
    assert serving_aliases(home.database, [run_id]) == {run_id: ["live"]}
    again = promoted(home, ready(home))
    assert not again.promoted.new
    lines = verify_serving(*home.place, home.keyring, "live")
    assert lines[0] == f"verified {row.serving_id}"
    assert "2 datasets recomputed from their seeds" in lines[2]


def test_a_tampered_spec_or_evidence_is_refused_by_name(served):
    home, outcome = served
    key, place = spec_key(outcome.draft.serving_id), outcome.draft.spec.evidence.object_key
    whole = {name: home.store.get(name) for name in (key, place)}
    damage(home.store, key, whole[key].replace(b'"threshold":', b'"threshold": '))
    with pytest.raises(IntegrityError, match="SERVING_TAMPERED"):
        read_published(home.store, home.keyring, outcome.draft.serving_id)
    with pytest.raises(IntegrityError, match="published spec"):
        verify_serving(*home.place, home.keyring, "live")
    damage(home.store, key, whole[key])
    damage(home.store, place)
    with pytest.raises(IntegrityError, match="evidence"):
        verify_serving(*home.place, home.keyring, "live")
    damage(home.store, place, whole[place])
    assert verify_serving(*home.place, home.keyring, "live")


def test_what_a_gate_refuses_is_not_published(home):
    with finished_copy() as own:
        experiment = ready(own, document(gate=SHUT_GATE))
        register(experiment, own.store, own.database)
        run(own, experiment)
        with pytest.raises(ContractError) as raised:
            promoted(own, experiment)
        codes = {one.code for one in raised.value.problems}
        assert codes == {"GATE_REFUSED"}
        assert len(raised.value.problems) >= 5
        assert own.store.keys("serving/") == []


def test_results_of_v1_are_never_promoted():
    written = small(
        id="old",
        serving=serving_document(
            signal={"name": "msd"}, pipeline={"pipeline": {"grid_radius_ticks": 50}}
        ),
        eval={"compat": "v1", "thresholds": [1.0], "min_signals": 1},
        objective="tp_rate",
        promotion=None,
    )
    with datasets_home() as own:
        experiment = ready(own, written)
        run(own, experiment)
        with pytest.raises(ContractError) as raised:
            promoted(own, experiment, is_override=True)
        assert raised.value.code == "PROMOTION_V1"
        assert own.store.keys("serving/") == []


def test_an_experiment_in_which_nothing_trades_has_no_winner():
    with datasets_home() as own:
        experiment = ready(own, small(eval={"thresholds": [1e12]}))
        run(own, experiment)
        found = judged(own, experiment)
        assert (found.dossier.winner, found.dossier.passed) == (None, False)
        with pytest.raises(ContractError, match="no candidate has a sharpe"):
            promoted(own, experiment)
        with pytest.raises(ContractError) as raised:
            draft(own.store, own.database, experiment, found.dossier, "sha256:" + "0" * 64)
        assert raised.value.code == "PROMOTION_NO_WINNER"


def test_a_dossier_of_other_trials_is_out_of_date(home, experiment):
    found = judged(home, experiment)
    other = found.dossier.winner.candidate + 1
    winner = found.dossier.winner.model_copy(update={"candidate": other})
    dossier = found.dossier.model_copy(update={"winner": winner})
    for candidate in (other, 10_000):
        dossier = dossier.model_copy(
            update={"winner": winner.model_copy(update={"candidate": candidate})}
        )
        with pytest.raises(IntegrityError) as raised:
            draft(home.store, home.database, experiment, dossier, found.stored.content_digest)
        assert raised.value.code == "DOSSIER_OUTDATED"
        assert f"islandflow experiment resume {experiment.key}" in raised.value.hints[0]
