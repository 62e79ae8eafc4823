"""Settings written back as an environment: for a shell, a child, this process."""

import subprocess

import pytest

from islandflow_resources.process_environment import (
    choose_executor,
    export_lines,
    process_environment,
)
from islandflow_resources.settings import load_settings

SERVICES = {
    "ISLANDFLOW_S3_ENDPOINT": "http://127.0.0.1:8333",
    "ISLANDFLOW_S3_BUCKET": "lake",
    "ISLANDFLOW_S3_ACCESS_KEY": "the-access-key",
    "ISLANDFLOW_S3_SECRET_KEY": "the secret $key's",
    "ISLANDFLOW_DATABASE_URL": "postgresql+psycopg://island:the-password@127.0.0.1:5432/flow",
}


def test_a_shell_reads_the_exported_lines_back_as_they_were():
    settings = load_settings(SERVICES | {"ISLANDFLOW_HOME": "/somewhere/with a space & more"})
    script = export_lines(settings) + "env -0"
    out = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True, env={}).stdout
    seen = dict(line.split("=", 1) for line in out.decode().split("\0") if line)
    assert process_environment(settings).items() <= seen.items()
    assert seen["DAGSTER_HOME"] == "/somewhere/with a space & more/dagster"
    assert seen["DAGSTER_PG_HOST"] == "127.0.0.1"
    assert seen["DAGSTER_PG_PASSWORD"] == "the-password"
    assert seen["DAGSTER_PG_DB"] == "flow_dagster"


LABELS = {
    "ISLANDFLOW_S3_LABELS_ACCESS_KEY": "of-the-labels",
    "ISLANDFLOW_S3_LABELS_SECRET_KEY": "their secret",
}


@pytest.mark.parametrize("environ", [{"ISLANDFLOW_HOME": "/data"}, SERVICES, SERVICES | LABELS])
def test_a_child_under_the_exported_environment_has_the_same_settings(environ):
    settings = load_settings(environ)
    own = {k: v for k, v in process_environment(settings).items() if k.startswith("ISLANDFLOW_")}
    assert load_settings(own) == settings


def test_a_chosen_executor_holds_for_this_process_and_its_children(monkeypatch):
    monkeypatch.setenv("ISLANDFLOW_EXECUTOR", "ray")
    choose_executor("multiprocess")
    assert load_settings().executor == "multiprocess"
    assert process_environment(load_settings())["ISLANDFLOW_EXECUTOR"] == "multiprocess"
