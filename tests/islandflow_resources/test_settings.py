"""The environment, read and refused."""

import os

import pytest

from contracts.errors import ConfigurationError
from islandflow_resources.settings import (
    EXECUTORS,
    PROMOTIONS,
    SETTINGS,
    load_settings,
    settings_table,
)

SERVICES = {
    "ISLANDFLOW_S3_ENDPOINT": "http://127.0.0.1:8333",
    "ISLANDFLOW_S3_BUCKET": "lake",
    "ISLANDFLOW_S3_ACCESS_KEY": "the-access-key",
    "ISLANDFLOW_S3_SECRET_KEY": "the secret $key's",
    "ISLANDFLOW_DATABASE_URL": "postgresql+psycopg://island:the-password@127.0.0.1:5432/flow",
}


def refused(environ):
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ)
    return caught.value


def test_nothing_set_is_the_embedded_profile_in_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HOME", raising=False)
    settings = load_settings({})
    assert settings.profile == "embedded"
    assert settings.s3 is None
    assert settings.home == tmp_path / ".islandflow"
    assert settings.database_url == f"sqlite:///{tmp_path}/.islandflow/islandflow.db"
    assert settings.dagster_home == tmp_path / ".islandflow" / "dagster"
    assert settings.kernel_home == tmp_path / ".islandflow" / "kernels"
    assert settings.objects_home == tmp_path / ".islandflow" / "objects"
    assert (settings.memory_mb, settings.log_level) == (1024, "INFO")
    assert 1 <= settings.threads <= (os.cpu_count() or 1)


def test_a_relative_home_becomes_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_settings({"ISLANDFLOW_HOME": "here/../there"}).home == tmp_path / "there"


def test_all_servers_named_is_the_services_profile():
    settings = load_settings(SERVICES | {"ISLANDFLOW_THREADS": "3", "ISLANDFLOW_MEMORY_MB": "64"})
    assert settings.profile == "services"
    assert settings.s3 is not None
    assert settings.s3.endpoint == "http://127.0.0.1:8333"
    assert settings.s3.region == "us-east-1"
    assert (settings.threads, settings.memory_mb) == (3, 64)


def test_an_empty_value_counts_as_unset():
    assert load_settings(dict.fromkeys(SERVICES, "")).profile == "embedded"


def test_the_region_alone_does_not_choose_a_profile():
    assert load_settings({"ISLANDFLOW_S3_REGION": "eu-west-1"}).profile == "embedded"


@pytest.mark.parametrize("present", sorted(SERVICES))
def test_a_half_configured_profile_is_refused_with_all_that_is_missing(present):
    error = refused({present: SERVICES[present]})
    assert error.code == "PROFILE_INCOMPLETE"
    missing = error.message.partition("missing: ")[2].split(", ")
    assert set(missing) == set(SERVICES) - {present}
    assert any("unset" in hint for hint in error.hints)


LABELS = {
    "ISLANDFLOW_S3_LABELS_ACCESS_KEY": "the-labels-access-key",
    "ISLANDFLOW_S3_LABELS_SECRET_KEY": "the labels' secret",
}


def test_labels_have_the_keys_of_the_store_unless_they_have_their_own():
    assert load_settings(SERVICES).labels_s3 is None
    settings = load_settings(SERVICES | LABELS)
    assert settings.labels_s3.access_key == "the-labels-access-key"
    assert settings.labels_s3.secret_key == "the labels' secret"
    assert (settings.labels_s3.endpoint, settings.labels_s3.bucket) == (
        settings.s3.endpoint,
        settings.s3.bucket,
    )
    assert "labels" not in repr(settings.labels_s3)


@pytest.mark.parametrize("present", sorted(LABELS))
def test_keys_of_labels_that_are_not_whole_are_refused(present):
    error = refused(SERVICES | {present: LABELS[present]})
    [other] = set(LABELS) - {present}
    assert (error.code, error.loc) == ("PROFILE_INCOMPLETE", other)
    without = refused(LABELS)
    assert set(SERVICES) <= set(without.message.partition("missing: ")[2].split(", "))


def test_an_unknown_variable_is_refused_with_the_nearest_name():
    error = refused({"ISLANDFLOW_S3_BUKET": "lake"})
    assert error.code == "SETTING_UNKNOWN"
    assert error.loc == "ISLANDFLOW_S3_BUKET"
    assert error.hints == ("did you mean ISLANDFLOW_S3_BUCKET?",)


def test_an_unknown_variable_like_no_other_is_told_all_names():
    error = refused({"ISLANDFLOW_" + 40 * "Q": "1"})
    assert all(row.name in error.hints[0] for row in SETTINGS)


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("ISLANDFLOW_S3_ENDPOINT", "127.0.0.1:8333", "http://"),
        ("ISLANDFLOW_S3_ENDPOINT", "s3://lake", "http://"),
        ("ISLANDFLOW_S3_ENDPOINT", "http://127.0.0.1:8333/lake", "scheme, host and port"),
        ("ISLANDFLOW_S3_BUCKET", "My Lake", "a-z"),
        ("ISLANDFLOW_DATABASE_URL", "postgresql://u:p@h/d", "postgresql+psycopg://"),
        ("ISLANDFLOW_DATABASE_URL", "postgresql+psycopg2://u:p@h/d", "postgresql+psycopg://"),
        ("ISLANDFLOW_DATABASE_URL", "postgresql+psycopg://u:p@h", "/name"),
        ("ISLANDFLOW_DATABASE_URL", "sqlite:///x.db", "embedded"),
        ("ISLANDFLOW_DATABASE_URL", "flow", "postgresql+psycopg://"),
        ("ISLANDFLOW_THREADS", "many", "4"),
        ("ISLANDFLOW_THREADS", "0", "4"),
        ("ISLANDFLOW_THREADS", "-1", "4"),
        ("ISLANDFLOW_MEMORY_MB", "1.5", "64"),
        ("ISLANDFLOW_MEMORY_MB", "63", "64"),
        ("ISLANDFLOW_LOG_LEVEL", "LOUD", "DEBUG"),
    ],
)
def test_a_bad_value_is_refused_with_what_to_write(name, value, hint):
    error = refused(SERVICES | {name: value})
    assert error.code == "SETTING_INVALID"
    assert error.loc == name
    assert hint in error.hints[0]


def test_every_problem_is_told_at_once():
    environ = {"ISLANDFLOW_S3_BUCKET": "_", "ISLANDFLOW_THREADS": "x", "ISLANDFLOW_TREADS": "1"}
    codes = [problem.code for problem in refused(environ).problems]
    assert codes == ["SETTING_UNKNOWN", "PROFILE_INCOMPLETE", "SETTING_INVALID", "SETTING_INVALID"]


def test_secrets_are_in_no_representation_or_message():
    texts = [repr(load_settings(SERVICES)), str(refused(SERVICES | {"ISLANDFLOW_THREADS": "x"}))]
    bad = SERVICES | {"ISLANDFLOW_DATABASE_URL": "postgresql://island:the-password@h/d"}
    texts.append(str(refused(bad)))
    for text in texts:
        assert "the-password" not in text
        assert "the secret" not in text
        assert "the-access-key" not in text


def test_the_table_has_one_row_per_setting_and_marks_the_secrets():
    lines = settings_table().splitlines()[2:]
    assert [line.split("`")[1] for line in lines] == [row.name for row in SETTINGS]
    secret = [line.split("`")[1] for line in lines if "Secret." in line]
    assert secret == [row.name for row in SETTINGS if row.secret]


def test_campaigns_run_in_this_process_and_are_promoted_unless_something_else_is_said():
    settings = load_settings({})
    assert (settings.executor, settings.promotion) == ("in_process", "on")
    assert (settings.tracking_uri, settings.alert_webhook) == ("", "")


@pytest.mark.parametrize(
    ("name", "choices"),
    [("ISLANDFLOW_EXECUTOR", EXECUTORS), ("ISLANDFLOW_PROMOTION", PROMOTIONS)],
)
def test_a_choice_is_one_of_those_that_the_error_names(name, choices):
    for choice in choices:
        assert choice in vars_of(load_settings({name: choice}))
    error = refused({name: "sometimes"})
    assert error.loc == name
    assert all(choice in error.hints[0] for choice in choices)


@pytest.mark.parametrize("name", ["ISLANDFLOW_TRACKING_URI", "ISLANDFLOW_ALERT_WEBHOOK"])
def test_an_address_is_one_of_http_and_its_secrets_are_not_repeated(name):
    secret = "http://127.0.0.1:9/token-of-somebody"
    assert "token-of-somebody" not in repr(load_settings({name: secret}))
    error = refused({name: "ftp://127.0.0.1/token-of-somebody"})
    assert error.loc == name
    assert "token-of-somebody" not in str(error)


def vars_of(settings):
    """What a choice became."""
    return {settings.executor, settings.promotion}
