"""Promotion, repetition, rollback and refusals, on both databases; races are beside this file."""

from datetime import UTC, datetime, timedelta

import pytest

from contracts.errors import ContractError, IntegrityError, NotFoundError
from islandflow_resources.registry import Registry
from tests.islandflow_resources.promotions import (
    check_whole,
    promotion,
    rows,
    serving,
    serving_id,
)


@pytest.fixture
def registry(database):
    return Registry(database)


def events(registry, alias="champion"):
    return [move.event_id for move in registry.history(alias)]


def roll_back(registry, **changes):
    return registry.rollback("champion", **{"actor": "me", "reason": "it lost money"} | changes)


def test_a_promotion_publishes_moves_the_alias_and_is_audited(registry):
    before = datetime.now(UTC) - timedelta(seconds=1)
    done = registry.promote(promotion(1))
    assert (done.new, done.alias, done.revision) == (True, "champion", 1)
    assert (done.from_serving_id, done.serving_id) == (None, serving_id(1))
    row = registry.resolve("champion")
    assert (row.actor, row.gate_key, row.git_commit) == ("sensor", "gates/1.json", None)
    assert before < row.promoted_at < datetime.now(UTC) + timedelta(seconds=1)
    move = registry.history("champion")[0]
    assert (move.action, move.actor, move.reason) == ("promote", "sensor", "winner 1")
    entry = registry.database.audit("promotion")[0]
    assert (entry.actor, entry.subject, entry.at) == ("sensor", "champion", move.at)
    assert entry.detail["gate_key"] == "gates/1.json"
    check_whole(registry, "champion", [done.event_id])


def test_the_same_event_again_changes_nothing_even_after_the_alias_moved_on(registry):
    first = registry.promote(promotion(1))
    registry.promote(promotion(2))
    before = rows(registry.database)
    again = registry.promote(promotion(1, expected_revision=0))
    assert again.new is False
    assert (again.revision, again.serving_id) == (first.revision, first.serving_id)
    assert rows(registry.database) == before
    assert registry.promoted(promotion(1).event_id) is True
    assert registry.promoted(promotion(3).event_id) is False


def test_a_rollback_is_not_undone_by_the_event_that_it_rolled_back(registry):
    for number in (1, 2):
        registry.promote(promotion(number))
    roll_back(registry)
    assert registry.promote(promotion(2)).new is False
    assert registry.resolve("champion").serving_id == serving_id(1)


def test_another_event_for_what_is_served_moves_nothing_then_and_later(registry):
    for number in (1, 2):
        registry.promote(promotion(number))
    late = promotion(9, spec=serving(2), action="override")
    found = registry.promote(late)
    assert (found.new, found.revision, found.serving_id) == (False, 2, serving_id(2))
    assert len(registry.history("champion")) == 2
    assert registry.database.audit("override")[0].detail["moved"] is False
    assert registry.promoted(late.event_id)
    roll_back(registry)
    assert registry.promote(late).new is False
    assert registry.resolve("champion").serving_id == serving_id(1)


def test_aliases_move_independently_of_each_other(registry):
    for number, alias in ((1, "champion"), (2, "challenger"), (3, "champion")):
        registry.promote(promotion(number, alias=alias))
    registry.promote(promotion(4, spec=serving(3), alias="challenger"))
    assert [(row.alias, row.revision) for row in registry.aliases()] == [
        ("challenger", 2),
        ("champion", 2),
    ]
    assert [row.serving_id for row in registry.specs()] == [serving_id(n) for n in (1, 2, 3)]
    assert registry.history("nobody") == []
    check_whole(registry, "champion", [promotion(n).event_id for n in (1, 3)])
    check_whole(registry, "challenger", [promotion(n).event_id for n in (2, 4)])


def test_a_spec_keeps_who_published_it_first(registry):
    registry.promote(promotion(1, spec=serving(1, git_commit="abc", actor="quant")))
    registry.promote(promotion(2, spec=serving(1), alias="other", actor="sensor"))
    row = registry.resolve(serving_id(1))
    assert (row.actor, row.git_commit, row.gate_key) == ("quant", "abc", "gates/1.json")


def test_an_alias_at_the_revision_that_was_seen_moves(registry):
    for number, seen in enumerate((0, 1, None, 3), start=1):
        done = registry.promote(promotion(number, expected_revision=seen))
        assert (done.new, done.revision) == (True, number)


def test_an_alias_that_has_moved_is_left_alone(registry):
    for number in (1, 2):
        registry.promote(promotion(number))
    before = rows(registry.database)
    for seen in (0, 1, 3):
        with pytest.raises(ContractError, match="ALIAS_MOVED") as caught:
            registry.promote(promotion(3, expected_revision=seen))
        expected = f"from revision {seen}: it is at revision 2 and points to {serving_id(2)}"
        assert expected in caught.value.message
        with pytest.raises(ContractError, match="ALIAS_MOVED"):
            roll_back(registry, expected_revision=seen)
    assert rows(registry.database) == before


def test_an_alias_that_is_expected_but_was_never_made_is_said_to_be_missing(registry):
    with pytest.raises(ContractError, match="it is not there"):
        registry.promote(promotion(1, expected_revision=1))
    assert registry.specs() == []


def test_an_event_means_one_alias_and_one_spec(registry):
    registry.promote(promotion(1))
    for other in (promotion(1, alias="other"), promotion(1, spec=serving(2))):
        with pytest.raises(ContractError, match="EVENT_REUSED"):
            registry.promote(other)
    check_whole(registry, "champion", [promotion(1).event_id])


def test_a_serving_id_means_one_spec(registry):
    registry.promote(promotion(1))
    before = rows(registry.database)
    for column in ("kind", "name", "object_key", "engine_digest"):
        with pytest.raises(IntegrityError, match="SERVING_DIVERGED") as caught:
            registry.promote(promotion(2, spec=serving(1, **{column: "other"}), alias="other"))
        assert column in caught.value.message
    assert rows(registry.database) == before


UNRECORDABLE = (
    *(({"alias": alias}, "ALIAS_INVALID") for alias in ("", "-a", "A", "a b", "a\n", "a" * 65)),
    ({"actor": " "}, "ACTOR_MISSING"),
    ({"actor": "a" * 129}, "ACTOR_TOO_LONG"),
    ({"reason": "r" * 1025}, "REASON_TOO_LONG"),
    ({"action": "override", "reason": "\t"}, "REASON_MISSING"),
)


def test_what_cannot_be_recorded_is_refused_before_anything_is(registry):
    for changes, code in UNRECORDABLE:
        with pytest.raises(ContractError) as caught:
            registry.promote(promotion(1, **changes))
        assert caught.value.code == code
    assert rows(registry.database) == [[], [], [], []]


def test_the_longest_texts_are_recorded_and_a_promotion_needs_no_reason(registry):
    longest = {"alias": "a" * 64, "actor": "ü" * 128, "reason": "ü" * 1024}
    registry.promote(promotion(1, **longest, action="override"))
    assert registry.history("a" * 64)[0].reason == "ü" * 1024
    assert registry.promote(promotion(2, reason="")).new


def test_a_rollback_goes_back_and_another_goes_further_back(registry):
    for number in (1, 2, 3):
        registry.promote(promotion(number))
    first, second = roll_back(registry), roll_back(registry)
    assert (first.new, first.from_serving_id, first.serving_id) == (
        True,
        serving_id(3),
        serving_id(2),
    )
    assert (second.revision, second.serving_id) == (5, serving_id(1))
    with pytest.raises(ContractError, match="ROLLBACK_NOWHERE"):
        roll_back(registry)
    assert [entry.detail["reason"] for entry in registry.database.audit("rollback")] == [
        "it lost money"
    ] * 2
    assert len(registry.specs()) == 3
    check_whole(registry, "champion", events(registry))


def test_a_rollback_after_a_rollback_and_a_promotion_skips_what_was_rolled_back(registry):
    for number in (1, 2):
        registry.promote(promotion(number))
    roll_back(registry)
    registry.promote(promotion(3))
    assert roll_back(registry).serving_id == serving_id(1)


def test_a_rollback_may_name_anything_that_the_alias_pointed_to(registry):
    for number in (1, 2, 3):
        registry.promote(promotion(number))
    assert roll_back(registry, to=serving_id(1), expected_revision=3).revision == 4
    forward = roll_back(registry, to=serving_id(3))
    assert (forward.new, forward.revision) == (True, 5)
    stays = roll_back(registry, to=serving_id(3))
    assert (stays.new, stays.revision) == (False, 5)
    assert roll_back(registry).serving_id == serving_id(1)


def test_a_rollback_that_leads_nowhere_changes_nothing(registry):
    registry.promote(promotion(1))
    registry.promote(promotion(2, alias="other"))
    before = rows(registry.database)
    for to in (None, serving_id(2), "sha256:none"):
        with pytest.raises(ContractError, match="ROLLBACK_NOWHERE"):
            roll_back(registry, to=to)
    with pytest.raises(NotFoundError, match="ALIAS_NOT_FOUND"):
        registry.rollback("nobody", actor="me", reason="x")
    with pytest.raises(ContractError, match="REASON_MISSING"):
        roll_back(registry, reason="")
    with pytest.raises(ContractError, match="ALIAS_INVALID"):
        registry.rollback("No", actor="me", reason="x")
    assert rows(registry.database) == before
