"""Promotion: the gate asked, the spec proven, the alias moved once for each decision."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from contracts.errors import ContractError, IntegrityError
from islandflow_resources.materialise import dataset_ref
from islandflow_resources.promotion import TOP, git_commit, person, prove
from islandflow_resources.published import draft, read_evidence, read_published
from islandflow_resources.registry import Registry
from tests.graph import KERNELS
from tests.islandflow_resources.campaigning import (
    BUSTED,
    SHUT_GATE,
    damage,
    empty_home,
    finished_copy,
    remove,
)

ROOT = Path(__file__).parents[2]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
OPEN = """
import json, sys
from pathlib import Path
from islandflow_resources.engine_runtime import EngineRuntime
from islandflow_resources.resource_set import ResourceSet

resources = ResourceSet.from_environment({"ISLANDFLOW_HOME": sys.argv[1]})
runtime = EngineRuntime(1, 64, Path(sys.argv[2]))
runtime.prepare()
from islandflow_resources import campaigns, judgement, promotion, published

place = resources.store, resources.database, runtime
campaign = campaigns.registered(resources.database, "tiny")
"""
PROVE = f"""{OPEN}
spec = published.read_published(resources.store, resources.keyring, sys.argv[3])
made = published.Draft(spec, published.read_evidence(resources.store, spec))
promotion.prove(*place, campaign, made)
print(json.dumps([made.evidence.num_rows, made.key]))
"""
RACE = f"""{OPEN}
judged = judgement.judged_now(*place, campaign, "run")
decision = promotion.Decision("best", "the sensor", "the gate was passed")
print("ready", flush=True)
sys.stdin.readline()
vouched = judged.dossier, judged.stored
done = promotion.promote(*place, resources.keyring, campaign, *vouched, decision)
print(json.dumps([done.promoted.new, done.draft.serving_id]))
"""


@pytest.fixture
def home():
    with finished_copy() as made:
        yield made


def history(home, alias="best"):
    return [
        (row.revision, row.action, row.to_serving_id)
        for row in Registry(home.database).history(alias)
    ]


def drafted(home):
    campaign = home.ready()
    judged = home.judged(campaign)
    return draft(home.store, home.database, campaign, judged.dossier, judged.stored.content_digest)


def test_a_winner_that_passed_is_published_and_served(home):
    campaign = home.ready()
    done = home.promote(campaign)
    assert done.promoted.new
    registry = Registry(home.database)
    row = registry.resolve("best")
    judged = home.judged(campaign)
    assert (row.serving_id, row.kind, row.name) == (done.draft.serving_id, "strategy", "tiny")
    assert (row.gate_key, row.object_key) == (judged.stored.key, done.draft.key)
    assert row.campaign_hash == campaign.spec.campaign_hash
    assert row.git_commit == git_commit(TOP)
    assert read_published(home.store, home.keyring, row.serving_id) == done.draft.spec
    assert read_evidence(home.store, done.draft.spec).num_rows == 4
    assert history(home) == [(1, "promote", row.serving_id)]


def test_a_refusal_lists_every_criterion_that_failed_and_publishes_nothing(home):
    campaign = home.ready(gate=SHUT_GATE)
    home.trials(campaign)
    judged = home.judged(campaign)
    with pytest.raises(ContractError) as caught:
        home.promote(campaign)
    failed = [one for one in judged.dossier.criteria if not one.passed]
    told = caught.value.problems
    assert len(failed) == 7
    assert [(one.code, one.loc, one.message) for one in told] == [
        ("GATE_REFUSED", one.name, one.sentence) for one in failed
    ]
    assert all(campaign.key in one.hints[0] for one in told)
    assert home.store.keys("serving/") == []
    assert Registry(home.database).specs() == []


def test_an_override_is_served_and_says_so(home):
    campaign = home.ready(gate=SHUT_GATE)
    home.trials(campaign)
    with pytest.raises(ContractError, match="REASON_MISSING"):
        home.promote(campaign, is_override=True, reason=" ")
    assert Registry(home.database).specs() == []
    done = home.promote(campaign, is_override=True, reason="for a demonstration", actor="ada")
    assert history(home) == [(1, "override", done.draft.serving_id)]
    [entry] = home.database.audit("override")
    assert entry.detail["reason"] == "for a demonstration"


def test_an_override_that_was_not_needed_is_a_promotion(home):
    home.promote(home.ready(), is_override=True)
    assert [action for _, action, _ in history(home)] == ["promote"]


def test_nobody_can_answer_for_a_winner_that_there_is_not():
    with empty_home() as home:
        campaign = home.ready(strategies=[{"strategy": BUSTED}], seeds="1")
        home.trials(campaign)
        with pytest.raises(ContractError, match="GATE_REFUSED") as caught:
            home.promote(campaign, is_override=True)
        assert caught.value.loc == "score"
        assert home.store.keys("serving/") == []


def test_the_sensors_decision_is_carried_out_once_also_after_a_rollback(home):
    first = home.promote(home.ready())
    again = home.promote(home.ready(), actor="run 2")
    assert (first.promoted.new, again.promoted.new) == (True, False)
    assert len(history(home)) == 1
    other = home.ready(promotion={"alias": "best", "description": "another"})
    home.trials(other)
    home.promote(other)
    Registry(home.database).rollback("best", actor="ada", reason="it looked wrong")
    before = history(home)
    assert [action for _, action, _ in before] == ["promote", "promote", "rollback"]
    assert not home.promote(other, actor="run 3").promoted.new
    assert history(home) == before


def test_a_decision_by_hand_is_made_anew_once_the_alias_has_moved(home):
    by_hand = {"is_by_hand": True, "actor": "ada"}
    first = home.promote(home.ready(), **by_hand)
    assert not home.promote(home.ready(), **by_hand).promoted.new
    other = home.ready(promotion={"alias": "best", "description": "another"})
    home.trials(other)
    second = home.promote(other, **by_hand)
    Registry(home.database).rollback("best", actor="ada", reason="it looked wrong")
    third = home.promote(other, **by_hand)
    assert third.promoted.new
    ids = [first.draft.serving_id, second.draft.serving_id, first.draft.serving_id,
           second.draft.serving_id]  # fmt: skip
    assert [to for _, _, to in history(home)] == ids


def test_the_same_winner_may_be_served_under_two_names(home):
    one = home.promote(home.ready())
    other = home.promote(home.ready(), alias="shadow")
    assert one.draft.serving_id == other.draft.serving_id
    assert len(history(home)) == len(history(home, "shadow")) == 1
    assert len(Registry(home.database).specs()) == 1


@contextmanager
def racer(home):
    """A process that judges, and promotes when it is told to."""
    arguments = [sys.executable, "-W", "error", "-c", RACE, str(home.store.root.parent)]
    with subprocess.Popen(
        [*arguments, str(KERNELS)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process


def test_processes_that_decide_the_same_at_once_move_the_alias_once(home):
    with racer(home) as one, racer(home) as other:
        assert [each.stdout.readline() for each in (one, other)] == ["ready\n"] * 2
        for each in (one, other):
            each.stdin.write("go\n")
            each.stdin.flush()
        done = [json.loads(each.stdout.readline()) for each in (one, other)]
    assert sorted(new for new, _ in done) == [False, True]
    [serving_id] = {name for _, name in done}
    assert history(home) == [(1, "promote", serving_id)]
    assert len(Registry(home.database).specs()) == 1


def test_a_spec_gives_its_numbers_again_in_a_process_without_any_compiled_kernel(home, tmp_path):
    """What other code of the same engine computes is the same to the bit."""
    done = home.promote(home.ready())
    kernels = tmp_path / "kernels"
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "NUMBA_CACHE_DIR": str(kernels)}
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROVE, str(home.store.root.parent),
         str(kernels), done.draft.serving_id],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == [4, done.draft.key]
    assert not [one for one in kernels.rglob("*") if one.is_file()]


def changed(evidence, column, change):
    """Evidence with another value in its third row."""
    values = evidence[column].to_pylist()
    values[2] = change(values[2])
    place, kind = evidence.column_names.index(column), evidence.schema.field(column)
    return evidence.set_column(place, kind, pa.array(values, kind.type))


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("dataset_digest", lambda _: "blake3:" + "0" * 64),
        ("sharpe", lambda value: value * (1 + 2**-52)),
        ("final_equity", lambda value: value + 1e-9),
        ("fills", lambda value: value + 1),
        ("win_rate", lambda _: None),
        ("seed", lambda _: 77),
        ("scenario_key", lambda _: "gone-0123456789ab"),
    ],
)
def test_evidence_that_is_not_given_again_is_no_proof(home, column, change):
    campaign, made = home.ready(), drafted(home)
    prove(*home.place, campaign, made)
    wrong = replace(made, evidence=changed(made.evidence, column, change))
    with pytest.raises(IntegrityError, match="SERVING_NOT_REPRODUCED"):
        prove(*home.place, campaign, wrong)


@pytest.mark.parametrize("part", ["settings", "strategy"])
def test_another_spec_does_not_give_the_same_evidence(home, part):
    campaign, made = home.ready(), drafted(home)
    spec = made.spec
    other = {
        "settings": spec.settings.model_copy(update={"bar_delay": 2}),
        "strategy": spec.strategy.model_copy(update={"params": {"fast": 3.0, "slow": 12.0}}),
    }[part]
    wrong = replace(made, spec=spec.model_copy(update={part: other}))
    with pytest.raises(IntegrityError, match="SERVING_NOT_REPRODUCED"):
        prove(*home.place, campaign, wrong)


@pytest.mark.parametrize("harm", [damage, remove])
def test_a_changed_dataset_is_noticed_before_anything_is_published(home, harm):
    scenario, seed = home.ready().cells[3]
    harm(home.store, dataset_ref(scenario, seed).dataset_key)
    with pytest.raises(IntegrityError, match="SERVING_NOT_REPRODUCED") as caught:
        home.promote(home.ready())
    assert "1 datasets do not verify" in caught.value.message
    assert home.store.keys("serving/") == []
    assert Registry(home.database).specs() == []


def test_a_spec_that_was_tampered_with_keeps_the_alias_where_it_is(home):
    made = drafted(home)
    home.store.put_if_absent(made.key, b"{}\n")
    with pytest.raises(IntegrityError, match="OBJECT_DIFFERS"):
        home.promote(home.ready())
    assert history(home) == []


def repository(folder, head, refs=None, packed=""):
    git = folder / ".git"
    git.mkdir()
    (git / "HEAD").write_text(head)
    for name, commit in (refs or {}).items():
        (git / name).parent.mkdir(parents=True, exist_ok=True)
        (git / name).write_text(f"{commit}\n")
    if packed:
        (git / "packed-refs").write_text(packed)
    return folder


def test_the_commit_is_read_from_a_loose_ref(tmp_path):
    loose = {"refs/heads/main": COMMIT, "refs/heads/other": "f" * 40}
    packed = f"# pack-refs with: peeled\n{'e' * 40} refs/heads/main\n"
    assert git_commit(repository(tmp_path, "ref: refs/heads/main\n", loose, packed)) == COMMIT


def test_the_commit_is_read_from_a_packed_ref(tmp_path):
    packed = (
        f"# pack-refs with: peeled fully-peeled sorted\n{'e' * 40} refs/heads/not/main\n"
        f"{COMMIT} refs/heads/main\n{'f' * 40} refs/tags/v1\n^{'a' * 40}\n"
    )
    assert git_commit(repository(tmp_path, "ref: refs/heads/main\n", packed=packed)) == COMMIT


def test_a_detached_head_is_its_own_commit(tmp_path):
    assert git_commit(repository(tmp_path, f"{COMMIT}\n")) == COMMIT


@pytest.mark.parametrize("head", ["ref: refs/heads/unborn\n", ""])
def test_a_branch_without_a_commit_has_none(tmp_path, head):
    assert git_commit(repository(tmp_path, head)) is None


def test_what_is_no_repository_has_no_commit(tmp_path):
    assert git_commit(tmp_path) is None
    (tmp_path / ".git").write_text("gitdir: elsewhere\n")
    assert git_commit(tmp_path) is None


def test_somebody_runs_this():
    assert person().strip()
