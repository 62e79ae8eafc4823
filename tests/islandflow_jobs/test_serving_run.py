"""Served specs from the command line; what is printed of them is in test_cli_campaigns.py too."""

import json

import pytest

from contracts.errors import ContractError, IntegrityError, NotFoundError
from islandflow_jobs import operations, serving_run
from islandflow_resources.registry import Registry
from islandflow_resources.resource_set import ResourceSet
from islandflow_resources.settings import load_settings
from islandflow_resources.signatures import Keyring, key_id
from islandflow_resources.signing_keys import seed_of, written
from tests.campaign_graph import campaign_home, empty_home, promoted_home, register, run_job
from tests.graph import graph_of
from tests.islandflow_resources.campaigning import SHUT_GATE, damage, remove


@pytest.fixture
def promoted():
    """A home whose winner is served."""
    with graph_of(promoted_home()) as graph:
        yield graph


def promote(graph, name="tiny", **changes):
    how = {"alias": "", "reason": "", "is_override": False, "is_dry_run": False}
    return serving_run.promote(graph.resources, name, **(how | changes))


def test_a_promotion_by_hand_is_audited_with_who_and_why():
    with graph_of(campaign_home()) as graph:
        [line] = promote(graph, reason="for the demonstration")
        assert line.endswith(" served as best, revision 1")
        [move] = Registry(graph.resources.database).history("best")
        assert (move.reason, move.action) == ("for the demonstration", "promote")
        assert move.actor
        assert not move.actor.startswith("run ")


def test_promoted_again_nothing_moves(promoted):
    [line] = promote(promoted)
    assert "unchanged, served as best, revision 1" in line
    assert len(Registry(promoted.resources.database).history("best")) == 1


def test_after_a_rollback_a_person_may_promote_again_what_a_sensor_may_not(promoted):
    key = register(promoted, id="other", seeds="3")
    assert run_job(promoted, key).success
    promote(promoted, "other")
    serving_run.rollback(promoted.resources, "best", to="", reason="looked wrong")
    [line] = promote(promoted, "other", reason="it was right")
    assert line.endswith("served as best, revision 4")


def test_a_campaign_that_was_not_run_has_nothing_to_promote():
    with graph_of(empty_home()) as graph:
        register(graph)
        with pytest.raises(NotFoundError, match="CAMPAIGN_INCOMPLETE"):
            promote(graph)


def test_without_any_alias_the_option_is_asked_for():
    with graph_of(empty_home()) as graph:
        register(graph, promotion=None)
        with pytest.raises(ContractError, match=r"PROMOTION_NO_ALIAS.*--alias"):
            promote(graph)


def test_a_dry_run_of_what_the_gate_refuses_is_refused_as_the_promotion_would_be():
    with graph_of(empty_home()) as graph:
        key = register(graph, gate=SHUT_GATE)
        assert run_job(graph, key).success
        for is_dry_run in (True, False):
            with pytest.raises(ContractError, match="GATE_REFUSED") as caught:
                promote(graph, is_dry_run=is_dry_run)
            assert len(caught.value.problems) >= 5
        assert Registry(graph.resources.database).specs() == []


def test_a_rollback_goes_to_a_named_spec_by_its_first_digits(promoted):
    first = Registry(promoted.resources.database).resolve("best").serving_id
    key = register(promoted, id="other", seeds="3")
    assert run_job(promoted, key).success
    promote(promoted, "other")
    digits = first.removeprefix("sha256:")[:12]
    [line] = serving_run.rollback(promoted.resources, "best", to=digits, reason="by name")
    assert line.startswith(f"best -> {first}, revision 3")
    with pytest.raises(NotFoundError, match="SERVING_NOT_FOUND"):
        serving_run.rollback(promoted.resources, "best", to="0" * 12, reason="nowhere")


def test_every_alias_stands_before_every_spec(promoted):
    promote(promoted, alias="another")
    lines = serving_run.list_specs(promoted.resources)
    assert [line.split(" ")[0] for line in lines[:2]] == ["another", "best"]
    assert lines[2].startswith("sha256:")
    assert len(lines) == 3


def test_what_is_shown_says_where_it_lies_and_who_published_it(promoted):
    shown = json.loads("\n".join(serving_run.show(promoted.resources, "best")))
    store = promoted.resources.store
    for name in ("uri", "gate_report"):
        assert store.exists(store.parse_uri(shown[name]))
    assert shown["actor"].startswith("run ")
    damage(store, store.parse_uri(shown["uri"]))
    with pytest.raises(IntegrityError, match="SERVING_TAMPERED"):
        serving_run.show(promoted.resources, "best")


def signatures_of(graph):
    """Keys of the signatures of what is served as ``best``."""
    serving_id = Registry(graph.resources.database).resolve("best").serving_id
    return graph.resources.store.keys(f"serving/{serving_id[7:]}/signature-")


def test_what_was_published_before_signatures_is_refused_until_it_is_verified_and_signed(promoted):
    [key] = signatures_of(promoted)
    whole = promoted.resources.store.get(key)
    remove(promoted.resources.store, key)
    for read in (serving_run.show, operations.verify_one):
        with pytest.raises(IntegrityError, match=r"SERVING_UNSIGNED.*islandflow serving sign"):
            read(promoted.resources, "best")
    lines = serving_run.sign(promoted.resources, "best")
    assert serving_run.sign(promoted.resources, "best") == lines
    assert lines[0].startswith("verified ")
    assert lines[-1] == f"signed by {json.loads(whole)['key_id']}"
    assert promoted.resources.store.get(key) == whole
    shown = json.loads("\n".join(serving_run.show(promoted.resources, "best")))
    [entry] = promoted.resources.database.audit("sign")
    assert (entry.subject, entry.detail) == (
        shown["serving_id"],
        {"key_id": shown["signed_by"]},
    )


def test_what_does_not_verify_is_not_signed(promoted):
    [key] = signatures_of(promoted)
    remove(promoted.resources.store, key)
    gate_key = Registry(promoted.resources.database).resolve("best").gate_key
    damage(promoted.resources.store, gate_key)
    with pytest.raises(IntegrityError, match="CHAIN_BROKEN"):
        serving_run.sign(promoted.resources, "best")
    assert signatures_of(promoted) == promoted.resources.database.audit("sign") == []


def test_another_deployment_trusts_it_once_it_is_told_the_public_key(promoted, tmp_path):
    store, database = promoted.resources.store, promoted.resources.database
    [public] = serving_run.show_key(promoted.resources)
    elsewhere = ResourceSet.from_environment({"ISLANDFLOW_HOME": str(tmp_path)})
    trusting = ResourceSet.from_environment(
        {"ISLANDFLOW_HOME": str(tmp_path), "ISLANDFLOW_TRUSTED_KEYS": public}
    )
    for there in (elsewhere, trusting):
        there.__dict__.update(store=store, database=database)
    with pytest.raises(IntegrityError, match=r"SERVING_SIGNER_UNKNOWN.*ISLANDFLOW_TRUSTED_KEYS"):
        serving_run.show(elsewhere, "best")
    assert serving_run.show(trusting, "best") == serving_run.show(promoted.resources, "best")


def test_a_new_key_is_a_pair_of_settings_that_belong_together():
    first, second = (dict(line.split("=", 1) for line in serving_run.new_key()) for _ in range(2))
    assert first["ISLANDFLOW_SIGNING_KEY"] != second["ISLANDFLOW_SIGNING_KEY"]
    settings = load_settings(first)
    own = Keyring(seed_of(settings.signing_key)).public_key()
    assert Keyring.of(settings).trusted() == {key_id(own): own}
    assert settings.trusted_keys == (written(own),)
