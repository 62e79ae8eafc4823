"""Secrets stay where they are put: a campaign, a server, failing commands, and then a search.

Every secret setting holds a value that occurs nowhere else. Whatever is left behind is looked
through: logs, both databases, every object, every file of the home, answers of the server, what
commands print. Only `islandflow env` prints them, since that is what it is for.
"""

import base64
import functools
import gc
import gzip
import json
import logging
import re

import pytest
from sqlalchemy import create_engine, text

from contracts.campaign import campaign_from
from contracts.errors import ConfigurationError
from islandflow_jobs import registration
from islandflow_jobs.instance import open_instance
from islandflow_jobs.serve.access import LOOPBACK, Access
from islandflow_jobs.serve.app import Serving
from islandflow_resources import tracked_trials
from islandflow_resources.alerts import Alert, send, sinks
from islandflow_resources.resource_set import ResourceSet
from islandflow_resources.retries import Patience
from islandflow_resources.settings import SETTINGS, load_settings
from tests.campaign_graph import run_job
from tests.graph import Graph, link_kernels
from tests.islandflow_jobs.serve.served import serving
from tests.islandflow_jobs.serve.test_rest import ask
from tests.islandflow_resources.campaigning import CALM_MARKET, damage, document

SEED = b"canary-of-the-signing-key-seed-1"
TRACKED = "http://canary-tracking-user:canary-tracking-password@127.0.0.1:1/canary-tracking-path"
CANARIES = {
    "ISLANDFLOW_SERVE_TOKEN": "canary-serve-token",
    "ISLANDFLOW_SIGNING_KEY": base64.b64encode(SEED).decode(),
    "ISLANDFLOW_TRACKING_URI": TRACKED,
    "ISLANDFLOW_ALERT_WEBHOOK": "http://127.0.0.1:1/hooks/canary-webhook",
}
PARTS = (
    *("canary-serve-token", "canary-webhook"),
    *("canary-tracking-user", "canary-tracking-password", "canary-tracking-path"),
    *(CANARIES["ISLANDFLOW_SIGNING_KEY"], SEED.decode(), SEED.hex()),
)
BROKEN = (
    {"ISLANDFLOW_DATABASE_URL": "mysql://someone:{password}@127.0.0.1/x"},
    {"ISLANDFLOW_DATABASE_URL": "postgresql+psycopg://island:{password}@127.0.0.1:1/x"},
    {"ISLANDFLOW_S3_ENDPOINT": "http://{secret}:{secret}@127.0.0.1:1"},
    {"ISLANDFLOW_S3_ENDPOINT": "http://127.0.0.1:1"},
    {"ISLANDFLOW_SIGNING_KEY": "canary-serve-token"},
    {"ISLANDFLOW_TRACKING_URI": "canary-tracking-password"},
    {"ISLANDFLOW_ALERT_WEBHOOK": "canary-webhook"},
    {"ISLANDFLOW_TOKEN": "canary-serve-token"},
    {"ISLANDFLOW_S3_LABELS_SECRET_KEY": ""},
)


@pytest.fixture
def environment(services_environment, s3_server, monkeypatch):
    """The services profile with a canary in every secret setting, for this process."""
    own = {
        name: value for name, value in services_environment.items() if name[:11] == "ISLANDFLOW_"
    }
    own |= CANARIES
    # Those of the servers are random: nothing else is called like that.
    own["ISLANDFLOW_S3_LABELS_ACCESS_KEY"] = s3_server.reader_access_key
    own["ISLANDFLOW_S3_LABELS_SECRET_KEY"] = s3_server.reader_secret_key
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    # Nobody answers there: of twice ten seconds of attempts every one would say the same.
    hasty = functools.partial(tracked_trials.track, patience=Patience(total_s=0.5))
    monkeypatch.setattr(tracked_trials, "track", hasty)
    assert {row.name for row in SETTINGS if row.secret} <= own.keys()
    return own


@pytest.fixture
def secrets(environment):
    """Every text that must not be found, with those that the servers made up."""
    settings = load_settings(environment)
    password = re.search(r":([0-9a-f]{16})@", settings.database_url)
    assert password is not None
    assert settings.s3 is not None
    assert settings.labels_s3 is not None
    keys = [(one.access_key, one.secret_key) for one in (settings.labels_s3, settings.s3)]
    return [*PARTS, *(text for pair in keys for text in pair), password[1]]


class Search:
    """Everything that was produced, by where it was found."""

    def __init__(self, secrets):
        self.secrets = secrets
        self.places = {}

    def add(self, place, data):
        self.places[place] = data if isinstance(data, bytes) else str(data).encode()

    def found(self):
        return [
            (secret, place)
            for place, data in self.places.items()
            for secret in self.secrets
            if secret.encode() in data
        ]


def rows_of(url):
    """Every row of every table of a PostgreSQL database, as JSON."""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            names = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            for name in connection.execute(text(names)).scalars().all():
                for row in connection.execute(text(f'SELECT to_jsonb(t) FROM "{name}" t')):
                    yield name, json.dumps(row[0], default=str)
    finally:
        engine.dispose()


def asked(address, token):
    """Answers of the server with their headers: right, wrong and without a token."""
    shown = ("Bearer wrong", f"Bearer {token}", "")
    paths = ("/", "/healthz", "/version", "/metrics", "/openapi.json", "/v1/serving", "/nowhere")
    for path in (*paths, "/v1/experiments/runs?sort=x", f"/v1/experiments/runs/{'c' * 32}/detail"):
        for authorization in shown:
            status, headers, answer = ask(address, path, authorization=authorization)
            yield f"{path} {status}", f"{dict(headers)} {answer!r}"
    yield "t0", repr(ask(address, "/api/v1/engine/t0", {"strategy": 1}, authorization=shown[1]))


def run_campaign(search, resources):
    """A campaign run and served, and a job that fails."""
    link_kernels(resources.settings.home)
    with open_instance(resources.settings) as instance:
        graph = Graph(resources, instance)
        spec = campaign_from(document(scenarios=[CALM_MARKET], seeds="1", tracking={"max_runs": 1}))
        campaign, _ = registration.register_campaign(
            resources.store, resources.database, instance, spec
        )
        for job, key in (("campaign", campaign.key), ("promotion", campaign.key)):
            run = run_job(graph, key, job)
            assert run.success, run.said
            search.add(f"events {job}", repr(run.events))
        [chunk] = [key for key in resources.store.keys("trials/") if key.endswith(".parquet")]
        damage(resources.store, chunk)
        search.add("events again", repr(run_job(graph, campaign.key).events))
    problems = send(Alert("stale", "tiny", "late"), sinks(resources.settings))
    assert problems
    search.add("alert", problems)


def look_through(search, resources):
    """Both databases, every object, every file of the home, and what the parts call themselves."""
    url = resources.settings.database_url
    for kind, address in (("registry", url), ("dagster", f"{url}_dagster")):
        for name, row in rows_of(address):
            search.add(f"{kind} {name} {len(search.places)}", row)
    for key in resources.store.keys(""):
        data = resources.store.get(key)
        search.add(f"object {key}", gzip.decompress(data) if key.endswith(".gz") else data)
    for path in resources.settings.home.rglob("*"):
        if path.is_file() and "kernels" not in path.parts:
            search.add(f"file {path}", path.read_bytes())
    for part in (resources.settings, resources.store, resources.database, resources.keyring):
        search.add(f"repr {type(part).__name__}", repr(part))


def break_settings(search, secrets, monkeypatch, command):
    """Settings that are wrong or lead nowhere, one after the other."""
    for change in BROKEN:
        with monkeypatch.context() as patched:
            for name, value in change.items():
                patched.setenv(name, value.format(password=secrets[-1], secret=secrets[-2]))
            said = command("doctor", code=1)
            assert any(line.startswith("bad") for line in said), change
            try:
                search.add(f"settings {len(search.places)}", repr(load_settings()))
            except ConfigurationError as error:
                search.add(f"settings {len(search.places)}", repr(error.problems))


# Commands leave their connections to the end of their process, which here goes on.
@pytest.mark.filterwarnings("ignore:.*was deleted while still open:ResourceWarning")
@pytest.mark.xdist_group("canaries")
def test_no_secret_is_found_in_anything_that_is_produced(
    islandflow, environment, secrets, monkeypatch, caplog
):
    caplog.set_level(logging.INFO)
    for name in ("islandflow", "uvicorn", "dagster"):
        caplog.set_level(logging.DEBUG, name)
    search = Search(secrets)

    def command(*arguments, code):
        ended, out, err = islandflow(*arguments)
        search.add(f"islandflow {arguments} {len(search.places)}", "\n".join([*out, *err]))
        assert ended == code, (arguments, out, err)
        return [*out, *err]

    resources = ResourceSet.from_environment()
    command("provision", code=0)
    run_campaign(search, resources)
    token = resources.settings.serve_token
    with serving(resources, Serving(Access(LOOPBACK, token))) as address:
        for place, answer in asked(address, token):
            search.add(place, answer)
    for arguments in (("serving", "show", "best"), ("verify", "best"), ("doctor",)):
        command(*arguments, code=0)
    command("sql", "SELECT * FROM nowhere", code=2)
    command("serving", "show", "nobody", code=1)
    break_settings(search, secrets, monkeypatch, command)
    look_through(search, resources)
    search.add("logs", caplog.text)
    assert search.found() == []

    kinds = {place.split(" ")[0] for place in search.places}
    assert {"islandflow", "events", "registry", "dagster", "object", "file", "logs"} <= kinds
    told = b"".join(search.places.values())
    assert b"tracking server http://127.0.0.1:1" in told
    exported = "\n".join(islandflow("env")[1])
    resources.database.dispose()
    gc.collect()
    assert all(environment[row.name] in exported for row in SETTINGS if row.secret)
