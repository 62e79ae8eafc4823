"""Dossiers: every criterion judged, kept whether the gate passes or not, and found again."""

import pytest

from contracts.errors import NotFoundError
from islandflow_resources.campaign_reports import make_leaderboard
from islandflow_resources.campaign_robustness import make_robust
from islandflow_resources.dossiers import make_dossier, winner_of
from islandflow_resources.materialise import dataset_ref
from islandflow_resources.overfit_reports import make_overfit_report
from tests.islandflow_resources.campaigning import (
    BUSTED,
    OPEN_GATE,
    ROBUSTNESS,
    SHUT_GATE,
    Home,
    aside,
    damage,
    empty_home,
    finished_copy,
    finished_folder,
    remove,
)

ALWAYS = ["parity", "checksums"]
ALL = ["trades", "out_of_sample", "efficiency", "deflated_sharpe", "overfitting", "ruin",
       "parity", "latency", "checksums"]  # fmt: skip


@pytest.fixture
def home():
    with finished_copy() as made:
        yield made


def judged(home, **changes):
    """The dossier of a changed campaign, whose trials are found."""
    campaign = home.ready(**changes)
    home.trials(campaign)
    return home.judged(campaign)


def by_name(found):
    return {one.name: one for one in found.dossier.criteria}


def test_a_dossier_is_made_once_and_its_latency_measured_then():
    with empty_home() as home:
        first = judged(home)
        second = home.judged(home.ready())
    assert first.latency_ms > 0.0
    assert second.latency_ms is None
    assert (first.stored.used_cache, second.stored.used_cache) == (False, True)
    assert first.dossier == second.dossier
    assert first.dossier.passed


def test_a_finished_campaign_says_the_same_in_every_home():
    shared = Home.embedded(finished_folder())
    found = shared.judged(shared.ready())
    with empty_home() as home:
        again = judged(home.with_runtime(1, 0))
    assert again.stored.content_digest == found.stored.content_digest


def test_every_criterion_that_is_asked_for_is_judged(home):
    found = judged(home, gate=SHUT_GATE)
    assert [one.name for one in found.dossier.criteria] == ALL
    failed = [one.name for one in found.dossier.criteria if not one.passed]
    assert failed == [name for name in ALL if name not in ALWAYS]
    assert not found.dossier.passed
    assert found.dossier.winner is not None
    assert all(one.sentence for one in found.dossier.criteria)
    assert home.store.exists(found.stored.key)


def test_what_a_gate_does_not_ask_for_is_not_judged(home):
    found = judged(home, gate=dict.fromkeys(SHUT_GATE))
    assert [one.name for one in found.dossier.criteria] == ALWAYS
    assert found.dossier.passed


def test_numbers_of_the_criteria_are_those_of_the_reports(home):
    campaign = home.ready(gate=SHUT_GATE)
    found = by_name(judged(home, gate=SHUT_GATE))
    board = make_leaderboard(home.store, home.database, campaign, "run")
    robust = make_robust(*home.place, campaign, board, "run")
    report = make_overfit_report(home.store, home.database, campaign, "run").document
    winner = board.table.slice(0, 1).to_pylist()[0]
    walked = robust.walk_forward.table.to_pylist()
    tests = [row["test_objective"] for row in walked]
    ruins = [
        row["probability_of_ruin"]
        for row in robust.monte_carlo.table.to_pylist()
        if row["set_id"] == winner["set_id"]
    ]
    assert len(ruins) == 4
    assert found["trades"].value == winner["trades"]
    assert found["out_of_sample"].value == pytest.approx(sum(tests) / 12, rel=1e-12)
    trained = sum(row["train_objective"] for row in walked)
    assert found["efficiency"].value == pytest.approx(sum(tests) / trained, rel=1e-12)
    assert found["deflated_sharpe"].value == report["deflated"]["deflated_sharpe"]
    assert found["overfitting"].value == report["pbo"]
    assert found["ruin"].value == pytest.approx(sum(ruins) / 4)
    assert (found["latency"].value, found["latency"].bound) == (None, 1e-9)


def test_the_evidence_is_named_by_its_digests(home):
    found = home.judged(home.ready()).dossier
    board = make_leaderboard(home.store, home.database, home.ready(), "run")
    robust = make_robust(*home.place, home.ready(), board, "run")
    report = make_overfit_report(home.store, home.database, home.ready(), "run")
    assert found.evidence == {
        "leaderboard": board.content_digest,
        "monte_carlo": robust.monte_carlo.content_digest,
        "walk_forward": robust.walk_forward.content_digest,
        "overfit_report": report.content_digest,
    }
    assert found.winner == winner_of(board)
    assert found.winner.params == {"fast": 2.0, "slow": 12.0}


def test_what_was_left_out_is_not_known_and_does_not_pass(home):
    nothing = ROBUSTNESS | {"monte_carlo": None, "walk_forward": None}
    gate = OPEN_GATE | {"min_out_of_sample": -1e9, "max_ruin": 1.0}
    found = judged(home, robustness=nothing, gate=gate)
    failed = [name for name, one in by_name(found).items() if not one.passed]
    assert failed == ["out_of_sample", "ruin"]
    assert set(found.dossier.evidence) == {"leaderboard", "overfit_report"}


def test_monte_carlo_that_has_not_converged_does_not_pass(home):
    how = ROBUSTNESS | {"best": 1, "monte_carlo": {"precision": 1e-6, "max_paths": 2_000}}
    found = by_name(judged(home, robustness=how, gate=OPEN_GATE | {"max_ruin": 1.0}))
    assert not found["ruin"].passed
    assert "1 Monte Carlo summaries have not converged" in found["ruin"].sentence


def test_without_a_defined_score_there_is_no_winner():
    with empty_home() as home:
        found = judged(home, strategies=[{"strategy": BUSTED}], seeds="1")
        assert (found.dossier.winner, found.dossier.passed) == (None, False)
        assert [one.name for one in found.dossier.criteria] == ["score"]
        assert found.latency_ms is None
        assert home.store.exists(found.stored.key)


@pytest.mark.parametrize("harm", [damage, remove])
def test_a_damaged_or_lost_dossier_is_made_again(home, harm):
    first = home.judged(home.ready())
    before = home.objects()
    harm(home.store, first.stored.key)
    again = home.judged(home.ready())
    assert not again.stored.used_cache
    assert (again.stored.key, again.dossier) == (first.stored.key, first.dossier)
    assert home.objects() == before
    assert aside(home.store) == ([first.stored.key] if harm is damage else [])


def test_a_dataset_that_does_not_verify_is_named_and_judged_anew_once_it_does():
    """A refusal for the store's sake is kept, but must not bind for ever."""
    with empty_home() as home:
        campaign = home.ready()
        home.trials(campaign)
        board = make_leaderboard(home.store, home.database, campaign, "run")
        robust = make_robust(*home.place, campaign, board, "run")
        report = make_overfit_report(home.store, home.database, campaign, "run")

        def judge():
            return make_dossier(*home.place, campaign, board, robust, report, "run")

        scenario, seed = campaign.cells[1]
        ref = dataset_ref(scenario, seed)
        whole = home.store.get(ref.dataset_key)
        damage(home.store, ref.dataset_key)
        first = judge()
        assert [one.name for one in first.dossier.criteria if not one.passed] == ["checksums"]
        said = f"{scenario.partition_key}|{seed} does not verify"
        assert by_name(first)["checksums"].sentence == said
        damage(home.store, ref.dataset_key, whole)
        second = judge()
        assert second.dossier.passed
        assert second.stored.key != first.stored.key
        assert home.store.exists(first.stored.key)
        assert judge().stored.used_cache


def test_a_refusal_for_the_evidences_sake_is_not_judged_again(home):
    first = judged(home, gate=SHUT_GATE)
    again = judged(home, gate=SHUT_GATE)
    assert (again.stored.used_cache, again.stored.key) == (True, first.stored.key)


def test_a_busy_machine_is_measured_again(home):
    slow = OPEN_GATE | {"max_latency_ms": 1e-9}
    first, again = judged(home, gate=slow), judged(home, gate=slow)
    assert [one.name for one in first.dossier.criteria if not one.passed] == ["latency"]
    assert again.latency_ms > 0.0
    assert again.stored.key != first.stored.key


def test_a_campaign_without_trials_is_not_judged():
    with empty_home() as home, pytest.raises(NotFoundError, match="CAMPAIGN_INCOMPLETE"):
        home.judged(home.ready())
