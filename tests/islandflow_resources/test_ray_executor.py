"""Trial chunks on a real Ray cluster of two nodes: the same trials, whoever makes them and dies."""

from __future__ import annotations

import logging
import pickle
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.campaign import campaign_from
from contracts.errors import ClusterUnavailableError, ConfigurationError, StoreUnavailableError
from islandflow_resources import campaigns
from islandflow_resources.campaign_trials import listed_chunks, run_trials
from islandflow_resources.executors import InProcess
from islandflow_resources.ray_executor import (
    CHUNK_BARS,
    CHUNK_SETS,
    IN_FLIGHT_PER_CPU,
    TASK_BARS,
    TASK_NAME,
    TASKS_PER_CPU,
    RayChunks,
    make_part,
    parts,
)
from islandflow_resources.resource_set import ResourceSet
from tests.graph import CALM, CROSSOVER, KERNELS, SINKING
from tests.ray_cluster import NODES, run_ray_cluster

CPUS = 2
MARKETS = [CALM, CALM | {"id": "wild", "params": {"drift": -0.2, "sigma": 20}}]
ENTRANT = CROSSOVER | {
    "params": {"fast": {"default": 3, "min": 2, "max": 6, "step": 1}},
    "rules": [
        {"if": "crossover(ma(close, fast), ma(close, 9))", "then": "buy"},
        {"if": "crossunder(ma(close, fast), ma(close, 9))", "then": "sell"},
    ],
}


@pytest.fixture(scope="module")
def cluster():
    """The cluster, and this process ready to join it."""
    with run_ray_cluster() as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        yield running
        import ray

        ray.shutdown()


@pytest.fixture
def two_nodes(cluster):
    """The cluster with all its nodes, also after one was killed."""
    if len(cluster.raylets) < NODES:
        cluster.add_node()
    return cluster


@pytest.fixture(scope="module")
def in_process(tmp_path_factory):
    """Digests of the campaign, made in this process."""
    resources = home(tmp_path_factory.mktemp("in_process"))
    parts_of = resources.store, resources.database, resources.engine_runtime
    return digests(run(resources, InProcess(*parts_of)))


def home(folder, **variables):
    """Resources of a fresh home whose kernels are compiled already."""
    (folder / "home").mkdir(parents=True)
    (folder / "home" / "kernels").symlink_to(KERNELS)
    variables |= {"ISLANDFLOW_HOME": str(folder / "home"), "ISLANDFLOW_EXECUTOR": "ray"}
    return ResourceSet.from_environment(variables)


def on_ray(resources, cluster):
    """The executor on the cluster."""
    return RayChunks(replace(resources.settings, ray_address=cluster.address))


def campaign(resources, seeds=40, markets=MARKETS):
    """The campaign, checked."""
    document = {
        "id": "spread",
        "version": "0.1",
        "scenarios": markets,
        "seeds": f"1-{seeds}",
        "strategies": [{"strategy": ENTRANT}],
        "promotion": {"alias": "best"},
    }
    return campaigns.ready(campaign_from(document), resources.database)


def run(resources, executor, progress=lambda done, total: None):
    """All trials of the campaign."""
    args = (resources.store, resources.database, resources.engine_runtime, campaign(resources))
    return run_trials(*args, executor, "run", progress)


def digests(trials):
    return trials.candidates.content_digest, trials.chunks.content_digest, trials.trials


def nodes(caplog):
    """How many tasks ended on which node, as the executor logs it."""
    found = (re.search(r"made on node (\w+)", one.getMessage()) for one in caplog.records)
    return Counter(one[1] for one in found if one)


def test_every_chunk_is_in_one_part_and_all_are_in_order(tmp_path):
    chunks = list(listed_chunks(campaign(home(tmp_path), seeds=50)))
    for cpus in (1, 2, 3, 16, 1000):
        made = list(parts(chunks, cpus))
        assert [id(chunk) for part in made for chunk in part] == [id(chunk) for chunk in chunks]
        assert all(made)
        assert len(made) >= min(len(chunks), cpus * TASKS_PER_CPU)
    assert list(parts([], 4)) == []


def test_a_part_is_about_a_second_s_work_or_one_chunk(tmp_path):
    sizes = {}
    for bars in (20_000, 800_000):
        markets = [one | {"duration_bars": bars} for one in MARKETS]
        chunks = list(listed_chunks(campaign(home(tmp_path / str(bars)), 100, markets)))
        sizes[bars] = max(len(part) for part in parts(chunks, 1))
    assert 0.9 * TASK_BARS < sizes[20_000] * cost_of(20_000) <= TASK_BARS < cost_of(800_000)
    assert sizes[800_000] == 1


def cost_of(bars):
    """A chunk of the campaign on so many bars, in bars times parameter sets."""
    return bars * (5 + CHUNK_SETS) + CHUNK_BARS


def test_a_missing_ray_is_said_with_the_extra_to_install(tmp_path, monkeypatch):
    resources = home(tmp_path)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigurationError, match=r"islandflow\[ray\]") as failed:
        list(RayChunks(resources.settings).make(chunks_of(resources), "run"))
    assert failed.value.code == "RAY_NOT_INSTALLED"


def test_a_node_with_another_engine_makes_nothing(tmp_path):
    resources = home(tmp_path)
    with pytest.raises(ConfigurationError, match="same version of islandflow") as failed:
        make_part(resources.settings, chunks_of(resources), "run", "0" * 64)
    assert failed.value.code == "RAY_NODE_DIFFERS"
    assert resources.database.artefacts() == []


def chunks_of(resources, **options):
    return list(listed_chunks(campaign(resources, **options)))


def test_an_address_where_nobody_listens_is_retryable_and_named_at_once(cluster, tmp_path):
    leave()
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        failed = refusal(tmp_path, f"127.0.0.1:{unheard.getsockname()[1]}")
    assert isinstance(failed, ClusterUnavailableError)
    assert (failed.code, failed.loc, failed.retryable) == (
        "RAY_UNAVAILABLE",
        "ISLANDFLOW_RAY_ADDRESS",
        True,
    )
    assert "ISLANDFLOW_RAY_ADDRESS" in failed.hints[0]


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:many"])
def test_an_address_that_is_none_is_refused_for_good(cluster, tmp_path, address):
    leave()
    failed = refusal(tmp_path, address)
    assert (failed.code, failed.retryable) == ("RAY_ADDRESS_INVALID", False)


def refusal(folder, address):
    """What making chunks at an address raises, before it has taken long."""
    resources = home(folder)
    executor = RayChunks(replace(resources.settings, ray_address=address))
    started_s = time.monotonic()
    with pytest.raises((ConfigurationError, ClusterUnavailableError)) as failed:
        list(executor.make(chunks_of(resources), "run"))
    assert time.monotonic() - started_s < 30
    return failed.value


def own_node(cluster):
    """The node through which this process takes part: Ray ends a process that loses its own."""
    import ray

    ray.init(address=cluster.address, ignore_reinit_error=True, logging_level=logging.ERROR)
    return ray.get_runtime_context().get_node_id()


def leave():
    """Leave the cluster, if an earlier test has joined."""
    import ray

    ray.shutdown()


def test_two_nodes_make_the_trials_that_one_process_makes(two_nodes, in_process, tmp_path, caplog):
    resources = home(tmp_path)
    answer = signal.getsignal(signal.SIGTERM)
    with caplog.at_level(logging.DEBUG, "islandflow.ray_executor"):
        first = run(resources, on_ray(resources, two_nodes))
    assert digests(first) == in_process
    assert first.made == first.trials
    assert set(nodes(caplog)) == set(two_nodes.raylets)
    # Whoever runs this process decides what ends it, not Ray.
    assert signal.getsignal(signal.SIGTERM) is answer
    again = run(resources, on_ray(resources, two_nodes))
    assert (digests(again), again.made) == (in_process, 0)


def test_servers_hold_the_same_trials_and_ray_keeps_no_secret(
    two_nodes, in_process, services_environment, tmp_path
):
    given = {k: v for k, v in services_environment.items() if k.startswith("ISLANDFLOW_")}
    resources = home(tmp_path / "services", **given)
    assert digests(run(resources, on_ray(resources, two_nodes))) == in_process
    password = resources.settings.database_url.partition("://")[2].partition("@")[0]
    secrets = [resources.settings.s3.secret_key, password.partition(":")[2]]
    logs = [path for path in two_nodes.folder.rglob("*") if path.is_file()]
    assert any("worker" in path.name for path in logs)
    text = b"".join(path.read_bytes() for path in logs)
    assert not [secret for secret in secrets if secret.encode() in text]
    resources.database.dispose()


def test_a_market_that_breaks_its_guards_is_a_problem_on_ray_too(two_nodes, tmp_path):
    found = []
    for name in ("here", "there"):
        resources = home(tmp_path / name)
        parts_of = resources.store, resources.database, resources.engine_runtime
        executor = InProcess(*parts_of) if name == "here" else on_ray(resources, two_nodes)
        made = executor.make(chunks_of(resources, seeds=2, markets=[CALM, SINKING]), "run")
        found.append([(one.problem, one.row and one.row.content_digest) for one in made])
    assert found[0] == found[1]
    assert [problem and problem.code for problem, _ in found[0]] == [
        None,
        None,
        "SCENARIO_UNREPRESENTABLE",
        "SCENARIO_UNREPRESENTABLE",
    ]


def test_an_error_in_a_task_arrives_as_itself(two_nodes, tmp_path):
    resources = home(tmp_path / "foreign")
    chunks = chunks_of(resources)
    (resources.settings.home / "islandflow.db").write_bytes(b"no database" * 1000)
    with pytest.raises(ConfigurationError) as failed:
        list(on_ray(resources, two_nodes).make(chunks, "run"))
    assert (type(failed.value), failed.value.code) == (ConfigurationError, "DATABASE_REFUSED")
    assert "islandflow.db" in failed.value.hints[0]

    resources = home(tmp_path / "failing")
    # A file system in which nothing can be made, and not for want of a right.
    resources.settings.objects_home.symlink_to("/proc/self")
    with pytest.raises(StoreUnavailableError) as failed:
        list(on_ray(resources, two_nodes).make(chunks_of(resources), "run"))
    assert (type(failed.value), failed.value.retryable) == (StoreUnavailableError, True)


def test_no_more_tasks_are_begun_than_may_be_in_flight(two_nodes, tmp_path):
    resources = home(tmp_path)
    chunks = chunks_of(resources, seeds=48)
    size = max(len(part) for part in parts(chunks, CPUS))
    made = on_ray(resources, two_nodes).make(chunks, "run")
    first = next(made)
    assert first.chunk is chunks[0]
    time.sleep(1.0)
    made.close()
    rows = resources.database.artefacts(what="trial_chunk")
    assert size <= len(rows) <= size * (CPUS * IN_FLIGHT_PER_CPU + 1) < len(chunks)


@pytest.mark.faults
def test_a_node_killed_at_work_costs_no_trial(two_nodes, in_process, tmp_path, caplog):
    kept = own_node(two_nodes)
    [lost] = two_nodes.raylets.keys() - {kept}
    killed, ended = threading.Event(), threading.Event()

    def kill_at_work():
        while not ended.is_set():
            if two_nodes.is_at_work(lost, TASK_NAME):
                two_nodes.kill_node(lost)
                killed.set()
                return

    killer = threading.Thread(target=kill_at_work)
    killer.start()
    with caplog.at_level(logging.DEBUG, "islandflow.ray_executor"):
        for attempt in range(10):
            # On a busy machine one node may do all the work before the other is seen at any.
            resources = home(tmp_path / str(attempt))
            trials = run(resources, on_ray(resources, two_nodes))
            assert digests(trials) == in_process
            if killed.is_set():
                break
    ended.set()
    killer.join()
    assert killed.is_set()
    assert list(two_nodes.raylets) == [kept]
    assert nodes(caplog)[kept]


@pytest.mark.faults
def test_a_cluster_that_is_gone_is_given_up_before_ray_ends_the_process(cluster, tmp_path):
    # The last test: nothing is left of the cluster. In a process of its own: Ray will end it.
    resources = home(tmp_path)
    executor = replace(on_ray(resources, cluster), silence_s=3.0)
    (tmp_path / "work").write_bytes(pickle.dumps((executor, chunks_of(resources))))
    driver = subprocess.Popen(
        [sys.executable, "-c", LOSES_ITS_CLUSTER, str(tmp_path / "work")],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    leave()
    with driver:
        assert any(line == "begun\n" for line in driver.stdout)
        cluster.kill()
        said = driver.communicate("lost\n", timeout=60)[0].splitlines()
    assert [line for line in said if line.startswith("RAY_")] == ["RAY_UNAVAILABLE"] * 2


LOSES_ITS_CLUSTER = """
import os, pickle, sys
from pathlib import Path

from contracts.errors import UnavailableError

executor, chunks = pickle.loads(Path(sys.argv[1]).read_bytes())
made = executor.make(chunks, "run")
next(made)
print("begun", flush=True)
sys.stdin.readline()
for rest in (made, executor.make(chunks, "run")):
    try:
        list(rest)
    except UnavailableError as error:
        print(error.code, flush=True)
os._exit(0)
"""
