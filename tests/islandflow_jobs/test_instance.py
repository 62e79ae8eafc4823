"""Dagster's home: made once, renewed when the template changes, one per profile."""

import os
import subprocess

import pytest
import yaml

from contracts.errors import ConfigurationError, UnavailableError
from islandflow_jobs.instance import TEMPLATES, open_instance, prepare_home, warn_without_home
from islandflow_resources.process_environment import export_lines, process_environment
from islandflow_resources.settings import load_settings


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Settings of a home with an awkward name; the environment is restored afterwards."""
    made = load_settings({"ISLANDFLOW_HOME": str(tmp_path / 'it\'s a "home" $HOME')})
    for name in process_environment(made):
        monkeypatch.setenv(name, "")
    return made


def test_a_home_holds_the_file_of_its_profile_and_the_process_points_to_it(settings):
    home = prepare_home(settings)
    assert home == settings.dagster_home
    assert (home / "dagster.yaml").read_text("utf-8") == TEMPLATES["embedded"].read_text("utf-8")
    assert os.environ["DAGSTER_HOME"] == str(home)
    assert os.environ["ISLANDFLOW_HOME"] == str(settings.home)


def test_an_old_file_is_renewed_and_an_equal_one_left_alone(settings):
    path = prepare_home(settings) / "dagster.yaml"
    written = path.stat().st_mtime_ns
    prepare_home(settings)
    assert path.stat().st_mtime_ns == written
    path.write_text("telemetry: {enabled: true}\n")
    prepare_home(settings)
    assert path.read_text("utf-8") == TEMPLATES["embedded"].read_text("utf-8")
    assert [entry.name for entry in path.parent.iterdir()] == ["dagster.yaml"]


def test_what_is_registered_is_still_there_when_the_instance_is_opened_again(settings):
    with open_instance(settings) as instance:
        assert instance.is_persistent
        instance.add_dynamic_partitions("scenario", ["a"])
    with open_instance(settings) as instance:
        assert list(instance.get_dynamic_partitions("scenario")) == ["a"]
        assert not instance.telemetry_enabled


def test_a_home_that_is_a_file_is_refused(settings):
    settings.home.parent.mkdir(exist_ok=True)
    settings.home.write_text("no folder")
    with pytest.raises(ConfigurationError) as caught:
        prepare_home(settings)
    assert (caught.value.code, caught.value.loc) == ("HOME_NOT_WRITABLE", "ISLANDFLOW_HOME")


def test_a_storage_that_does_not_open_may_be_tried_again(settings):
    (prepare_home(settings) / "history").write_text("no folder")
    with pytest.raises(UnavailableError) as caught:
        open_instance(settings)
    assert caught.value.code == "DAGSTER_STORAGE_UNAVAILABLE"
    assert caught.value.retryable


def test_what_is_exported_evaluates_in_a_shell_to_the_same_variables(settings):
    script = f"{export_lines(settings)}\nenv -0"
    shell = subprocess.run(["/bin/bash", "-c", script], env={}, capture_output=True, check=True)
    pairs = [entry.split("=", 1) for entry in shell.stdout.decode().split("\0") if entry]
    found = dict(pairs)
    wanted = process_environment(settings)
    assert {name: found[name] for name in wanted} == wanted
    assert load_settings(found) == settings


def test_both_profiles_limit_and_retry_runs_alike():
    embedded, services = (
        yaml.safe_load(TEMPLATES[name].read_text("utf-8")) for name in ("embedded", "services")
    )
    assert set(services) - set(embedded) == {"storage", "compute_logs"}
    assert {name: services[name] for name in embedded} == embedded


def test_without_a_home_a_warning_says_what_to_run_first(settings, caplog, monkeypatch):
    monkeypatch.delenv("DAGSTER_HOME")
    warn_without_home()
    assert 'eval "$(islandflow env)"' in caplog.text
    caplog.clear()
    prepare_home(settings)
    warn_without_home()
    assert caplog.text == ""
