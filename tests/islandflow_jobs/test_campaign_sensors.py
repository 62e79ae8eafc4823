"""Sensors of campaigns, tick by tick: what they ask for, never twice, and what they leave alone."""

import json
import shutil
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from islandflow_jobs import campaign_sensors
from islandflow_jobs.campaign_sensors import (
    MAX_ATTEMPTS,
    MAX_RUNS,
    finish_campaigns,
    promote_winners,
    start_campaigns,
)
from islandflow_jobs.definitions import defs
from islandflow_jobs.serving_run import promote, rollback
from islandflow_resources.failures import PERMANENT_TAG
from islandflow_resources.registry import Registry
from tests.campaign_graph import (
    campaign_home,
    empty_home,
    only_campaign,
    promoted_home,
    refused_document,
    register,
    requests_of,
    run_job,
    run_request,
    skip_reason,
)
from tests.graph import graph_of, open_graph
from tests.islandflow_resources.campaigning import SHUT_GATE


@pytest.fixture
def bare():
    """A home where nothing is registered."""
    with graph_of(empty_home()) as graph:
        yield graph


@pytest.fixture
def judged():
    """A home with a campaign whose gate has passed and that is not promoted."""
    with graph_of(campaign_home()) as graph:
        yield graph


@pytest.fixture
def promoted():
    """The same, its winner served."""
    with graph_of(promoted_home()) as graph:
        yield graph


def start(graph):
    return start_campaigns(dg.build_sensor_context(instance=graph.instance))


def finish(graph, now=None):
    now = now or datetime.now(UTC)
    return finish_campaigns(
        dg.build_schedule_context(instance=graph.instance, scheduled_execution_time=now)
    )


def winners(graph):
    return winners_after(graph, None)[0]


def winners_after(graph, cursor):
    """What a tick with a cursor asks for, and the cursor that it leaves."""
    context = dg.build_sensor_context(
        instance=graph.instance, cursor=cursor, resources={"database": graph.resources.database}
    )
    asked = list(promote_winners(context))
    return asked, context.cursor


def add_run(graph, key, job, status=dg.DagsterRunStatus.STARTED, **tags):
    """A run as the instance remembers it, in some state."""
    return graph.instance.create_run_for_job(
        defs.resolve_job_def(job),
        status=status,
        tags={"dagster/partition": key, **{f"dagster/{name}": tags[name] for name in tags}},
    )


def served(graph):
    """Alias, spec and revision of everything that is served."""
    aliases = Registry(graph.resources.database).aliases()
    return [(row.alias, row.serving_id, row.revision) for row in aliases]


def test_a_registered_campaign_is_run_once_and_then_left_alone(bare):
    assert "run" in skip_reason(start(bare))
    key = register(bare)
    [(run_key, request)] = requests_of(start(bare)).items()
    assert (run_key, request.partition_key) == (f"campaign:{key}", key)
    assert requests_of(start(bare)).keys() == {run_key}  # a daemon that lost its tick asks alike
    assert run_request(bare, request, "campaign").success
    assert requests_of(start(bare)) == requests_of(finish(bare)) == {}


def test_a_campaign_that_runs_or_waits_is_not_started_again(bare):
    key = register(bare)
    run = add_run(bare, key, "campaign", dg.DagsterRunStatus.STARTING)
    assert requests_of(start(bare)) == requests_of(finish(bare)) == {}
    bare.instance.report_run_canceled(run)
    assert [one.partition_key for one in requests_of(finish(bare)).values()] == [key]


def test_campaigns_that_failed_keep_no_new_one_from_starting_and_ten_a_night_are_tried_again(bare):
    for number in range(MAX_RUNS + 1):
        key = register(bare, id=f"failed{number}")
        bare.instance.report_run_failed(add_run(bare, key, "campaign"))
    tonight = requests_of(finish(bare))
    assert len(tonight) == MAX_RUNS
    later = datetime.now(UTC) + timedelta(days=1)
    assert not tonight.keys() & requests_of(finish(bare, later)).keys()
    assert tonight.keys() == requests_of(finish(bare)).keys()
    fresh = register(bare, id="fresh")
    assert list(requests_of(start(bare))) == [f"campaign:{fresh}"]


def test_a_run_that_never_ended_is_taken_for_killed_after_a_day(bare):
    key = register(bare)
    add_run(bare, key, "campaign")
    assert requests_of(finish(bare)) == {}
    [request] = requests_of(finish(bare, datetime.now(UTC) + timedelta(hours=25))).values()
    assert request.partition_key == key


def test_a_campaign_that_failed_for_good_is_left_to_a_person(bare):
    key = register(bare, **refused_document())
    [request] = requests_of(start(bare)).values()
    run = run_request(bare, request, "campaign")
    assert not run.success
    assert PERMANENT_TAG in bare.instance.get_run_by_id(run.result.run_id).tags
    assert requests_of(start(bare)) == requests_of(finish(bare)) == {}
    assert key in bare.instance.get_dynamic_partitions("campaign")


def test_a_winner_is_promoted_exactly_once(judged):
    key = only_campaign(judged)
    [(run_key, request)] = requests_of(winners(judged)).items()
    assert run_key.startswith(f"promote:{key}:")
    assert requests_of(winners(judged)).keys() == {run_key}
    assert run_request(judged, request, "promotion").success
    [(alias, _, revision)] = served(judged)
    assert (alias, revision) == ("best", 1)
    assert "published" in skip_reason(winners(judged))
    before = served(judged)
    assert run_request(judged, request, "promotion").success  # the other daemon's
    assert served(judged) == before


def test_a_winner_is_asked_for_under_every_cursor_until_it_is_served(judged):
    first, cursor = winners_after(judged, None)
    again, later = winners_after(judged, cursor)
    assert requests_of(first).keys() == requests_of(again).keys()
    [request] = requests_of(again).values()
    assert run_request(judged, request, "promotion").success
    done, last = winners_after(judged, later)
    assert (requests_of(done), json.loads(last)["waiting"]) == ({}, [])
    assert json.loads(last)["after"] == json.loads(cursor)["after"]


def test_a_dossier_that_became_visible_after_a_later_event_is_looked_at(judged, monkeypatch):
    _, cursor = winners_after(judged, None)
    passed_over = json.dumps({**json.loads(cursor), "waiting": []})
    monkeypatch.setattr(campaign_sensors, "LATE", timedelta(days=1))
    asked, later = winners_after(judged, passed_over)
    assert [one.partition_key for one in requests_of(asked).values()] == [only_campaign(judged)]
    assert later == cursor
    monkeypatch.setattr(campaign_sensors, "LATE", timedelta(0))
    assert requests_of(winners_after(judged, passed_over)[0]) == {}


def test_a_dossier_that_comes_after_the_cursor_is_looked_at(promoted):
    asked, cursor = winners_after(promoted, None)
    assert requests_of(asked) == {}
    other = register(promoted, id="other", seeds="3")
    assert run_job(promoted, other).success
    asked, _ = winners_after(promoted, cursor)
    assert [one.partition_key for one in requests_of(asked).values()] == [other]


def test_while_a_promotion_runs_no_other_is_asked_for(judged):
    add_run(judged, only_campaign(judged), "promotion")
    assert requests_of(winners(judged)) == {}


def test_a_failed_promotion_is_asked_for_again_at_most_twice(judged):
    key = only_campaign(judged)
    asked = []
    while requests := requests_of(winners(judged)):
        [run_key] = requests
        asked.append(run_key)
        judged.instance.report_run_failed(add_run(judged, key, "promotion", run_key=run_key))
    assert len(asked) == len(set(asked)) == MAX_ATTEMPTS == 3


def test_failures_of_runs_that_a_person_started_do_not_use_up_the_attempts(judged):
    key = only_campaign(judged)
    for _ in range(MAX_ATTEMPTS):
        judged.instance.report_run_failed(add_run(judged, key, "promotion"))
    assert len(requests_of(winners(judged))) == 1


def test_a_promotion_that_failed_for_good_is_not_asked_for_again(judged):
    key = only_campaign(judged)
    [run_key] = requests_of(winners(judged))
    run = add_run(judged, key, "promotion", run_key=run_key)
    judged.instance.add_run_tags(run.run_id, {PERMANENT_TAG: "SERVING_NOT_REPRODUCED"})
    judged.instance.report_run_failed(run)
    assert requests_of(winners(judged)) == {}


def test_a_dry_run_says_what_it_would_promote_and_asks_for_nothing(judged, monkeypatch):
    monkeypatch.setenv("ISLANDFLOW_PROMOTION", "dry_run")
    assert skip_reason(winners(judged)) == f"dry run: would promote {only_campaign(judged)}"
    monkeypatch.setenv("ISLANDFLOW_PROMOTION", "on")
    assert len(requests_of(winners(judged))) == 1


@pytest.fixture(scope="module")
def home_of_two(tmp_path_factory):
    """The winner of one campaign served, and another run whose winner nobody has asked for."""
    home = tmp_path_factory.mktemp("two") / "home"
    shutil.copytree(promoted_home(), home, symlinks=True)
    with open_graph(home) as graph:
        assert run_job(graph, register(graph, id="other", seeds="3")).success
    return home


@pytest.fixture
def two(home_of_two):
    """A copy of `home_of_two`, and the key of its second campaign."""
    with graph_of(home_of_two) as graph:
        [key] = [key for key in graph.instance.get_dynamic_partitions("campaign") if "other" in key]
        yield graph, key


def test_after_a_rollback_by_hand_the_winner_is_not_promoted_again(two):
    graph, other = two
    [request] = requests_of(winners(graph)).values()
    assert run_request(graph, request, "promotion").success
    second = served(graph)
    rollback(graph.resources, "best", to="", reason="it looked better than it was")
    assert served(graph) != second
    assert requests_of(winners(graph)) == {}
    assert run_job(graph, other).success  # a rerun finds the same dossier
    assert requests_of(winners(graph)) == {}


def test_what_a_person_promoted_and_rolled_back_before_the_tick_stands(two):
    graph, other = two
    promote(graph.resources, other, alias="", reason="", is_override=False, is_dry_run=False)
    rollback(graph.resources, "best", to="", reason="by mistake")
    before = served(graph)
    assert requests_of(winners(graph)) == {}
    assert served(graph) == before


def test_a_campaign_without_an_alias_or_whose_gate_refuses_is_never_promoted(bare):
    for changes in ({"promotion": None}, {"id": "shut", "seeds": "3", "gate": SHUT_GATE}):
        assert run_job(bare, register(bare, **changes)).success
    assert requests_of(winners(bare)) == {}


def test_a_tick_writes_nothing(judged):
    before = judged.objects(), judged.rows(), judged.instance.get_runs_count()
    assert requests_of(winners(judged))
    requests_of(start(judged))
    requests_of(finish(judged))
    assert (judged.objects(), judged.rows(), judged.instance.get_runs_count()) == before
