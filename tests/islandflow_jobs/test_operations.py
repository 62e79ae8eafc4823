"""What commands do apart from printing: the doctor on healthy and ill homes."""

import socket

import pytest

from islandflow_jobs import operations
from islandflow_resources.process_environment import process_environment
from islandflow_resources.resource_set import ResourceSet
from tests.graph import link_kernels


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A fresh embedded home in the environment, which the doctor may change."""
    home = tmp_path / "a home"
    monkeypatch.setenv("ISLANDFLOW_HOME", str(home))
    settings = ResourceSet.from_environment().settings
    for name, value in process_environment(settings).items():
        monkeypatch.setenv(name, value)
    return home


def closed_port():
    """A port on this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_the_doctor_of_a_healthy_home_finds_nothing_bad(finished):
    lines, healthy = operations.doctor()
    assert healthy
    assert all(line.startswith("ok ") for line in lines)
    said = "\n".join(lines)
    for part in ("Python", "profile embedded", "folder", "database", "engine", "2 scenarios"):
        assert part in said


def test_the_doctor_of_a_fresh_home_finds_nothing_bad(home):
    link_kernels(home)
    lines, healthy = operations.doctor()
    assert healthy, lines
    assert "Dagster knows 0 scenarios × 0 seeds" in lines[-1]


def test_the_doctor_says_what_a_half_configured_profile_misses(home, monkeypatch):
    monkeypatch.setenv("ISLANDFLOW_S3_BUCKET", "bucket")
    lines, healthy = operations.doctor()
    assert not healthy
    [bad] = [line for line in lines if line.startswith("bad")]
    assert "PROFILE_INCOMPLETE" in bad
    assert "ISLANDFLOW_DATABASE_URL" in bad
    assert not home.exists()


def test_the_doctor_names_every_setting_that_is_wrong(home, monkeypatch):
    monkeypatch.setenv("ISLANDFLOW_THREADS", "many")
    monkeypatch.setenv("ISLANDFLOW_TREADS", "2")
    lines, healthy = operations.doctor()
    assert not healthy
    assert sum(line.startswith("bad") for line in lines) == 2
    assert "did you mean ISLANDFLOW_THREADS?" in "\n".join(lines)


@pytest.mark.parametrize(
    ("blocked", "code"),
    [
        ("objects", "STORE_NOT_WRITABLE"),
        ("dagster", "HOME_NOT_WRITABLE"),
        ("dagster/history", "DAGSTER_STORAGE_UNAVAILABLE"),
    ],
)
def test_the_doctor_names_a_folder_that_is_something_else(home, blocked, code):
    link_kernels(home)
    (home / blocked).parent.mkdir(parents=True, exist_ok=True)
    (home / blocked).write_text("no folder")
    lines, healthy = operations.doctor()
    assert not healthy
    [bad] = [line for line in lines if line.startswith("bad")]
    assert code in bad
    assert "(hint: " in bad


def test_the_doctor_names_a_database_that_is_none(home):
    link_kernels(home)
    (home / "islandflow.db").write_bytes(b"no database " * 100)
    lines, healthy = operations.doctor()
    assert not healthy
    [bad] = [line for line in lines if line.startswith("bad")]
    assert "islandflow.db" in bad


def test_the_doctor_names_each_server_that_is_down_and_soon(home, monkeypatch):
    link_kernels(home)
    port = closed_port()
    services = {
        "ISLANDFLOW_S3_ENDPOINT": f"http://127.0.0.1:{port}",
        "ISLANDFLOW_S3_BUCKET": "bucket",
        "ISLANDFLOW_S3_ACCESS_KEY": "key",
        "ISLANDFLOW_S3_SECRET_KEY": "hush-secret",
        "ISLANDFLOW_DATABASE_URL": f"postgresql+psycopg://me:hush-word@127.0.0.1:{port}/db",
    }
    for name, value in services.items():
        monkeypatch.setenv(name, value)
    settings = ResourceSet.from_environment().settings
    for name, value in process_environment(settings).items():
        monkeypatch.setenv(name, value)
    lines, healthy = operations.doctor()
    assert not healthy
    bad = [line for line in lines if line.startswith("bad")]
    assert ["STORE_UNAVAILABLE" in bad[0], "DATABASE_UNAVAILABLE" in bad[1]] == [True, True]
    assert len(bad) == 2
    assert all("(hint: " in line for line in bad)
    assert "hush" not in "\n".join(lines)
